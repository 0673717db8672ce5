"""`loom sessions`: the list of the screen without the screen."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from loom.cli import main

Run = Callable[..., Any]


@pytest.fixture
def folder(_home: Path) -> Path:
    folder = _home / "sessions"
    folder.mkdir()
    assert main(["new", str(folder / "story.loom"), "--text", "Once upon"]) == 0
    return folder


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], folder: Path) -> Run:
    capsys.readouterr()

    def run(*words: str) -> Any:
        assert main(["sessions", *words, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    return run


def test_sessions_are_listed_with_title_and_words(run: Run, folder: Path) -> None:
    facts = run("--rename", str(folder / "story.loom"), "The Sea")
    assert facts["path"] == str(folder / "story.loom")
    (session,) = facts["sessions"]
    assert (session["title"], session["words"], session["nodes"]) == ("The Sea", "Once upon", 1)


def test_a_copy_and_the_trash_say_where_they_are(run: Run, folder: Path) -> None:
    copy = run("--copy", str(folder / "story.loom"))
    assert copy["path"] == str(folder / "story-2.loom")
    assert len(copy["sessions"]) == 2
    gone = run("--trash", str(folder / "story-2.loom"))
    assert Path(gone["path"]) == folder / "trash" / "story-2.loom"
    assert Path(gone["path"]).is_file()
    assert [session["title"] for session in gone["sessions"]] == ["story"]


def test_the_trash_is_listed_gives_back_and_is_emptied(run: Run, folder: Path) -> None:
    gone = run("--trash", str(folder / "story.loom"))["path"]
    listed = run("--trashed")
    assert listed["folder"] == str(folder / "trash")
    assert [session["words"] for session in listed["sessions"]] == ["Once upon"]
    back = run("--restore", gone)
    assert back["path"] == str(folder / "story.loom")
    assert [session["words"] for session in back["sessions"]] == ["Once upon"]
    run("--trash", str(folder / "story.loom"))
    emptied = run("--empty-trash")
    assert (emptied["deleted"], emptied["sessions"]) == (1, [])
    assert list(folder.rglob("*.loom")) == []


def test_lines_for_people(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["sessions"]) == 0
    assert capsys.readouterr().out == "story.loom  (1 node)  Once upon\n"
    assert main(["sessions", "--trash", str(folder / "none.loom")]) == 1
    assert "There is no session" in capsys.readouterr().err
    assert list(folder.iterdir()) == [folder / "story.loom"], "no trash folder, no lock is left"
