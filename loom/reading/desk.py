"""What lies before a session's instruments: what is to be read, what was, and how the writer came
to each node. Follows what happens in the session; reads nothing itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from loom.changes import Change, EngineChanged, EngineState, Moved, Scored, Sealed, TreeChanged
from loom.holdings import Holdings
from loom.reading.agenda import Agenda
from loom.reading.arrivals import Arrivals
from loom.reading.logbook import Logbook
from loom.reading.roster import Roster
from loom.reading.stretches import Stretches, Way
from loom.reading.tally import Tally
from loom.reading.walking import Readers

if TYPE_CHECKING:
    from loom.watched import Watched

SEEN = 32  # continuations that are read before all that is out of sight


class Desk:
    """One for a session and as long as the same plugins read."""

    def __init__(self, session: Watched, roster: Roster) -> None:
        self.session, self.roster = session, roster
        self.agenda, self.holdings = Agenda(), Holdings(session)
        self._arrivals, self.logbook = Arrivals(session.tree, session.marks), Logbook(session)
        self.stretches = Stretches(session, lambda node: self._arrivals.choice_of(node))
        self.tally = Tally(self.logbook, self.holdings, roster)
        self._place = session.place
        self._engine: EngineState = "none"

    async def lay_out(self) -> None:
        """How the writer came to every node there is, what was drawn, and all that is to be read:
        first what is in sight."""
        session, learnt = self.session, 0
        while learnt < session.event_count:
            events = await asyncio.to_thread(session.events)
            self._arrivals, self.logbook = Arrivals(session.tree, session.marks), Logbook(session)
            for event in events:
                self._arrivals.happened(event)
                self.logbook.happened(event)
            learnt = events[-1].id if events else session.event_count
        self.tally = Tally(self.logbook, self.holdings, self.roster)
        self._place = session.place
        self.agenda.add_backlog(session.tree)
        self.agenda.add(self._in_sight())

    def _in_sight(self) -> list[int]:
        """Where the writer is and what goes on there, as far as it isn't read."""
        node = self._place.node
        near = [node, *self.session.tree.children(node)[-SEEN:]]
        return [number for number in near if not self.holdings.is_sound(number)]

    # ── what happens ───────────────────────────────────────────────────────────────────────

    def hear(self, change: Change) -> bool:
        """Whether there may be something to read now."""
        match change:
            case Sealed(node):
                self.stretches.forget_below(node)
                self._arrived([node])
            case TreeChanged(nodes):
                self._arrivals.added(nodes)
                self.logbook.added(nodes, self.session.event_count)
                self._arrived(nodes)
                self._recall_below(nodes)
            case Scored(node):
                self.stretches.forget_below(node)
                self.holdings.doubt([node])
                self.agenda.add([node])
                self._recall_below([node])
            case Moved(place):
                if not self.session.read_only:
                    self._arrivals.moved(self._place, place)
                self._place = place
                self.agenda.add(self._in_sight())
            case EngineChanged(state) if state != self._engine:
                self._engine = state
                self.agenda.recall()
            case _:
                return False
        return True

    def _arrived(self, nodes: Collection[int]) -> None:
        """These, and those beside them, which are chosen among more or fewer now; where what they
        hang on is chosen, that can wait."""
        beside = self._doubtful(self._arrivals.beside(nodes))
        around = self._doubtful(self._arrivals.around(nodes)) - beside
        self.holdings.doubt(beside | around)
        self.agenda.add(beside)
        self.agenda.add_backlog(around)

    def _doubtful(self, nodes: set[int]) -> set[int]:
        """Of a few, those that are to be read or are chosen in another way than they were; many
        are looked at later, one by one."""
        if len(nodes) > SEEN:
            return nodes
        sound, as_told = self.holdings.is_sound, self.stretches.is_chosen_as_told
        return {node for node in nodes if not (sound(node) and as_told(node))}

    def _recall_below(self, nodes: Iterable[int]) -> None:
        """What was hidden, or waited for one of these, may be read now."""
        for node in nodes:
            if self.agenda.waits and node in self.session.tree:
                self.agenda.recall(self.session.tree.preorder(node))

    # ── what is to be read, and by whom ────────────────────────────────────────────────────

    def is_wanted(self, number: int) -> bool:
        session = self.session
        if number not in session.tree or self.holdings.is_sound(number):
            return False
        if session.tree[number].growing or self.stretches.model_of(number) is None:
            return False
        hidden = session.is_hidden(number)
        if hidden:
            self.agenda.put_aside(number)
        return not hidden

    def way_to(self, number: int) -> Way | None:
        """None where something on the way is going to have tokens: the node is put aside."""
        way = self.stretches.way_to(number, self.model_of(number), self.holdings.is_sound)
        if self.session.will_be_read(way.unread()):
            self.agenda.put_aside(number)
            return None
        return way

    def model_of(self, number: int) -> str:
        return self.stretches.model_of(number) or ""

    def readers(self, model: str) -> Readers:
        """Who reads paths, with settings for the tokens of that model."""
        readers = {}
        for name in self.roster.running():
            key, settings, spelled = self.roster.settings_for(name, model)
            self.holdings.know_settings(key, spelled)
            readers[name] = key, settings
        return readers

    # ── what was read ──────────────────────────────────────────────────────────────────────

    def was_read(self, node: int, *, anew: bool, urgent: bool) -> None:
        """`anew`: what goes on from the node has to be read again."""
        self.tally.note_flags(node, self.model_of(node))
        if anew:
            below = self._sound_below(node)
            self.holdings.doubt(below)
            (self.agenda.add if urgent else self.agenda.add_backlog)(below)

    def _sound_below(self, node: int) -> list[int]:
        """Those that go on from the node, also over nodes with other tokens or none."""
        model, stack, found = self.stretches.model_of(node), [node], []
        while stack:
            for child in self.session.tree.children(stack.pop()):
                if self.holdings.is_sound(child):
                    found.append(child)
                if self.stretches.model_of(child) != model:
                    stack.append(child)
        return found

    def save(self, least: int = 1) -> None:
        """What isn't in the file yet, if it is so much."""
        if self.holdings.unsaved >= least:
            self.session.keep_readings(*self.holdings.take_unsaved())
