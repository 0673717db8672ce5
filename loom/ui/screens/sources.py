"""Who could have written what one is at: all sources of the set in force, the likeliest first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Input, OptionList, Static

from loom.core.node import Place
from loom.instruments.sources.api import Posterior, Source, SourceSet
from loom.session import Session
from loom.ui.screens import standings
from loom.ui.screens.picker import Picker
from loom.ui.screens.source_choice import SourceChoice
from loom.ui.screens.standings import Row
from loom.ui.worlds import Worlds

GLANCE = 0.3  # seconds between two looks at what has been weighed

Wanted = Literal["grow", "keep", "drop", "sets", "probe"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What is wanted: to grow under `frame`, to have it as the session's byline or none, another
    set, or to ask the model."""

    what: Wanted
    frame: str = ""
    name: str = ""


class Sources(Picker[Answer]):
    """At `place`; what was weighed shows as it comes."""

    HEADING = "Sources"
    KEYS = "Enter goes on under one · / filter · p asks the model · s sets · Esc"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("S", "close", "Close", show=False),
        Binding("slash", "filter", "Filter"),
        Binding("p", "answer('probe')", "Ask the model"),
        Binding("s", "answer('sets')", "Sets"),
        Binding("0", "answer('drop')", "No byline"),
    ]

    def __init__(self, session: Session, worlds: Worlds, place: Place) -> None:
        super().__init__()
        self._session, self._worlds, self.place = session, worlds, place
        self.rows: list[Row] = []
        self._words = ""
        self._shown: tuple[SourceSet | None, Posterior | None, str] = (None, None, "")

    def compose_head(self) -> ComposeResult:
        yield Static(id="weighed")

    def begin(self) -> None:
        if self._worlds.sources is not None:
            self._session.weigh(self.place)
        self.refill()
        self.set_interval(GLANCE, self._glance)

    def _glance(self) -> None:
        if self._shown[:2] != self._now[:2]:
            self.refill()
        elif self._shown != self._now and self.rows:
            self._shown = self._now
            self._say_state()

    @property
    def _now(self) -> tuple[SourceSet | None, Posterior | None, str]:
        return self._worlds.sources, self._worlds.at(self.place), self._progress

    # ── showing ────────────────────────────────────────────────────────────────────────────

    def refill(self) -> None:
        known, posterior, _ = self._shown = self._now
        if known is None:
            self._show_nothing()
            return
        before = self._row
        self.rows = standings.rows(known, posterior, self._words)
        calibrated = posterior is not None and posterior.calibrated
        self._show_head(known, posterior, calibrated=calibrated)
        names = [row.name for row in self.rows]
        at = names.index(before.name) if before is not None and before.name in names else 0
        width = self.room - 2  # a scroll bar may come
        self.fill(standings.drawn(self.rows, width, self.look, calibrated=calibrated), at)
        self._say_state()

    def _say_state(self) -> None:
        if not self.asking:
            self.say(self._shown[2] or self._in_force)

    def _show_nothing(self) -> None:
        self.rows = []
        self.fill([])
        self.query_one("#weighed", Static).update(Content("No set of sources is in force."))
        self.say("s chooses a set, or makes one.")

    def _show_head(
        self, known: SourceSet, posterior: Posterior | None, *, calibrated: bool
    ) -> None:
        said = (standings.badge(posterior), standings.beside(posterior))
        lines = [
            Content.styled(standings.facts(known, posterior), self.look("name")),
            *(Content.styled(line, self.look("words")) for line in said if line),
            Content(""),
            standings.header(self.room - 2, self.look, calibrated=calibrated),
        ]
        self.query_one("#weighed", Static).update(Content("\n").join(lines))

    @property
    def _progress(self) -> str:
        weighing = self._session.weighing
        if weighing is not None and weighing[1]:
            return f"Weighing: {weighing[0] / weighing[1]:.0%} …"
        if self._worlds.at(self.place) is not None:
            return ""
        engine = self._session.engine
        if engine is None or engine.state not in ("ready", "loading"):
            return "No model is loaded to weigh them."
        return "Nothing is weighed here yet."

    @property
    def _in_force(self) -> str:
        frame = self._session.recipe.frame
        if frame:
            words = frame.strip().replace("\n", " ⏎ ")
            return f"The session's byline is “{words}”; 0 takes it away."
        return f"Filtered by “{self._words}”; / changes that." if self._words else ""

    @property
    def _row(self) -> Row | None:
        index = self.options.highlighted
        return None if index is None or index >= len(self.rows) else self.rows[index]

    # ── filtering ──────────────────────────────────────────────────────────────────────────

    def action_filter(self) -> None:
        self.ask("words of a name", self._words, lambda text: self._narrowed())

    def _narrowed(self) -> None:
        self.stop_asking()
        self.refill()

    @on(Input.Changed)
    def narrow(self, event: Input.Changed) -> None:
        if self.asking:
            self._words = event.value
            self.refill()

    def action_close(self) -> None:
        """Out of the line first, and out of what it has narrowed."""
        if self.asking or self._words:
            self._words = ""
            if self.asking:
                self.stop_asking()
            self.refill()
        else:
            self.dismiss(None)

    # ── choosing ───────────────────────────────────────────────────────────────────────────

    @on(OptionList.OptionSelected)
    async def choose(self, event: OptionList.OptionSelected) -> None:
        row, known = self.rows[event.option_index], self._worlds.sources
        source = self._source(known, row.name)
        if source is None:
            self.say("That is what is left when no source of the set explains the text.")
            return

        def chosen(answer: tuple[Wanted, str] | None) -> None:
            if answer is not None:
                self.dismiss(Answer(answer[0], answer[1], source.name))

        await self.app.push_screen(SourceChoice(source), chosen)

    @staticmethod
    def _source(known: SourceSet | None, name: str) -> Source | None:
        return next((one for one in known.sources if one.name == name), None) if known else None

    def action_answer(self, what: Wanted) -> None:
        if what == "probe" and self._worlds.sources is None:
            self.say("s chooses a set first: it says how to ask.")
        else:
            self.dismiss(Answer(what))
