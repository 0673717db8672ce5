"""A plugin on trial in its own process: `python -m loom.commands.trial FOUND OPTIONS SESSION…`.

One JSON line each for a path that is going to be read, for a broken promise and for the end.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from loom.core.node import ROOT
from loom.discovery import Found
from loom.drift import model_of_path, path_to
from loom.instruments.folding import Stretch
from loom.instruments.guard import Guard, Misdeed
from loom.processes.pipes import Send, private_pipes, sender
from loom.reading.arrivals import Arrivals
from loom.reading.logbook import Logbook
from loom.reading.stretches import Stretches
from loom.record import Record
from loom.store.store import Store
from loom.testing import ContractBroken, Fault, faults_of, sample_logs, sample_paths
from loom.testing.reading import Broken, run_found

LEAVES = 3  # of a session: the ends of its longest paths


def main(arguments: Sequence[str]) -> int:
    found, options, *sessions = arguments
    _, events_out = private_pipes()
    guard, send = Guard(), sender(events_out)
    guard.install()
    try:
        with guard.watching(found):
            plugin = run_found(Found(**json.loads(found)))
    except (ContractBroken, Misdeed) as error:
        fault = error.fault if isinstance(error, Broken) else Fault(f"It is no plugin: {error}.")
        _tell(send, fault)
    else:
        on_log = getattr(plugin, "SCOPE", "path") == "log"
        paths = dict(sample_logs() if on_log else sample_paths())
        for session in sessions:
            paths |= recorded(Path(session), on_log=on_log)
        _try(plugin, paths, json.loads(options), guard, send)
    send({"say": "done"})
    return 0


def _try(
    plugin: ModuleType,
    paths: Mapping[str, list[Stretch]],
    options: Mapping[str, Any],
    guard: Guard,
    send: Send,
) -> None:
    def before(name: str) -> None:
        send({"say": "reads", "path": name})

    send({"say": "paths", "names": list(paths), "tokens": _tokens(paths)})
    try:
        with guard.watching(getattr(plugin, "NAME", "")):
            for fault in faults_of(plugin, paths, options, before=before):
                _tell(send, fault)
    except Misdeed as error:
        _tell(send, Fault(f"Besides its work, {error}."))


def _tell(send: Send, fault: Fault) -> None:
    send({"say": "fault", "what": fault.what, "where": fault.where})


def _tokens(paths: Mapping[str, list[Stretch]]) -> int:
    return sum(len(stretch) for path in paths.values() for stretch in path)


def recorded(file: Path, *, on_log: bool = False) -> dict[str, list[Stretch]]:
    """The longest paths of a session that one model has read, or what each has drawn in it."""
    store = Store.open(file, read_only=True)
    try:
        record = Record(store)
        return logs_of(record, file.stem) if on_log else paths_of(record, file.stem)
    finally:
        store.close()


def paths_of(record: Record, name: str) -> dict[str, list[Stretch]]:
    arrivals = Arrivals(record.tree, record.marks)
    for event in record.events():
        arrivals.happened(event)
    stretches = Stretches(record, arrivals.choice_of)
    tree = record.tree
    leaves = [n for n in tree if n != ROOT and not tree.children(n)]
    leaves.sort(key=lambda number: -len(tree.path_bytes(tree[number].end)))
    found = {}
    for leaf in leaves[:LEAVES]:
        model = model_of_path(record, stretches, tree[leaf].end)
        if model is not None:
            path = list(path_to(record, stretches, tree[leaf].end, model))
            found[f"{name}, node {leaf}"] = path
    return found


def logs_of(record: Record, name: str) -> dict[str, list[Stretch]]:
    logbook = Logbook(record)
    for event in record.events():
        logbook.happened(event)
    found = {}
    for number, jobs in enumerate(logbook.jobs().values(), 1):
        log = [stretch for _, stretch in logbook.along(jobs) if stretch is not None]
        found[f"{name}, the log of model {number}"] = log
    return found


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stderr.flush()
    os._exit(code)  # no thread or exit handler of a plugin holds it up
