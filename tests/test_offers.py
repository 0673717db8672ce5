"""What models are offered, remembered, and what is said of those that lack something."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from loom import offers
from loom.paths import Paths


@pytest.fixture
def paths() -> Paths:
    return Paths.default()


def test_recent_models_come_newest_first_and_once(paths: Paths) -> None:
    assert offers.recent(paths) == []
    for name in ("a/b", "echo", "a/b", *(f"m/{n}" for n in range(8))):
        offers.remember(paths, name)
    assert offers.recent(paths) == [*(f"m/{n}" for n in reversed(range(8))), "a/b", "echo"]
    offers.remember(paths, "one/more")
    assert len(offers.recent(paths)) == offers.RECENT
    assert "echo" not in offers.recent(paths)


def test_a_recent_model_is_offered_unless_it_is_found_elsewhere(paths: Paths) -> None:
    offers.remember(paths, "owner/name")
    offers.remember(paths, "echo")
    found = offers.offers(paths, {"HF_HUB_CACHE": str(paths.state / "none")})
    assert [offer.source for offer in found if offer.name == "echo"] == ["built in"]
    assert offers.Offer("owner/name", "recent") in found


def test_what_a_model_lacks_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    half, pickled, whole = (tmp_path / name for name in ("half", "pickled", "whole"))
    for folder in (half, pickled, whole):
        folder.mkdir()
        (folder / "config.json").touch()
    (pickled / "pytorch_model.bin").touch()
    (whole / "model.safetensors").touch()
    (tmp_path / "unrelated").mkdir()
    assert "download the weights" in offers.lack_of(str(half))
    assert "only *.bin" in offers.lack_of(str(pickled))
    assert "not there" in offers.lack_of(str(tmp_path / "gone"))
    assert [offers.lack_of(name) for name in (str(whole), "owner/name", "echo")] == [""] * 3
    found = [offer.path for offer in offers.incomplete_in(tmp_path)]
    assert found == [str(half), str(pickled)]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert "cyborg-loom[llama]" in offers.lack_of("some.gguf")


def test_model_folders_are_told_from_others(tmp_path: Path) -> None:
    good, empty = tmp_path / "models" / "good", tmp_path / "models" / "empty"
    for folder in (good, empty):
        folder.mkdir(parents=True)
        (folder / "config.json").touch()
    (good / "model.safetensors").touch()
    assert list(offers.in_folder(tmp_path / "models")) == [
        offers.Offer(str(good), "folder", str(good))
    ]
    assert list(offers.in_folder(tmp_path / "nowhere")) == []


def test_hub_downloads_are_listed_by_their_hub_name(tmp_path: Path) -> None:
    snapshot = tmp_path / "hub" / "models--owner--name" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (tmp_path / "hub" / "models--owner--partial" / "snapshots" / "x").mkdir(parents=True)
    for name in ("config.json", "model.safetensors"):
        (snapshot / name).touch()
    found = list(offers.in_hub_cache(offers.hub_cache({"HF_HUB_CACHE": str(tmp_path / "hub")})))
    assert found == [offers.Offer("owner/name", "hub cache", str(snapshot))]
    assert offers.hub_cache({"HF_HOME": "/x"}) == Path("/x/hub")
