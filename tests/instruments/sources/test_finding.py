"""Sets are found by name, in a file or as a folder of texts; the shipped ones are whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from loom.bylines import bylines, heading
from loom.discovery import CHECKOUT
from loom.engine.weights import fingerprint, weight_files
from loom.instruments.sources import finding
from loom.instruments.sources.api import SourceSet
from loom.instruments.sources.finding import default_for, find, listed
from loom.instruments.sources.sets import SetError

SHIPPED = {"characters", "dates", "general", "house", "voices"}
MINE = '[[source]]\nname = "a"\nframe = "A\\n"\n'


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the user's sets lie."""
    monkeypatch.setenv("LOOM_HOME", str(tmp_path / "home"))
    folder = tmp_path / "home" / "sources"
    folder.mkdir(parents=True)
    return folder


def test_what_came_with_the_program_is_listed() -> None:
    found = {one.name: one for one in listed()}
    assert set(found) == SHIPPED
    assert all(one.path.parent == finding.SHIPPED for one in found.values())
    whole = {name for name, one in found.items() if isinstance(one.found, SourceSet)}
    assert whole == SHIPPED - {"voices"}
    assert "put one file or folder per voice" in str(found["voices"].found)


def test_house_has_every_byline_and_at_least_three_ways_to_ask() -> None:
    house = find("house")
    assert {s.byline: s.frames for s in house.sources} == {n: (heading(n),) for n in bylines()}
    assert len(house.sources) == 80 and len(set(house.probes)) >= 3
    assert "\n\n— " in house.probes
    shorts = [s.short for s in house.sources]
    assert len(set(shorts)) == 80 and max(map(len, shorts)) <= 12


def test_general_has_genres_and_publications_each_as_it_begins() -> None:
    general = find("general")
    named = {s.name for s in general.sources}
    assert len(named) >= 24 and "The Onion" in named
    assert len(set(general.probes)) >= 3
    assert all(frame.endswith("\n") for s in general.sources for frame in s.frames)
    assert all(s.short and len(s.short) <= 12 for s in general.sources)
    (pair,) = general.pairs
    assert "exploratory" in pair.name
    of = {s.name: s.prior for s in general.sources}
    assert of[pair.first] == of[pair.second] < of["The Onion"]


def test_every_shipped_set_says_what_it_is_and_asks_in_three_ways() -> None:
    for one in listed():
        if isinstance(one.found, SourceSet):
            assert one.found.name == one.name and one.found.about
            assert len(set(one.found.probes)) >= 3 and one.found.probe_ends


def test_the_bundled_model_has_house_by_default_and_no_other_any() -> None:
    folder = CHECKOUT / "backends" / "house"
    mark = fingerprint(folder, weight_files(folder))
    for one in (mark, f"absorbing-{mark}"):
        found = default_for(one)
        assert found is not None and found.name == "house"
    assert default_for("f00d") is None and default_for("") is None


def test_a_set_of_the_user_s_may_be_a_model_s_default_and_hides_a_shipped_one(folder: Path) -> None:
    (folder / "mine.toml").write_text('models = ["f00d"]\n' + MINE)
    found = default_for("f00d")
    assert found is not None and found.name == "mine"
    (folder / "general.toml").write_text(MINE)
    assert len(find("general").sources) == 1
    assert [one.path for one in listed() if one.name == "general"] == [folder / "general.toml"]


def test_a_mistaken_file_is_listed_with_its_mistake(folder: Path) -> None:
    (folder / "torn.toml").write_text("[[source]]\nname = 3\n")
    (torn,) = [one for one in listed() if one.name == "torn"]
    assert isinstance(torn.found, SetError)
    assert str(torn.found).startswith(f"{folder / 'torn.toml'}, line 1: source[1] needs a frame")
    with pytest.raises(SetError):
        find("torn")
    (folder / "deep.toml").write_text("models = " + "[" * 3000)
    assert default_for("f00d") is None


def test_a_file_is_found_by_its_path(tmp_path: Path) -> None:
    file = tmp_path / "elsewhere.toml"
    file.write_text(MINE)
    assert find(str(file)).name == "elsewhere"
    with pytest.raises(SetError, match="There is no"):
        find(str(tmp_path / "nowhere.toml"))


def test_a_folder_of_texts_is_a_set_of_voices(tmp_path: Path, folder: Path) -> None:
    (folder / "voices").mkdir()
    (folder / "voices" / "ann.txt").write_text("I walked home. It rained.")
    assert [s.name for s in find("voices").sources] == ["ann"]
    assert [s.name for s in find(str(folder / "voices")).sources] == ["ann"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(SetError, match="no texts yet"):
        find(str(tmp_path / "empty"))


def test_a_name_that_is_none_hears_of_the_nearest() -> None:
    with pytest.raises(SetError) as error:
        find("huose")
    assert error.value.hint == "Did you mean house?"
