"""The model asked who wrote what stands before a place: its answers as they come, each held against
how it reads the text."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import ClassVar, Protocol

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import OptionList, Static

from loom.core.text import visible
from loom.engine.api import EngineError
from loom.instruments.sources.api import Attribution, Cluster, Source
from loom.ui import glyphs
from loom.ui.screens.picker import Picker
from loom.ui.screens.source_choice import Choice, SourceChoice
from loom.ui.widgets.lens_lines import scale
from loom.ui.widgets.lens_sources import evidence
from loom.ui.widgets.wrapping import clip

COUNT = 100  # answers
COUNTED, SHARE, BITS, DELTA = 5, 12, 11, 9  # columns
NAMES = (14, 30)  # columns of a name, at least and at most
WAY_OUT = "x stops · Enter goes on under one · a adds them to the set · Esc"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`by_frame`: bits for what was answered when the model reads the text under its frame;
    `delta`: by how much that is more than what the answer itself says."""

    by_frame: float
    delta: float


class Inquiry(Protocol):
    """What the screen asks of."""

    def answers(self, count: int) -> AsyncGenerator[Attribution]:
        """All so far, every few answers. Raises EngineError."""
        ...

    def sources(self, found: Attribution) -> Mapping[str, Source]:
        """What the largest clusters are as sources, by the clusters' names."""
        ...

    async def verdicts(self, found: Attribution) -> Mapping[str, Verdict]:
        """Of those, likewise by name. Raises EngineError."""
        ...


@dataclass(frozen=True, slots=True)
class Found:
    """What came of it: to go on under a source, or sources to be added to the set."""

    choice: Choice | None = None
    name: str = ""
    added: tuple[Source, ...] = ()


class Probe(Picker[Found]):
    """`count` answers, stopped by closing it."""

    HEADING = "The model asked who wrote this"
    KEYS = WAY_OUT
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x", "stop", "Stop"),
        Binding("a", "add", "Add to the set"),
    ]

    def __init__(self, inquiry: Inquiry, count: int = COUNT) -> None:
        super().__init__()
        self._inquiry, self._count = inquiry, count
        self.found = Attribution(0)
        self.verdicts: Mapping[str, Verdict] = {}
        self._stopped = False

    def compose_head(self) -> ComposeResult:
        yield Static(id="weighed")

    def begin(self) -> None:
        self.refill()
        self._ask()

    @work(exit_on_error=False)
    async def _ask(self) -> None:
        try:
            await self._collect()
            if self.found.clusters:
                self.say("Reading the text under each answer's frame …")
                self.verdicts = await self._inquiry.verdicts(self.found)
                self.say("")
        except EngineError as error:
            self.complain(error)
        self.refill()

    async def _collect(self) -> None:
        self.say("Asking …")
        async with aclosing(self._inquiry.answers(self._count)) as every:
            async for self.found in every:
                self.refill()
                if self._stopped:
                    break
        self.say("")

    # ── showing ────────────────────────────────────────────────────────────────────────────

    def refill(self) -> None:
        name, bar = self._widths
        head = f"{'':{COUNTED - 1}}{'share, 95 %':^{SHARE}} {'':{bar}} {'answer':{name}}"
        lines = [
            Content.styled(self._facts(), self.look("name")),
            Content(""),
            Content.styled(f"{head}{'by frame':>{BITS}}{'Δ':>{DELTA}}", self.look("facts")),
        ]
        self.query_one("#weighed", Static).update(Content("\n").join(lines))
        self.fill(self._rows(), self.options.highlighted or 0)

    def _facts(self) -> str:
        found = self.found
        if not found.asked:
            return f"0 of {self._count} answers"
        unseen = f"{100 * found.other:.0f} in 100 more would be new (Good–Turing)"
        return f"{found.asked} of {self._count} answers · {unseen}"

    def _rows(self) -> Iterator[Content]:
        name, bar = self._widths
        shares = [one.count / max(1, self.found.asked) for one in self.found.clusters]
        full = scale(max(shares, default=1.0))
        for one, share in zip(self.found.clusters, shares, strict=True):
            words, used = clip(visible(one.name), name)
            known = "name" if one.source is not None else "words"
            yield Content.assemble(
                (f"{one.count:>{COUNTED - 1}} ", self.look("facts")),
                (f"{_interval(one):^{SHARE}} ", self.look("facts")),
                (glyphs.bar(share / full, bar), self.look("words")),
                " ",
                (words, self.look(known)),
                " " * (name - used),
                (self._verdict(one), self.look("facts")),
            )

    def _verdict(self, one: Cluster) -> str:
        found = self.verdicts.get(one.name)
        if found is None:
            return ""
        return f"{evidence(found.by_frame) + ' bits':>{BITS}}{evidence(found.delta):>{DELTA}}"

    @property
    def _widths(self) -> tuple[int, int]:
        """(columns of a name, columns of a bar)."""
        room = self.room - 4 - COUNTED - SHARE - BITS - DELTA
        name = max(NAMES[0], min(NAMES[1], room * 2 // 3))
        return name, max(4, room - name)

    # ── what comes of it ───────────────────────────────────────────────────────────────────

    def action_stop(self) -> None:
        self._stopped = True

    @on(OptionList.OptionSelected)
    async def choose(self, event: OptionList.OptionSelected) -> None:
        name = self.found.clusters[event.option_index].name
        source = self._inquiry.sources(self.found).get(name)
        if source is None:
            self.say("Only the most frequent answers are taken as sources.")
            return

        def chosen(choice: Choice | None) -> None:
            if choice is not None:
                self.dismiss(Found(choice, source.name))

        await self.app.push_screen(SourceChoice(source), chosen)

    def action_add(self) -> None:
        """Those that aren't in it yet."""
        new = self._new(self._inquiry.sources(self.found))
        if new:
            self.dismiss(Found(added=new))
        else:
            self.say("All that was answered often is in the set already.")

    def _new(self, sources: Mapping[str, Source]) -> tuple[Source, ...]:
        strangers = [one.name for one in self.found.clusters if one.source is None]
        return tuple(sources[name] for name in strangers if name in sources)


def _interval(one: Cluster) -> str:
    return f".{_hundredths(one.low)}–.{_hundredths(one.high)}"


def _hundredths(share: float) -> str:
    return f"{min(99, round(share * 100)):02d}"
