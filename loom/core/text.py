"""Bytes and text: decoding that loses nothing silently, safe display, and the edges of words.

A byte that isn't UTF-8 is one U+FFFD, so text and bytes stay aligned. It knows no tokenizer.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ONE_PER_BYTE = "loom.one-per-byte"
ALIGNED = "surrogateescape"  # also one character a byte, but encodes back to the same bytes


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "\ufffd" * (error.end - error.start), error.end


codecs.register_error(ONE_PER_BYTE, _replace)


def decode(data: bytes) -> str:
    """UTF-8, each invalid byte as one U+FFFD."""
    return data.decode("utf-8", ONE_PER_BYTE)


class Decoder:
    """`decode` in pieces: a character cut by the end of a piece is held back until it is whole."""

    __slots__ = ("_decoder",)

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(ONE_PER_BYTE)

    def feed(self, data: bytes) -> str:
        """The characters that are complete now."""
        return self._decoder.decode(data)

    def finish(self) -> str:
        """What was held back, as U+FFFD; the decoder is new again."""
        rest = self._decoder.decode(b"", final=True)
        self._decoder.reset()
        return rest

    @property
    def held(self) -> bytes:
        """The bytes of the unfinished character."""
        return self._decoder.getstate()[0]


_VISIBLE = {
    **{code: 0x2400 + code for code in range(0x20) if chr(code) not in "\n\t"},
    0x7F: 0x2421,
    **dict.fromkeys(range(0x80, 0xA0), 0xFFFD),
    **dict.fromkeys((0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F)), 0xFFFD),
    **dict.fromkeys(range(0x2066, 0x206A), 0xFFFD),
    0x2028: 0x2424,
    0x2029: 0x2424,
    **dict.fromkeys(range(0xD800, 0xE000), 0xFFFD),
}


def visible(text: str) -> str:
    """Safe for a terminal, character for character.

    C0 and C1 controls (but newline and tab), DEL, line and paragraph separators, bidirectional
    controls and lone surrogates become symbols that are seen.
    """
    return text.translate(_VISIBLE)


def char_offset(data: bytes, byte: int) -> int:
    """The index in `decode(data)` of the character that `byte` lies in."""
    head = data[: byte + 3]  # a character that starts before `byte` ends within three bytes of it
    text = head.decode("utf-8", ALIGNED)
    position, count = len(head), len(text)
    while position > byte:
        count -= 1
        position -= len(text[count].encode("utf-8", ALIGNED))
    return count


def byte_offset(data: bytes, char: int) -> int:
    """The byte at which character `char` of `decode(data)` starts."""
    return len(data.decode("utf-8", ALIGNED)[:char].encode("utf-8", ALIGNED))


# Marks that belong to the character before them; scripts written without spaces go by character.
_JOINED = "\u0300-\u036f\u200d\ufe00-\ufe0f\u20d0-\u20ff\u3099\u309a\U0001f3fb-\U0001f3ff"
_UNSPACED = "\u2e80-\u2fff\u3041-\u3098\u309d-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_MARKS = (
    "!-/:-@\\[-`{-~\u00a1-\u00bf\u2010-\u2027\u2030-\u205e\u3001-\u303f\uff01-\uff0f\uff1a-\uff20"
)
_WORD = re.compile(
    rf"[^\S\n]?(?:[^\s{_MARKS}{_UNSPACED}]+(?:['’][^\s{_MARKS}{_UNSPACED}]+)*"
    rf"|[{_UNSPACED}][{_JOINED}]*"
    rf"|[{_MARKS}][{_MARKS}{_JOINED}]*)"
    r"|\r?\n|[^\S\n]+?(?=[^\S\n]\S|\r?\n|\Z)|\s"
)


def word_edges(data: bytes) -> list[int]:
    """Ends of the words in bytes, each with the space before it; the last is the end of `data`."""
    text = data.decode("utf-8", ALIGNED)
    return _in_bytes(text, [match.end() for match in _WORD.finditer(text)])


TERMINATORS = ".!?…。！？"
CLOSERS = "\"'”’»)]}」』）】"
_STOP = re.compile(rf"(?:[.!?…]+|[。！？]+)[{re.escape(CLOSERS)}]*")
_ABBREVIATION = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Mx|Dr|Prof|Rev|Fr|Sr|Jr|St|Mt|Gen|Col|Maj|Capt|Lt|Sgt|Hon|Gov|Sen|Rep|Pres"
    r"|Messrs|Mme|Mlle|Vol|Fig|pp|vs|cf|etc|approx|ca|viz|al|Inc|Ltd|Co|Corp|Bros"
    r"|Jan|Feb|Apr|Aug|Sept?|Oct|Nov|Dec)"
    r"|(?<![\w'’])(?:[b-hj-zA-HJ-Z]|\w(?:\.\w)+))\Z"
)
_SPACE = re.compile(r"\s*")
_BLANK_LINE = re.compile(r"\n[^\S\n]*\n\s*")


def sentence_stops(text: str, start: int = 0) -> Iterator[tuple[int, int]]:
    """(start, end) in characters of each terminator with the quotes and brackets that close on it.

    Passes over abbreviations, initials and stops inside a word or number, not over a last one.
    """
    for match in _STOP.finditer(text, start):
        first, end = match.span()
        inside = end < len(text) and not text[end].isspace() and text[first] in ".!?…"
        single = match.group().rstrip(CLOSERS) == "."
        if not inside and not (single and _ABBREVIATION.search(text[max(0, first - 16) : first])):
            yield first, end


def sentence_edges(data: bytes) -> list[int]:
    """Ends of the sentences in bytes, each with the space after it; the last is the whole's."""
    text = data.decode("utf-8", ALIGNED)
    ends = {match.end() for match in _BLANK_LINE.finditer(text)}
    for _, end in sentence_stops(text):
        space = _SPACE.match(text, end)
        ends.add(space.end() if space else end)
    if text:
        ends.add(len(text))
    return _in_bytes(text, sorted(ends))


def token_edges(data: bytes, ends: Sequence[int]) -> list[int]:
    """Ends of the tokens in bytes; what lies after the last of them is cut into words."""
    edges = [int(end) for end in ends if end <= len(data)]
    read = edges[-1] if edges else 0
    return edges + [read + edge for edge in word_edges(data[read:])]


def _in_bytes(text: str, offsets: Sequence[int]) -> list[int]:
    """Rising character offsets as byte offsets."""
    if text.isascii() or not offsets:
        return list(offsets)
    found: list[int] = byte_offsets(text[: offsets[-1]])[list(offsets)].tolist()
    return found


def byte_offsets(text: str) -> NDArray[np.int32]:
    """Where each character of an aligned text begins, in bytes, and where the last one ends."""
    import numpy as np  # deferred: whoever only shows a text doesn't wait for it

    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    sizes = 1 + (codes >= 0x80) + (codes >= 0x800).astype(np.int32) + (codes >= 0x10000)
    sizes[(codes >= 0xDC80) & (codes <= 0xDCFF)] = 1  # stands for one byte that isn't UTF-8
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
