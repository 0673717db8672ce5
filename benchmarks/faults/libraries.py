"""Random bytes in the files of a model, given to the libraries that load them: torch, llama.cpp.

They run in a process of their own, as engines do, since they may end it. `python -m
benchmarks.faults.libraries` is that process: a path a line in, what became of it a line out.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.faults.fuzz_models import LLAMA, spoil_folder, write_model
from benchmarks.faults.noise import spoilt
from benchmarks.faults.outcome import Outcome
from benchmarks.faults.saying import sentence
from benchmarks.faults.witness import Lie
from loom import extensions
from loom.core.recipe import Recipe
from loom.engine.api import EngineError, Generate

SEED = 7


class Libraries:
    """The process, started anew when a library has ended it."""

    def __init__(self, log: Path) -> None:
        self._log = log.open("ab")
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()
        self._log.close()

    def load(self, model: Path, to: Path | None = None) -> tuple[str, float]:
        """Load it and draw a few tokens, or with `to` convert it; raises Lie as `refused` does."""
        process = self._running()
        assert process.stdin is not None and process.stdout is not None
        with suppress(OSError):
            process.stdin.write(json.dumps([str(model), None if to is None else str(to)]) + "\n")
            process.stdin.flush()
        line = process.stdout.readline()
        if not line:
            self._end()
            return "the engine died, which is said", 1.0
        what, text = json.loads(line)
        if what == "refused":
            sentence(str(model), text)
        if what == "raised":
            raise Lie(f"{model.name} raised {text}")
        return what, 1.0

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.faults.libraries"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                text=True,
            )
        return self._process

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def loaded(folder: Path, source: random.Random, count: int) -> list[Outcome]:
    """`count` models of each kind that is installed here, spoilt, loaded."""
    whole, target = write_model(folder / "model"), folder / "spoilt"
    gguf, spoilt_gguf, converted = (folder / f"{n}.gguf" for n in ("whole", "spoilt", "converted"))
    torch = Outcome("random bytes: models that torch loads")
    made = Outcome("random bytes: models converted")
    llama = Outcome("random bytes: models that llama.cpp loads")
    with Libraries(folder / "libraries.log") as libraries:
        torch.attempt("the whole model", partial(_taken, libraries, whole))
        made.attempt("the whole model", partial(_taken, libraries, whole, gguf))
        for index in range(count):
            spoil_folder(whole, target, source)
            torch.attempt(f"case {index}", partial(libraries.load, target))
            made.attempt(f"case {index}", partial(libraries.load, target, converted))
            converted.unlink(missing_ok=True)
            if gguf.exists():
                spoilt_gguf.write_bytes(spoilt(gguf.read_bytes(), source))
                llama.attempt(f"case {index}", partial(libraries.load, spoilt_gguf))
    return [torch, made, llama]


def _taken(libraries: Libraries, model: Path, to: Path | None = None) -> tuple[str, float]:
    found = libraries.load(model, to)
    if found[0] != "taken":
        raise Lie(f"with nothing wrong, it was {found[0]}")
    return found


def main() -> int:
    """Answers on a descriptor of its own: libraries print."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        model, target = json.loads(line)
        answers.write(json.dumps(_attempt(model, target)) + "\n")
        answers.flush()
    return 0


def _attempt(model: str, target: str | None) -> tuple[str, str]:
    try:
        if target is None:
            _drawn(
                extensions.load_backend(model).load(model, {"threads": 1, "cache_mb": 1}, _watch)
            )
        else:
            backend: Any = extensions.load_backend("", name=LLAMA)
            backend.convert(Path(model), Path(target), "f16", _watch)
    except EngineError as error:
        return "refused", str(error)
    except Exception as error:
        return "raised", repr(error)
    return "taken", ""


def _drawn(engine: Any) -> None:
    engine.submit(Generate("fuzz", (b"The lamp",), Recipe(tokens=2), (SEED,)))
    for _ in range(8):
        engine.step()
    engine.close()


def _watch(done: int, total: int) -> None: ...


if __name__ == "__main__":
    sys.exit(main())
