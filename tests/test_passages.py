"""How human text is cut, and that what was read is not read again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loom.asking.process import Asking
from loom.core.span import NAMES
from loom.passages import (
    TOKEN_BYTES,
    Cut,
    Readings,
    Work,
    cuts_of,
    passages,
    window_length,
    works_in,
)

LENGTH = 100


def write(folder: Path, name: str, passages: int) -> Path:
    """A text with room for so many passages, in paragraphs of 50 bytes."""
    paragraph = "Not one of them had seen the harbour before noon."
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n\n".join([paragraph] * (passages * LENGTH * TOKEN_BYTES // 51 + 1)))
    return file


def test_a_folder_gives_its_text_files_and_the_manifest_their_genres(tmp_path: Path) -> None:
    first, second = write(tmp_path, "a/one.txt", 1), write(tmp_path, "b/two.md", 1)
    (tmp_path / "a" / "cover.jpg").write_bytes(b"\xff")
    (tmp_path / "manifest.tsv").write_text("file\tgenre_coarse\na/one.txt\tverse\n")
    assert works_in([tmp_path]) == [Work(first, "a/one", "verse"), Work(second, "b/two", "")]
    assert works_in([first, tmp_path / "a"]) == [Work(first, "a/one", "verse")]


def test_passages_are_taken_as_evenly_as_the_works_allow(tmp_path: Path) -> None:
    for name, room in (("short", 1), ("middle", 3), ("long", 20)):
        write(tmp_path, f"{name}.txt", room)
    cuts = cuts_of(works_in([tmp_path]), 9 * LENGTH, LENGTH)
    counts = {name: sum(c.work.path.stem == name for c in cuts) for name in ("short", "middle")}
    assert counts == {"short": 1, "middle": 3}
    assert len(cuts) == 9


@given(st.lists(st.integers(1, 12), min_size=1, max_size=8), st.integers(1, 60))
def test_no_more_is_taken_than_wanted_and_all_where_there_is_too_little(
    tmp_path_factory: pytest.TempPathFactory, room: list[int], wanted: int
) -> None:
    folder = tmp_path_factory.mktemp("corpus")
    for number, count in enumerate(room):
        write(folder, f"{number}.txt", count)
    cuts = cuts_of(works_in([folder]), wanted * LENGTH, LENGTH)
    assert len(cuts) == min(wanted, sum(room))


def test_passages_begin_where_paragraphs_do_and_do_not_overlap(tmp_path: Path) -> None:
    file = write(tmp_path, "long.txt", 5)
    cuts = cuts_of(works_in([file]), 5 * LENGTH, LENGTH)
    starts = [file.read_bytes().find(cut.text) for cut in cuts]
    assert all(cut.text.startswith(b"Not one") for cut in cuts)
    assert len(cuts) == 5
    assert starts[0] == 0


def test_a_text_without_paragraphs_is_not_cut_inside_a_character(tmp_path: Path) -> None:
    (tmp_path / "flat.txt").write_text("é" * 4000, encoding="utf-8")
    for cut in cuts_of(works_in([tmp_path]), 7 * LENGTH, LENGTH):
        assert cut.text.decode(errors="ignore")[0] == "é"
        assert cut.text[:2].decode() == "é"


def test_windows_shrink_with_a_small_context() -> None:
    assert window_length(4096, 512) == (512, 1024)
    assert window_length(1024, 512) == (512, 1016)
    assert window_length(256, 512) == (248, 248)


async def test_what_was_read_is_kept_and_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOOM_HOME", str(tmp_path / "home"))
    write(tmp_path, "one.txt", 3)
    cuts = cuts_of(works_in([tmp_path / "one.txt"]), 3 * LENGTH, LENGTH)
    readings = Readings(tmp_path / "kept", "f00d", LENGTH)
    told: list[int] = []
    async with Asking("echo", {}) as engine:
        some = await passages(engine, readings, cuts[:2], 50, LENGTH)
        monkeypatch.setattr(engine, "score", only_new(engine, told))
        every = await passages(engine, readings, cuts, 50, LENGTH, told.append)
    assert told == [0, 1, 2, -1]
    for one, again in zip(some, every[:2], strict=True):
        assert one.context == again.context
        for name in NAMES:
            assert np.array_equal(getattr(one.span, name), getattr(again.span, name))
    assert Readings(tmp_path / "kept", "beef", LENGTH).read(cuts[0]) is None
    readings.files.clear()
    assert not (tmp_path / "kept").exists()


def only_new(engine: Asking, told: list[int]) -> object:
    """The engine's score, which notes that it was asked."""
    score = engine.score

    async def asked(*args: object) -> object:
        told.append(-1)
        return await score(*args)  # type: ignore[arg-type]

    return asked


def test_a_damaged_reading_is_read_again(tmp_path: Path) -> None:
    cut = Cut(Work(tmp_path / "a.txt", "a"), b"text")
    readings = Readings(tmp_path, "f00d", LENGTH)
    readings.files.keep(cut.text, {"text": np.frombuffer(b"text", np.uint8)})
    (file,) = tmp_path.glob("*.npz")
    assert readings.read(cut) is None  # whole, but without the columns
    for damage in (b"", b"PK\x03\x04 cut", b"no zip"):
        file.write_bytes(damage)
        assert readings.read(cut) is None
