"""Which keys are in force: the table's, a shipped keymap's over them, the user's over both.

Works on the table of commands alone; says what can't be as asked, and binds on a widget what can.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from textual.binding import Binding, BindingsMap
from textual.dom import DOMNode
from textual.keys import Keys, _character_to_key, key_to_character

from loom.ui.bindings import COMMANDS, Command, Where, bindings, key_name

Own = Mapping[str, Sequence[str]]

KEYMAPS: Mapping[str, Own] = {
    "default": {},
    "pyloom": {
        "grow": ("g", "ctrl+g", "space"),
        "parent": ("left",),
        "child": ("right",),
        "previous_sibling": ("up",),
        "next_sibling": ("down",),
        "token_left": ("left",),
        "token_right": ("right",),
        "line_up": ("up",),
        "line_down": ("down",),
        "back": ("[", "–"),
        "forward": ("]", "≠"),
        "write": ("i", "h"),
        "edit": ("e", "ctrl+e"),
        "next_bookmark": ("B", "d"),
        "hoist": ("z", "alt+h"),
        "search": ("/", "ctrl+f"),
    },
    "loomsidian": {
        "grow": ("g", "space", "ctrl+@"),
        "bookmark": ("b", "ctrl+b"),
        "write": ("i", "alt+c"),
        "parent": ("left", "h", "alt+left"),
        "child": ("right", "l", "alt+right"),
        "previous_sibling": ("up", "k", "alt+up"),
        "next_sibling": ("down", "j", "alt+down"),
        "hide": ("backspace", "delete", "ctrl+w"),
    },
    "basemode": {
        "grow": ("space", "g"),
        "more": ("d", "+", "="),
        "fewer": ("a", "-"),
        "alternatives": ("A",),
        "hoist": ("Z",),
        "unhoist": ("z",),
        "hide": ("D", "backspace", "delete"),
        "diverge": ("*",),
        "word_left": ("H", "ctrl+left"),
        "word_right": ("L", "ctrl+right"),
    },
}
"""What is different from the table; keys that terminals lose are left out of it."""

ARRIVES_AS = {
    "alt+b": "Ctrl+←", "alt+f": "Ctrl+→", "alt+full_stop": ".", "alt+comma": ",",
    "alt+enter": "Enter", "alt+minus": "–", "alt+equals_sign": "≠", "ctrl+h": "Backspace",
    "ctrl+m": "Enter", "ctrl+i": "Tab", "ctrl+left_square_bracket": "Esc",
    "ctrl+enter": "Enter", "shift+enter": "Enter", "shift+space": "Space",
}  # fmt: skip
SENT_AS = {
    "ctrl+space": "ctrl+@", "alt+backspace": "ctrl+w", "ctrl+slash": "ctrl+underscore",
}  # fmt: skip
ALIASES = {
    "esc": "escape",
    "return": "enter",
    "del": "delete",
    "pgup": "pageup",
    "pgdn": "pagedown",
}
MODIFIERS = ("alt", "ctrl", "shift")
NAMED = frozenset(str(key.value) for key in Keys if "+" not in key.value)
LOST_CHORD = re.compile(r"ctrl\+shift\+.|ctrl\+\d")


@dataclass(frozen=True, slots=True)
class Problem:
    """One sentence about an entry of [keys], and what to do; `name` is the entry's."""

    name: str
    text: str
    hint: str = ""
    refused: bool = False  # the key is not bound


def normal(key: str) -> str | None:
    """A key as the table writes it; None if there is no such key. `,` is comma, `Esc` escape."""
    *given, name = [key] if len(key) == 1 else _parts(key)
    modifiers = sorted(modifier.lower() for modifier in given)
    name = _name(name, plain=not modifiers)
    if not name or any(modifier not in MODIFIERS for modifier in modifiers):
        return None
    if modifiers == ["shift"] and len(name) == 1:
        return name.upper()
    chord = "+".join([*modifiers, name])
    return SENT_AS.get(chord, chord)


def _name(name: str, *, plain: bool) -> str:
    """A key without its modifiers, as the table writes it; "" if there is none of that name."""
    if len(name) == 1:
        if plain and name not in ", ":
            return name
        return name if name == "@" else _character_to_key(name).lower()
    name = ALIASES.get(name.lower(), name.lower())
    character = key_to_character(name)
    if character is None or not character.isprintable():
        return name if name in NAMED else ""
    return character if plain and character not in " ," else name


def _parts(key: str) -> list[str]:
    """Of `ctrl++`, too."""
    head, plus, tail = key.rpartition("+")
    if plus and not tail:
        head, tail = head.removesuffix("+"), "+"
    return [*(head.split("+") if head else ()), tail]


def in_force(
    keymap: str, own: Own, commands: Sequence[Command] = COMMANDS
) -> tuple[tuple[Command, ...], list[Problem]]:
    """The table with the keys of `keymap` and then the user's `own`, and what is wrong with those.

    The user's come first: what has a key that they want goes without it.
    """
    mapped = [_with_keys(c, KEYMAPS[keymap].get(c.name, c.keys)) for c in commands]
    problems: list[Problem] = []
    wanted = _wanted(own, mapped, problems)
    left = [_without(command, wanted, mapped, problems) for command in mapped]
    made = tuple(_with_keys(c, wanted.get(c.name, c.keys)) for c in left)
    problems += _shadowed(made, mapped, wanted)
    return made, problems


def _with_keys(command: Command, keys: Sequence[str]) -> Command:
    if tuple(keys) == command.keys:
        return command
    return replace(command, keys=tuple(keys), written="")


def _wanted(
    own: Own, commands: Sequence[Command], problems: list[Problem]
) -> dict[str, tuple[str, ...]]:
    """The user's keys that can be had, by command."""
    known = {command.name: command for command in commands}
    taken: dict[tuple[Where, str], Command] = {}
    wanted = {}
    for name, keys in own.items():
        if name not in known:
            problems.append(_unknown(name, known))
            continue
        command, found = known[name], list[str]()
        for written in keys:
            key = normal(written)
            problem = _refusal(command, written, key, taken)
            if problem is not None:
                problems.append(problem)
            if key is not None and not (problem and problem.refused):
                taken[command.where, key] = command
                found.append(key)
        wanted[name] = tuple(dict.fromkeys(found))
    return wanted


def _unknown(name: str, known: Iterable[str]) -> Problem:
    close = difflib.get_close_matches(name, list(known), 1)
    hint = f"Did you mean {close[0]}?" if close else "The help lists the names."
    return Problem(name, "there is no such action.", hint)


def _refusal(
    command: Command, written: str, key: str | None, taken: Mapping[tuple[Where, str], Command]
) -> Problem | None:
    """What is wrong with one key that the user wants for a command."""
    if key is None:
        text = f"there is no key {written!r}."
        return Problem(command.name, text, "Keys look like f5, ctrl+b, comma.", refused=True)
    other = taken.get((command.where, key))
    if other is not None and other.name != command.name:
        text = f"{key_name(key)} is also given to {other.name}, which keeps it."
        return Problem(command.name, text, "Choose another key for one of them.", refused=True)
    if command.where is Where.EDITOR and (len(key) == 1 or key in ("space", "comma")):
        text = f"{key_name(key)} is a letter to be written in the editor."
        return Problem(command.name, text, "Choose a chord such as ctrl+g.", refused=True)
    if key in ARRIVES_AS:
        text = f"for {key_name(key)} most terminals send {ARRIVES_AS[key]}."
        return Problem(command.name, text, "Give it a second key.")
    if LOST_CHORD.fullmatch(key):
        return Problem(
            command.name, f"few terminals send {key_name(key)}.", "Give it a second key."
        )
    return None


def _without(
    command: Command,
    wanted: Mapping[str, tuple[str, ...]],
    commands: Sequence[Command],
    problems: list[Problem],
) -> Command:
    """A command without the keys that the user wants for another one."""
    if command.name in wanted:
        return command
    takers = {
        key: c for c in commands if c.where is command.where for key in wanted.get(c.name, ())
    }
    keys = [key if key not in takers else "" for key in command.keys]
    kept = "  ".join(key_name(key) for key in keys if key)
    for key in command.keys:
        if key in takers:
            rest = f"keeps {kept}" if kept else "is only in the palette now"
            text = f"{key_name(key)} was for “{command.title}”, which {rest}."
            problems.append(Problem(takers[key].name, text))
    return _with_keys(command, keys if command.each else [key for key in keys if key])


def _shadowed(
    made: Sequence[Command], before: Sequence[Command], wanted: Mapping[str, tuple[str, ...]]
) -> list[Problem]:
    """The user's keys for anywhere that do something else while one is in the text."""
    inner = {
        key: command for command in made if command.where is Where.TEXT for key in command.keys
    }
    usual = {command.name: command.keys for command in before}
    return [
        Problem(
            command.name,
            f"in the text {key_name(key)} stays for “{inner[key].title}”.",
            f"keys.{inner[key].name} can give that another key.",
        )
        for command in made
        if command.where is Where.PAGE
        for key in wanted.get(command.name, ())
        if key in inner and key not in usual[command.name]
    ]


def bind(node: DOMNode, where: Where, commands: Sequence[Command]) -> None:
    """Give a widget the keys in force instead of those of its class; keys not of the table stay.

    App.set_keymap can neither take a key away nor let two commands change places.
    """
    own = {binding.id for binding in bindings(where)}
    kept = [
        binding
        for found in node._bindings.key_to_bindings.values()
        for binding in found
        if binding.id is None or binding.id not in own
    ]
    made = bindings(where, commands)
    taken = BindingsMap(made).key_to_bindings
    others: list[Binding] = [binding for binding in kept if binding.key not in taken]
    node._bindings = BindingsMap([*made, *others])


def clashes(commands: Iterable[Command]) -> list[tuple[Where, str]]:
    """Keys that would do two things in one place."""
    commands = list(commands)
    counts = Counter((c.where, key) for c in commands for key in c.keys if key)
    return [pair for pair, count in counts.items() if count > 1]
