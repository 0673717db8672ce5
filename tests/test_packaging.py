"""What is shipped: the wheel's contents, the pins, and what make finds to run."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path
from typing import Any

import pytest
import tomli
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import loom

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomli.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PINS = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


def names_in(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def committed(*folders: str) -> set[str]:
    run = subprocess.run(
        ["git", "ls-files", "-z", "--", *folders],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return {name for name in run.stdout.split("\0") if name and (ROOT / name).is_file()}


def test_the_wheel_puts_only_loom_into_site_packages(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in names_in(wheel)}
    assert tops == {"loom", f"cyborg_loom-{loom.__version__}.dist-info"}


def test_the_wheel_carries_every_file_of_the_package(wheel: Path) -> None:
    assert committed("loom") - names_in(wheel) == set()


def test_the_wheel_carries_the_bundled_folders_inside_the_package(wheel: Path) -> None:
    bundled = {f"loom/_bundled/{name}" for name in committed("backends", "plugins", "sessions")}
    assert "loom/_bundled/backends/echo.py" in bundled
    assert bundled - names_in(wheel) == set()


def test_the_wheel_carries_the_source_sets(wheel: Path) -> None:
    folder = "loom/instruments/sources/shipped"
    sets = {f"{folder}/{name}.toml" for name in ("general", "house", "voices")}
    assert sets - names_in(wheel) == set()


def test_the_wheel_carries_no_leftovers(wheel: Path) -> None:
    leftovers = re.compile(r"__pycache__|\.pyc$|\.loom-(wal|shm|journal)$|\.lock$|\.venv")
    assert [name for name in names_in(wheel) if leftovers.search(name)] == []


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the wheel was installed as pip does it."""
    folder = tmp_path_factory.mktemp("installed") / "site"
    command = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--no-compile"]
    command += ["--disable-pip-version-check", "--target", str(folder), str(wheel)]
    subprocess.run(
        command, check=True, capture_output=True, env=os.environ | {"PIP_CONFIG_FILE": os.devnull}
    )
    return folder


def away(site: Path, home: Path, *words: str) -> Any:
    """What the installed program answers with --json, in a folder of its own.

    Without `site`, Python doesn't hear of a checkout that is installed to be edited; what Loom
    needs is named beside it.
    """
    needed = sysconfig.get_path("purelib")
    home.mkdir(exist_ok=True)
    run = subprocess.run(
        [sys.executable, "-S", "-P", "-m", "loom", *words, "--json"],
        cwd=home,
        env={"PYTHONPATH": f"{site}{os.pathsep}{needed}", "LOOM_HOME": str(home), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert str(ROOT / "loom") not in run.stdout + run.stderr
    assert str(ROOT / "backends") not in run.stdout + run.stderr
    return json.loads(run.stdout)


def test_only_loom_is_installed(site: Path) -> None:
    there = {path.name for path in site.iterdir()}
    assert there == {"loom", f"cyborg_loom-{loom.__version__}.dist-info", "bin"}
    assert {path.name for path in (site / "bin").iterdir()} == {"loom"}


def test_the_installed_doctor_finds_what_came_with_it(site: Path, tmp_path: Path) -> None:
    facts = json.dumps(away(site, tmp_path / "home", "doctor"))
    assert str(site / "loom" / "_bundled" / "backends") in facts


def test_the_installed_program_generates(site: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    away(site, home, "new", "story.loom", "--text", "The lighthouse keeper had")
    grown = away(
        site, home, "generate", "story.loom", "--model", "echo", "-n", "2", "--tokens", "5"
    )
    assert [node["token_count"] for node in grown["nodes"]] == [5, 5]
    shown = away(site, home, "show", "story.loom", "--node", "3")
    assert shown["path_text"] == "The lighthouse keeper had" + grown["nodes"][1]["text"]


def test_the_version_is_said_once_and_the_same() -> None:
    assert PROJECT["version"] == loom.__version__


@pytest.mark.parametrize("line", PINS)
def test_a_pin_is_a_name_and_a_plain_version(line: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9a-z.]*", line)


def test_everything_asked_for_is_pinned_within_its_range() -> None:
    pins = {canonicalize_name(n): v for n, v in (line.split("==") for line in PINS)}
    extras = PROJECT["optional-dependencies"].values()
    asked = [Requirement(r) for group in (PROJECT["dependencies"], *extras) for r in group]
    outside = [
        r for r in asked if not r.specifier.contains(pins.get(canonicalize_name(r.name), ""))
    ]
    assert outside == []


def test_everything_that_comes_with_it_is_pinned() -> None:
    """All that is installed here for Loom's sake; torch pins its own CUDA packages."""
    extras = PROJECT["optional-dependencies"].values()
    waiting = [r for group in (PROJECT["dependencies"], *extras) for r in group]
    seen: set[tuple[str, str]] = set()
    while waiting:
        requirement = Requirement(waiting.pop())
        for extra in {"", *requirement.extras}:
            key = (canonicalize_name(requirement.name), extra)
            if key not in seen:
                seen.add(key)
                waiting += needed_by(*key)
    pinned = {canonicalize_name(line.split("==")[0]) for line in PINS}
    unpinned = {name for name, _ in seen} - pinned
    assert {n for n in unpinned if not n.startswith(("cuda-", "nvidia-", "triton"))} == set()


def needed_by(name: str, extra: str) -> list[str]:
    try:
        needs = importlib.metadata.requires(name) or []
    except importlib.metadata.PackageNotFoundError:
        return []
    markers = [(need, Requirement(need).marker) for need in needs]
    return [need for need, m in markers if m is None or m.evaluate({"extra": extra})]


def test_the_help_of_make_names_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (phony,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    run = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert [t for t in phony.split() if t != "help" and f"make {t}" not in run.stdout] == []
