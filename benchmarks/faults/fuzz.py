"""Random bytes at every file and argument that Loom reads: each gets a sentence, never a traceback.

A case is one run of the command line in this process, or of what reads a file for the screen. Where
nothing is wrong with what was thrown, Loom may also simply do it.
"""

from __future__ import annotations

import contextlib
import io
import os
import random
import re
import shutil
import sys
import unicodedata
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from unittest import mock

from benchmarks.faults.outcome import Outcome
from benchmarks.faults.story import write_story
from benchmarks.faults.witness import Lie
from loom.cli import main
from loom.commands import parser as grammar
from loom.config import ConfigError, load_config
from loom.offers import recent
from loom.paths import Paths
from loom.ui import themes
from loom.ui.proportions import Proportions

SETTINGS = """\
model = "echo"
branches = 3
theme = "loom-dark"
preset = "mine"
tokens = 12

[presets.mine]
temperature = 0.7
top_p = 0.9
logit_bias = [[3, 1.5]]

[engine]
threads = 1

[keys]
grow = ["g", "ctrl+t"]
"""
WORDS = (
    "", "-", "--", "--node", "--at", "--text", "--json", "--seed", "-n", "0", "-1", "1", "2",
    "999999999999", "1e400", "nan", "inf", "0x10", "①", "./", "/", "..", "~", "story.loom",
    "nowhere.loom", "text.txt", "a\x00b", "\x1b[31mred\x1b[0m", "\u202edrawkcab", "\udcff",
    "é" * 40, "x" * 5000, "--model", "echo", "--config", "loom.toml", "--preset", "mine",
    "--temperature", "--stop", "%s%n", "{0}", "\r\n", "\t", "--back-to", "--name", "--context",
    "--headless", "--repair", "--to", "out.loom", "--bookmark", "--off",
)  # fmt: skip
COMMANDS = (
    "show", "tree", "tree --all", "doctor", "history", "show --node 3", "replay --headless",
    "checkpoint now", "undo", "write --text x", "compact",
)  # fmt: skip
NEVER = {"open", "demo", "generate", "next", "take", "score", "models", "replay"}
"""Commands that open the screen or start an engine: a second each, so they are left out here."""

STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
Case = Callable[[random.Random, Path], tuple[str, float]]


class Fuzz:
    """A folder with a session, a text and settings, at which things are thrown."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home = folder, folder / "home"
        self.home.mkdir(parents=True, exist_ok=True)
        self.story = write_story(folder / "whole.loom", nodes=8)
        self._raw = self.story.read_bytes()

    def session_file(self, source: random.Random) -> tuple[str, float]:
        path = self.folder / "story.loom"
        path.write_bytes(spoilt(self._raw, source))
        words = source.choice(COMMANDS).split()
        return said([words[0], str(path), *words[1:]])

    def text_file(self, source: random.Random) -> tuple[str, float]:
        path, target = self.folder / "text.txt", self.folder / "new.loom"
        path.write_bytes(anything(source))
        target.unlink(missing_ok=True)
        told = said(["new", str(target), "--file", str(path)])
        if target.exists():
            said([source.choice(("tree", "show")), str(target)])
        return told

    def settings(self, source: random.Random) -> tuple[str, float]:
        path = self.folder / "loom.toml"
        path.write_bytes(spoilt(SETTINGS.encode(), source))
        with contextlib.suppress(ConfigError):
            load_config(path)
        return said(["config", "--config", str(path)])

    def state(self, source: random.Random) -> tuple[str, float]:
        """What the screen remembers: unreadable, it begins anew."""
        state = self.home / "state"
        state.mkdir(exist_ok=True)
        paths = Paths.default()
        for name in ("last", "theme", "layout.json", "layout", "proportions.json", "models"):
            (state / name).write_bytes(anything(source))
        paths.last_session()
        themes.chosen(state, "loom-dark")
        Proportions.load(state)
        recent(paths)
        shutil.rmtree(state)
        return "begun anew", 1.0

    def arguments(self, source: random.Random) -> tuple[str, float]:
        shutil.copy(self.story, self.folder / "story.loom")
        (self.folder / "text.txt").write_text("Some words.")
        (self.folder / "loom.toml").write_text(SETTINGS)
        command = source.choice(sorted(grammar.build()[1].keys() - NEVER))
        words = [word_of(source) for _ in range(source.randrange(6))]
        if source.random() < 0.7:
            words.insert(0, "story.loom")
        return said([command, *words])


CASES = ("session_file", "text_file", "settings", "state", "arguments")


def fuzz(folder: Path, source: random.Random, count: int) -> list[Outcome]:
    """`count` cases, evenly of each kind."""
    found = []
    inside = folder / "fuzz"
    inside.mkdir()
    environment = {"LOOM_HOME": str(inside / "home"), "NO_COLOR": "1"}
    built = grammar.build()  # once: it is the greater part of a case
    with (
        mock.patch.dict(os.environ, environment),
        mock.patch.object(grammar, "build", lambda: built),
        contextlib.chdir(inside),
    ):
        thrown = Fuzz(inside)
        for name in CASES:
            outcome = Outcome(f"random bytes: {name.replace('_', ' ')}")
            for index in range(-(-count // len(CASES))):
                seed = source.randrange(2**48)
                case = partial(getattr(thrown, name), random.Random(seed))
                outcome.attempt(f"case {index}, seed {seed}", case)
            found.append(outcome)
    return found


def said(words: Sequence[str]) -> tuple[str, float]:
    """Run it; the exit code in words. Raises Lie for anything that isn't a sentence."""
    out, err = io.StringIO(), io.StringIO()
    try:
        with (
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"Words from a pipe."))),
        ):
            code = main(list(words))
    except SystemExit as leaving:  # argparse
        code = leaving.code if isinstance(leaving.code, int) else 1
    except BaseException as error:
        raise Lie(f"{words!r} raised {error!r}") from error
    _check(words, code, out.getvalue(), err.getvalue())
    return {0: "done", 1: "refused", 2: "wrong usage"}[code], 1.0


def _check(words: Sequence[str], code: int, out: str, err: str) -> None:
    if code not in (0, 1, 2):
        raise Lie(f"{words!r} left with {code}")
    if "Traceback" in err or "Loom itself went wrong" in err:
        raise Lie(f"{words!r}: {err.strip()[-300:]}")
    if code and not (err.strip() or out.strip()):
        raise Lie(f"{words!r} failed without a word")
    for name, text in (("stdout", out), ("stderr", err)):
        found = STEERING.search(text)
        if found:
            name_of = unicodedata.name(found.group(), repr(found.group()))
            raise Lie(f"{words!r}: {name_of} raw on {name}")


def anything(source: random.Random) -> bytes:
    """Noise, text with everything that hurts in it, one long line, or nothing."""
    kind = source.randrange(5)
    if kind == 0:
        return source.randbytes(source.randrange(2000))
    if kind == 1:
        return b"x" * source.randrange(100_000)
    if kind == 2:
        return b""
    words = [
        "\x1b[2J",
        "\x00",
        "\u202e",
        "\u2066",
        "\ud83d",
        "👩\u200d🚀",
        "e\u0301",
        "\r\n",
        "\x9b1m",
        " ",
        "word",
    ]
    return "".join(source.choices(words, k=60)).encode("utf-8", "surrogatepass")


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


def word_of(source: random.Random) -> str:
    """An argument: one that means something somewhere, or one that doesn't anywhere."""
    if source.random() < 0.8:
        return source.choice(WORDS)
    return "".join(
        chr(source.choice((source.randrange(1, 128), source.randrange(1, 0xD800))))
        for _ in range(9)
    )
