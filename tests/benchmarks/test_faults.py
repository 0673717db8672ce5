"""`make faults`, a few of each: nothing is lost or changed without a word."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.faults import damage, disk, fuzz, fuzz_models, kills
from benchmarks.faults.outcome import Outcome
from benchmarks.faults.story import write_story
from benchmarks.faults.witness import Lie, Witness, opened_or_saved
from loom.engine.weights import fingerprint, read_config, weight_files

SEED = 20


def check(outcome: Outcome) -> None:
    assert outcome.lies == []
    assert outcome.total


def test_files_that_were_damaged(tmp_path: Path) -> None:
    story = write_story(tmp_path / "story.loom", nodes=20)
    (tmp_path / "work").mkdir()
    for fault, count in ((damage.flips, 12), (damage.cuts, 3)):
        check(fault(story, tmp_path / "work", random.Random(SEED), count))


def test_a_writer_killed(tmp_path: Path) -> None:
    check(kills.writers(tmp_path, random.Random(SEED), 3))


async def test_an_engine_killed(tmp_path: Path) -> None:
    check(await kills.engines(tmp_path, random.Random(SEED), 2, "echo"))


@pytest.mark.parametrize(
    ("fault", "count"),
    [(disk.full, 2), (disk.folders, 2), (disk.clocks, 2), (disk.two_looms, 1), (disk.in_a_row, 3)],
)
def test_a_disk_a_folder_a_clock_and_another_loom(
    fault: Callable[[Path, random.Random, int], Outcome], count: int
) -> None:
    with tempfile.TemporaryDirectory() as name:  # others may look into it, as into no tmp_path
        Path(name).chmod(0o755)
        check(fault(Path(name), random.Random(SEED), count))


def test_a_change_nobody_speaks_of_is_found(tmp_path: Path) -> None:
    """The faults would be worth nothing if their witness could be fooled."""
    path = write_story(tmp_path / "story.loom", nodes=5)
    other = Witness.of(write_story(tmp_path / "other.loom", nodes=6))
    with pytest.raises(Lie, match="without a word"):
        opened_or_saved(path, other)


@pytest.mark.parametrize("part", range(4))  # side by side
def test_random_bytes_at_every_file_and_argument(tmp_path: Path, part: int) -> None:
    for outcome in fuzz.fuzz(tmp_path, random.Random(SEED + part), 500):
        check(outcome)


def test_the_model_that_is_spoilt_is_whole(tmp_path: Path) -> None:
    """What is refused is refused for what was thrown at it."""
    folder = fuzz_models.write_model(tmp_path / "model")
    read_config(folder)
    assert len(fingerprint(folder, weight_files(folder))) == 32
