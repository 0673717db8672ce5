"""loom.toml after plugins are switched off and on: only the list changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from loom.config import ConfigError, load_config
from loom.switches import set_option, switch

COMMENTED = """\
# mine
model = "echo"

[plugins] # what reads along
# why not
disabled = [
    "traps",  # too eager
    'ledger',
]
[plugins.traps]
alpha = 0.01

[keys]
grow = "g"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "loom.toml"


def content(file: Path, before: str, name: str, on: bool) -> str:
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(before.encode())
    config = switch(file, name, on)
    assert config == load_config(file)
    assert config.plugin(name).enabled == on
    return file.read_bytes().decode()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", '[plugins]\ndisabled = ["traps"]\n'),
        ("tokens = 9", 'tokens = 9\n\n[plugins]\ndisabled = ["traps"]\n'),
        ("tokens = 9\r\n", 'tokens = 9\r\n\r\n[plugins]\r\ndisabled = ["traps"]\r\n'),
        ("[plugins]", '[plugins]\ndisabled = ["traps"]\n'),
        ("[plugins]\n[keys]\n", '[plugins]\ndisabled = ["traps"]\n[keys]\n'),
        ("[plugins]\ndisabled = []\n", '[plugins]\ndisabled = ["traps"]\n'),
        ("[plugins]\ndisabled = ['a'] # b\n", "[plugins]\ndisabled = ['a', \"traps\"] # b\n"),
        ('[plugins]\ndisabled = "a"\n', '[plugins]\ndisabled = ["a", "traps"]\n'),
        ('[plugins]\ndisabled = ["a",]\n', '[plugins]\ndisabled = ["a", "traps",]\n'),
        (
            '[plugins]\nenabled = ["traps", "a"]\n',
            '[plugins]\ndisabled = ["traps"]\nenabled = ["a"]\n',
        ),
        (
            '[plugins]\ndisabled = [\n  "a", # ]\n]\n',
            '[plugins]\ndisabled = [\n  "a", "traps", # ]\n]\n',
        ),
        ('[plugins]\ndisabled = ["traps"]\n', '[plugins]\ndisabled = ["traps"]\n'),
        (
            "[plugins.traps]\nalpha = 0.01\n",
            '[plugins.traps]\nalpha = 0.01\n\n[plugins]\ndisabled = ["traps"]\n',
        ),
    ],
)
def test_switching_off_adds_the_name_to_the_list(file: Path, before: str, after: str) -> None:
    assert content(file, before, "traps", False) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", ""),
        ('[plugins]\ndisabled = ["traps"]\n', "[plugins]\ndisabled = []\n"),
        ('[plugins]\ndisabled = "traps"\n', "[plugins]\ndisabled = []\n"),
        ('[plugins]\ndisabled = ["traps", "a"]\n', '[plugins]\ndisabled = ["a"]\n'),
        ('[plugins]\ndisabled = ["a", "traps"]\n', '[plugins]\ndisabled = ["a"]\n'),
        ('[plugins]\ndisabled = ["a", "traps", "b"]\n', '[plugins]\ndisabled = ["a", "b"]\n'),
        (
            '[plugins]\ndisabled = [\n  "a",\n  "traps",\n  "b"\n]\n',
            '[plugins]\ndisabled = [\n  "a",\n  "b"\n]\n',
        ),
        (
            '[plugins]\r\ndisabled = [\r\n  "a",\r\n  "traps",\r\n]\r\n',
            '[plugins]\r\ndisabled = [\r\n  "a",\r\n]\r\n',
        ),
        ('[plugins]\nenabled = ["traps"]\n', '[plugins]\nenabled = ["traps"]\n'),
        ("[plugins.traps]\nalpha = 0.1\n", "[plugins.traps]\nalpha = 0.1\n"),
    ],
)
def test_switching_on_takes_the_name_out(file: Path, before: str, after: str) -> None:
    assert content(file, before, "traps", True) == after


@pytest.mark.parametrize("name", ["traps", "ledger", "verify"])
def test_comments_order_and_options_stay(file: Path, name: str) -> None:
    off = content(file, COMMENTED, name, False)
    on = content(file, off, name, True)
    for text in (off, on):
        head, _, rest = text.partition("disabled = [")
        assert head == COMMENTED.partition("disabled = [")[0]
        assert rest.partition("]")[2] == COMMENTED.partition("    'ledger',\n]")[2]
        assert "# too eager" in rest
    assert load_config(file).plugin("traps").options == {"alpha": 0.01}


def test_a_name_with_odd_letters_is_quoted(file: Path) -> None:
    assert content(file, "", 'a"b', False) == '[plugins]\ndisabled = ["a\\"b"]\n'
    assert content(file, '[plugins]\ndisabled = ["a\\"b"]', 'a"b', True) == (
        "[plugins]\ndisabled = []"
    )


@pytest.mark.parametrize("before", ['plugins = {disabled = ["a"]}\n', 'plugins.disabled = ["a"]\n'])
def test_what_cannot_be_edited_is_left_as_it_is(file: Path, before: str) -> None:
    file.parent.mkdir()
    file.write_text(before)
    with pytest.raises(ConfigError, match="can't be edited") as refused:
        switch(file, "traps", False)
    assert "disabled = [] under [plugins]" in refused.value.hint
    assert file.read_text() == before


def test_a_mistake_in_the_file_is_told_and_nothing_is_written(file: Path) -> None:
    file.parent.mkdir()
    file.write_text("tokens = many\n")
    with pytest.raises(ConfigError, match="line 1"):
        switch(file, "traps", False)
    assert file.read_text() == "tokens = many\n"


@pytest.mark.parametrize(
    ("before", "value", "after"),
    [
        ("", 0.01, "[plugins.traps]\nalpha = 0.01\n"),
        ("tokens = 9\n", 0.01, "tokens = 9\n\n[plugins.traps]\nalpha = 0.01\n"),
        (
            "[plugins.traps] # eager\nalpha = 0.05 # more\nignore = []\n",
            0.01,
            "[plugins.traps] # eager\nalpha = 0.01 # more\nignore = []\n",
        ),
        (
            "[plugins.traps]\r\nignore = []\r\n",
            True,
            "[plugins.traps]\r\nalpha = true\r\nignore = []\r\n",
        ),
        (
            '[plugins.traps]\nalpha = [\n  "a", # ]\n]\n[keys]\n',
            ["b", 'c"d'],
            '[plugins.traps]\nalpha = ["b", "c\\"d"]\n[keys]\n',
        ),
        ("[plugins.traps]\nalpha = 'a'\n", "ü", '[plugins.traps]\nalpha = "ü"\n'),
        (
            '[plugins]\ndisabled = ["traps"]\n',
            3,
            '[plugins]\ndisabled = ["traps"]\n\n[plugins.traps]\nalpha = 3\n',
        ),
    ],
)
def test_an_option_is_set_and_nothing_else_changes(
    file: Path, before: str, value: object, after: str
) -> None:
    file.parent.mkdir()
    file.write_bytes(before.encode())
    config = set_option(file, "traps", "alpha", value)
    assert file.read_bytes().decode() == after
    assert config == load_config(file)
    assert config.plugin("traps").options["alpha"] == value


def test_an_option_that_cannot_be_set_here_is_left_as_it_is(file: Path) -> None:
    file.parent.mkdir()
    file.write_text("plugins.traps.alpha = 0.05\n")
    with pytest.raises(ConfigError, match="can't be edited") as refused:
        set_option(file, "traps", "alpha", 0.01)
    assert "alpha = 0.01 under [plugins.traps]" in refused.value.hint
    assert file.read_text() == "plugins.traps.alpha = 0.05\n"
