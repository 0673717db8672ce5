"""Every command of the command line, its options, its help. Imports nothing heavy."""

from __future__ import annotations

import argparse

from loom import __version__
from loom.commands import measuring
from loom.commands.grammar import (
    Commands,
    Parser,
    action,
    count,
    file,
    global_options,
    place_options,
    recipe_options,
    text_option,
)

SUMMARY = "Write with a local language model: grow continuations, read them, walk into one, branch."
EPILOG = """\
loom                     go on where you left off
loom story.loom          open that session, or begin it
loom draft.txt           begin a session with that text
loom demo                look about in a recorded session
loom COMMAND --help      the options of a command"""

GLOBAL_WITH_VALUE = ("--model", "--config", "--engine")
DEMO = "first-story"


def build() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """The whole parser, and each command's own by name."""
    parser = Parser(
        prog="loom",
        description=SUMMARY,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"loom {__version__}")
    global_options(parser, default=None, engine="engine_before")
    commands = Commands(parser)
    _opening(commands)
    _shelving(commands)
    _writing(commands)
    _moving(commands)
    _growing(commands)
    _reading(commands)
    measuring.experiment(commands)
    _calibrating(commands)
    _about(commands)
    _completing(commands)
    return parser, commands.by_name


def _opening(commands: Commands) -> None:
    parser = commands.add(
        "open", "screen:open_screen", "open a session on the screen (the default)", json=False
    )
    parser.add_argument("file", nargs="?", metavar="SESSION|TEXT FILE")
    parser = commands.add(
        "demo", "opening:open_demo", "open a copy of a recorded session", json=False
    )
    parser.add_argument(
        "recording", nargs="?", default=DEMO, metavar="NAME", help=f"default: {DEMO}"
    )


def _shelving(commands: Commands) -> None:
    parser = commands.add("sessions", "shelving:sessions", "list the sessions, or arrange one")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--rename", nargs=2, metavar=("SESSION", "TITLE"), help="give it a title")
    what.add_argument("--copy", type=file, metavar="SESSION", help="copy it, beside itself")
    what.add_argument("--trash", type=file, metavar="SESSION", help="move it into the trash folder")
    what.add_argument("--trashed", action="store_true", help="list what is in the trash")
    what.add_argument("--restore", type=file, metavar="SESSION", help="bring it back from there")
    what.add_argument("--empty-trash", action="store_true", help="delete for good what is there")


def _writing(commands: Commands) -> None:
    parser = commands.add_for_session("new", "writing:new", "begin a session")
    parser.add_argument("--byline", metavar="NAME", help="begin under this name, then the text")
    text_option(parser)
    parser = commands.add_for_session("write", "writing:write", "write text as a new node")
    place_options(parser, "write after this node (default: where the session is)")
    text_option(parser)
    parser = commands.add_for_session("hide", "writing:hide", "hide a node and all below it")
    place_options(parser, "the node (default: the part in which the session is)")
    parser = commands.add_for_session("bookmark", "writing:bookmark", "set or remove a bookmark")
    place_options(parser, "the node (default: the part in which the session is)")
    parser.add_argument("--off", action="store_true", help="remove it")
    commands.add_for_session("undo", "writing:undo", "take the last change back")
    commands.add_for_session("redo", "writing:redo", "do again what was taken back")
    text = "list what happened, or go back to a moment"
    parser = commands.add_for_session("history", "remembering:history", text)
    parser.add_argument("--checkpoints", action="store_true", help="only the named ones")
    text = "a checkpoint's name or a moment's number; `loom undo` takes it back"
    parser.add_argument("--back-to", metavar="WHICH", help=text)
    text = "name this moment, to go back to"
    parser = commands.add_for_session("checkpoint", "remembering:checkpoint", text)
    parser.add_argument("name", metavar="NAME")


def _moving(commands: Commands) -> None:
    parser = commands.add_for_session("go", "moving:go", "move to a node")
    place_options(parser, "the node (default: where the session is)")
    parser = commands.add_for_session(
        "take", "moving:take", "branch with another token that the model considered"
    )
    parser.add_argument("--node", type=int, help="the node (default: where the session is)")
    parser.add_argument(
        "--token",
        type=int,
        metavar="INDEX",
        help="replace this token, the first is 0 (default: go on after the node's end)",
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--id", type=int, help="the alternative's token id")
    which.add_argument("--rank", type=int, help="the alternative's rank, the likeliest is 0")
    parser = commands.add_for_session(
        "next", "moving:following", "what may come next, by the model"
    )
    place_options(parser, "after this node (default: where the session is)")
    parser.add_argument("--top", type=count, default=20, help="how many tokens (default: 20)")


def _growing(commands: Commands) -> None:
    parser = commands.add_for_session("generate", "growing:generate", "grow continuations")
    place_options(parser, "after this node (default: where the session is)")
    parser.add_argument("--siblings", action="store_true", help="beside the node, not after it")
    parser.add_argument("-n", type=int, dest="count", metavar="N", help="how many")
    parser.add_argument("--seed", type=int, help="the same seed and place give the same tokens")
    parser.add_argument(
        "--no-read", action="store_true", help="don't wait until the model has read the parent"
    )
    recipe_options(parser)


def _reading(commands: Commands) -> None:
    parser = commands.add_for_session("show", "reading:show", "print a node and the text up to it")
    parser.add_argument("--node", type=int, help="the node (default: where the session is)")
    parser.add_argument("--tokens", action="store_true", help="with what the model believed")
    parser.add_argument(
        "--context", action="store_true", help="with what the model was given before the node"
    )
    parser = commands.add_for_session("tree", "reading:tree", "print all nodes in reading order")
    parser.add_argument("--node", type=int, help="only this node and what hangs below it")
    parser.add_argument("--all", action="store_true", help="hidden ones too (JSON always has them)")
    parser = commands.add("score", "reading:score", "what a text costs the model, in bits")
    parser.add_argument(
        "file",
        metavar="FILE|SESSION",
        help="a text file; `-`: standard input; a session: beside what is on record",
    )
    parser.add_argument("--node", type=int, help="of a session: up to its end (default: the place)")
    text = "whether a text has left the rails: what the plugins say of it"
    parser = commands.add("drift", "drifting:drift", text)
    parser.add_argument(
        "file",
        metavar="SESSION|FILE",
        help="a session, a text file, or `-`: standard input",
    )
    parser.add_argument("--node", type=int, help="of a session: up to its end (default: the place)")
    text = "draw every reading along the text as SVG"
    parser.add_argument("--plot", type=file, metavar="OUT.svg", help=text)
    measuring.sources(commands)
    parser = commands.add_for_session(
        "replay", "replaying:replay", "watch how a session came to be; check it against its model"
    )
    parser.add_argument(
        "--pace",
        choices=("recorded", "constant", "stepped"),
        default="recorded",
        help="as it happened, pauses shortened (the default), evenly, or moment by moment",
    )
    parser.add_argument(
        "--speed", type=float, default=1.0, metavar="X", help="so many times faster"
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--headless", action="store_true", help="print what happened, in order")
    how.add_argument(
        "--verify", action="store_true", help="have the model read every token again and compare"
    )
    how.add_argument(
        "--regrow", action="store_true", help="grow every continuation again from its seed"
    )
    parser.add_argument("--node", type=int, help="check only this node")


def _calibrating(commands: Commands) -> None:
    text = "have a model read human text, so that detectors know what is usual"
    parser = commands.add("calibrate", "calibrating:calibrate", text)
    text = "the model, if not the usual one, then files or folders of human text"
    parser.add_argument("words", nargs="*", metavar="MODEL|TEXT", help=text)
    text = "how many to read, as evenly as texts allow (default: 250000, with --sources 25600)"
    parser.add_argument("--tokens", type=count, metavar="N", help=text)
    text = "what evidence about a set's sources is worth instead, of texts FOLDER/<source>/*.txt"
    parser.add_argument("--sources", metavar="SET", help=text)
    text = "with it: texts that stand for any text (default: those read), FOLDER/<source>/*.txt"
    parser.add_argument("--names-after", type=file, nargs="+", metavar="FOLDER", help=text)
    text = "keep what was found there (default: where Loom looks for it)"
    parser.add_argument("--out", type=file, metavar="FILE", help=text)


def _about(commands: Commands) -> None:
    _models(
        commands.add(
            "models", "models:models", "the models that are here; the card of one, or convert it"
        )
    )
    text = "what reads along with a text, switched on and off, begun or tried"
    _plugins(commands.add("plugins", "plugging:plugins", text))
    parser = commands.add("config", "about:config", "the settings, and where each comes from")
    parser.add_argument("--path", action="store_true", help="only where loom.toml is")
    text = "what is installed and works; or whether a session file is whole"
    parser = commands.add("doctor", "about:doctor", text)
    parser.add_argument("session", nargs="?", metavar="SESSION", help="look through this file")
    parser.add_argument(
        "--repair",
        nargs="?",
        const="",
        metavar="NEW",
        help="write what is whole of a damaged session into a new file",
    )
    parser.add_argument("--no-engine", action="store_true", help="don't try to load a model")
    commands.add_for_session("backups", "keeping:backups", "list the copies of a session")
    text = "remove hidden nodes for good; the session as it was is kept as a backup"
    commands.add_for_session("compact", "keeping:compact", text)


def _completing(commands: Commands) -> None:
    text = "a script that completes commands, options, bylines and presets"
    parser = commands.add("completion", "completing:completion", text, json=False)
    parser.add_argument("shell", choices=("bash", "zsh", "fish"))
    parser.add_argument("words", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)


def _plugins(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    parser = action(actions, "enable", "plugging:enable", "switch a plugin on, in loom.toml")
    parser.add_argument("plugin", metavar="NAME")
    parser = action(actions, "disable", "plugging:disable", "switch a plugin off, in loom.toml")
    parser.add_argument("plugin", metavar="NAME")
    parser = action(actions, "set", "plugging:set_to", "set an option of a plugin, in loom.toml")
    parser.add_argument("plugin", metavar="NAME")
    parser.add_argument("option", metavar="OPTION")
    parser.add_argument("values", nargs="*", metavar="VALUE", help="several, or none, for a list")
    parser = action(actions, "new", "plugging:new", "write a plugin that works, and its test")
    parser.add_argument("name", metavar="NAME")
    text = "put them there (default: your own plugins folder, where Loom finds them)"
    parser.add_argument("--in", dest="folder", type=file, metavar="FOLDER", help=text)
    text = "try whether a plugin keeps the contract, on recorded sessions and made-up texts"
    parser = action(actions, "check", "trying:check", text)
    parser.add_argument("file", metavar="FILE|NAME")


def _models(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    text = "what a model was trained on, and what it is good and bad at, in its maker's words"
    parser = action(actions, "card", "models:card", text)
    parser.add_argument("name", nargs="?", metavar="MODEL", help="default: what --model is")
    text = "write a model as a GGUF file, for the llama.cpp engine"
    parser = action(actions, "convert", "converting:convert", text)
    parser.add_argument("name", metavar="MODEL", help="house, or a folder with a Llama model")
    parser.add_argument("--to", required=True, metavar="FILE", help="the new file, NAME.gguf")
    parser.add_argument(
        "--precision",
        choices=("f32", "f16", "q8_0"),
        default="f16",
        help="of the weights (default: f16)",
    )
