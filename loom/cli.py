"""The `loom` command: parse, call, print, exit code.

0 done; 1 what was asked for failed; 2 wrong usage; 130 stopped with Ctrl+C. Each command's module
is imported when the command is used, so that `--help` waits for nothing.
"""

from __future__ import annotations

import _thread
import asyncio
import difflib
import importlib
import inspect
import os
import signal
import sys
import threading
from argparse import ArgumentParser, Namespace
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

from loom.commands import parser as grammar
from loom.console import CommandError, Console, UsageError
from loom.core.text import visible

DONE, FAILED, USAGE, STOPPED, PIPE_CLOSED = 0, 1, 2, 130, 141
SOON = 0.01  # seconds


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    _fill_streams()
    words = list(sys.argv[1:] if arguments is None else arguments)
    parser, commands = grammar.build()
    args = parser.parse_args(with_command(words, commands))
    console = Console.of_process(json=args.json)
    hook, sys.unraisablehook = sys.unraisablehook, _told_again
    try:
        code = _run(args, console)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        console.end_progress()
        console.note("Stopped.")
        return STOPPED
    except BrokenPipeError:
        return _leave_pipe()
    except UsageError as error:
        _complain(commands[args.command], error)
        return USAGE
    except Exception as error:
        if os.environ.get("LOOM_DEBUG"):
            raise
        console.end_progress()
        console.fail(*explain(error))
        return FAILED
    finally:
        sys.unraisablehook = hook


def _told_again(ignored: sys.UnraisableHookArgs) -> None:
    """Ctrl+C that came where nothing can be raised, as while a module was imported, comes again."""
    if isinstance(ignored.exc_value, KeyboardInterrupt):
        again = threading.Timer(SOON, _interrupt)
        again.daemon = True
        again.start()
    else:
        sys.__unraisablehook__(ignored)


def _interrupt() -> None:
    main = threading.main_thread().ident
    if main is not None and hasattr(signal, "pthread_kill"):
        signal.pthread_kill(main, signal.SIGINT)  # ends a call that waits, too
    else:
        _thread.interrupt_main()


def _fill_streams() -> None:
    """A stream that was closed before the start is None; put an empty one there."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115 - lives as long as we do


def with_command(words: list[str], commands: dict[str, ArgumentParser]) -> list[str]:
    """`loom story.loom` means `loom open story.loom`; so does no word at all.

    Raises SystemExit(2) for a word that is no file and nearly a command.
    """
    place = _first_word(words)
    if place is None:
        asks = {"-h", "--help", "--version"} & set(words)
        return words if asks else [*words, "open"]
    word = words[place]
    if word in commands:
        return words
    near = difflib.get_close_matches(word, commands, n=1, cutoff=0.7)
    if near and not Path(word).exists() and not Path(word).suffix:
        asked = f"loom: there is no command or file {word!r}; perhaps `loom {near[0]}`?\n"
        sys.stderr.write(visible(asked))
        raise SystemExit(USAGE)
    return [*words[:place], "open", *words[place:]]


def _first_word(words: list[str]) -> int | None:
    """Index of the first word that is neither an option nor an option's value."""
    skip = False
    for index, word in enumerate(words):
        if skip:
            skip = False
        elif word in grammar.GLOBAL_WITH_VALUE:
            skip = True
        elif not word.startswith("-") or word == "-":
            return index
    return None


def _run(args: Namespace, console: Console) -> int:
    module, _, name = args.run.partition(":")
    command = getattr(importlib.import_module(f"loom.commands.{module}"), name)
    outcome = command(args, console)
    if inspect.iscoroutine(outcome):
        outcome = asyncio.run(_stoppable(outcome))
    return outcome or DONE


async def _stoppable(work: Coroutine[Any, Any, int | None]) -> int | None:
    """SIGTERM and a closed terminal end a command like Ctrl+C does: sealed and saved."""
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()
    ended = False

    def end() -> None:
        nonlocal ended
        ended = True
        task.cancel()

    for number in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, end)
    try:
        return await work
    except asyncio.CancelledError:
        if ended:
            raise KeyboardInterrupt from None
        raise


def explain(error: Exception) -> tuple[str, str]:
    """The sentence and the hint for the person who asked."""
    if isinstance(error, CommandError):
        return str(error), error.hint
    hint = getattr(error, "hint", None)
    if isinstance(hint, str):
        return str(error), hint
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}.", ""
    return (
        f"Loom itself went wrong ({type(error).__name__}: {error}).",
        "Nothing that was saved is lost. LOOM_DEBUG=1 shows where it happened.",
    )


def _complain(parser: ArgumentParser, error: UsageError) -> None:
    parser.print_usage(sys.stderr)
    hint = f" {error.hint}" if error.hint else ""
    sys.stderr.write(visible(f"{parser.prog}: error: {error}{hint}\n"))


def _leave_pipe() -> int:
    """Nobody reads stdout any more: point it elsewhere, so that the interpreter's exit is quiet."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return PIPE_CLOSED
