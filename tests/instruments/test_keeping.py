from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loom.core.node import Author
from loom.instruments.api import Choice, Context, Flag, Reading, Settings
from loom.instruments.keeping import (
    BEGINNING,
    Kept,
    basis_of,
    digest_of,
    glance,
    pack,
    settings_key,
    surroundings,
    unpack,
)
from loom.instruments.loading import Declared
from loom.instruments.promises import state_text

NAMES = st.text(min_size=1, max_size=6)
FLAGS = st.builds(
    Flag,
    st.sampled_from(["info", "flag"]),
    st.sampled_from(["sampler", "reference", "none"]),
    st.integers(0, 9),
    st.integers(0, 10_000),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(min_size=1),
    st.none() | st.floats(0.001, 1),
    st.none() | st.integers(1, 512),
    st.text(),
)


@st.composite
def kept(draw: st.DrawFn) -> Kept:
    tokens = draw(st.integers(1, 20))
    bits = st.lists(st.integers(0, 2**32 - 1), min_size=tokens, max_size=tokens)
    values = {
        name: np.array(draw(bits), np.uint32).view(np.float32)
        for name in draw(st.lists(NAMES, max_size=3, unique=True))
    }
    summary = draw(st.dictionaries(NAMES, st.floats(allow_nan=False) | st.text(), max_size=3))
    flags = tuple(draw(st.lists(FLAGS, max_size=3)))
    state = state_text(draw(st.dictionaries(NAMES, st.integers() | st.lists(st.booleans()))))
    return Kept(
        draw(st.binary(min_size=8, max_size=8)), state, Reading(values, summary, flags), tokens
    )


@settings(max_examples=50)
@given(kept())
def test_what_is_kept_comes_back_bit_by_bit(given: Kept) -> None:
    found = unpack(*pack(given))
    assert (found.basis, found.state, found.tokens) == (given.basis, given.state, given.tokens)
    assert found.reading.summary == given.reading.summary
    assert found.reading.flags == given.reading.flags
    assert list(found.reading.values) == list(given.reading.values)
    for name, column in given.reading.values.items():
        assert found.reading.values[name].dtype == np.float32
        assert found.reading.values[name].tobytes() == column.tobytes()


@settings(max_examples=50)
@given(kept(), st.data())
def test_a_flipped_bit_is_noticed(given: Kept, data: st.DataObject) -> None:
    blobs = [bytearray(blob) for blob in pack(given)]
    blob = blobs[data.draw(st.integers(0, 1))]
    place = data.draw(st.integers(0, len(blob) - 1))
    blob[place] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(ValueError):
        unpack(*map(bytes, blobs))


def test_too_little_is_noticed() -> None:
    with pytest.raises(ValueError):
        unpack(b"", b"")


def test_the_key_changes_with_version_options_model_and_calibration() -> None:
    about, plain = Declared("traps", "1"), Settings({"alpha": 0.05}, "model")
    variants = [
        (about, plain),
        (Declared("traps", "2"), plain),
        (about, Settings({"alpha": 0.01}, "model")),
        (about, Settings({"alpha": 0.05}, "another")),
        (about, Settings({"alpha": 0.05}, "model", {"mean": 3.0})),
        (about, Settings({"alpha": 0.05}, "model", {"mean": 3.1})),
    ]
    keys = [settings_key(*variant)[0] for variant in variants]
    assert len(set(keys)) == len(keys)
    assert settings_key(about, Settings({"alpha": 0.05}, "model"))[0] == keys[0]


def test_a_glance_tells_what_taking_it_apart_tells() -> None:
    flag = Flag("flag", "reference", 0, 0, 9.0, "So.")
    for flags in ((), (flag,), (flag,) * 300):
        kept = Kept(b"12345678", '{"a":1}', Reading(flags=flags), 1)
        assert glance(*pack(kept)) == (b"12345678", digest_of('{"a":1}'), bool(flags))


def test_the_basis_changes_with_what_comes_before_and_stands_around() -> None:
    context = Context(3, 7, Author.MODEL, (b"a",), 0.9, Choice(4, 0, 1.5))
    before = digest_of("[1]")
    variants = [
        basis_of(before, surroundings(context)),
        basis_of(digest_of("[2]"), surroundings(context)),
        basis_of(BEGINNING, surroundings(context)),
        basis_of(before, surroundings(context, 2)),
        basis_of(before, surroundings(context, 3)),
        basis_of(before, surroundings(replace(context, position=4))),
        basis_of(before, surroundings(replace(context, choice=Choice(3, 0, 1.5)))),
        basis_of(before, surroundings(replace(context, choice=None))),
    ]
    assert len(set(variants)) == len(variants)
