"""The benchmark of large sessions, on small ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import large, store


def test_opening_is_timed_in_processes_that_opened_nothing_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "OPENINGS", 1)
    few, many = (large.built(tmp_path / f"{n}.loom", n) for n in (5, 40))
    small, found = store.opening(few, many, 40)
    assert small.wall > 0 and found.wall > 0
    assert found.goal == small.wall + store.MORE
    assert found.what == "open 40 nodes"
    assert store.opened(many).tree.next_id == 41
