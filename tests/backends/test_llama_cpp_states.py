"""GGUF models that keep states or windows instead of all keys: what can be gone on from is found by
trial at load, and is exact whatever way a text was come to."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from loom.core.recipe import Recipe
from loom.engine.api import Generate
from loom.extensions import load_backend
from loom.testing import check_engine, drive, span_in

pytestmark = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("llama_cpp", "gguf")),
    reason="the llama.cpp engine is not installed",
)

REUSE = {"mamba": "whole texts", "jamba": "whole texts", "gemma2": "any prefix"}
TEXT = b"The keeper had not spoken to anyone since the supply boat left in the autumn rain."
NEAR = 2e-3  # nats


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    base = tmp_path_factory.mktemp("states")
    backend: Any = load_backend("a.gguf")
    parts = [importlib.import_module(f"{backend.__name__}.{p}") for p in ("conversion", "tokens")]
    tiny = importlib.import_module("tests.backends.tiny_ggufs")
    return {
        kind: tiny.write(parts[0], parts[1].read_tokens, base / kind, base / f"{kind}.gguf", kind)
        for kind in REUSE
    }


def loaded(path: Path, **options: Any) -> Any:
    backend: Any = load_backend(str(path))
    return backend.load(str(path), options, lambda done, total: None)


@pytest.mark.parametrize("kind", REUSE)
def test_the_contract_is_kept_with_what_the_trial_has_found(
    files: dict[str, Path], kind: str
) -> None:
    engine = loaded(files[kind])
    assert engine.can().runtime["reuse"] == REUSE[kind]
    check_engine(engine, tolerance=NEAR)
    engine.close()


@pytest.mark.parametrize("kind", REUSE)
def test_wandering_about_a_tree_changes_no_probability(files: dict[str, Path], kind: str) -> None:
    """Whatever has been read before: a beginning, a longer text, a sibling, the same."""
    wandering, fresh = loaded(files[kind]), loaded(files[kind])
    ids = wandering.encode(TEXT, start=True)[0]
    events = drive(wandering, Generate("a", (ids,), Recipe(tokens=5), (1, 2, 3)))
    children = [tuple(span_in(events, "a", branch).ids.tolist()) for branch in range(3)]
    for place in (ids[:9], (*ids, *children[0]), ids, (*ids, *children[1][:2]), ids):
        job = Generate("b", (place,), Recipe(tokens=4), (7, 8))
        fresh._network.memory.clear()
        found, expected = drive(wandering, job), drive(fresh, job)
        for branch in (0, 1):
            mine, other = (span_in(e, job.id, branch) for e in (found, expected))
            assert mine.ids.tolist() == other.ids.tolist()
            assert np.abs(mine.logprob - other.logprob).max() < NEAR
    wandering.close()
    fresh.close()


@pytest.mark.parametrize("kind", REUSE)
def test_a_pass_that_is_broken_off_leaves_nothing_behind(
    files: dict[str, Path], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = Generate("a", (TEXT,), Recipe(tokens=5), (1, 2))
    engine = loaded(files[kind])
    expected = drive(engine, job)
    engine._network.memory.clear()
    brake = engine._network.brake
    release = brake.release
    passes: list[bool] = []

    def jammed() -> None:
        """Pulled as soon as it is released, at two of the passes."""
        release()
        passes.append(len(passes) in (1, 4))
        if passes[-1]:
            brake.pull()

    monkeypatch.setattr(brake, "release", jammed)
    found = drive(engine, job)
    assert sum(passes) == 2
    for branch in (0, 1):
        mine, other = (span_in(e, "a", branch) for e in (found, expected))
        assert mine.ids.tolist() == other.ids.tolist()
        assert np.abs(mine.logprob - other.logprob).max() < NEAR
    engine.close()
