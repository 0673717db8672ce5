"""`completion`: a shell's script, and the words it asks for. Everything comes from the grammar.

The script of each shell hands over the words up to the cursor and offers what comes back.
"""

from __future__ import annotations

import argparse
import os
from argparse import Action, ArgumentParser, Namespace
from collections.abc import Iterable, Iterator

from loom import bylines, extensions, offers, recordings
from loom.commands import parser as grammar
from loom.commands.grammar import file
from loom.config import ConfigError, Paths, load_config
from loom.console import Console
from loom.core.recipe import PRESETS
from loom.instruments.sources import finding

FILES = "/"  # stands for: and the names of files
PATHS = ("FILE", "FOLDER", "SESSION", "NEW")  # in a metavar


def completion(args: Namespace, console: Console) -> None:
    if not args.words:
        script = SCRIPTS[args.shell]
        console.answer(dict, lambda: [script])
        return
    words = args.words[args.words[0] == "--" :] or [""]
    console.answer(dict, lambda: candidates([*words[:-1], unquoted(words[-1])]))


def unquoted(word: str) -> str:
    """What a shell would make of a word that is still being typed; bash has = as one by itself."""
    return "" if word == "=" else word.lstrip("\"'").replace("\\", "")


def candidates(words: list[str]) -> list[str]:
    """What the last of `words` may become; FILES among them where it may be a path."""
    *before, word = words
    parser, awaited, given = _standing(grammar.build()[0], before)
    if awaited is not None:
        return _fitting(word, _values(awaited))
    if word.startswith("-"):
        return _fitting(word, _options(parser))
    if commands := _commands(parser):  # at the top a session can stand in place of one
        return _fitting(word, [*commands, *([FILES] if parser.prog == "loom" else [])])
    positionals = [action for action in parser._actions if not action.option_strings]
    due = positionals[min(given, len(positionals) - 1) :][:1]
    return _fitting(word, (value for action in due for value in _values(action)))


def _standing(
    parser: ArgumentParser, words: Iterable[str]
) -> tuple[ArgumentParser, Action | None, int]:
    """After `words`: the command's parser, the option whose value is due, how many positionals."""
    awaited: list[Action] = []
    given = 0
    for word in words:
        option = _options(parser).get(word)
        if word == "=":  # bash makes a word of it
            continue
        if awaited:
            awaited.pop()
        elif option is not None:
            awaited = [option] * _count(option)
        elif word in _commands(parser):
            parser, given = _commands(parser)[word], 0
        else:
            given += not word.startswith("-")
    return parser, awaited[-1] if awaited else None, given


def _options(parser: ArgumentParser) -> dict[str, Action]:
    return {name: action for action in parser._actions for name in action.option_strings}


def _commands(parser: ArgumentParser) -> dict[str, ArgumentParser]:
    """The commands below; none for a parser that takes values."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def _count(option: Action) -> int:
    """How many values it takes."""
    if option.nargs is None or option.nargs == "?":
        return 1
    return option.nargs if isinstance(option.nargs, int) else 0


def _values(action: Action) -> Iterator[str]:
    if action.choices is not None:
        yield from map(str, action.choices)
    elif action.dest == "byline":
        yield from bylines.bylines()
    elif action.dest == "preset":
        yield from _presets()
    elif action.dest == "recording":
        yield from (shelved.path.stem for shelved in recordings.recordings())
    elif action.dest == "plugin" or "FILE|NAME" in str(action.metavar):
        yield from dict.fromkeys(found.name for found in extensions.plugins())
        yield from [FILES] if "FILE" in str(action.metavar) else []
    elif action.dest in ("set", "choose") or action.metavar == "SET":
        yield from (one.name for one in finding.listed())
        yield FILES
    elif action.dest == "model" or action.metavar == "MODEL":
        yield from (offer.name for offer in offers.offers(Paths.default(), os.environ))
        yield FILES
    elif action.type is file or any(part in str(action.metavar) for part in PATHS):
        yield FILES


def _presets() -> list[str]:
    try:
        return [*PRESETS, *load_config().presets]
    except ConfigError:
        return [*PRESETS]


def _fitting(word: str, values: Iterable[str]) -> list[str]:
    start = word.casefold()
    return [value for value in values if value == FILES or value.casefold().startswith(start)]


BASH = """\
# Loom's words for bash: in ~/.bashrc,  source <(loom completion bash)
_loom() {
    local line files=
    COMPREPLY=()
    while IFS= read -r line; do
        if [[ $line == / ]]; then files=yes; else COMPREPLY+=("$line"); fi
    done < <(loom completion bash -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
    if [[ $files && ${#COMPREPLY[@]} -gt 0 ]]; then
        while IFS= read -r line; do COMPREPLY+=("$line"); done \\
            < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]}")
    fi
    if [[ $files || ${#COMPREPLY[@]} -gt 0 ]]; then compopt -o filenames; fi
    if [[ ! $files ]]; then compopt +o default; fi
}
complete -o default -F _loom loom"""

ZSH = """\
#compdef loom
# Loom's words for zsh: in ~/.zshrc after compinit,  source <(loom completion zsh)
_loom() {
    local line files=
    local -a words_given found
    words_given=("${(@Q)words[2,CURRENT]}")
    for line in "${(@f)$(loom completion zsh -- "${(@)words_given}" 2>/dev/null)}"; do
        if [[ $line == / ]]; then files=yes; elif [[ -n $line ]]; then found+=("$line"); fi
    done
    (( $#found )) && compadd -U -a found
    [[ -n $files ]] && _files
    return 0
}
if [[ $funcstack[1] == _loom ]]; then _loom "$@"; else compdef _loom loom; fi"""

FISH = """\
# Loom's words for fish:  loom completion fish > ~/.config/fish/completions/loom.fish
function __loom_words
    set -l given (commandline -opc)
    set -l current (commandline -ct)
    set -e given[1]
    for line in (loom completion fish -- $given "$current" 2>/dev/null)
        if test "$line" = /
            __fish_complete_path "$current"
        else
            echo $line
        end
    end
end
complete -c loom -f -a '(__loom_words)'"""

SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}
