"""Who may load what: each layer is imported in a process of its own, and the contracts do bite."""

from __future__ import annotations

import pkgutil
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import loom

ROOT = Path(__file__).resolve().parent.parent
MODELS = {"llama_cpp", "safetensors", "tokenizers", "torch", "transformers"}
LOADED = (
    "import importlib, sys; [importlib.import_module(n) for n in sys.argv[1:]]; print(*sys.modules)"
)


def modules_under(name: str) -> list[str]:
    """Full names of a module and everything below it, but for those meant to be run."""
    below = pkgutil.walk_packages(loom.__path__, "loom.")
    found = [m.name for m in below if m.name == name or m.name.startswith(f"{name}.")]
    return [m for m in found if not m.endswith(".__main__")]


def loaded_by(names: list[str]) -> set[str]:
    run = subprocess.run(
        [sys.executable, "-c", LOADED, *names], capture_output=True, text=True, check=True
    )
    return set(run.stdout.split())


@pytest.mark.parametrize(
    ("layer", "forbidden"),
    [
        ("loom.core", MODELS | {"textual", "sqlite3", "asyncio", "subprocess", "networkx"}),
        ("loom.store", MODELS | {"textual", "asyncio", "loom.engine", "loom.session"}),
        ("loom.engine", MODELS | {"textual", "sqlite3", "loom.store", "loom.session"}),
        ("loom.instruments", MODELS | {"textual", "sqlite3", "loom.engine", "loom.session"}),
        ("loom.processes", MODELS | {"textual", "sqlite3", "loom.engine", "loom.instruments"}),
        ("loom.extensions", MODELS | {"textual", "sqlite3"}),
        ("loom.config", MODELS | {"textual", "sqlite3", "asyncio", "networkx"}),
        ("loom.session", MODELS | {"textual", "networkx", "loom.ui"}),
        ("loom.cli", MODELS | {"textual", "networkx", "loom.ui"}),
        ("loom.ui", MODELS | {"networkx"}),
    ],
)
def test_a_layer_loads_nothing_above_or_beside_it(layer: str, forbidden: set[str]) -> None:
    names = modules_under(layer)
    assert names, f"{layer} has gone: name the layer's new modules here"
    loaded = loaded_by(names)
    assert layer in loaded
    assert loaded & forbidden == set()


def test_importing_loom_loads_nothing_heavy() -> None:
    heavy = MODELS | {"asyncio", "numpy", "sqlite3", "textual"}
    assert loaded_by(["loom"]) & heavy == set()


FORBIDDEN = {
    "asking/answers.py": "loom.asking.inquiry",
    "core/tree.py": "subprocess",
    "engine/client.py": "sqlite3",
    "history.py": "loom.session",
    "reading/agenda.py": "loom.reading.desk",
    "session.py": "textual",
    "sources/chosen.py": "loom.sources.beliefs",
    "store/store.py": "loom.engine.api",
    "ui/app.py": "torch",
}


def test_a_forbidden_import_is_found_wherever_it_is(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "loom", tmp_path / "loom", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for file, module in FORBIDDEN.items():
        with (tmp_path / "loom" / file).open("a", encoding="utf-8") as source:
            source.write(f"\nimport {module}\n")
    output = lint_imports(tmp_path)
    found = set(re.findall(r"^- +(loom\.\S+) -> (\S+) \(l", output, re.MULTILINE))
    planted = {(f"loom.{f[:-3].replace('/', '.')}", module) for f, module in FORBIDDEN.items()}
    assert planted - found == set(), output
    assert " 0 kept, 9 broken" in output, output


def test_a_module_without_a_layer_is_found(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "loom", tmp_path / "loom", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "loom" / "helpers.py").touch()
    assert "- loom.helpers" in lint_imports(tmp_path)


def test_the_contracts_are_kept() -> None:
    output = lint_imports(ROOT)
    assert " 0 broken" in output, output


def lint_imports(folder: Path) -> str:
    """Output of import-linter on the `loom` in `folder`, which comes first on the path."""
    code = "from importlinter.cli import lint_imports_command as command; command()"
    run = subprocess.run(
        [sys.executable, "-c", code, "--no-cache", "--no-logo"],
        cwd=folder,
        capture_output=True,
        text=True,
        env={"PATH": "", "PYTHONPATH": str(folder), "PYTHONIOENCODING": "utf-8"},
    )
    return run.stdout + run.stderr
