"""Random bytes at every file and argument that Loom reads: each gets a sentence, never a traceback.

A case is one run of the command line in this process, or of what reads a file for the screen. Where
nothing is wrong with what was thrown, Loom may also simply do it.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from unittest import mock

from benchmarks.faults.fuzz_models import ModelFuzz
from benchmarks.faults.noise import anything, misread, spoilt, word_of
from benchmarks.faults.old import as_first_version, misread_values
from benchmarks.faults.outcome import Outcome
from benchmarks.faults.saying import said
from benchmarks.faults.story import Story, write_story
from benchmarks.faults.witness import Lie
from loom.commands import parser as grammar
from loom.config import ConfigError, load_config
from loom.instruments import calibration
from loom.instruments.sources import finding
from loom.instruments.sources.api import Tempering
from loom.offers import recent
from loom.paths import Paths
from loom.replay.checks import Check, Verdict
from loom.replay.notebook import Notebook
from loom.store.store import Store
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
COMMANDS = (
    "show", "tree", "tree --all", "doctor", "history", "show --node 3", "replay --headless",
    "checkpoint now", "undo", "write --text x", "compact",
)  # fmt: skip
NEVER = {
    *("open", "demo", "generate", "next", "take", "score", "replay"),
    *("models", "plugins", "drift", "sources", "calibrate", "experiment"),
}
"""Commands that open the screen or start an engine or plugins: seconds each, so they are left out.
So is `doctor` without a session."""

NODES = 8
Case = Callable[[random.Random], tuple[str, float]]


class Fuzz:
    """A folder with a session, a text and settings, at which things are thrown."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home = folder, folder / "home"
        self.home.mkdir(parents=True, exist_ok=True)
        self.story = write_story(folder / "whole.loom", NODES)
        self._raw = self.story.read_bytes()
        self._unclosed = unclosed(folder / "unclosed.loom")
        self._old = as_first_version(self.story, folder / "first.loom")

    def cases(self) -> dict[str, Case]:
        """By what is thrown at."""
        return {
            "session files": self.session_file,
            "logs of sessions": self.session_log,
            "sessions of version 1": self.old_session,
            "text files": self.text_file,
            "settings": self.settings,
            "what the screen remembers": self.state,
            "notebooks of replay": self.notebook,
            "source sets": self.source_set,
            "texts of voices": self.voices,
            "calibrations": self.calibration,
            "arguments": self.arguments,
        }

    def session_file(self, source: random.Random) -> tuple[str, float]:
        return self._opened(spoilt(self._raw, source), source)

    def session_log(self, source: random.Random) -> tuple[str, float]:
        """Beside a whole file; sometimes both are spoilt."""
        raw, log = self._unclosed
        data = spoilt(raw, source) if source.random() < 0.2 else raw
        return self._opened(data, source, spoilt(log, source))

    def old_session(self, source: random.Random) -> tuple[str, float]:
        """Without checksums, so that nonsense may come through to what reads it."""
        if source.random() < 0.5:
            return self._opened(spoilt(self._old, source), source)
        path = self.folder / "nonsense.loom"
        path.write_bytes(self._old)
        misread_values(path, source)
        return self._opened(path.read_bytes(), source)

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
        """Unreadable, it begins anew."""
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

    def notebook(self, source: random.Random) -> tuple[str, float]:
        """What can't be read of it is checked again."""
        state = self.home / "state"
        with Notebook(state, lambda node: b"stamp", "story", "verify") as kept:
            for node in range(NODES):
                kept.add(Check(node, 12, Verdict.SAME, difference=node * 1e-6))
        (file,) = (state / "replay").iterdir()
        file.write_bytes(spoilt(file.read_bytes(), source))
        try:
            again = Notebook(state, lambda node: b"stamp", "story", "verify")
            found = [again.known(node) for node in range(NODES)]
        except Exception as error:
            raise Lie(f"a notebook raised {error!r}") from error
        finally:
            shutil.rmtree(state)
        return "gone on with", sum(check is not None for check in found) / NODES

    def source_set(self, source: random.Random) -> tuple[str, float]:
        """One of the user's own, listed or chosen for a session."""
        raw = source.choice(sorted(finding.SHIPPED.glob(f"*{finding.SUFFIX}"))).read_bytes()
        (own := Paths.default().sources).mkdir(parents=True, exist_ok=True)
        (own / f"mine{finding.SUFFIX}").write_bytes(spoilt(raw, source))
        shutil.copy(self.story, self.folder / "story.loom")
        try:
            finding.default_for("f00d")
            choose = ["sources", "story.loom", "--choose", "mine"]
            return said(source.choice((["sources", "--list"], choose)))
        finally:
            shutil.rmtree(own)

    def voices(self, source: random.Random) -> tuple[str, float]:
        folder = self.folder / "voices"
        folder.mkdir()
        try:
            for name in ("one.txt", "two.txt", "three.md"):
                (folder / name).write_bytes(anything(source))
            (folder / "four").mkdir()
            (folder / "four" / "a.txt").write_bytes(spoilt(b"Once upon a time. " * 50, source))
            return said(["sources", "Some words of my own.", "--letters", str(folder)])
        finally:
            shutil.rmtree(folder)

    def calibration(self, source: random.Random) -> tuple[str, float]:
        """A damaged one is none."""
        known = calibration.Calibration(
            "f00d", "mine", {"tokens": 9}, {"traps": {"version": "1", "kept": {"a": [1.5]}}}
        ).tempered("d1", "house", Tempering(0.5, 0.1, 100, 3))
        file = self.folder / "calibration.json"
        raw = known.encoded()
        file.write_bytes((misread if source.random() < 0.5 else spoilt)(raw, source))
        try:
            found = calibration.read(file)
        except Exception as error:
            raise Lie(f"a calibration raised {error!r}") from error
        return "none" if found is None else "read", 1.0

    def arguments(self, source: random.Random) -> tuple[str, float]:
        shutil.copy(self.story, self.folder / "story.loom")
        (self.folder / "text.txt").write_text("Some words.")
        (self.folder / "loom.toml").write_text(SETTINGS)
        commands = grammar.build()[1]
        command = source.choice(sorted(commands.keys() - NEVER))
        known = [word for action in commands[command]._actions for word in action.option_strings]
        few = source.randrange(4)
        words = [source.choice((word_of(source), source.choice(known))) for _ in range(few)]
        if command == "doctor" or source.random() < 0.7:
            words.insert(0, "story.loom")
        return said([command, *words])

    def _opened(
        self, data: bytes, source: random.Random, log: bytes | None = None
    ) -> tuple[str, float]:
        path, log_path = self.folder / "story.loom", self.folder / "story.loom-wal"
        for left in (path, log_path, self.folder / "story.loom-shm"):
            left.unlink(missing_ok=True)
        path.write_bytes(data)
        if log is not None:
            log_path.write_bytes(log)
        words = source.choice(COMMANDS).split()
        try:
            return said([words[0], str(path), *words[1:]])
        finally:
            log_path.unlink(missing_ok=True)


def unclosed(path: Path) -> tuple[bytes, bytes]:
    """A session and its log as a killed Loom leaves them."""
    store = Store.create(path)
    try:
        Story(store, 1).grow(NODES)
        store.flush()
        return path.read_bytes(), path.with_name(f"{path.name}-wal").read_bytes()
    finally:
        store.close()


def fuzz(folder: Path, source: random.Random, count: int) -> Iterator[Outcome]:
    """`count` cases, evenly of each kind."""
    inside = folder / "fuzz"
    inside.mkdir()
    environment = {"LOOM_HOME": str(inside / "home"), "NO_COLOR": "1"}
    built = grammar.build()  # once: it is the greater part of a case
    with (
        mock.patch.dict(os.environ, environment),
        mock.patch.object(grammar, "build", lambda: built),
        contextlib.chdir(inside),
    ):
        cases = Fuzz(inside).cases() | ModelFuzz(inside / "models").cases()
        for name, case in cases.items():
            outcome = Outcome(f"random bytes: {name}")
            for index in range(-(-count // len(cases))):
                seed = source.randrange(2**48)
                outcome.attempt(f"case {index}, seed {seed}", partial(case, random.Random(seed)))
            yield outcome
