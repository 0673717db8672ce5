"""The engine's jobs and events as records (see loom.processes.records).

Knows the engine's dataclasses and nothing of processes. `read_x(x_record(value)) == value` for all.
"""

from __future__ import annotations

from dataclasses import asdict

from loom.core.node import Ending
from loom.core.recipe import Recipe
from loom.engine.api import (
    Capabilities,
    Ended,
    Event,
    Failed,
    Following,
    Generate,
    Grown,
    Job,
    Piece,
    Progress,
    Score,
)
from loom.processes.records import (
    Record,
    bytes_text,
    ints_text,
    read_bytes,
    read_ints,
    read_span,
    read_strings,
    span_record,
    strings_record,
)


def _piece_record(piece: Piece) -> Record:
    if isinstance(piece, bytes):
        return {"text": bytes_text(piece)}
    return {"ids": ints_text(piece)}


def _read_piece(record: Record) -> Piece:
    return read_bytes(record["text"]) if "text" in record else read_ints(record["ids"])


def job_record(job: Job) -> Record:
    record = {"id": job.id, "prefix": [_piece_record(piece) for piece in job.prefix]}
    if isinstance(job, Generate):
        return record | {"recipe": job.recipe.to_json(), "seeds": list(job.seeds)}
    return record | {
        "text": _piece_record(job.text),
        "top": job.top,
        "following": job.following,
    }


def read_job(record: Record) -> Job:
    """Raises ValueError for a recipe out of range."""
    prefix = tuple(_read_piece(piece) for piece in record["prefix"])
    if "seeds" in record:
        recipe = Recipe.from_json(record["recipe"])
        return Generate(record["id"], prefix, recipe, tuple(record["seeds"]))
    text = _read_piece(record["text"])
    return Score(record["id"], prefix, text, record["top"], record["following"])


def event_record(event: Event) -> Record:
    match event:
        case Grown(job, branch, text, span):
            return {
                "grown": job,
                "branch": branch,
                "text": bytes_text(text),
                "span": span_record(span),
            }
        case Ended(job, branch, reason):
            return {"ended": job, "branch": branch, "reason": reason.value}
        case Following(job, ids, logprobs, pieces, entropy, varentropy):
            return {
                "following": job,
                "ids": ints_text(ids),
                "logprobs": list(logprobs),
                "pieces": strings_record(pieces),
                "entropy": entropy,
                "varentropy": varentropy,
            }
        case Progress(job, done, total):
            return {"progress": job, "done": done, "total": total}
        case Failed(job, error, hint):
            return {"failed": job, "error": error, "hint": hint}


def read_event(record: Record) -> Event:
    """Raises ValueError for a kind of event it doesn't know."""
    match record:
        case {"grown": job, "branch": branch, "text": text, "span": span}:
            return Grown(job, branch, read_bytes(text), read_span(span))
        case {"ended": job, "branch": branch, "reason": reason}:
            return Ended(job, branch, Ending(reason))
        case {"following": job, "ids": ids, "logprobs": p, "pieces": pieces, **rest}:
            strings = tuple(read_strings(pieces))
            shape = (rest["entropy"], rest["varentropy"])
            return Following(job, read_ints(ids), tuple(p), strings, *shape)
        case {"progress": job, "done": done, "total": total}:
            return Progress(job, done, total)
        case {"failed": job, "error": error, "hint": hint}:
            return Failed(job, error, hint)
        case _:
            raise ValueError(f"unknown event with the keys {sorted(record)}")


def capabilities_record(capabilities: Capabilities) -> Record:
    return asdict(capabilities)


def read_capabilities(record: Record) -> Capabilities:
    return Capabilities(**record)
