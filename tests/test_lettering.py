"""`loom sources --letters`: a text held against one's own, with no model in sight."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from loom.cli import main
from loom.paths import Paths

RAIN = "The rain came down on the grey town, and the grey town bore it. Nobody spoke of it.\n"
CODE = "def run(self): return self.value + 1\nclass Thing(Base): pass\n"
TEXT = "On the grey town the rain came down, and nobody bore it."

Run = Callable[..., Any]


@pytest.fixture
def voices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "mine"
    (folder / "rain").mkdir(parents=True)
    (folder / "rain" / "a.txt").write_text(RAIN * 40)
    (folder / "code.md").write_text(CODE * 40)
    return folder


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def no_engine(*asked: object) -> None:
        raise AssertionError("an engine was started")

    monkeypatch.setattr("loom.commands.weighing.Asking", no_engine)

    def run(*words: str, code: int = 0) -> Any:
        assert main([*words, "--json"]) == code
        out, err = capsys.readouterr()
        return json.loads(out or err)

    return run


def test_a_text_is_held_against_ones_own_without_a_model(run: Run, voices: Path) -> None:
    found = run("sources", TEXT, "--letters", str(voices))
    assert [one["name"] for one in found["posterior"]] == ["rain", "code"]
    rain, code = (one["bits"] for one in found["posterior"])
    assert rain > 0 and rain - code > 50
    assert (found["calibrated"], found["set"], found["tokens"]) == (False, "mine", 12)
    assert found["model"] == "letters of mine, no model"
    assert "".join(found["series"]["token"]) == TEXT


def test_the_path_of_a_session_likewise(run: Run, voices: Path) -> None:
    run("new", "story.loom", "--text", TEXT)
    run("write", "story.loom", "--text", " self.value + 1")
    whole = run("sources", "story.loom", "--letters", str(voices))
    first = run("sources", "story.loom", "--node", "1", "--letters", str(voices))
    assert (whole["session"], whole["node"], first["node"]) == ("story.loom", 2, 1)
    assert first["tokens"] == 12 and whole["tokens"] == 15
    assert first["posterior"] == run("sources", TEXT, "--letters", str(voices))["posterior"]


def test_without_a_folder_it_is_the_one_beside_the_sets(run: Run, voices: Path) -> None:
    missing = run("sources", TEXT, "--letters", code=1)
    folder = Paths.default().sources / "voices"
    assert str(folder) in missing["error"]
    folder.parent.mkdir(parents=True)
    voices.rename(folder)
    assert run("sources", TEXT, "--letters")["set"] == "voices"


def test_nothing_but_space_can_not_be_weighed(run: Run, voices: Path) -> None:
    Path("blank.txt").write_text(" \n ")
    assert "no text" in run("sources", "blank.txt", "--letters", str(voices), code=1)["error"]


@pytest.mark.parametrize("option", [("--probe",), ("--set", "house"), ("--model", "echo")])
def test_what_asks_a_model_is_refused(
    run: Run, voices: Path, option: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sources", TEXT, "--letters", str(voices), *option]) == 2
    assert f"leave out {option[0]}" in capsys.readouterr().err
