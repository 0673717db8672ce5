"""What `loom calibrate` found out about a model, in a file under the model's fingerprint.

The user's own comes before one that came with the program; one of other weights is never used.
Knows nothing of what plugins keep in it.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from loom.discovery import BUNDLED, CHECKOUT
from loom.instruments.sources import sets
from loom.instruments.sources.api import Pooling, SourceSet, Tempering
from loom.paths import Paths
from loom.store.atomic import write_atomically

FORMAT = 1
SHIPPED = "calibration.json"  # in the folder of a model that came with the program


@dataclass(frozen=True, slots=True)
class Calibration:
    """`facts` are about the human text and what the model made of it, `plugins` has what each
    plugin keeps: {name: {"version": …, "kept": {…}}}; `sources` a tempering by the digest of the
    source set it was fitted for."""

    fingerprint: str
    model: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    plugins: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    sources: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Changes whenever a plugin's reading might."""
        return hashlib.blake2b(_canonical(dict(self.plugins)), digest_size=16).hexdigest()

    def of(self, plugin: str, version: str | None = None) -> Mapping[str, Any] | None:
        """What `Settings.calibration` is for it; None for a plugin that was not calibrated, or not
        in this version of it."""
        entry = self.plugins.get(plugin)
        if entry is None or (version is not None and entry["version"] != version):
            return None
        kept: Mapping[str, Any] = entry["kept"]
        return kept

    def tempering(self, digest: str) -> Tempering | None:
        """For the set of that digest (`sets.digest`); None where it was never fitted."""
        entry = self.sources.get(digest)
        return None if entry is None else _tempering(entry)

    def tempered(self, digest: str, name: str, tempering: Tempering) -> Calibration:
        """With this one for the set of that digest, called `name`."""
        entry = {"set": name, **asdict(tempering)}
        return replace(self, sources={**self.sources, digest: entry})

    def encoded(self) -> bytes:
        whole: dict[str, Any] = {
            "format": FORMAT,
            "fingerprint": self.fingerprint,
            "model": self.model,
            "facts": self.facts,
            "plugins": self.plugins,
        }
        if self.sources:
            whole["sources"] = self.sources
        return json.dumps(whole, indent=1, ensure_ascii=True, allow_nan=False).encode() + b"\n"


_NONSENSE = (
    *(OSError, ValueError, KeyError, TypeError, AttributeError),
    *(ArithmeticError, RecursionError),  # 1e999 as a count, brackets in brackets in brackets
)


def load(fingerprint: str, places: Sequence[Path] | None = None) -> Calibration | None:
    """That of the model, from the first of `places` (files) that has it; by default the user's,
    then those that came with the program. A damaged file is none. A model made of another, whose
    fingerprint is NAME-OTHER, goes by the other's where it has none of its own."""
    _, made_of, other = fingerprint.partition("-")
    for wanted in [fingerprint, other] if made_of and other else [fingerprint]:
        for file in _places(wanted) if places is None else places:
            found = read(file)
            if found is not None and found.fingerprint == wanted:
                return found
    return None


def tempering_of(fingerprint: str, wanted: SourceSet) -> Tempering | None:
    """What was fitted for a model and a set; how reading and asking count together only where the
    model would be asked the same."""
    known = load(fingerprint)
    its = None if known is None else known.tempering(sets.digest(wanted))
    if its is None or its.pooling is None:
        return its
    same = its.pooling.questions == sets.questions(wanted)
    named = all(source.name in its.pooling.anyway for source in wanted.sources)
    return its if same and named else replace(its, pooling=None)


def read(file: Path) -> Calibration | None:
    """What is in the file, whichever model it is of; None where that is no calibration."""
    try:
        whole = json.loads(file.read_bytes())
        if whole["format"] != FORMAT:
            return None
        plugins = {
            name: {"version": str(entry["version"]), "kept": dict(entry["kept"])}
            for name, entry in whole["plugins"].items()
        }
        sources = {str(name): dict(entry) for name, entry in whole.get("sources", {}).items()}
        for entry in sources.values():
            _tempering(entry)
        facts = dict(whole["facts"])
        return Calibration(str(whole["fingerprint"]), str(whole["model"]), facts, plugins, sources)
    except _NONSENSE:
        return None


def save(calibration: Calibration, file: Path | None = None) -> Path:
    """Where it is now: by default where `load` looks first. Raises OSError."""
    file = _users(calibration.fingerprint) if file is None else file
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(file, calibration.encoded())
    return file


def _tempering(entry: Mapping[str, Any]) -> Tempering:
    """Raises KeyError, TypeError or ValueError for what is none."""
    eta, gamma, delta = float(entry["eta"]), float(entry["gamma"]), entry["delta"]
    if not (0 < eta < math.inf and math.isfinite(gamma)):
        raise ValueError(f"eta {eta} and gamma {gamma} temper nothing")
    apart = None if delta is None else float(delta)
    pooling = entry.get("pooling")  # calibrations of before have none
    together = None if pooling is None else _pooling(pooling)
    return Tempering(eta, gamma, int(entry["tokens"]), int(entry["works"]), apart, together)


def _pooling(entry: Mapping[str, Any]) -> Pooling:
    """Likewise."""
    read, asked = float(entry["read"]), float(entry["asked"])
    rise = float(entry.get("rise", 0.0))  # those of before have none
    if not all(0 <= number < math.inf for number in (read, asked, rise)):
        raise ValueError(f"nothing is weighed together by {read}, {asked} and {rise}")
    anyway = {
        str(name): tuple(float(logprob) for logprob in row) for name, row in entry["anyway"].items()
    }
    if not all(math.isfinite(logprob) for row in anyway.values() for logprob in row):
        raise ValueError("a name isn't likely at all")
    return Pooling(read, asked, rise, str(entry["questions"]), anyway)


def _places(fingerprint: str) -> Iterable[Path]:
    yield _users(fingerprint)
    for folder in (CHECKOUT, BUNDLED):
        yield from sorted((folder / "backends").glob(f"*/{SHIPPED}"))


def _users(fingerprint: str) -> Path:
    """Any text is a fingerprint: an engine over the network may call itself what it likes."""
    plain = fingerprint if fingerprint.isalnum() and len(fingerprint) <= 64 else ""
    name = plain or hashlib.blake2b(fingerprint.encode(), digest_size=16).hexdigest()
    return Paths.default().calibrations / f"{name}.json"


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
