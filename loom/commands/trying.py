"""`plugins check`: puts a plugin on trial in a process of its own (trial.py)."""

from __future__ import annotations

import json
import subprocess
import sys
from argparse import Namespace
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from loom import recordings
from loom.commands import access
from loom.config import Paths
from loom.console import CommandError, Console
from loom.core.text import visible
from loom.discovery import Found, read
from loom.extensions import plugins as found_plugins
from loom.facts import Facts
from loom.processes.child import environment

TRYING = 120  # seconds that a trial may take


def check(args: Namespace, console: Console) -> int:
    """With the user's options for it; 1 where a promise is broken."""
    found, config = _found(args.file), access.config_of(args)
    faults, paths, tokens = _trial(found, config.plugin(found.name).options, console)
    facts = {
        "file": found.path,
        "good": not faults,
        "faults": faults,
        "paths": paths,
        "tokens": tokens,
    }
    console.answer(lambda: facts, lambda: _verdict(facts))
    return 0 if facts["good"] else 1


def _found(named: str) -> Found:
    """A file, or the plugin which is called so."""
    file = Path(named).expanduser().absolute()
    if file.exists():
        return read(file, "plugin", "command line")
    found = {one.name: one for one in found_plugins() if not one.shadowed_by}
    if named not in found:
        raise CommandError(
            f"There is no file {file}, nor a plugin of that name.", "`loom plugins` lists them."
        )
    return found[named]


def _trial(
    found: Found, options: Mapping[str, Any], console: Console
) -> tuple[list[Facts], list[str], int]:
    """What is broken, the paths it was read on, and their tokens."""
    sessions = [str(shelved.path) for shelved in recordings.recordings()]
    trial = [sys.executable, "-P", "-m", "loom.commands.trial"]
    command = [*trial, json.dumps(asdict(found)), json.dumps(dict(options)), *sessions]
    with console.waiting("trying it"), Paths.default().log_file("plugins").open("ab") as log:
        try:
            done = subprocess.run(
                command, stdout=subprocess.PIPE, stderr=log, timeout=TRYING, env=environment()
            )
            output, end = done.stdout, f"It ended the process (exit code {done.returncode})."
        except subprocess.TimeoutExpired as error:
            output, end = error.stdout or b"", f"It didn't come to an end within {TRYING} s."
    records = [json.loads(line) for line in output.splitlines() if line.endswith(b"}")]
    faults = [_fault(record) for record in records if record["say"] == "fault"]
    if not any(record["say"] == "done" for record in records):
        where = [record["path"] for record in records if record["say"] == "reads"]
        faults.append({"what": end, "where": where[-1] if where else ""})
    told: dict[str, Any] = next((r for r in records if r["say"] == "paths"), {})
    return faults, told.get("names", []), told.get("tokens", 0)


def _fault(record: Facts) -> Facts:
    return {"what": record["what"], "where": record["where"]}


def _verdict(facts: Facts) -> Iterator[str]:
    for fault in facts["faults"]:
        yield visible(f"{fault['what']}" + (f" ({fault['where']})" if fault["where"] else ""))
    if facts["good"]:
        yield f"It keeps the contract on {facts['tokens']} tokens of {len(facts['paths'])} paths."
