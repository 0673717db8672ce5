"""One's own texts become sources: by their beginnings, and by counting letters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from loom.instruments.sources.api import SourceSet, Tempering
from loom.instruments.sources.filtering import advance, begin, posterior
from loom.instruments.sources.voices import (
    EXEMPLAR,
    SEPARATOR,
    Counted,
    exemplar,
    sources_in,
    texts_in,
)

RAIN = "The rain came down on the grey town, and the grey town bore it. Nobody spoke of it. "
CODE = "def run(self): return self.value + 1\nclass Thing(Base): pass\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "b.md").write_text("Second letter.")
    (tmp_path / "letters" / "a.txt").write_text("First letter.")
    (tmp_path / "rain.txt").write_text(RAIN * 200)
    (tmp_path / "image.png").write_bytes(b"\x89PNG")
    (tmp_path / ".hidden.txt").write_text("no")
    (tmp_path / "empty.txt").write_text("\n")
    (tmp_path / "odd.txt").write_bytes(b"\xff\xfe\xff")
    return tmp_path


def test_each_file_and_each_folder_is_a_voice(folder: Path) -> None:
    found = texts_in(folder)
    assert {name: len(texts) for name, texts in found.items()} == {"letters": 2, "rain": 1}
    assert found["letters"] == ("First letter.", "Second letter.")


def test_a_frame_is_the_beginning_up_to_a_sentence_and_a_break(folder: Path) -> None:
    letters, rain = sources_in({"folder": "."}, folder)
    assert letters.frames == (f"First letter.{SEPARATOR}Second letter.{SEPARATOR}",)
    (frame,) = rain.frames
    assert frame.endswith(f"it.{SEPARATOR}")
    assert EXEMPLAR // 2 < len(frame.encode()) <= EXEMPLAR + len(SEPARATOR)


def test_text_without_any_sentence_is_cut_between_letters() -> None:
    frame = exemplar(["é" * 5000])
    assert frame == "é" * (EXEMPLAR // 2) + SEPARATOR


def test_a_folder_without_texts_says_what_to_put_there(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="^folder has no texts yet: put one file or folder per"):
        sources_in({"folder": "nowhere"}, tmp_path)
    with pytest.raises(ValueError, match="^folder must be the name"):
        sources_in({}, tmp_path)


def test_letters_tell_voices_apart_without_a_model(tmp_path: Path) -> None:
    (tmp_path / "rain.txt").write_text(RAIN * 20)
    (tmp_path / "code.txt").write_text(CODE * 20)
    texts = texts_in(tmp_path)
    wanted = SourceSet("mine", "", sources_in({"folder": "."}, tmp_path))
    counted = Counted.of(wanted, texts)
    passage = b"On the grey town the rain came down, and nobody bore it."
    ends = np.array([i + 1 for i, byte in enumerate(passage) if byte == 32] + [len(passage)])
    scores = counted.scores(passage, ends)
    assert scores.ratio.shape == (len(ends), 2) and len(scores) == len(ends)
    belief, _ = advance(wanted, begin(wanted), scores, Tempering(0.2, 0.0))
    found = posterior(wanted, belief, calibrated=False)
    assert found.standings[0].name == "rain"
    rain, code = found.standings
    assert rain.bits > 0 and rain.bits - code.bits > 50


def test_what_is_scored_is_the_text_however_it_is_cut(tmp_path: Path) -> None:
    (tmp_path / "rain.txt").write_text(RAIN)
    wanted = SourceSet("mine", "", sources_in({"folder": "."}, tmp_path))
    counted = Counted.of(wanted, texts_in(tmp_path))
    one = counted.scores(b"grey rain", [9])
    many = counted.scores(b"grey rain", [1, 4, 5, 9])
    assert many.logprob.sum() == pytest.approx(one.logprob.sum(), rel=1e-5)
    assert many.ratio.sum() == pytest.approx(one.ratio.sum(), abs=1e-5)
