"""What shells can complete: all from the grammar, and the scripts that ask for it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from loom.bylines import bylines
from loom.cli import main
from loom.commands import parser as grammar
from loom.commands.completing import FILES, SCRIPTS, candidates, unquoted

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["new", "x.loom", "--byline", "jane a"], ["Jane Austen"]),
        (["new", "--byline", "=", "jane a"], ["Jane Austen"]),
        (["--model", "echo", "new", "--byline", "Jane Au"], ["Jane Austen"]),
        (["comp"], ["compact", "completion", FILES]),
        (["generate", "x.loom", "--preset", "w"], ["wild"]),
        (["generate", "x.loom", "--end", ""], ["tokens", "sentence", "paragraph"]),
        (["generate", "x.loom", "--siblings", ""], [FILES]),
        (["show", ""], [FILES]),
        (["models", "c"], ["card", "convert"]),
        (["models", "card", "ech"], ["echo", FILES]),
        (["models", "convert", "--precision", "f"], ["f32", "f16"]),
        (["completion", "z"], ["zsh"]),
        (["demo", "first"], ["first-story"]),
        (["undo", "x.loom", "--js"], ["--json"]),
        (["sessions", "--rename", "x.loom", ""], [FILES]),
        (["config", ""], []),
    ],
)
def test_the_word_at_the_cursor_is_completed_from_the_grammar(
    words: list[str], found: list[str]
) -> None:
    assert candidates(words) == found


def test_every_command_and_every_byline_is_offered() -> None:
    assert set(candidates([""])) == {*grammar.build()[1], FILES}
    assert candidates(["new", "--byline", ""]) == list(bylines())
    assert {"--byline", "--text", "--file", "--model"} <= set(candidates(["new", "--"]))


def test_presets_of_the_settings_are_offered_and_bad_settings_are_no_trouble(_home: Path) -> None:
    (_home / "loom.toml").write_text("[presets.storm]\ntemperature = 1.5\n")
    assert candidates(["generate", "--preset", "s"]) == ["storm"]
    (_home / "loom.toml").write_text("nonsense")
    assert "balanced" in candidates(["generate", "--preset", ""])


def test_a_word_that_is_being_quoted_is_understood() -> None:
    assert [unquoted(word) for word in ('"Jane A', r"Jane\ A", "'x", "=", "")] == [
        "Jane A", "Jane A", "x", "", "",
    ]  # fmt: skip


def test_the_command_prints_the_script_or_the_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "bash"]) == 0
    assert "complete -o default -F _loom loom" in capsys.readouterr().out
    assert main(["completion", "fish", "--", "new", "--byline", "Jane A"]) == 0
    assert capsys.readouterr().out == "Jane Austen\n"
    assert main(["completion", "bash", "--"]) == 0
    assert "completion" in capsys.readouterr().out
    with pytest.raises(SystemExit) as stopped:
        main(["completion", "tcsh"])
    assert stopped.value.code == 2


@pytest.mark.parametrize("shell", list(SCRIPTS))
def test_the_script_is_one_its_shell_can_read(shell: str) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"there is no {shell} here")
    subprocess.run([program, "-n"], input=SCRIPTS[shell], text=True, check=True, timeout=60)


def test_bash_offers_names_with_spaces_whole() -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("there is no bash here")
    script = (
        f'loom() {{ "{sys.executable}" -m loom "$@"; }}\n'
        + SCRIPTS["bash"]
        + '\nCOMP_WORDS=(loom new --byline "Jane A"); COMP_CWORD=3; _loom 2>/dev/null\n'
        + 'printf "<%s>" "${COMPREPLY[@]}"'
    )
    run = subprocess.run(
        [bash, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert run.stdout == "<Jane Austen>"
