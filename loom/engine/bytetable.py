"""The bytes of every token, and text to tokens that always give back its bytes.

Works on a vocabulary as strings and on a function that encodes text; knows no tokenizer library.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from loom.engine.api import JobFailed

Ids = tuple[int, ...]
BLOCK = 1 << 14  # characters handed to the tokenizer at once, cut at a line where there is one

_SPACE = "▁"
_BYTE_TOKEN = re.compile(r"<0x([0-9A-F]{2})>")
_ESCAPED = re.compile("([\udc80-\udcff]+)")
_ESCAPED_OR_SPACE = re.compile(f"([\udc80-\udcff{_SPACE}]+)")
_LINE_END = re.compile(r"(?<=\S)\n(?=\S)")
_IMPOSSIBLE = frozenset((0xC0, 0xC1, *range(0xF5, 0x100)))  # in no UTF-8 text
_UNUSED = frozenset((*range(0x20), 0x7F, 0xF1, 0xF2, 0xF4)) - frozenset(b"\t\n\r")  # in hardly any
_NEEDED = frozenset(range(256)) - _IMPOSSIBLE - _UNUSED


class Spelling(StrEnum):
    """How a vocabulary writes bytes as strings."""

    BYTE_LEVEL = "byte-level"  # GPT-2's alphabet: a printable character a byte
    SENTENCEPIECE = "sentencepiece"  # ▁ for a space, <0x0A> for a byte


class Sort(StrEnum):
    """What a token is for."""

    TEXT = "text"
    LITERAL = "literal"  # added to the vocabulary as plain text, outside its spelling
    CONTROL = "control"  # stands for no text


class Inexact(Exception):
    """A vocabulary that can't write every text; the message says why."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One token as its tokenizer writes it."""

    id: int
    text: str
    sort: Sort = Sort.TEXT


def byte_table(entries: Sequence[Entry], size: int) -> list[bytes]:
    """The bytes of tokens 0..size-1; b"" for control tokens and ids without an entry.

    Raises Inexact as `completed` does, and for a vocabulary of another kind.
    """
    spelling = spelling_of(entries)
    table = [b""] * size
    for entry in entries:
        if 0 <= entry.id < size:
            table[entry.id] = _spelled(entry, spelling)
    return completed(table, {entry.id for entry in entries if entry.sort is Sort.CONTROL})


def completed(pieces: Sequence[bytes], control: Iterable[int]) -> list[bytes]:
    """`pieces`, b"" for `control` tokens, as a table that can write every text.

    A control token whose number is that of a byte no other token writes, in a vocabulary of raw
    bytes, stands for that byte too. Raises Inexact if a byte of ordinary UTF-8 has no token.
    """
    table = list(pieces)
    _lend_to_bytes(table, control)
    missing = _NEEDED - {piece[0] for piece in table if len(piece) == 1}
    if missing:
        raise Inexact(
            f"it has no tokens for {len(missing)} of the {len(_NEEDED)} bytes that text is made of"
            f" (0x{min(missing):02X}, for example)"
        )
    return table


def spelling_of(entries: Iterable[Entry]) -> Spelling:
    """Raises Inexact if it is neither."""
    texts = {entry.text for entry in entries if entry.sort is not Sort.CONTROL}
    if all(f"<0x{byte:02X}>" in texts for byte in range(256)):
        return Spelling.SENTENCEPIECE
    letters = sum(letter in texts for letter in byte_alphabet())
    if letters >= len(_NEEDED) - 1:
        return Spelling.BYTE_LEVEL
    raise Inexact("its vocabulary writes neither single bytes nor GPT-2's alphabet of bytes")


@cache
def byte_alphabet() -> dict[str, int]:
    """GPT-2's character for each byte: itself where printable in Latin-1, else from U+0100 on."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = [byte for byte in range(256) if byte not in printable]
    letters = {chr(byte): byte for byte in sorted(printable)}
    return letters | {chr(0x100 + index): byte for index, byte in enumerate(others)}


def _spelled(entry: Entry, spelling: Spelling) -> bytes:
    if entry.sort is Sort.CONTROL:
        return b""
    if entry.sort is Sort.LITERAL:
        return entry.text.encode()
    if spelling is Spelling.SENTENCEPIECE:
        byte = _BYTE_TOKEN.fullmatch(entry.text)
        return bytes([int(byte[1], 16)]) if byte else entry.text.replace(_SPACE, " ").encode()
    alphabet = byte_alphabet()
    if all(letter in alphabet for letter in entry.text):
        return bytes(alphabet[letter] for letter in entry.text)
    return entry.text.encode()


def _lend_to_bytes(table: list[bytes], control: Iterable[int]) -> None:
    raw = all(piece in (b"", bytes([byte])) for byte, piece in enumerate(table[:256]))
    if not raw:
        return
    for token in control:
        if token < min(256, len(table)):
            table[token] = bytes([token])


class ByteExact:
    """Encodes so that the bytes of the tokens are the text, whatever the text is.

    `encode` is the tokenizer without prefix, control tokens or normalisation. Where its tokens
    don't give back the text, the longest pieces of the table from left to right do; bytes that are
    no UTF-8 are written singly. With `dummy` the tokenizer puts a space before a document: the
    first token of one has it in its piece and not in the text.
    """

    def __init__(
        self,
        table: Sequence[bytes],
        encode: Callable[[str], Sequence[int]],
        *,
        usable: Callable[[int], bool] = lambda token: True,
        dummy: bool = False,
        spelling: Spelling = Spelling.BYTE_LEVEL,
    ) -> None:
        self.table = table
        self.dummy = dummy
        self._encode = encode
        self._odd = _ESCAPED_OR_SPACE if spelling is Spelling.SENTENCEPIECE else _ESCAPED
        self._ids: dict[bytes, int] = {}
        for token, piece in enumerate(table):
            if piece and usable(token):
                self._ids.setdefault(piece, token)
        for token, piece in enumerate(table):
            if len(piece) == 1:
                self._ids.setdefault(piece, token)
        self._longest = max(map(len, self._ids))

    def encode(self, text: bytes, *, start: bool) -> Ids:
        """Raises JobFailed for a byte that this vocabulary can't write."""
        return tuple(token for block in self.blocks(text, start=start) for token in block)

    def blocks(self, text: bytes, *, start: bool) -> Iterator[Sequence[int]]:
        """What `encode` gives, bit by bit."""
        if not text:
            return
        whole = b" " + text if start and self.dummy else text
        for index, run in enumerate(self._odd.split(whole.decode("utf-8", "surrogateescape"))):
            if index % 2:
                yield self._singly(run.encode("utf-8", "surrogateescape"))
            else:
                yield from map(self._run, _blocks(run))

    def spelled(self, ids: Sequence[int], *, start: bool) -> list[bytes]:
        """The bytes of each token in its place; `start`: the first one opens the document."""
        pieces = [self.table[token] for token in ids]
        if start and self.dummy and pieces and pieces[0].startswith(b" "):
            pieces[0] = pieces[0][1:]
        return pieces

    def _run(self, text: str) -> Sequence[int]:
        ids, wanted = self._encode(text), text.encode()
        if b"".join(self.table[token] for token in ids) == wanted:
            return ids
        return self._longest_pieces(wanted)

    def _longest_pieces(self, text: bytes) -> list[int]:
        ids: list[int] = []
        at = 0
        while at < len(text):
            token = self._longest_at(text, at)
            at += len(self.table[token])
            ids.append(token)
        return ids

    def _longest_at(self, text: bytes, at: int) -> int:
        for length in range(min(self._longest, len(text) - at), 0, -1):
            token = self._ids.get(text[at : at + length])
            if token is not None:
                return token
        raise _unwritable(text[at])

    def _singly(self, text: bytes) -> list[int]:
        found = [self._ids.get(bytes([byte]), -1) for byte in text]
        if -1 in found:
            raise _unwritable(text[found.index(-1)])
        return found


def _unwritable(byte: int) -> JobFailed:
    return JobFailed(
        f"This model has no token for the byte 0x{byte:02X}.",
        "The text holds bytes that are no UTF-8: take them out, or use another model.",
    )


def _blocks(text: str) -> Iterator[str]:
    """Stretches of BLOCK characters or more, so that a long text can be encoded in steps; they end
    with a line, where it makes no difference."""
    at = 0
    while len(text) - at > 2 * BLOCK:
        line = _LINE_END.search(text, at + BLOCK, at + 2 * BLOCK)
        stop = line.end() if line else at + 2 * BLOCK
        yield text[at:stop]
        at = stop
    if at < len(text):
        yield text[at:]
