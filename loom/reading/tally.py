"""What the instruments that read the log have made of it so far, and their turn to read on.

How far each has come lies with the root, which is never removed: a log that has lost nodes is not
read again. Knows jobs, readings and the plugins' process.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from loom.core.node import ROOT
from loom.holdings import Holdings
from loom.instruments.api import Reading, Settings
from loom.instruments.client import Reader, Step
from loom.instruments.dealing import dealt
from loom.instruments.folding import Stretch, joined
from loom.instruments.keeping import BEGINNING, Kept
from loom.instruments.lanes import Lanes
from loom.reading.logbook import Job, Logbook, Spot, after
from loom.reading.roster import Roster
from loom.reading.walking import PIECE, groups, pieces

LOG = "log"  # the settings under which the accounts lie; each has its own key
ACCOUNTS = 8  # that are kept of an instrument, the newest: of models and of settings
NOTHING = "null"  # the state kept with a node: it is of no use there


@dataclass(frozen=True, slots=True)
class Account:
    """How far an instrument is: the event of the last job it has read, what is before the next one,
    the state (JSON; None before the first) and what it sums up."""

    through: int = 0
    spot: Spot = Spot()
    state: str | None = None
    summary: Mapping[str, float | str] = field(default_factory=dict)


class Due(NamedTuple):
    """Instruments that are equally far, and what they read next: jobs of one model."""

    model: str
    names: tuple[str, ...]
    jobs: Sequence[Job]


class Tally:
    """One for as long as the same plugins read."""

    def __init__(self, logbook: Logbook, holdings: Holdings, roster: Roster) -> None:
        self._logbook, self._holdings, self._roster = logbook, holdings, roster
        self._accounts: dict[str, dict[str, Account]] = {}

    def due(self) -> Due | None:
        """Those that are furthest behind, up to where the next ones are."""
        for model, jobs in self._logbook.jobs().items():
            accounts = {n: self._account(n, self.key(n, model)) for n in self._roster.on_log()}
            ends = {n: _count(jobs, account.through) for n, account in accounts.items()}
            first = min(ends.values(), default=len(jobs))
            if first < len(jobs):
                spot = min(accounts[n].spot for n in ends if ends[n] == first)
                names = tuple(n for n in ends if ends[n] == first and accounts[n].spot == spot)
                stop = min((end for end in ends.values() if end > first), default=len(jobs))
                return Due(model, names, jobs[first:stop])
        return None

    async def read(self, client: Lanes, due: Due) -> list[int]:
        """As many of the jobs as are sent at once, at least one; the nodes that were read."""
        settings = {n: self._settings(n, due.model) for n in due.names}
        spot = self._account(due.names[0], settings[due.names[0]][0]).spot
        read = list(self._some(due.jobs, spot))
        parts = [list(pieces(stretch)) for _, stretch in read if stretch is not None]
        states = {n: self._account(n, key).state for n, (key, _) in settings.items()}
        steps: dict[str, list[Step]] = {name: [] for name in due.names}
        for group in groups([piece for part in parts for piece in part]):
            readers = {n: Reader(*settings[n], states[n]) for n in steps}
            answers = await client.fold(group, readers)
            steps = {n: steps[n] + answer for n, answer in answers.items()}
            states = {n: answer[-1].state for n, answer in answers.items()}
        for name, answer in steps.items():
            self._keep(name, settings[name][0], read, answer, spot)
        done = read if steps else []
        return [job.nodes[branch] for job, part in done if part for branch in _branches(part)]

    def _some(self, jobs: Sequence[Job], spot: Spot) -> Iterator[tuple[Job, Stretch | None]]:
        tokens = 0
        for job, stretch in self._logbook.along(jobs, spot):
            tokens += len(stretch) if stretch is not None else 0
            if tokens > PIECE and tokens > len(stretch or ()):
                return
            yield job, stretch

    # ── what is kept ───────────────────────────────────────────────────────────────────────

    def _keep(
        self,
        name: str,
        key: str,
        read: Sequence[tuple[Job, Stretch | None]],
        steps: Sequence[Step],
        spot: Spot,
    ) -> None:
        """With every node what was read in it, with the root how far one has come."""
        account, answers = self._account(name, key), iter(steps)
        sums = [(1, Reading(summary=account.summary))]
        for job, stretch in read:
            if stretch is not None:
                own = [(piece, next(answers)) for piece in pieces(stretch)]
                reading = joined([(len(piece), step.reading) for piece, step in own])
                for branch, share in dealt(reading, stretch).items():
                    tokens = _branches(stretch)[branch]
                    kept = Kept(BEGINNING, NOTHING, share, tokens)
                    self._holdings.keep(job.nodes[branch], name, key, kept)
                sums.append((1, Reading(summary=reading.summary)))
            spot = after(spot, stretch)
        state = steps[-1].state if steps else account.state
        self._put(name, key, Account(read[-1][0].event, spot, state, joined(sums).summary))

    def _put(self, name: str, key: str, account: Account) -> None:
        accounts = self._accounts_of(name)
        accounts.pop(key, None)
        accounts[key] = account
        while len(accounts) > ACCOUNTS:
            del accounts[next(iter(accounts))]
        state = json.dumps({key: asdict(one) for key, one in accounts.items()})
        kept = Kept(BEGINNING, state, Reading(summary=account.summary), 0)
        self._holdings.keep(ROOT, name, LOG, kept)

    def _account(self, name: str, key: str) -> Account:
        return self._accounts_of(name).get(key) or Account()

    def _accounts_of(self, name: str) -> dict[str, Account]:
        accounts = self._accounts.get(name)
        if accounts is None:
            kept = self._holdings.kept(ROOT, name, LOG)
            found = {} if kept is None else json.loads(kept.state)
            accounts = self._accounts[name] = {key: _account(one) for key, one in found.items()}
        return accounts

    def key(self, name: str, model: str) -> str:
        """What names an instrument's settings for the tokens of a model."""
        return self._settings(name, model)[0]

    def _settings(self, name: str, model: str) -> tuple[str, Settings]:
        key, settings, spelled = self._roster.settings_for(name, model)
        self._holdings.know_settings(key, spelled)
        return key, settings

    def summaries(self) -> dict[str, Reading]:
        """Of the whole log of the model that has drawn last, by instrument."""
        found = {}
        for name in self._roster.on_log():
            keys = {self.key(name, model) for model in self._logbook.jobs()}
            mine = [one for key, one in self._accounts_of(name).items() if key in keys]
            if mine:
                latest = max(mine, key=lambda account: account.through)
                found[name] = Reading(summary=latest.summary)
        return found

    def note_flags(self, node: int, model: str) -> None:
        """Those of a node whose jobs were read before, from the file."""
        for name in self._roster.on_log():
            key = self.key(name, model)
            seen = self._holdings.glance(node, name, key)
            if seen is not None:
                self._holdings.note_flagged(node, name, key, seen)


def _account(found: Mapping[str, Any]) -> Account:
    return Account(found["through"], Spot(*found["spot"]), found["state"], found["summary"])


def _count(jobs: Sequence[Job], through: int) -> int:
    return bisect_right(jobs, through, key=lambda job: job.event)


def _branches(stretch: Stretch) -> Counter[int]:
    """Branch → tokens."""
    drawn = stretch.context.drawn
    return Counter(() if drawn is None else drawn.branches)
