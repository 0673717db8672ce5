"""Presets go into loom.toml behind what is there, or not at all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loom.config import ConfigError, load_config, parse_config
from loom.core.recipe import PRESETS, Sampling
from loom.presets import save_preset

MINE = Sampling(temperature=1.1, top_k=40, logit_bias=((5, -1.5),))


def test_a_preset_is_read_back_and_the_rest_stays_byte_for_byte(tmp_path: Path) -> None:
    file = tmp_path / "loom.toml"
    before = b'# mine\r\nmodel = "echo"  # comment\r\n\r\n[keys]\r\nroot = "f5"'
    file.write_bytes(before)
    config = save_preset(file, "storm", MINE)
    assert file.read_bytes().startswith(before + b"\r\n\r\n[presets.storm]\r\n")
    assert load_config(file) == config
    assert config.presets == {"storm": MINE}
    assert config.keys == {"root": ("f5",)}


def test_the_file_is_made_where_there_is_none(tmp_path: Path) -> None:
    file = tmp_path / "config" / "loom.toml"
    save_preset(file, "one", Sampling())
    save_preset(file, "two", MINE)
    assert file.read_text().startswith("[presets.one]\n\n[presets.two]\n")
    assert load_config(file).presets == {"one": Sampling(), "two": MINE}


@pytest.mark.parametrize(
    ("before", "name", "said"),
    [
        (b"[presets.storm]\n", "storm", "has a preset storm already"),
        (b"", "balanced", "Loom's own"),
        (b"", " ", "needs a name"),
        (b"", "a\nb", "needs a name"),
        (b"presets = {}\n", "storm", "can't be appended"),
        (b"tokens = \n", "storm", "line 1"),
        (b"tokens = 0\n", "storm", "tokens must be 1 or more"),
        (b"\xff", "storm", "not UTF-8"),
    ],
)
def test_what_cannot_be_added_is_said_and_nothing_changes(
    tmp_path: Path, before: bytes, name: str, said: str
) -> None:
    file = tmp_path / "loom.toml"
    file.write_bytes(before)
    with pytest.raises(ConfigError, match=said):
        save_preset(file, name, MINE)
    assert file.read_bytes() == before


def test_a_file_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"can't be (read|written)"):
        save_preset(tmp_path / "file" / "loom.toml", "storm", MINE)


names = st.text(min_size=1, max_size=20).filter(
    lambda name: bool(name.strip()) and name.isprintable() and name.strip() not in PRESETS
)


@given(
    name=names,
    sampling=st.builds(
        Sampling,
        temperature=st.floats(0, 100),
        top_k=st.integers(0, 1000),
        top_p=st.floats(1e-12, 1),
        min_p=st.floats(0, 0.99),
        typical_p=st.floats(1e-300, 1),
        repetition_penalty=st.floats(1e-9, 1e9),
    ),
)
def test_any_name_and_any_values_come_back(
    tmp_path_factory: pytest.TempPathFactory, name: str, sampling: Sampling
) -> None:
    file = tmp_path_factory.mktemp("presets") / "loom.toml"
    config = save_preset(file, name, sampling)
    known = parse_config(b"", file)
    assert load_config(file) == config == replace(known, presets={name.strip(): sampling})
