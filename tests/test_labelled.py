"""Passages whose source is known: whose folder it is, what is left out, what is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from loom.asking.process import Answer, Asking
from loom.core.span import TOP
from loom.engine.api import Capabilities, EngineError, Piece
from loom.engine.client import Encoded
from loom.instruments.sources.api import Source, SourceSet
from loom.labelled import (
    Kept,
    answer_files,
    ask_all,
    evenly,
    keys,
    labelled,
    plain,
    read_all,
)
from loom.passages import Work

LENGTH = 24
SENTENCE = "The lighthouse keeper had not spoken to anyone since the storm. "
WANTED = SourceSet(
    "two", "", (Source("Ada", ("the storm\n\n",)), Source("Mr. Bell", ("my house\n\n",), short="B"))
)


class Forgetful:
    """An engine that has stopped answering what a model makes of a text."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    @property
    def vocabulary(self) -> Sequence[bytes]:
        return self._asking.vocabulary

    async def ready(self) -> Capabilities:
        return await self._asking.ready()

    async def encode(self, text: bytes, *, start: bool) -> Encoded:
        return await self._asking.encode(text, start=start)

    async def score(
        self, prefix: tuple[Piece, ...], text: Piece, top: int = TOP, *, following: bool = False
    ) -> Answer:
        raise EngineError("The engine stopped.")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOM_HOME", str(tmp_path / "home"))


def works_in(folder: Path, *names: str) -> list[Path]:
    for name in names:
        file = folder / f"{name}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{name}, a title page\n\n" + f"{SENTENCE * 3}\n\n" * 8)
    return [folder]


def test_a_folder_is_called_like_its_source_or_by_its_key(tmp_path: Path) -> None:
    places = works_in(tmp_path, "ada/one", "mr-BELL/two", "b/three", "lovelace/four", "x/five")
    found, strange = labelled(places, keys(WANTED, {"lovelace": "Ada", "y": "Nobody"}))
    assert {source: sorted(work.path.stem for work in its) for source, its in found.items()} == {
        "Ada": ["four", "one"],
        "Mr. Bell": ["three", "two"],
    }
    assert strange == ["x"]


def test_no_passage_begins_a_work(tmp_path: Path) -> None:
    works = labelled(works_in(tmp_path, "Ada/one", "Ada/two"), keys(WANTED, {}))[0]
    found = evenly(works, 4, LENGTH)
    assert len(found) == 4
    assert {passage.source for passage in found} == {"Ada"}
    assert not any(b"title page" in passage.cut.text for passage in found)


def test_a_name_is_the_same_whatever_stands_between_its_words() -> None:
    assert plain("Mr. Bell") == plain("mr_bell") == plain("MR-BELL ") == "mr_bell"
    assert plain("Brontë") == "brontë"


async def test_what_was_read_is_not_read_again(tmp_path: Path) -> None:
    works: dict[str, list[Work]] = labelled(works_in(tmp_path, "Ada/one"), keys(WANTED, {}))[0]
    passages = evenly(works, 3, LENGTH)
    async with Asking("echo", {}) as asking:
        model = await asking.ready()
        kept = Kept(tmp_path / "kept", model.fingerprint, WANTED)
        found = await read_all(asking, kept, passages, LENGTH)
        again = await read_all(Forgetful(asking), kept, passages, LENGTH)
        assert len(found) == 3
        for one, other in zip(found, again, strict=True):
            assert (one.source, one.ids, one.text) == (other.source, other.ids, other.text)
            assert len(one.ids) == LENGTH
            np.testing.assert_array_equal(one.scores.ratio, other.scores.ratio)
        others = Kept(tmp_path / "kept", "other weights", WANTED)
        with pytest.raises(EngineError):
            await read_all(Forgetful(asking), others, passages, LENGTH)
        for file in (tmp_path / "kept").iterdir():
            file.write_bytes(file.read_bytes()[:40])
        with pytest.raises(EngineError):
            await read_all(Forgetful(asking), kept, passages, LENGTH)
    kept.files.clear()
    assert not (tmp_path / "kept").exists()


async def test_what_was_asked_is_not_asked_again(tmp_path: Path) -> None:
    works: dict[str, list[Work]] = labelled(works_in(tmp_path, "Ada/one"), keys(WANTED, {}))[0]
    async with Asking("echo", {}) as asking:
        model = await asking.ready()
        texts = [passage.cut.text for passage in evenly(works, 3, LENGTH)]
        passages = [(await asking.encode(text, start=True))[0][:LENGTH] for text in texts]
        files = answer_files(tmp_path / "kept", model.fingerprint, WANTED)
        done: list[int] = []
        found = await ask_all(asking, WANTED, files, passages, done.append)
        assert found.shape == (3, 2, 3) and done == [0, 1, 2]
        assert (found < 0).all() and found.std() > 0
        again = await ask_all(Forgetful(asking), WANTED, files, passages)
        np.testing.assert_array_equal(found, again)
        otherwise = replace(WANTED, probes=("\nBy whom? ",))
        for other in (
            answer_files(tmp_path / "kept", "other weights", WANTED),
            answer_files(tmp_path / "kept", model.fingerprint, otherwise),
        ):
            with pytest.raises(EngineError):
                await ask_all(Forgetful(asking), WANTED, other, passages)
