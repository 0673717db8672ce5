"""`loom doctor SESSION`: one table, a way out, and a damaged file that stays as it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.faults.story import write_story
from loom.cli import main


@pytest.fixture
def story(tmp_path: Path) -> Path:
    return write_story(tmp_path / "story.loom", nodes=12)


@pytest.fixture
def hurt(story: Path) -> Path:
    """A byte of the title has changed on the disk."""
    raw = story.read_bytes()
    story.write_bytes(raw.replace(b"a story", b"a stony", 1))
    return story


def facts(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, object]]:
    code = main(["doctor", *words, "--json"])
    out, err = capsys.readouterr()
    return code, json.loads(out or err)


def test_a_whole_session(story: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = facts(capsys, str(story))
    assert code == 0
    assert found["whole"] is True and found["damage"] == [] and found["repaired"] is None
    tables = {row["what"]: row for row in found["found"]}  # type: ignore[attr-defined]
    assert tables["nodes"] == {"what": "nodes", "whole": 12, "lost": 0, "ids": []}
    assert main(["doctor", str(story)]) == 0
    assert "All of it is whole." in capsys.readouterr().out


def test_a_damaged_one_says_the_way_out_everywhere(
    hurt: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = hurt.read_bytes()
    code, found = facts(capsys, str(hurt))
    assert code == 1
    assert found["damage"] == [
        "1 of its 3 settings is not what was written.",
        "1 of 3 settings is lost.",
    ]
    for command in (["show"], ["write", "--text", "x"], ["tree"], ["undo"]):
        assert main([command[0], str(hurt), *command[1:]]) == 1
        said = capsys.readouterr().err
        assert "is damaged" in said and f"loom doctor {hurt} --repair" in said
        assert "Traceback" not in said
    assert hurt.read_bytes() == before
    assert [path.name for path in hurt.parent.iterdir()] == [hurt.name]


def test_it_is_repaired_into_a_new_file(hurt: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = hurt.read_bytes()
    code, found = facts(capsys, str(hurt), "--repair")
    assert code == 0
    assert found["repaired"] == str(hurt.with_name("story-repaired.loom"))
    assert hurt.read_bytes() == before
    assert facts(capsys, str(found["repaired"]))[1]["whole"] is True
    assert main(["undo", str(found["repaired"])]) == 1
    assert "the session was repaired" in capsys.readouterr().err
    code, again = facts(capsys, "--repair", str(hurt))
    assert (code, again["repaired"]) == (0, str(hurt.with_name("story-repaired-2.loom")))
    code, taken = facts(capsys, str(hurt), "--repair", str(found["repaired"]))
    assert code == 1 and "there already" in str(taken["error"])


def test_nothing_to_repair(story: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = facts(capsys, str(story), "--repair")
    assert (code, found["repaired"]) == (0, None)
    assert [path.name for path in story.parent.iterdir()] == ["story.loom"]


def test_repairing_nothing_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--repair"]) == 2
    assert "--repair" in capsys.readouterr().err
