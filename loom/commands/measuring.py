"""The options of `sources` and `experiment`. Imports nothing heavy."""

from __future__ import annotations

import argparse
from pathlib import Path

from loom.commands.grammar import Commands, action, count, file


def sources(commands: Commands) -> None:
    text = "who could be writing this: what a model believes of a text's source"
    parser = commands.add("sources", "sourcing:sources", text)
    parser.add_argument(
        "text",
        nargs="?",
        metavar="FILE|TEXT|SESSION",
        help="a text file, `-`: standard input, the text itself in quotation marks, or a session",
    )
    parser.add_argument("--node", type=int, help="of a session: up to its end (default: the place)")
    text = "the sources (default: those of the session, or those meant for the model)"
    parser.add_argument("--set", metavar="NAME|FILE", help=text)
    text = "count the letters of your own texts instead, one file or folder a voice; no model reads"
    parser.add_argument("--letters", nargs="?", type=file, const=False, metavar="FOLDER", help=text)
    text = "draw N attributions as well, and hold them against it (default: 100)"
    parser.add_argument("--probe", nargs="?", type=count, const=100, metavar="N", help=text)
    text = "draw the posterior along the text as SVG"
    parser.add_argument("--plot", type=file, metavar="OUT.svg", help=text)
    instead = parser.add_argument_group("instead").add_mutually_exclusive_group()
    instead.add_argument("--list", action="store_true", help="the source sets there are")
    text = "the session's own set from now on; `loom undo` takes it back"
    instead.add_argument("--choose", metavar="NAME|FILE", help=text)
    text = "weigh no sources in this session; likewise"
    instead.add_argument("--off", action="store_true", help=text)


def experiment(commands: Commands) -> None:
    text = "how models go wrong, and what they believe: grown, counted and drawn"
    parent = commands.add("experiment", "", text)
    kinds = parent.add_subparsers(dest="experiment", metavar="EXPERIMENT", required=True)
    text = "a token of 1 % that, once out, is always predicted"
    parser = action(kinds, "absorbing", "experimenting:absorb", text)
    parser.add_argument("--runs", type=count, default=128, help="texts grown (default: 128)")
    parser.add_argument("--opening", default="", metavar="TEXT", help="what they begin with")
    parser.add_argument("--text", type=file, metavar="FILE", help="on which the loss is measured")
    parser.add_argument(
        "--watch", type=count, default=24, help="runs in which the flag is waited for"
    )
    _options(parser, length=900)
    text = "loops and entropy against length and temperature"
    parser = action(kinds, "traps", "experimenting:trap", text)
    parser.add_argument("--each", type=count, default=4, help="runs an opening (default: 4)")
    _options(parser, length=512)
    text = "who a satirical newspaper's opening is by: the model's belief, and its answers"
    parser = action(kinds, "onion", "believing:onion", text)
    given = parser.add_mutually_exclusive_group()
    given.add_argument("--opening", metavar="TEXT", help="another text")
    given.add_argument("--text", type=file, metavar="FILE", help="another text, in a file")
    parser.add_argument(
        "--source", metavar="NAME", help="who it is asked about (default: The Onion)"
    )
    parser.add_argument("--set", metavar="NAME|FILE", help="the sources (default: general)")
    parser.add_argument(
        "--probe", type=count, default=100, metavar="N", help="attributions drawn (default: 100)"
    )
    _options(parser, length=None)
    text = "entropy over sources against tokens read, of texts whose source is known"
    parser = action(kinds, "collapse", "believing:collapse", text)
    text = "the sources (default: those meant for the model)"
    parser.add_argument("--set", metavar="NAME|FILE", help=text)
    parser.add_argument(
        "--sources", type=count, default=6, help="how many of them, drawn by the seed (default: 6)"
    )
    parser.add_argument("--each", type=count, default=8, help="texts of a source (default: 8)")
    _options(parser, length=128)


def _options(parser: argparse.ArgumentParser, length: int | None) -> None:
    if length is not None:
        parser.add_argument(
            "--length", type=count, default=length, help=f"tokens of a run (default: {length})"
        )
    parser.add_argument("--seed", type=int, default=1, help="of the first run (default: 1)")
    parser.add_argument(
        "--out", type=file, default=Path(), metavar="FOLDER", help="for the JSON and the picture"
    )
