"""`replay --verify` and `--regrow`: whether a session's models still say what they said."""

from __future__ import annotations

import math
from argparse import Namespace
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from functools import partial

from loom.commands import access
from loom.console import CommandError, Console
from loom.core.text import visible
from loom.engine.api import EngineError
from loom.facts import Facts
from loom.paths import Paths
from loom.record import Record
from loom.replay.checks import Check, Verdict
from loom.replay.material import by_model, drawn, stamp
from loom.replay.models import Bench, bench
from loom.replay.notebook import Notebook
from loom.replay.regrowing import regrow
from loom.replay.verifying import verify
from loom.session import Session
from loom.store.batch import ModelRow

Checking = Callable[[Record, ModelRow, Iterable[int], Bench], AsyncIterator[Check]]


@dataclass(slots=True)
class Report:
    """What was found, model by model."""

    mode: str
    models: list[Facts] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return all(check.verdict.good for check in self.checks)


async def check(args: Namespace, console: Console) -> int:
    """1 where something isn't what it was."""
    mode, checking = ("regrow", regrow) if args.regrow else ("verify", verify)
    async with access.reading(args.session) as session:
        report = Report(mode)
        for row, nodes in by_model(session, _nodes(session, args, mode)):
            await _check_model(session, row, nodes, args, console, checking, report)
    if not report.checks:
        raise CommandError(
            f"No model has written anything in {session.path.name} that could be checked.",
            "`loom generate` grows continuations.",
        )
    console.answer(lambda: _facts(session, report), lambda: _lines(report, console))
    return 0 if report.good else 1


def _nodes(session: Session, args: Namespace, mode: str) -> list[int]:
    if args.node is not None:
        return [access.node_of(session, args)]
    everything = list(session.tree.preorder())
    return drawn(session, everything) if mode == "regrow" else everything


async def _check_model(
    session: Session,
    row: ModelRow,
    nodes: list[int],
    args: Namespace,
    console: Console,
    checking: Checking,
    report: Report,
) -> None:
    def loading(what: str, fraction: float | None) -> None:
        console.progress(what, fraction)

    options = access.config_of(args).engine
    try:
        async with bench(row, args.model, options, loading) as found:
            report.models.append(_model_facts(row, found))
            await _check_nodes(session, row, nodes, found, console, checking, report)
    except EngineError as error:
        done = {check.node for check in report.checks}
        why = visible(f"{error} {error.hint}".strip())
        report.checks += [
            Check(n, session.tree[n].token_count or 0, Verdict.NO_MODEL, why)
            for n in nodes
            if n not in done
        ]
    finally:
        console.end_progress()


async def _check_nodes(
    session: Session,
    row: ModelRow,
    nodes: list[int],
    found: Bench,
    console: Console,
    checking: Checking,
    report: Report,
) -> None:
    """Goes on where an interrupted run with the same model stopped."""
    runtime = found.capabilities
    session_key = (str(session.path.absolute()), report.mode, row.fingerprint)
    key = (*session_key, runtime.fingerprint, runtime.dtype, runtime.name)
    with Notebook(Paths.default().state, partial(stamp, session), *key) as notebook:
        known = {n: notebook.known(n) for n in nodes}
        before = [check for check in known.values() if check is not None]
        report.checks += before
        if before:
            console.note(f"Going on after the {len(before)} nodes that were checked before.")
        left = [n for n in nodes if known[n] is None]
        done = len(nodes) - len(left)
        async for check in checking(session, row, left, found):
            report.checks.append(check)
            notebook.add(check)
            done += 1
            console.progress(f"{report.mode}: {done} of {len(nodes)} nodes", done / len(nodes))
        notebook.finish()


def _model_facts(row: ModelRow, found: Bench) -> Facts:
    return {
        "model": row.label,
        "fingerprint": row.fingerprint,
        "loaded": found.capabilities.label,
        "same": not found.mismatch,
        "tolerance": found.tolerance,
        "reproducible": found.capabilities.reproducible,
    }


def _facts(session: Session, report: Report) -> Facts:
    counts = Counter(str(check.verdict) for check in report.checks)
    return {
        "session": str(session.path),
        "mode": report.mode,
        "good": report.good,
        "models": report.models,
        "counts": dict(counts),
        "largest_difference": _largest(report.checks),
        "nodes": [_check_facts(check) for check in report.checks],
    }


def _check_facts(check: Check) -> Facts:
    """Infinities, which JSON doesn't have, are None."""
    finite = replace(check, difference=_finite(check.difference), gap=_finite(check.gap))
    return {**asdict(finite), "verdict": str(check.verdict)}


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _largest(checks: Iterable[Check]) -> float | None:
    found = [_finite(check.difference) for check in checks]
    return max((value for value in found if value is not None), default=None)


def _lines(report: Report, console: Console) -> Iterator[str]:
    for check in report.checks:
        if not check.verdict.good or check.reason:
            yield f"node {check.node}  {check.verdict}{_where(check)}  {visible(check.reason)}"
    counts = Counter(str(check.verdict) for check in report.checks)
    said = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    tokens = sum(check.tokens for check in report.checks)
    yield console.style(f"{len(report.checks)} nodes, {tokens} tokens: {said}", "bold")
    largest = _largest(report.checks)
    if largest is not None:
        allowed = max((model["tolerance"] for model in report.models), default=0.0)
        yield f"largest difference {largest:.2g} nats (rounding explains up to {allowed:g})"


def _where(check: Check) -> str:
    if check.index is None:
        return ""
    gap = "" if check.gap is None or not math.isfinite(check.gap) else f", gap {check.gap:.2g}"
    return f" at token {check.index} of {check.tokens}{gap}"
