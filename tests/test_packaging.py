"""What is shipped: the wheel's contents, the pins, and what make finds to run."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
import zipfile
from pathlib import Path

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


def test_the_wheel_carries_no_leftovers(wheel: Path) -> None:
    leftovers = re.compile(r"__pycache__|\.pyc$|\.loom-(wal|shm|journal)$|\.lock$|\.venv")
    assert [name for name in names_in(wheel) if leftovers.search(name)] == []


def test_the_wheel_works_away_from_the_checkout(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    code = (
        "import loom, loom.extensions as e; print(loom.__file__, *(f.path for f in e.backends()))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(site), "LOOM_HOME": str(tmp_path / "home"), "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    package, *backends = run.stdout.split()
    assert Path(package) == site / "loom" / "__init__.py"
    assert str(site / "loom" / "_bundled" / "backends" / "echo.py") in backends


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
