"""How a command and its options are declared: what all commands take, and what options may be.

Knows argparse; doesn't know which commands there are.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, NoReturn

from loom.core.text import visible

PRESETS_HINT = "balanced, wild, careful, greedy, raw, or one of loom.toml"


class Parser(argparse.ArgumentParser):
    """Quotes what was typed only as it can be shown: an argument may hold a terminal's commands."""

    def error(self, message: str) -> NoReturn:
        super().error(visible(message))


class Commands:
    """Adds commands that all take --model and --config, and --json where they print facts."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._add = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
        self.by_name: dict[str, argparse.ArgumentParser] = {}

    def add(self, name: str, run: str, text: str, *, json: bool = True) -> argparse.ArgumentParser:
        """`run` is module:function under loom.commands, imported when the command is used."""
        parser = self._add.add_parser(name, help=text, description=text, allow_abbrev=False)
        parser.set_defaults(run=run, json=False)
        global_options(parser, default=argparse.SUPPRESS)
        if json:
            parser.add_argument("--json", action="store_true", help="print the facts as JSON")
        self.by_name[name] = parser
        return parser

    def add_for_session(self, name: str, run: str, text: str) -> argparse.ArgumentParser:
        parser = self.add(name, run, text)
        parser.add_argument("session", type=file, metavar="SESSION", help="a .loom file")
        return parser


def action(actions: Any, name: str, run: str, text: str) -> argparse.ArgumentParser:
    """Something that a command does besides listing."""
    parser: argparse.ArgumentParser = actions.add_parser(
        name, help=text, description=text, allow_abbrev=False
    )
    parser.set_defaults(run=run)
    global_options(parser, default=argparse.SUPPRESS)
    parser.add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS, help="print the facts as JSON"
    )
    return parser


def global_options(parser: argparse.ArgumentParser, default: Any, engine: str = "engine") -> None:
    """`engine` names the list of engine options: those before the command and those after it."""
    group = parser.add_argument_group("everywhere")
    group.add_argument("--model", default=default, help="a name of `loom models`, or a folder")
    group.add_argument(
        "--config", type=file, default=default, metavar="FILE", help="use this instead of loom.toml"
    )
    group.add_argument(
        "--engine",
        dest=engine,
        default=default,
        action="append",
        type=_engine_option,
        metavar="NAME=VALUE",
        help="an engine option, such as threads=4 or context=4096; may be given again",
    )


def place_options(parser: argparse.ArgumentParser, node: str) -> None:
    parser.add_argument("--node", type=int, help=node)
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--at",
        type=int,
        metavar="TOKEN",
        help="after so many tokens of the node (default: its end)",
    )
    where.add_argument(
        "--at-byte", type=int, metavar="BYTE", help="after so many bytes of the node"
    )


def text_option(parser: argparse.ArgumentParser) -> None:
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--text", help="the text; `-` or nothing: standard input")
    source.add_argument("--file", type=file, metavar="FILE", help="the text is in this file")


def recipe_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("how they are drawn (default: as the session has it)")
    group.add_argument("--tokens", type=int, help="how many tokens at most")
    group.add_argument("--end", choices=("tokens", "sentence", "paragraph"), help="stop there")
    group.add_argument("--stop", action="append", metavar="TEXT", help="stop after this text")
    group.add_argument("--top", type=int, help="how many alternatives to record")
    group.add_argument(
        "--heal",
        action=argparse.BooleanOptionalAction,
        help="cut the end of a written text into tokens anew where it may stop inside one",
    )
    frame = group.add_mutually_exclusive_group()
    frame.add_argument(
        "--frame", metavar="TEXT", help="the model reads this before the text, a byline perhaps"
    )
    frame.add_argument(
        "--under", metavar="NAME", help="or the frame of this source of the set in force"
    )
    group.add_argument("--preset", metavar="NAME", help=PRESETS_HINT)
    group.add_argument("--temperature", type=float, metavar="T", help="0 is greedy")
    group.add_argument("--top-k", type=int, metavar="K")
    group.add_argument("--top-p", type=float, metavar="P")
    group.add_argument("--min-p", type=float, metavar="P")
    group.add_argument("--typical-p", type=float, metavar="P")
    group.add_argument("--repetition-penalty", type=float, metavar="X")
    group.add_argument("--repetition-window", type=int, metavar="TOKENS")
    group.add_argument(
        "--logit-bias", action="append", type=_bias, metavar="ID:BIAS", help="added to one token"
    )


def _engine_option(text: str) -> tuple[str, str | int | float | bool]:
    name, sign, value = text.partition("=")
    if not name or not sign or not value:
        raise argparse.ArgumentTypeError(f"{text!r} is not an option, = and a value: threads=4")
    if value in ("true", "false"):
        return name, value == "true"
    for kind in (int, float):
        try:
            return name, kind(value)
        except ValueError:
            continue
    return name, value


def file(text: str) -> Path:
    if "\0" in text:
        raise argparse.ArgumentTypeError(f"{text!r} holds a NUL, which no file's name can")
    return Path(text)


def count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)


def _bias(text: str) -> tuple[int, float]:
    number, _, bias = text.partition(":")
    try:
        return int(number), float(bias)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a token id, a colon and a number"
        ) from None
