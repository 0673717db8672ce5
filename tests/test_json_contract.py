"""docs/json.md and what the commands print, held together in both directions.

Each `### name` section has a table of fields and types and, for a command, an example. Every field
that is printed must be documented with its type, every documented field must be printed, and the
examples must have the shape they illustrate.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from loom.cli import main
from loom.commands import parser as grammar

DOCS = Path(__file__).parents[1] / "docs" / "json.md"
OPENING = "The lighthouse keeper had not spoken to anyone since"
SET = """
[[source]]
name = "Ada"
frame = "By Ada"
[[source]]
name = "Bell"
frame = "By Bell"
[[pair]]
name = "Ada or Bell"
first = "Ada"
second = "Bell"
"""
NOT_FACTS = {"open", "demo", "completion"}
PLAIN: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
}


@dataclass
class Section:
    """`fields`: name → type as written; `optional`: fields with an option only."""

    name: str
    fields: dict[str, str] = field(default_factory=dict)
    optional: set[str] = field(default_factory=set)
    parents: list[str] = field(default_factory=list)
    examples: list[Any] = field(default_factory=list)


def read_docs() -> dict[str, Section]:
    sections: dict[str, Section] = {}
    for part in re.split(r"^##+ ", DOCS.read_text("utf-8"), flags=re.MULTILINE)[1:]:
        section = Section(part.partition("\n")[0].strip())
        for name, kind in re.findall(r"^\| `?([\w…-]+)`? \| ([^|]+) \|", part, re.MULTILINE):
            if name == "field":
                continue
            kind, _, option = kind.strip().partition(", with ")
            if name == "…":
                section.parents.append(kind)
                continue
            section.fields[name] = kind
            if option:
                section.optional.add(name)
        blocks = re.findall(r"^```json\n(.*?)^```", part, re.MULTILINE | re.DOTALL)
        section.examples = [json.loads(block) for block in blocks]
        if section.fields:
            sections[section.name] = section
    for section in sections.values():
        for parent in section.parents:
            section.fields = {**sections[parent].fields, **section.fields}
    return sections


SECTIONS = read_docs()


def faults(value: Any, kind: str, where: str) -> Iterator[str]:
    """What of `value` the documented type `kind` doesn't say; nothing if all is as documented."""
    if kind.endswith(" or null"):
        if value is None:
            return
        kind = kind.removesuffix(" or null")
    if kind == "any":
        return
    if kind.startswith("list of "):
        if not isinstance(value, list):
            yield f"{where} is {value!r}, not a {kind}"
            return
        for item in value:
            yield from faults(item, kind.removeprefix("list of "), f"{where}[]")
    elif kind in PLAIN:
        wrong_bool = isinstance(value, bool) and kind != "boolean"
        if wrong_bool or not isinstance(value, PLAIN[kind]):
            yield f"{where} is {value!r}, not {kind}"
    else:
        yield from object_faults(value, SECTIONS[kind], where)


def object_faults(value: Any, section: Section, where: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{where} is {value!r}, not {section.name}"
        return
    for name in value.keys() - section.fields.keys():
        yield f"{where}.{name} is printed, but not documented under {section.name}"
    for name in section.fields.keys() - value.keys() - section.optional:
        yield f"{where}.{name} is documented under {section.name}, but not printed"
    for name in value.keys() & section.fields.keys():
        yield from faults(value[name], section.fields[name], f"{where}.{name}")


def used_kinds(name: str) -> Iterator[str]:
    for kind in SECTIONS[name].fields.values():
        bare = kind.removesuffix(" or null").removeprefix("list of ")
        if bare in SECTIONS:
            yield bare
            yield from used_kinds(bare)


@pytest.fixture
def printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Any]:
    """Runs one command; the facts of stdout, or of stderr where it fails."""
    monkeypatch.setenv("LOOM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> Any:
        code = main([*words, "--json"])
        out, err = capsys.readouterr()
        assert (out == "") == bool(code and err)
        assert (out or err).count("\n") == 1, "one object on one line"
        return json.loads(out or err)

    return run


def test_every_command_that_prints_facts_is_documented() -> None:
    commands = grammar.build()[1].keys() - NOT_FACTS
    shapes = {name for name in SECTIONS if name.isupper()}
    assert SECTIONS.keys() - shapes - {"error"} == commands


def test_every_shape_is_used_by_a_command() -> None:
    commands = [name for name in SECTIONS if not name.isupper()]
    used = {kind for name in commands for kind in used_kinds(name)}
    assert {name for name in SECTIONS if name.isupper()} == used


@pytest.mark.parametrize("name", [name for name in SECTIONS if not name.isupper()])
def test_examples_have_the_shape_they_illustrate(name: str) -> None:
    (example,) = SECTIONS[name].examples
    assert list(object_faults(example, SECTIONS[name], name)) == []


def test_what_the_commands_print_is_what_is_documented(printed: Callable[..., Any]) -> None:
    Path("draft.txt").write_text(OPENING)
    Path("long.txt").write_text(f"{OPENING} the storm. " * 2500)
    Path("sums.txt").write_text("So 12 + 30 = 43, and on.")
    for name in ("Ada", "Bell"):
        Path("texts", name).mkdir(parents=True)
        Path("texts", name, "work.txt").write_text(f"{OPENING} the storm of {name}. " * 900)
    Path("sea.toml").write_text(SET)
    weighed = ("--model", "echo", "--set", "sea.toml")
    at_two = ("--node", "2")
    lines = [
        ("new", "story.loom", "--text", OPENING),
        ("tree", "story.loom"),
        ("generate", "story.loom", "-n", "2", "--tokens", "4", "--model", "echo"),
        ("show", "story.loom", *at_two, "--tokens"),
        ("show", "story.loom", *at_two, "--context", "--model", "echo"),
        ("show", "story.loom"),
        ("next", "story.loom", *at_two, "--model", "echo"),
        ("take", "story.loom", *at_two, "--token", "1", "--rank", "1"),
        ("write", "story.loom", "--text", " the storm."),
        ("bookmark", "story.loom"),
        ("hide", "story.loom"),
        ("undo", "story.loom"),
        ("redo", "story.loom"),
        ("checkpoint", "story.loom", "before the storm"),
        ("history", "story.loom"),
        ("history", "story.loom", "--back-to", "before the storm"),
        ("go", "story.loom", *at_two, "--at", "2"),
        ("tree", "story.loom"),
        ("score", "draft.txt", "--model", "echo"),
        ("drift", "sums.txt", "--model", "echo"),
        ("drift", "story.loom", "--model", "echo"),
        ("sources", "draft.txt", *weighed, "--probe", "3"),
        ("sources", "story.loom", *weighed),
        ("replay", "story.loom", "--headless"),
        ("replay", "story.loom", "--verify", "--model", "echo"),
        ("replay", "story.loom", "--regrow", "--model", "echo"),
        ("experiment", "traps", "--model", "echo", "--length", "40", "--each", "1"),
        ("experiment", "onion", *weighed, "--source", "Ada", "--probe", "3"),
        ("experiment", "collapse", *weighed, "--length", "8", "--each", "1"),
        ("calibrate", "echo", "long.txt", "--tokens", "21000"),
        ("calibrate", "--sources", "sea.toml", "--tokens", "4096", "echo", "texts"),
        ("calibrate", "echo"),
        ("sources", "draft.txt", *weighed, "--probe", "3"),
        ("models",),
        ("plugins",),
        ("sessions", "--rename", "story.loom", "The Lighthouse"),
        ("sessions", "--copy", "story.loom"),
        ("sessions", "--trash", "story-2.loom"),
        ("sessions",),
        ("compact", "story.loom"),
        ("backups", "story.loom"),
        ("config",),
        ("config", "--path"),
        ("doctor", "--no-engine"),
        ("doctor", "--model", "echo"),
        ("doctor", "--model", "no-such-model"),
    ]
    wrong = [
        fault
        for line in lines
        for fault in object_faults(printed(*line), SECTIONS[line[0]], line[0])
    ]
    assert wrong == []
    assert {line[0] for line in lines} == grammar.build()[1].keys() - NOT_FACTS


def test_a_failure_is_what_is_documented(printed: Callable[..., Any]) -> None:
    assert list(object_faults(printed("show", "nowhere.loom"), SECTIONS["error"], "error")) == []


def test_show_has_tokens_only_when_asked(printed: Callable[..., Any]) -> None:
    printed("new", "story.loom", "--text", OPENING)
    assert "tokens" not in printed("show", "story.loom")
    assert SECTIONS["show"].optional == {"tokens", "context"}
    assert printed("show", "story.loom", "--tokens", "--model", "echo")["tokens"]


@pytest.mark.parametrize(
    ("name", "fields"),
    {
        "new": "session node",
        "generate": "nodes",
        "tree": "nodes",
        "score": "tokens bits bits_per_byte",
        "error": "error hint",
        "NODE": "id parent at author text ended model recipe seed hidden token_count",
        "TOKEN": "id text bytes logprob sampled_logprob entropy varentropy rank alternatives",
        "ALTERNATIVE": "id text logprob",
        "show": "id path_text tokens context",
    }.items(),
)
def test_no_promised_field_is_ever_removed(name: str, fields: str) -> None:
    assert set(fields.split()) <= SECTIONS[name].fields.keys()


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (True, "integer"),
        ("1", "number"),
        (None, "string"),
        ([None], "list of string"),
        ({"id": 1, "text": "a"}, "ALTERNATIVE"),
        ({"id": 1, "text": "a", "logprob": -1.0, "more": 2}, "ALTERNATIVE"),
    ],
)
def test_the_comparison_itself_finds_faults(value: Any, kind: str) -> None:
    assert list(faults(value, kind, "value"))
