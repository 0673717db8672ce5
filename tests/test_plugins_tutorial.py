"""docs/plugins.md is run as it is written, and names everything there is."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import loom
from loom import testing
from loom.discovery import said_in
from loom.testing import engines

ROOT = Path(loom.__file__).parents[1]
DOCS = ROOT / "docs" / "plugins.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# (\S+\.py)\n")


def blocks() -> list[tuple[str, str]]:
    return BLOCK.findall(DOCS.read_text("utf-8"))


@pytest.fixture
def shell(tmp_path: Path) -> Path:
    """A folder in which `loom` and `pytest` are commands."""
    commands = tmp_path / "bin"
    commands.mkdir()
    for name in ("loom", "pytest"):
        file = commands / name
        file.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -m {name} "$@"\n')
        file.chmod(0o755)
    return tmp_path


def output_of(script: str, folder: Path) -> str:
    environment = {
        **os.environ,
        "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "PYTEST_ADDOPTS": "-p no:cacheprovider",
    }
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    return done.stdout


def pattern_of(expected: str) -> str:
    """`…` alone on a line is any number of lines, elsewhere anything within one."""
    lines = [re.escape(line).replace("…", ".*") for line in expected.splitlines()]
    return "".join(r"(?:.*\n)*?" if line == ".*" else f"{line}\n" for line in lines)


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
def test_the_tutorial_does_what_it_says(shell: Path) -> None:
    exports, said = "", None
    for language, content in blocks():
        named = FILE.match(content)
        if language == "python":
            assert named is not None
            (shell / named[1]).write_text(content)
        elif language == "sh":
            assert said is None, "what a command prints is shown"
            said = output_of(exports + content, shell)
            exports += "".join(f"{x}\n" for x in content.splitlines() if x.startswith("export "))
        elif language == "text":
            assert said is not None
            assert re.fullmatch(pattern_of(content), said), f"not as shown:\n{content}\n{said}"
            said = None
    assert said is None


def test_the_tutorial_names_all_that_authors_of_plugins_are_given() -> None:
    text = DOCS.read_text("utf-8")
    for_plugins = [name for name in testing.__all__ if not hasattr(engines, name)]
    assert [name for name in for_plugins if name not in text] == []


def test_every_bundled_plugin_is_named() -> None:
    text = DOCS.read_text("utf-8")
    names = [said_in(file)["NAME"] for file in (ROOT / "plugins").glob("*.py")]
    assert len(names) >= 4
    assert [name for name in names if f"| `{name}` |" not in text] == []
