from __future__ import annotations

import os
from pathlib import Path

import pytest

from loom.paths import Paths


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths.default({"LOOM_HOME": str(tmp_path / "home")})


def test_loom_home_holds_everything(tmp_path: Path, paths: Paths) -> None:
    home = tmp_path / "home"
    assert paths == Paths(
        config=home / "loom.toml",
        sessions=home / "sessions",
        backups=home / "backups",
        backends=home / "backends",
        plugins=home / "plugins",
        calibrations=home / "calibrations",
        sources=home / "sources",
        state=home / "state",
        logs=home / "logs",
    )
    assert not home.exists()


def test_without_it_the_platform_says_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for environment in ({}, {"LOOM_HOME": ""}):
        found = Paths.default(environment)
        assert found.config == tmp_path / "config" / "loom" / "loom.toml"
        assert found.backends == tmp_path / "data" / "loom" / "backends"
        assert found.state.is_absolute() and found.logs.is_absolute()


def test_a_relative_home_is_made_absolute() -> None:
    assert Paths.default({"LOOM_HOME": "here"}).state == Path.cwd() / "here" / "state"


def test_the_last_session_is_remembered(tmp_path: Path, paths: Paths) -> None:
    assert paths.last_session() is None
    session = tmp_path / "naïve story\n☕.loom"
    session.touch()
    paths.remember_session(session)
    assert paths.last_session() == session
    other = tmp_path / "other.loom"
    other.touch()
    paths.remember_session(other)
    assert paths.last_session() == other
    assert [path.name for path in paths.state.iterdir()] == ["last"]


def test_a_name_that_is_no_unicode_is_remembered(tmp_path: Path, paths: Paths) -> None:
    session = tmp_path / os.fsdecode(b"\xff.loom")
    session.touch()
    paths.remember_session(session)
    assert paths.last_session() == session


def test_a_session_that_is_gone_is_not_the_last_one(tmp_path: Path, paths: Paths) -> None:
    paths.remember_session(tmp_path / "gone.loom")
    assert paths.last_session() is None


@pytest.mark.parametrize("data", [b"", b"\0", b"relative.loom", b"/" + b"x" * 5000, b"/"])
def test_a_spoiled_memory_is_no_memory(paths: Paths, data: bytes) -> None:
    paths.state.mkdir(parents=True)
    (paths.state / "last").write_bytes(data)
    assert paths.last_session() is None


def test_a_log_has_a_folder(paths: Paths) -> None:
    log = paths.log_file("engine")
    assert log == paths.logs / "engine.log"
    log.write_text("line\n")


def test_a_log_goes_nowhere_where_there_can_be_no_folder(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    paths = Paths.default({"LOOM_HOME": str(tmp_path / "home")})
    assert paths.log_file("engine") == Path(os.devnull)
