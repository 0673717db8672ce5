"""The command line run in this process: it does what was asked, or says one sentence why not."""

from __future__ import annotations

import contextlib
import io
import re
import sys
import unicodedata
from collections.abc import Callable, Sequence
from unittest import mock

from benchmarks.faults.witness import Lie
from loom.cli import main
from loom.engine.api import EngineError

STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


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


def refused(what: str, work: Callable[[], object]) -> tuple[str, float]:
    """Do it; an error of an engine has to be a sentence. Raises Lie for any other."""
    try:
        work()
    except EngineError as error:
        sentence(what, str(error))
        return "refused", 1.0
    except BaseException as error:
        raise Lie(f"{what} raised {error!r}") from error
    return "taken", 1.0


def sentence(what: str, text: str) -> None:
    """Raises Lie where `text` isn't one that can be shown."""
    if not text.endswith(".") or "\n" in text or "Traceback" in text:
        raise Lie(f"{what}: no sentence: {text!r}")


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
