"""What backends say of themselves, in a process that may import what they need."""

from __future__ import annotations

from pathlib import Path

import pytest

from loom import discovery, extensions
from loom.engine import about
from loom.engine.api import About

BACKEND = "NAME = {name!r}\ndef accepts(model): return False\ndef load(*rest): ...\n"
WHOLE = "from loom.engine.api import About\ndef about(): return About(models='mine', can=('all',))"
FAULTY = (
    "from loom.engine.api import EngineError\n"
    "def about(): raise EngineError('It is not installed.', 'Do this.')"
)
BODIES = {
    "whole": WHOLE,
    "silent": "",
    "faulty": FAULTY,
    "odd": "def about(): return 3",
    "wild": "def about(): raise LookupError",
}


def test_every_backend_is_heard_and_none_can_spoil_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, body in BODIES.items():
        (tmp_path / f"{name}.py").write_text(f"print('hello')\n{BACKEND.format(name=name)}{body}\n")
    (tmp_path / "broken.py").write_text("def")
    monkeypatch.setattr(
        extensions,
        "backends",
        lambda: [discovery.read(path, "backend", "user") for path in tmp_path.iterdir()],
    )
    answers = dict(about.abouts())
    assert answers.keys() == BODIES.keys()
    assert answers["whole"] == About(models="mine", can=("all",))
    assert answers["silent"] == About()
    assert answers["faulty"].lack == "It is not installed. Do this."
    assert answers["odd"].lack and answers["wild"].lack == "LookupError"
