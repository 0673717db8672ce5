"""`config` and `doctor`: how this installation is set, and whether it works."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

import tomli

from loom import __version__
from loom.commands import access
from loom.commands.doctoring import doctor_session
from loom.config import Config, ConfigError, Paths
from loom.console import Console, UsageError
from loom.core.recipe import PRESETS
from loom.core.text import visible
from loom.engine.api import EngineError
from loom.extensions import backends
from loom.facts import Facts
from loom.processes.child import environment

PACKAGES = ("textual", "torch", "transformers", "tokenizers", "numpy", "llama-cpp-python")
BACKEND_FIELDS = ("name", "path", "source", "error", "shadowed_by")
NOT_ASKED: Facts = {"models": "", "versions": {}, "devices": [], "can": [], "lack": ""}
ASKING = 120  # seconds, in which the slowest library is imported
ENGINE_FIELDS = ("label", "name", "device", "dtype", "context", "fingerprint")


def config(args: Namespace, console: Console) -> None:
    path = args.config or Paths.default().config
    settings = [] if args.path else list(_settings(args, access.config_of(args), path))
    facts = {"path": str(path), "exists": path.is_file(), "settings": settings}
    lines = [str(path)] if args.path else _setting_lines(path, settings)
    console.answer(lambda: facts, lambda: lines)


def _settings(args: Namespace, values: Config, path: Path) -> Iterator[Facts]:
    written = _written(path)

    def setting(name: str, value: Any) -> Facts:
        source = "loom.toml" if name in written else "default"
        return {"name": name, "value": value, "from": source}

    named = setting("model", args.model or values.model or access.model_of(args, values))
    yield {**named, "from": "command line"} if args.model else named
    recipe = values.recipe
    yield setting("branches", values.branches)
    yield setting("tokens", recipe.tokens)
    yield setting("end", str(recipe.end))
    yield setting("stop", list(recipe.stop))
    yield setting("top", recipe.top)
    yield setting("heal", recipe.heal)
    yield setting("preset", values.preset)
    for name, sampling in {**PRESETS, **values.presets}.items():
        yield setting(f"presets.{name}", asdict(sampling))
    given = access.engine_options(args)
    for name, option in values.engine.items():
        known = setting(f"engine.{name}", option)
        yield {**known, "from": "command line"} if name in given else known
    off = [name for name, plugin in values.plugins.items() if not plugin.enabled]
    yield setting("plugins.disabled", off)
    for name, plugin in values.plugins.items():
        for key, option in plugin.options.items():
            yield {"name": f"plugins.{name}.{key}", "value": option, "from": "loom.toml"}
    yield setting("keymap", values.keymap)
    for action, keys in values.keys.items():
        yield setting(f"keys.{action}", list(keys))
    yield setting("theme", values.theme)


def _written(path: Path) -> set[str]:
    """The names that are in the file; it has been read without a mistake before."""
    if not path.is_file():
        return set()
    data = tomli.loads(path.read_text("utf-8-sig"))
    tables = [(name, value) for name, value in data.items() if isinstance(value, dict)]
    return set(data) | {f"{name}.{key}" for name, table in tables for key in table}


def _setting_lines(path: Path, settings: list[Facts]) -> Iterator[str]:
    state = "" if path.is_file() else " (not there: everything is as it comes)"
    yield visible(f"{path}{state}")
    width = max(len(setting["name"]) for setting in settings)
    for setting in settings:
        value = _short(setting["name"], setting["value"])
        source = "" if setting["from"] == "default" else f"  ({setting['from']})"
        yield visible(f"{setting['name']:<{width}}  {value}{source}")


def _short(name: str, value: Any) -> str:
    """A preset by what it changes."""
    if not name.startswith("presets."):
        return str(value)
    neutral = asdict(PRESETS["raw"])
    changed = [f"{key} {new}" for key, new in value.items() if new != neutral[key]]
    return ", ".join(changed) or "the model's own distribution"


async def doctor(args: Namespace, console: Console) -> int:
    """1 where something doesn't work."""
    session = args.session or args.repair
    if session:
        repair = args.repair if args.session else ""  # `doctor --repair SESSION`
        return doctor_session(Path(session), repair, console)
    if args.repair is not None:
        raise UsageError("--repair needs the session that is to be repaired.")
    settings = _config_facts(args)
    abouts = {} if args.no_engine else _abouts()
    found = [{**_backend_facts(one), **abouts.get(one.name, NOT_ASKED)} for one in backends()]
    engine = None if args.no_engine else await _engine_facts(args, console)
    problems = [fact["error"] for fact in (settings, *found, engine or {"error": ""})]
    facts = {
        "loom": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: _version(name) for name in PACKAGES},
        "backends": found,
        "config": settings,
        "engine": engine,
        "terminal": terminal_facts(console),
        "problems": [problem for problem in problems if problem],
    }
    console.answer(lambda: facts, lambda: _doctor_lines(facts))
    return 1 if facts["problems"] else 0


def _config_facts(args: Namespace) -> Facts:
    path = args.config or Paths.default().config
    error = ""
    try:
        access.config_of(args)
    except ConfigError as mistake:
        error = str(mistake)
    return {"path": str(path), "exists": path.is_file(), "error": error}


def _backend_facts(found: Any) -> Facts:
    return {name: getattr(found, name) for name in BACKEND_FIELDS}


async def _engine_facts(args: Namespace, console: Console) -> Facts:
    facts: Facts = {"model": args.model or "", **dict.fromkeys(ENGINE_FIELDS), "runtime": {}}
    try:
        facts["model"] = access.model_of(args, access.config_of(args))
        async with access.scratch() as session:
            capabilities = await access.attach(session, args, console)
    except ConfigError:
        return {**facts, "error": "The engine wasn't tried, because of loom.toml."}
    except EngineError as error:
        return {**facts, "error": str(error)}
    came = {name: getattr(capabilities, name) for name in ENGINE_FIELDS}
    return {**facts, **came, "runtime": dict(capabilities.runtime), "error": ""}


def _abouts() -> dict[str, Facts]:
    """What the engines say of themselves, in a process that may import what they need."""
    command = [sys.executable, "-P", "-m", "loom.engine.about"]
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=ASKING, env=environment(), check=True
        )
        answer: dict[str, Facts] = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        return {}
    return answer


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def terminal_facts(console: Console) -> Facts:
    size = shutil.get_terminal_size((80, 24))
    return {
        "term": os.environ.get("TERM"),
        "colorterm": os.environ.get("COLORTERM"),
        "columns": size.columns,
        "rows": size.lines,
        "encoding": getattr(console.out, "encoding", None) or sys.getdefaultencoding(),
        "is_terminal": console.out.isatty(),
        "no_color": bool(os.environ.get("NO_COLOR")),
    }


def _doctor_lines(facts: Facts) -> Iterator[str]:
    yield f"loom {facts['loom']} · python {facts['python']} · {facts['platform']}"
    for name, version in facts["packages"].items():
        yield f"  {name:<18} {version or 'not installed'}"
    yield "engines"
    for found in facts["backends"]:
        shadow = f"hidden by {found['shadowed_by']}" if found["shadowed_by"] else ""
        state = found["error"] or shadow
        yield visible(f"  {found['name']:<18} {found['path']} ({found['source']}) {state}".rstrip())
        yield from (visible(f"  {'':<18} {line}") for line in _about_lines(found))
    engine, settings, terminal = facts["engine"], facts["config"], facts["terminal"]
    if engine is not None:
        yield visible(f"model {engine['model']}")
        yield "  " + visible(engine["error"] or _engine_line(engine))
    yield visible(f"config {settings['path']}{'' if settings['exists'] else ' (not there)'}")
    yield (
        f"terminal {terminal['term']} · {terminal['columns']}x{terminal['rows']} · "
        f"{terminal['encoding']}{' · NO_COLOR' if terminal['no_color'] else ''}"
    )
    for problem in facts["problems"]:
        yield visible(f"problem: {problem}")
    if not facts["problems"]:
        yield "All is well."


def _about_lines(found: Facts) -> Iterator[str]:
    if found["lack"]:
        yield found["lack"]
    if found["models"]:
        yield f"runs {found['models']}"
    for name, values in (("on", found["devices"]), ("it", found["can"])):
        if values:
            yield f"{name} {'; '.join(values)}"
    if found["versions"]:
        yield ", ".join(f"{name} {version}" for name, version in found["versions"].items())


def _engine_line(engine: Facts) -> str:
    runtime = " ".join(f"{name} {version}" for name, version in engine["runtime"].items())
    return (
        f"{engine['label']} by {engine['name']} on {engine['device']} in {engine['dtype']}, "
        f"context {engine['context']}" + (f" ({runtime})" if runtime else "")
    )
