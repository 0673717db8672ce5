"""A reading and the state after it as the two blobs a session file keeps, lossless.

    CRC-32 (4 bytes) | basis (8) | after (8) | flags (1) | zlib of: JSON line, float32 columns

`basis` stands for everything that was read: another state before, another choice, another basis;
`after` for the state after it. Columns are kept byte by byte (all first bytes, then all second
ones …), which zlib makes less of.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import astuple, dataclass, fields
from typing import Any, NamedTuple

import numpy as np

from loom.instruments.api import Choice, Context, Flag, Reading, Settings
from loom.instruments.dealing import InNode
from loom.instruments.loading import Declared

DIGEST = 8
BEGINNING = bytes(DIGEST)  # stands for the state before anything was read
_HEAD = 4 + 2 * DIGEST + 1
_CHOICE = [field.name for field in fields(Choice)]
_MOST = 255  # flags that are counted


@dataclass(frozen=True, slots=True)
class Kept:
    """What was read in one node, the state after it (JSON), and what it was read from."""

    basis: bytes
    state: str
    reading: Reading
    tokens: int


class Glance(NamedTuple):
    """What can be told without taking a reading apart."""

    basis: bytes
    after: bytes
    flagged: bool


def settings_key(about: Declared, settings: Settings) -> tuple[str, dict[str, Any]]:
    """What names version and settings in a file, and what it stands for."""
    calibration = settings.calibration
    spelled = {
        "instrument": about.name,
        "version": about.version or about.source,
        "options": dict(settings.options),
        "model": settings.model,
        "calibration": None if calibration is None else _digest(_json(calibration)).hex(),
    }
    return _digest(_json(spelled)).hex(), spelled


def surroundings(context: Context, tokens: int | None = None) -> bytes:
    """What stands around a node, spelled out; with `tokens` around so many of its first ones."""
    around = (context.position, context.offset, str(context.author), context.temperature)
    choice = context.choice
    known = None if choice is None else [getattr(choice, name) for name in _CHOICE]
    return _json([around, known, tokens])


def basis_of(before: bytes, around: bytes) -> bytes:
    """Of what stands for the state before a node, and of its surroundings."""
    return _digest(before + around)


def digest_of(state: str) -> bytes:
    """What stands for a state."""
    return _digest(state.encode())


def pack(kept: Kept) -> tuple[bytes, bytes]:
    """(state, data) as they go into the file."""
    reading = kept.reading
    names = list(reading.values)
    head = {
        "tokens": kept.tokens,
        "values": names,
        "summary": dict(reading.summary),
        "flags": [list(astuple(flag)) for flag in reading.flags],
        "in_node": any(isinstance(flag, InNode) for flag in reading.flags),
    }
    head = {name: value for name, value in head.items() if value}
    columns = b"".join(
        reading.values[name].astype("<f4", copy=False).view(np.uint8).reshape(-1, 4).T.tobytes()
        for name in names
    )
    state = _packed(kept.state.encode())
    flags = bytes([min(_MOST, len(reading.flags))])
    data = kept.basis + digest_of(kept.state) + flags + _packed(_json(head) + b"\n" + columns)
    return state, zlib.crc32(data, zlib.crc32(state)).to_bytes(4, "little") + data


def glance(state: bytes, data: bytes) -> Glance:
    """Raises ValueError for blobs that are not what was written."""
    if zlib.crc32(data[4:], zlib.crc32(state)) != int.from_bytes(data[:4], "little"):
        raise ValueError("a reading is not what was written")
    if len(data) < _HEAD:
        raise ValueError("a reading is cut short")
    basis, after = data[4 : 4 + DIGEST], data[4 + DIGEST : _HEAD - 1]
    return Glance(basis, after, bool(data[_HEAD - 1]))


def unpack_state(state: bytes, data: bytes) -> str:
    """The state alone. Raises ValueError for blobs that are not what was written."""
    glance(state, data)
    try:
        return zlib.decompress(state).decode()
    except zlib.error as error:
        raise ValueError(f"a state makes no sense: {error}") from error


def unpack(state: bytes, data: bytes) -> Kept:
    """Raises ValueError for blobs that are not what was written."""
    seen = glance(state, data)
    try:
        line, _, columns = zlib.decompress(data[_HEAD:]).partition(b"\n")
        head = json.loads(line)
        tokens = head.get("tokens", 0)
        kind = InNode if head.get("in_node") else Flag
        flags = tuple(kind(*flag) for flag in head.get("flags", ()))
        reading = Reading(_columns(head, tokens, columns), head.get("summary", {}), flags)
        return Kept(seen.basis, zlib.decompress(state).decode(), reading, tokens)
    except (TypeError, KeyError, AttributeError, zlib.error) as error:
        raise ValueError(f"a reading makes no sense: {error}") from error


def _columns(head: Mapping[str, Any], tokens: int, data: bytes) -> dict[str, Any]:
    size = 4 * tokens
    return {
        name: np.ascontiguousarray(
            np.frombuffer(data, np.uint8, size, place * size).reshape(4, tokens).T
        )
        .view("<f4")
        .reshape(tokens)
        .astype(np.float32, copy=False)
        for place, name in enumerate(head.get("values", ()))
    }


def _packed(data: bytes) -> bytes:
    return zlib.compress(data, 6)


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=DIGEST).digest()


def _json(data: object) -> bytes:
    return json.dumps(data, sort_keys=True, separators=(",", ":")).encode()
