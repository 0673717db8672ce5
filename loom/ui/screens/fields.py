"""The numbers and words of a recipe as lines of text: shown, read back, checked.

Knows no widgets.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from loom.config import MOST, MOST_BRANCHES
from loom.core.recipe import End, Recipe, Sampling
from loom.ui.screens.biases import bias_text, reader

OWN = "own"  # the name of a sampling that is no preset's
SWITCH = ("off", "on")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What `grow` does from now on."""

    recipe: Recipe
    branches: int


@dataclass(frozen=True, slots=True)
class Field:
    """One line: `name` of the value in the recipe or its sampling, what it is called, what it does,
    and how its text becomes a value (ValueError: "a number, not x")."""

    name: str
    label: str
    help: str
    read: Callable[[str], Any]

    def text(self, outcome: Outcome) -> str:
        value = self._value(outcome)
        if self.name == BIAS:
            return bias_text(value)
        if isinstance(value, tuple):
            return stops_text(value)
        if self.name == "frame":
            return frame_text(value)
        if isinstance(value, bool):
            return SWITCH[value]
        return f"{value:.12g}" if isinstance(value, float) else str(value)

    def _value(self, outcome: Outcome) -> Any:
        if self.name == "branches":
            return outcome.branches
        owner = outcome.recipe if self.name in OF_RECIPE else outcome.recipe.sampling
        return getattr(owner, self.name)

    def applied(self, text: str, outcome: Outcome, presets: Mapping[str, Sampling]) -> Outcome:
        """`outcome` with this value. Raises ValueError, one sentence, for one out of range."""
        try:
            value = self.read(text)
        except ValueError as error:
            raise ValueError(f"{self.label} must be {error}.") from error
        try:
            return self._with(value, outcome, presets)
        except ValueError as error:
            rule = str(error).partition(" ")[2]
            raise ValueError(f"{self.label} {rule}.") from error

    def _with(self, value: Any, outcome: Outcome, presets: Mapping[str, Sampling]) -> Outcome:
        if self.name == "branches":
            return replace(outcome, branches=value)
        if self.name in OF_RECIPE:
            return replace(outcome, recipe=replace(outcome.recipe, **{self.name: value}))
        sampling = replace(outcome.recipe.sampling, **{self.name: value})
        preset = name_of(sampling, outcome.recipe.preset, presets)
        return replace(outcome, recipe=replace(outcome.recipe, sampling=sampling, preset=preset))


def name_of(sampling: Sampling, before: str, presets: Mapping[str, Sampling]) -> str:
    """The preset that says the same; the one before if it does, too."""
    if presets.get(before) == sampling:
        return before
    return next((name for name, one in presets.items() if one == sampling), OWN)


def number(text: str) -> float:
    try:
        value = float(text.strip().replace(",", "."))
    except ValueError:
        raise ValueError(_not("a number", text)) from None
    if value != value or value in (float("inf"), float("-inf")):
        raise ValueError(f"a number, not {text.strip()}")
    return value


def _not(what: str, text: str) -> str:
    return f"{what}, not {text.strip()}" if text.strip() else what


def whole(text: str) -> int:
    try:
        value = int(text.strip())
    except ValueError:
        raise ValueError(_not("a whole number", text)) from None
    if abs(value) > MOST:
        raise ValueError(f"at most {MOST}, not {value}")
    return value


def branches(text: str) -> int:
    value = whole(text)
    if not 1 <= value <= MOST_BRANCHES:
        raise ValueError(f"between 1 and {MOST_BRANCHES}, not {value}")
    return value


def end(text: str) -> End:
    found = [one for one in End if one.startswith(text.strip().lower() or "?")]
    if not found:
        raise ValueError(f"{', '.join(list(End)[:-1])} or {list(End)[-1]}")
    return found[0]


def switch(text: str) -> bool:
    typed = text.strip().lower()
    found = [word for word in SWITCH if typed and word.startswith(typed)]
    if len(found) != 1:
        raise ValueError(f"{' or '.join(reversed(SWITCH))}")
    return found[0] == SWITCH[True]


_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "|": "|"}


def stops_text(stops: tuple[str, ...]) -> str:
    """Separated by |, with \\n, \\t, \\r, \\| and \\\\ for what can't be typed."""
    codes = {ord(character): f"\\{letter}" for letter, character in _ESCAPES.items()}
    return "|".join(stop.translate(codes) for stop in stops)


def stops(text: str) -> tuple[str, ...]:
    """What `stops_text` has written; every space counts."""
    parts = re.findall(r"(?:\\.|[^|\\]|\\$)+", text, re.DOTALL)
    return tuple(
        re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[0]), part, flags=re.DOTALL)
        for part in parts
    )


def frame(text: str) -> str:
    """What `frame_text` has written."""
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[0]), text)


def frame_text(text: str) -> str:
    return text.translate({ord(_ESCAPES[letter]): f"\\{letter}" for letter in "ntr\\"})


OF_RECIPE = {"tokens", "end", "stop", "heal", "frame"}
BIAS = "logit_bias"


def fields_with(vocabulary: Sequence[bytes]) -> tuple[Field, ...]:
    """The lines, with a model's tokens to be known by their texts."""
    read = reader(vocabulary)
    return tuple(replace(field, read=read) if field.name == BIAS else field for field in FIELDS)


FIELDS = (
    Field("branches", "Branches", "How many continuations grow at once.", branches),
    Field("tokens", "Tokens", "How long each may get.", whole),
    Field("end", "End", "Where one may end before: tokens (nowhere), sentence or paragraph.", end),
    Field("stop", "Stop at", "Texts that end one; | between them, \\n is a line end.", stops),
    Field(
        "heal", "Heal",
        "on or off: whether the end of your text, if it stops inside a token, is cut anew.", switch,
    ),
    Field(
        "frame", "Frame",
        "Text that the model is given before yours, such as a byline; \\n is a line end.", frame,
    ),
    Field(
        "temperature", "Temperature",
        "Below 1 bets on the likely, above 1 on the odd; 0 takes the likeliest.", number,
    ),
    Field("top_k", "Top-k", "Only the k likeliest tokens; 0 is off.", whole),
    Field("top_p", "Top-p", "Only the likeliest that make up this share; 1 is off.", number),
    Field(
        "min_p", "Min-p", "Only tokens at least this times as likely as the likeliest; 0 is off.",
        number,
    ),
    Field(
        "typical_p", "Typical-p",
        "Only tokens about as surprising as expected, up to this share; 1 is off.", number,
    ),
    Field(
        "repetition_penalty", "Repetition",
        "Above 1 makes tokens that came already less likely; 1 is off.", number,
    ),
    Field(
        "repetition_window", "Window", "How many tokens back Repetition looks; 0 is nowhere.",
        whole,
    ),
    Field(
        BIAS, "Bias",
        'Added to the log-odds of single tokens: 262:-5 or, by text, " the":-5.', reader(()),
    ),
)  # fmt: skip
