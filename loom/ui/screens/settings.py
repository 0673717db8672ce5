"""How continuations are drawn, in force as one types: presets left, their numbers right."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Protocol

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.events import DescendantFocus
from textual.widgets import Input, Label, OptionList, Static
from textual.widgets.option_list import Option

from loom.config import Config, ConfigError
from loom.core.recipe import PRESETS, Recipe, Sampling
from loom.core.text import visible
from loom.presets import save_preset
from loom.session import Session
from loom.store.errors import StoreError
from loom.ui.screens.biases import told
from loom.ui.screens.dialog import Dialog
from loom.ui.screens.fields import BIAS, FIELDS, Field, Outcome, fields_with

SAVING = "save-as"


class Configured(Protocol):
    """Who has the settings, and gets the new ones."""

    config: Config


class Settings(Dialog[None]):
    """Changes `session` at once; `owner`'s settings where a preset goes into `file`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Close"),
        Binding("q,P", "close", "Close", show=False),
        Binding("up", "app.focus_previous", "Up", show=False),
        Binding("down", "app.focus_next", "Down", show=False),
        Binding("ctrl+s", "name", "Save as a preset"),
    ]

    def __init__(self, session: Session, owner: Configured, file: Path) -> None:
        super().__init__()
        self._session, self._owner, self._file = session, owner, file
        self.outcome = self._before = Outcome(session.recipe, session.branches)
        self._vocabulary = session.engine.vocabulary if session.engine is not None else ()
        self._fields = {field.name: field for field in fields_with(self._vocabulary)}

    @property
    def presets(self) -> dict[str, Sampling]:
        return {**PRESETS, **self._owner.config.presets}

    def compose(self) -> ComposeResult:
        with Vertical(id="settings") as box:
            box.border_title = "Sampling of this session"
            box.border_subtitle = "Tab ↑ ↓ between fields · Ctrl+S saves as a preset · Esc closes"
            with Horizontal():
                yield OptionList(id="presets")
                with VerticalScroll(id="fields", can_focus=False):
                    for field in self._fields.values():
                        with Horizontal(classes="field"):
                            yield Label(field.label)
                            yield Input(id=field.name, compact=True)
                    with Horizontal(classes="field"):
                        yield Label("Save as")
                        yield Input(
                            id=SAVING,
                            compact=True,
                            placeholder="a name, then Enter: into loom.toml",
                        )
            yield Static(id="explained")

    def on_mount(self) -> None:
        self._fill_presets()
        self._fill_fields()
        self.set_focus(self.query_one(OptionList))
        self.explain("Enter takes a preset; a changed number is in force at once.")

    def _fill_presets(self) -> None:
        options = self.query_one(OptionList)
        now, names = self.outcome.recipe.preset, [*self.presets]
        options.clear_options()
        shown = [f"{'●' if name == now else ' '} {visible(name)}" for name in names]
        options.add_options(Option(Content(text)) for text in shown)
        if now in names:
            options.highlighted = names.index(now)

    def _fill_fields(self, but: str = "") -> None:
        with self.prevent(Input.Changed):
            for field in self._fields.values():
                if field.name != but:
                    line = self.query_one(f"#{field.name}", Input)
                    line.value = field.text(self.outcome)
                    line.remove_class("-wrong")

    def explain(self, sentence: str, *, trouble: bool = False) -> None:
        static = self.query_one("#explained", Static)
        static.set_class(trouble, "-wrong")
        static.update(Content(visible(sentence)))

    # ── changing ───────────────────────────────────────────────────────────────────────────

    @on(OptionList.OptionSelected)
    def take_preset(self, event: OptionList.OptionSelected) -> None:
        name = [*self.presets][event.option_index]
        recipe = replace(self.outcome.recipe, sampling=self.presets[name], preset=name)
        if self._apply(replace(self.outcome, recipe=recipe)):
            self._fill_fields()
            self.explain(f"{name}: {in_words(recipe)}.")

    @on(Input.Changed)
    def typed(self, event: Input.Changed) -> None:
        field = self._field_of(event.input)
        if field is None:
            return
        try:
            outcome = field.applied(event.value, self.outcome, self.presets)
        except ValueError as error:
            event.input.add_class("-wrong")
            kept = field.text(self._before)
            if self._apply(field.applied(kept, self.outcome, self.presets)):
                self.explain(f"{error} Until then it stays {kept or 'empty'}.", trouble=True)
            return
        event.input.remove_class("-wrong")
        if self._apply(outcome):
            biases = outcome.recipe.sampling.logit_bias if field.name == BIAS else ()
            self.explain(told(biases, self._vocabulary) or field.help)

    def _apply(self, outcome: Outcome) -> bool:
        try:
            self._session.set_sampling(recipe=outcome.recipe, branches=outcome.branches)
        except StoreError as error:
            self.explain(f"{error} {error.hint}".strip(), trouble=True)
            return False
        self.outcome = outcome
        self._fill_presets()
        return True

    @on(Input.Blurred)
    def left(self, event: Input.Blurred) -> None:
        """A line shows what is in force when one is gone from it."""
        field = self._field_of(event.input)
        if field is not None:
            with self.prevent(Input.Changed):
                event.input.value = field.text(self.outcome)
            event.input.remove_class("-wrong")

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        field = self._field_of(event.widget) if isinstance(event.widget, Input) else None
        if field is not None:
            self._before = self.outcome
            self.explain(field.help)

    # ── saving ─────────────────────────────────────────────────────────────────────────────

    def action_name(self) -> None:
        self.set_focus(self.query_one(f"#{SAVING}", Input))
        self.explain(f"A name for these numbers; Enter writes them into {self._file}.")

    @on(Input.Submitted)
    def entered(self, event: Input.Submitted) -> None:
        if event.input.id != SAVING:
            self.focus_next()
            return
        sampling, name = self.outcome.recipe.sampling, event.value.strip()
        try:
            config = save_preset(self._file, name, sampling)
        except ConfigError as error:
            self.explain(f"{error} {error.hint}".strip(), trouble=True)
            return
        presets = {**self._owner.config.presets, name: config.presets[name]}
        self._owner.config = replace(
            self._owner.config, presets=presets, file=config.file, source=config.source
        )
        if self._apply(replace(self.outcome, recipe=replace(self.outcome.recipe, preset=name))):
            event.input.value = ""
            self.explain(f"Saved as {name} in {self._file}.")

    def _field_of(self, line: Input) -> Field | None:
        return self._fields.get(line.id or "")

    def action_close(self) -> None:
        self.dismiss(None)


def in_words(recipe: Recipe) -> str:
    """What a sampling does, one number after the other."""
    neutral, sampling = Sampling(), recipe.sampling
    names = [f.name for f in FIELDS if hasattr(neutral, f.name)]
    told = [
        f"{name.replace('_', '-')} {_shown(getattr(sampling, name))}"
        for name in names
        if getattr(sampling, name) != getattr(neutral, name)
    ]
    return ", ".join(told) or "the model's own distribution"


def _shown(value: float | tuple[object, ...]) -> str:
    if not isinstance(value, tuple):
        return f"{value:g}"
    return f"on {len(value)} token{'' if len(value) == 1 else 's'}"
