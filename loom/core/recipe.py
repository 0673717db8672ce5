"""How a continuation is drawn: the sampler, the length, the end. Presets by name."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any


class End(StrEnum):
    """Where a continuation may stop before its number of tokens is used up."""

    TOKENS = "tokens"
    SENTENCE = "sentence"
    PARAGRAPH = "paragraph"


@dataclass(frozen=True, slots=True)
class Sampling:
    """Applied in this order, each optional: logit bias, repetition penalty (over the last
    `repetition_window` tokens), temperature, top-k, top-p, min-p, typical-p. The defaults change
    nothing: a draw from the model's own distribution. Temperature 0 is greedy."""

    logit_bias: tuple[tuple[int, float], ...] = ()
    repetition_penalty: float = 1.0
    repetition_window: int = 256
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    typical_p: float = 1.0

    def __post_init__(self) -> None:
        checks = (
            (self.repetition_penalty > 0, "repetition_penalty", "above 0"),
            (self.repetition_window >= 0, "repetition_window", "0 or more"),
            (self.temperature >= 0, "temperature", "0 or more"),
            (self.top_k >= 0, "top_k", "0 (off) or more"),
            (0 < self.top_p <= 1, "top_p", "above 0 and at most 1"),
            (0 <= self.min_p < 1, "min_p", "at least 0 and below 1"),
            (0 < self.typical_p <= 1, "typical_p", "above 0 and at most 1"),
        )
        for good, name, rule in checks:
            if not good:
                raise ValueError(f"{name} must be {rule}, not {getattr(self, name)}")

    @property
    def neutral(self) -> bool:
        """Whether the draw is from the model's own distribution."""
        return (
            not self.logit_bias
            and self.repetition_penalty == 1
            and self.temperature == 1
            and self.top_k == 0
            and self.top_p == 1
            and self.min_p == 0
            and self.typical_p == 1
        )


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything but model, place and seed that a continuation depends on.

    `tokens` is the most that are drawn; `stop` strings end it and are kept in the text; `top` is
    how many alternatives are recorded. With `heal` the end of a writer's text may be cut into
    tokens anew; a continuation that did so repeats those bytes first: they are its `begins`.
    `frame` is text that the model is given before the path, such as a byline, in place of the
    first `instead` bytes of the path (which are a byline, too).
    """

    sampling: Sampling = field(default_factory=Sampling)
    tokens: int = 48
    end: End = End.TOKENS
    stop: tuple[str, ...] = ()
    top: int = 20
    preset: str = ""
    heal: bool = True
    begins: bytes = b""
    frame: str = ""
    instead: int = 0

    def __post_init__(self) -> None:
        if self.tokens < 1:
            raise ValueError(f"tokens must be 1 or more, not {self.tokens}")
        if not 1 <= self.top <= 100:
            raise ValueError(f"top must be between 1 and 100, not {self.top}")
        if self.instead < 0 or (self.instead and not self.frame):
            raise ValueError(f"instead must be 0 without a frame, not {self.instead}")

    def to_json(self) -> dict[str, Any]:
        """Plain values, bytes in hexadecimal; `Recipe.from_json` reads them back. What is said of
        a frame is left out where there is none, so that a Loom that knows none can read it."""
        data = asdict(self) | {"begins": self.begins.hex()}
        return {name: value for name, value in data.items() if value or name not in _OF_FRAMES}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Recipe:
        """Raises ValueError for an unknown key or a value out of range."""
        unknown = set(data) - {f.name for f in fields(cls)}
        if unknown:
            raise ValueError(f"unknown recipe key {sorted(unknown)[0]!r}")
        sampling = dict(data.get("sampling", {}))
        unknown = set(sampling) - {f.name for f in fields(Sampling)}
        if unknown:
            raise ValueError(f"unknown sampling key {sorted(unknown)[0]!r}")
        if "logit_bias" in sampling:
            sampling["logit_bias"] = tuple((int(i), float(b)) for i, b in sampling["logit_bias"])
        rest = {k: v for k, v in data.items() if k not in {"sampling", "end", "stop", "begins"}}
        return cls(
            sampling=Sampling(**sampling),
            end=End(data.get("end", "tokens")),
            stop=tuple(data.get("stop", ())),
            begins=bytes.fromhex(data.get("begins", "")),
            **rest,
        )


_OF_FRAMES = ("frame", "instead")

PRESETS: dict[str, Sampling] = {
    "balanced": Sampling(temperature=0.9, min_p=0.02),
    "wild": Sampling(temperature=1.2, min_p=0.01),
    "careful": Sampling(temperature=0.7, top_p=0.9),
    "greedy": Sampling(temperature=0.0),
    "raw": Sampling(),
}
