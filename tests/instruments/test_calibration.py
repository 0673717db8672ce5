"""A calibration is found under the fingerprint of its model, and under no other."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from loom.instruments.calibration import Calibration, load, read, save, tempering_of
from loom.instruments.sources import sets
from loom.instruments.sources.api import Pooling, Source, SourceSet, Tempering

FOUND = Calibration(
    "f00d",
    "small",
    {"tokens": 12, "works": 2},
    {"traps": {"version": "1", "kept": {"all": {"alphas": [0.05]}}}},
)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOOM_HOME", str(tmp_path))
    return tmp_path


def test_what_is_saved_is_found_again_under_its_fingerprint(home: Path) -> None:
    file = save(FOUND)
    assert file.is_relative_to(home)
    assert load("f00d") == FOUND
    assert load("f00d", [file]) == FOUND


def test_a_model_made_of_another_goes_by_the_others_until_it_has_its_own(home: Path) -> None:
    plain = Calibration("0f1e", "house")
    save(plain)
    assert load("absorbing-0f1e") == plain
    own = Calibration("absorbing-0f1e", "absorbing")
    save(own)
    assert load("absorbing-0f1e") == own
    assert load("0f1e") == plain and load("hash-0f2e") is None


def test_that_of_other_weights_is_not_used(tmp_path: Path) -> None:
    file = save(FOUND, tmp_path / "elsewhere" / "calibration.json")
    assert load("beef", [file]) is None
    assert load("f00d", [file]) == FOUND
    assert load("f00d") is None


@pytest.mark.parametrize("fingerprint", ["../../etc", "http://host:80/v1 model", "", "a" * 300])
def test_any_text_may_be_a_fingerprint(home: Path, fingerprint: str) -> None:
    file = save(Calibration(fingerprint, "odd"))
    assert file.parent == home / "calibrations"
    found = load(fingerprint)
    assert found is not None
    assert found.model == "odd"


@pytest.mark.parametrize(
    "damage",
    [b"", b"{", b"[]", b"null", b'{"format": 1}', b'{"format": 99}', b"\xff\xfe", b"[" * 100_000],
)
def test_a_damaged_file_is_no_calibration(damage: bytes) -> None:
    file = save(FOUND)
    file.write_bytes(damage)
    assert read(file) is None
    assert load("f00d") is None


def test_a_newer_format_is_not_guessed_at() -> None:
    file = save(FOUND)
    file.write_text(json.dumps({**json.loads(file.read_text()), "format": 2}))
    assert load("f00d") is None


def test_a_plugin_gets_what_it_kept_if_its_version_is_the_same() -> None:
    assert FOUND.of("traps") == {"all": {"alphas": [0.05]}}
    assert FOUND.of("traps", "1") == FOUND.of("traps")
    assert FOUND.of("traps", "2") is None
    assert FOUND.of("surprise") is None


def test_the_digest_changes_with_what_a_plugin_kept_and_with_nothing_else() -> None:
    entry = {"version": "1", "kept": {"all": {"alphas": [0.01]}}}
    other = Calibration("f00d", "small", FOUND.facts, {"traps": entry})
    same = Calibration("f00d", "renamed", {"tokens": 13}, FOUND.plugins)
    assert other.digest != FOUND.digest == same.digest


TEMPERING = Tempering(0.125, 0.3, 4096, 17, None)


def test_a_tempering_is_kept_by_the_digest_of_its_set(home: Path) -> None:
    fitted = FOUND.tempered("abcd", "house", TEMPERING)
    found = read(save(fitted))
    assert found == fitted
    assert found.tempering("abcd") == TEMPERING
    assert found.tempering("beef") is None
    other = replace(TEMPERING, eta=0.2, delta=1.5)
    assert found.tempered("beef", "mine", other).tempering("beef") == other


POOLING = {"read": 1, "asked": 1, "questions": "", "anyway": {"Ada": [-2.0]}}
ASKED = SourceSet("few", "", (Source("Ada", ("Ada\n\n",)),), probes=("\n\n— ",))


def test_how_reading_and_asking_count_holds_as_long_as_the_same_is_asked(home: Path) -> None:
    pooling = Pooling(0.9, 0.5, 0.2, sets.questions(ASKED), {"Ada": (-9.5,)})
    tempering = replace(TEMPERING, pooling=pooling)
    save(FOUND.tempered(sets.digest(ASKED), "few", tempering))
    assert tempering_of("f00d", ASKED) == tempering
    assert tempering_of("f00d", replace(ASKED, null_prior=0.4)) == tempering
    otherwise = replace(ASKED, probes=("\n\nBy ",))
    assert tempering_of("f00d", otherwise) == TEMPERING
    other = (replace(ASKED.sources[0], frames=("Bell\n\n",)),)
    assert tempering_of("f00d", replace(ASKED, sources=other)) is None
    assert tempering_of("beef", ASKED) is None


def test_a_tempering_from_before_asking_counted_is_one(home: Path) -> None:
    file = save(FOUND.tempered("abcd", "house", TEMPERING))
    whole = json.loads(file.read_text())
    del whole["sources"]["abcd"]["pooling"]
    file.write_text(json.dumps(whole))
    found = read(file)
    assert found is not None and found.tempering("abcd") == TEMPERING
    whole["sources"]["abcd"]["pooling"] = POOLING
    file.write_text(json.dumps(whole))
    found = read(file)
    assert found is not None
    before = found.tempering("abcd")
    assert before is not None and before.pooling == Pooling(1, 1, 0, "", {"Ada": (-2.0,)})


def test_how_both_count_is_nothing_where_a_source_was_never_asked_for(home: Path) -> None:
    pooling = Pooling(0.9, 0.5, 0.2, sets.questions(ASKED), {"Bell": (-9.5,)})
    save(FOUND.tempered(sets.digest(ASKED), "few", replace(TEMPERING, pooling=pooling)))
    assert tempering_of("f00d", ASKED) == TEMPERING


def test_a_tempering_makes_no_reading_of_a_plugin_out_of_date() -> None:
    assert FOUND.tempered("abcd", "house", TEMPERING).digest == FOUND.digest


def test_a_calibration_from_before_sources_reads_and_stays_as_it_is(home: Path) -> None:
    file = save(FOUND)
    before = file.read_bytes()
    assert b"sources" not in before
    found = read(file)
    assert found == FOUND and found.tempering("abcd") is None
    assert save(found).read_bytes() == before


@pytest.mark.parametrize(
    "entry",
    [
        {},
        [],
        {"eta": 0, "gamma": 0, "tokens": 1, "works": 1, "delta": None},
        {"eta": "much", "gamma": 0, "tokens": 1, "works": 1, "delta": None},
        {"eta": 0.5, "gamma": 0, "tokens": float("inf"), "works": 1, "delta": None},
        {**asdict(TEMPERING), "pooling": {"read": -1, "asked": 1, "questions": "", "anyway": {}}},
        {**asdict(TEMPERING), "pooling": {**POOLING, "anyway": {"Ada": [float("-inf")]}}},
        {**asdict(TEMPERING), "pooling": {**POOLING, "anyway": ["Ada"]}},
        {**asdict(TEMPERING), "pooling": {"read": 1}},
        {**asdict(TEMPERING), "pooling": 3},
    ],
)
def test_a_tempering_that_is_none_is_damage(entry: object) -> None:
    file = save(FOUND)
    file.write_text(json.dumps({**json.loads(file.read_text()), "sources": {"abcd": entry}}))
    assert read(file) is None
