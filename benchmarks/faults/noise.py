"""What is thrown at files and arguments: random bytes, text that hurts, odd words."""

from __future__ import annotations

import random

WORDS = (
    "", "-", "--", "--node", "--at", "--text", "--json", "--seed", "-n", "0", "-1", "1", "2",
    "999999999999", "1e400", "nan", "inf", "0x10", "①", "./", "/", "..", "~", "story.loom",
    "nowhere.loom", "text.txt", "a\x00b", "\x1b[31mred\x1b[0m", "\u202edrawkcab", "\udcff",
    "é" * 40, "x" * 5000, "--model", "echo", "--config", "loom.toml", "--preset", "mine",
    "--temperature", "--stop", "%s%n", "{0}", "\r\n", "\t", "--back-to", "--name", "--context",
    "--headless", "--repair", "--to", "out.loom", "--bookmark", "--off",
)  # fmt: skip
HURTFUL = (
    "\x1b[2J", "\x00", "\u202e", "\u2066", "\ud83d", "👩\u200d🚀", "e\u0301", "\r\n", "\x9b1m", " ",
    "word",
)  # fmt: skip


def anything(source: random.Random) -> bytes:
    """Noise, text with everything that hurts in it, one long line, brackets, or nothing."""
    kind = source.randrange(6)
    if kind == 0:
        return source.randbytes(source.randrange(2000))
    if kind == 1:
        return b"x" * source.randrange(100_000)
    if kind == 2:
        return b""
    if kind == 3:
        return source.choice((b"[", b'{"a":', b"[[", b"{")) * source.randrange(5000)
    return "".join(source.choices(HURTFUL, k=60)).encode("utf-8", "surrogatepass")


def spoilt(raw: bytes, source: random.Random) -> bytes:
    """`raw` with bytes changed, left out, doubled, cut off or put in; sometimes another."""
    if source.random() < 0.1:
        return anything(source)
    data = bytearray(raw)
    for _ in range(source.randrange(1, 8)):
        at = source.randrange(len(data) + 1)
        length = source.choice((1, 1, 1, 4, 30, 4096))
        match source.randrange(5):
            case 0:
                data[at : at + length] = source.randbytes(length)
            case 1:
                del data[at : at + length]
            case 2:
                data[at:at] = data[at : at + length]
            case 3:
                data[at:at] = anything(source)[:length]
            case _ if source.random() < 0.2:
                del data[at:]
    return bytes(data)


def misread(raw: bytes, source: random.Random) -> bytes:
    """`raw`, a JSON text, with values in the place of others: often it can still be parsed."""
    values = (b"null", b"-1", b"[]", b"{}", b'""', b"1e999", b"true", b"9" * 30, b'"\\u0000"')
    parts = raw.replace(b",", b"\0,\0").replace(b":", b"\0:\0").split(b"\0")
    for _ in range(source.choice((1, 1, 2, 3))):
        parts[source.randrange(len(parts))] = source.choice(values)
    return b"".join(parts)


def word_of(source: random.Random) -> str:
    """An argument: one that means something somewhere, or one that doesn't anywhere."""
    if source.random() < 0.8:
        return source.choice(WORDS)
    return "".join(
        chr(source.choice((source.randrange(1, 128), source.randrange(1, 0xD800))))
        for _ in range(9)
    )
