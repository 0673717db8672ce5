"""`plugins`: which instruments there are, switched on and off, set and begun."""

from __future__ import annotations

import json
import math
from argparse import Namespace
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from loom.commands import access
from loom.commands.template import files_of
from loom.config import Config, Paths
from loom.console import CommandError, Console, UsageError
from loom.core.text import visible
from loom.discovery import Found
from loom.extensions import plugins as found_plugins
from loom.facts import Facts
from loom.instruments.client import InstrumentClient, SwitchedOff
from loom.instruments.loading import Declared, Option, unasked
from loom.store.atomic import write_atomically
from loom.switches import set_option, switch


@dataclass(frozen=True, slots=True)
class Listed:
    """A plugin as it was found, what it says of itself, and what keeps it from running."""

    found: Found
    on: bool
    declared: Declared
    error: str = ""


async def plugins(args: Namespace, console: Console) -> None:
    """Those that are on are loaded, in a process of their own, to be asked what they are."""
    config = access.config_of(args)
    listed = await _listed(config, console)
    folder = Paths.default().plugins
    facts = {"folder": str(folder), "plugins": [_facts(one, config) for one in listed]}
    console.answer(lambda: facts, lambda: _lines(listed, folder, console))


async def _listed(config: Config, console: Console) -> list[Listed]:
    every = [
        Listed(one, config.plugin(one.name).enabled, unasked(one), one.error)
        for one in found_plugins()
    ]
    wrong: dict[str, str] = {}

    def hear(off: SwitchedOff) -> None:
        wrong[off.name] = off.why

    asked = [one.found for one in every if one.on and one.found.usable]
    client = InstrumentClient(asked, hear, Paths.default().log_file("plugins"))
    with console.waiting("loading the plugins"):
        try:
            await client.start()
            declared = dict(client.plugins)
        finally:
            await client.close()
    return [
        replace(
            one,
            declared=declared.get(one.found.name, one.declared),
            error=wrong.get(one.found.name, ""),
        )
        if one.found in asked
        else one
        for one in every
    ]


def _facts(listed: Listed, config: Config) -> Facts:
    """PLUGIN."""
    found, declared = listed.found, listed.declared
    return {
        "name": found.name,
        "version": declared.version,
        "about": declared.about,
        "source": found.source,
        "path": found.path,
        "on": listed.on,
        "scope": declared.scope,
        "options": {**declared.options, **config.plugin(found.name).options},
        "error": listed.error,
        "shadowed_by": found.shadowed_by,
    }


def _lines(listed: Sequence[Listed], folder: Path, console: Console) -> Iterator[str]:
    width = max((len(one.found.name) for one in listed), default=0)
    for one in listed:
        state = "off" if not one.on else "!" if one.error or one.found.shadowed_by else "on"
        version, source = one.declared.version, one.found.source
        yield visible(f"{state:<3}  {one.found.name:<{width}}  {version:<5} {source}").rstrip()
        for text in (one.declared.about, _trouble(one)):
            if text:
                yield visible(f"     {'':<{width}}  {text}")
    yield console.style(f"Your own lie in {visible(str(folder))}.", "dim")


def _trouble(listed: Listed) -> str:
    if listed.found.shadowed_by:
        return f"{listed.found.path} isn't used: {listed.found.shadowed_by} has the same name."
    return f"It doesn't run: {listed.error.rstrip('.')}." if listed.error else ""


def enable(args: Namespace, console: Console) -> None:
    _switch(args, console, on=True)


def disable(args: Namespace, console: Console) -> None:
    _switch(args, console, on=False)


def _switch(args: Namespace, console: Console, *, on: bool) -> None:
    file = args.config or Paths.default().config
    known = {found.name for found in found_plugins()}
    if args.plugin not in {*known, *access.config_of(args).plugins}:
        raise _unknown(args.plugin, known)
    switch(file, args.plugin, on)
    facts = {"plugin": args.plugin, "on": on, "config": str(file)}
    said = f"{args.plugin} is {'on' if on else 'off'}, as {file} says."
    console.answer(lambda: facts, lambda: [visible(said)])


async def set_to(args: Namespace, console: Console) -> None:
    """The plugin is asked which options it has."""
    file = args.config or Paths.default().config
    listed = {one.found.name: one for one in await _listed(access.config_of(args), console)}
    if args.plugin not in listed:
        raise _unknown(args.plugin, set(listed))
    options = listed[args.plugin].declared.options
    if args.option not in options:
        known = ", ".join(options) or "none, or is off"
        raise CommandError(f"{args.plugin} has no option {args.option!r}.", f"It has {known}.")
    value = _valued(args.option, options[args.option], args.values)
    set_option(file, args.plugin, args.option, value)
    facts = {"plugin": args.plugin, "option": args.option, "value": value, "config": str(file)}
    said = f"{args.option} of {args.plugin} is {value}, as {file} says."
    console.answer(lambda: facts, lambda: [visible(said)])


def _valued(name: str, default: Option, words: Sequence[str]) -> Option:
    """What was typed, as what the option is."""
    if isinstance(default, list):
        return [_plain(word) for word in words]
    value = _plain(words[0]) if len(words) == 1 else None
    if isinstance(default, str) and len(words) == 1:
        return words[0]
    if isinstance(default, float) and type(value) is int:
        return float(value)
    if value is None or type(value) is not type(default):
        raise UsageError(f"{name} is something like {json.dumps(default)}.")
    return value


def _plain(word: str) -> bool | int | float | str:
    """A number, true or false where it is one."""
    try:
        value = json.loads(word)
    except ValueError:
        return word
    return value if isinstance(value, bool | int | float) and math.isfinite(value) else word


def _unknown(name: str, known: set[str]) -> CommandError:
    return CommandError(f"There is no plugin {name!r}.", f"There are {', '.join(sorted(known))}.")


def new(args: Namespace, console: Console) -> None:
    """A detector that works and its test, to be changed."""
    name: str = args.name
    if not name.isidentifier() or not name.isascii() or name.startswith(("_", "test_")):
        raise UsageError(f"{name!r} is no name for a plugin; letters, digits and _ make one.")
    taken = next((found for found in found_plugins() if found.name == name), None)
    if taken is not None:
        raise CommandError(
            f"There is a plugin {name} already, {taken.path}.", "Choose another name."
        )
    folder = (args.folder or Paths.default().plugins).expanduser().absolute()
    files = {folder / file: content for file, content in files_of(name).items()}
    for file in files:
        if file.exists():
            raise CommandError(f"{file} is there already.", "Choose another name or folder.")
    folder.mkdir(parents=True, exist_ok=True)
    for file, content in files.items():
        write_atomically(file, content.encode())
    plugin, test = files
    console.answer(
        lambda: {"plugin": name, "file": str(plugin), "test": str(test)},
        lambda: [
            visible(str(plugin)),
            visible(str(test)),
            visible(f"Change it, then: loom plugins check {plugin}"),
        ],
    )
