"""`loom models`: what there is to write with, and what its makers say of it."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from loom import extensions
from loom.cli import main
from loom.config import Paths

Run = Callable[..., Any]
Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOOM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


def test_models_lists_echo_and_what_sessions_used(run: Run) -> None:
    found = {model["name"]: model for model in run("models", model=True)["models"]}
    assert found["echo"] == {
        "name": "echo", "source": "built in", "path": None, "card": None, "default": True,
    }  # fmt: skip


@pytest.fixture
def carded(tmp_path: Path) -> Path:
    """A model folder as the hub has them: facts for it before the card."""
    folder = tmp_path / "home" / "models" / "tiny one"
    folder.mkdir(parents=True)
    for name in ("config.json", "model.safetensors"):
        (folder / name).touch()
    facts = "---\nlicense: mit\ntags:\n- tiny\n---\n\n"
    (folder / "README.md").write_text(f"{facts}# Tiny\n\nMade of\x1b[2J nothing.\n\n---\n\nEnd.\n")
    return folder


def test_models_leads_to_the_card_of_one(carded: Path, run: Run, capsys: Capture) -> None:
    (listed,) = [m for m in run("models")["models"] if m["path"] == str(carded)]
    assert listed["card"] == str(carded / "README.md")
    capsys.readouterr()
    assert main(["models"]) == 0
    shown = capsys.readouterr().out.splitlines()
    (line,) = [line for line in shown if str(carded) in line]
    (name,) = shlex.split(line.partition("its card: loom models card ")[2])
    assert name == str(carded)
    assert main(["models", "card", name]) == 0
    assert capsys.readouterr().out == "# Tiny\n\nMade of␛[2J nothing.\n\n---\n\nEnd.\n"
    facts = run("models", "card", name)
    assert facts["text"].startswith("# Tiny\n")
    assert facts["card"] == listed["card"]


@pytest.mark.skipif("house" not in extensions.models(), reason="no weights in this copy")
def test_the_bundled_model_is_listed_with_its_card(capsys: Capture) -> None:
    assert main(["models"]) == 0
    assert "* house" in (out := capsys.readouterr().out)
    assert "bundled; its card: loom models card house\n" in out
    assert main(["models", "card"]) == 0
    assert capsys.readouterr().out.startswith("# house, the bundled model\n")


@pytest.mark.parametrize("name", ["echo", "nowhere/nothing"])
def test_a_model_without_a_card_is_told_in_a_sentence(name: str, capsys: Capture) -> None:
    assert main(["models", "card", name]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert f"There is no card of the model {name} on this machine." in err
    assert "README.md" in err


def test_models_lists_one_that_was_used_recently(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = "story.loom"
    run("new", story, "--text", "The lighthouse keeper")
    run("generate", story, "-n", "1", "--tokens", "1", model=True)
    Paths.default().remember_session(tmp_path / story)
    monkeypatch.setattr("loom.extensions.ECHO", "another")
    found = {model["name"]: model["source"] for model in run("models", model=True)["models"]}
    assert found["echo"] == "recent"
