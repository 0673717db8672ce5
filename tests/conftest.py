"""What every test gets: a home of its own, no network, no deadline on properties."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
for name in ("COLUMNS", "LINES"):  # of the terminal that the tests were started in, not of theirs
    os.environ.pop(name, None)

settings.register_profile("loom", deadline=None, print_blob=True)
settings.load_profile("loom")


@pytest.fixture(autouse=True)
def _home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Configuration, sessions and logs go to a fresh folder, never to the user's."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("LOOM_HOME", str(home))
    return home


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """The facts a command prints; asserts that it succeeded."""

    def run(*words: str, model: bool = False) -> Any:
        from loom.cli import main  # deferred: other tests need no commands

        code = main([*words, "--json", *(["--model", "echo"] if model else [])])
        out, err = capsys.readouterr()
        assert code == 0, err
        return json.loads(out)

    return run
