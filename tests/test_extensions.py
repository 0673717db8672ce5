"""Backends and plugins are found in their order; nothing is run and nothing raises to list them."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest

from loom import discovery, extensions
from loom.engine.api import EngineError, ModelNotFound, ModelUnsupported

BACKEND = """
from __future__ import annotations
from dataclasses import dataclass
NAME = {name!r}

@dataclass
class Settings:
    size: int = 1

def accepts(model: str) -> bool:
    return model == {accepts!r}

def load(model, options, progress):
    return Settings()
"""


def write_backend(folder: Path, name: str, *, accepts: str = "", file: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / (file or f"{name}.py")
    path.write_text(BACKEND.format(name=name, accepts=accepts or name))
    return path


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty program: folders for the user, a checkout and a bundle; no entry points."""
    monkeypatch.setattr(discovery, "CHECKOUT", tmp_path / "checkout")
    monkeypatch.setattr(discovery, "BUNDLED", tmp_path / "bundled")
    monkeypatch.setattr(discovery, "entry_points", lambda group: EntryPoints())
    (tmp_path / "checkout").mkdir()
    (tmp_path / "checkout" / "pyproject.toml").touch()
    return tmp_path


def listed(places: Path, *extra: Path) -> list[discovery.Found]:
    return extensions.backends(extra, user=places / "user")


def test_the_order_is_command_line_user_checkout_bundled_entry_points(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    point = EntryPoint("e", "package.module", "loom.backends")
    monkeypatch.setattr(discovery, "entry_points", lambda group: EntryPoints([point]))
    write_backend(places / "bundled" / "backends", "d")
    write_backend(places / "checkout" / "backends", "c")
    write_backend(places / "user", "b")
    given = write_backend(places / "given", "a")
    found = listed(places, given)
    assert [f.name for f in found] == ["a", "b", "c", "d", "e"]
    sources = [f.source for f in found]
    assert sources == ["command line", "user", "checkout", "bundled", "entry point"]
    assert found[-1].path == "package.module"


def test_the_first_of_a_name_wins_and_the_others_say_so(places: Path) -> None:
    first = write_backend(places / "user", "same", file="mine.py")
    write_backend(places / "bundled" / "backends", "same")
    winner, shadowed = listed(places)
    assert winner.path == str(first)
    assert winner.usable
    assert shadowed.shadowed_by == str(first)
    assert not shadowed.usable


def test_a_folder_given_twice_shadows_nothing(places: Path) -> None:
    write_backend(places / "user", "once")
    assert len(listed(places, places / "user")) == 1


def test_a_folder_on_the_command_line_gives_all_it_holds(places: Path) -> None:
    write_backend(places / "given", "one")
    write_backend(places / "given", "two")
    assert [f.name for f in listed(places, places / "given")] == ["one", "two"]


def test_listing_runs_nothing(places: Path) -> None:
    (places / "user").mkdir()
    trap = "NAME = 'trap'\nraise SystemExit('was run')\n"
    (places / "user" / "other.py").write_text(trap)
    (found,) = listed(places)
    assert (found.name, found.error) == ("trap", "")


def test_a_name_that_is_computed_falls_back_to_the_file(places: Path) -> None:
    (places / "user").mkdir()
    (places / "user" / "computed.py").write_text("NAME = 'a' + 'b'\n")
    (places / "user" / "typed.py").write_text("NAME: str = 'annotated'\n")
    assert [f.name for f in listed(places)] == ["computed", "annotated"]


@pytest.mark.parametrize("content", [b"def (:\n", b"\x00", b"x = '\xff'\n"])
def test_a_broken_file_is_found_with_its_error(places: Path, content: bytes) -> None:
    (places / "user").mkdir()
    (places / "user" / "broken.py").write_bytes(content)
    write_backend(places / "user", "good")
    broken, good = listed(places)
    assert broken.name == "broken"
    assert "can't be read" in broken.error
    assert good.usable


def test_a_missing_file_on_the_command_line_is_found_with_its_error(places: Path) -> None:
    (found,) = listed(places, places / "nowhere.py")
    assert "can't be read" in found.error


def test_hidden_files_private_files_and_model_folders_are_passed_over(places: Path) -> None:
    user = places / "user"
    write_backend(user, "x", file="_private.py")
    write_backend(user, "x", file=".hidden.py")
    (user / "house").mkdir()
    (user / "house" / "config.json").write_text("{}")
    write_backend(user / "package", "packaged", file="__init__.py")
    (found,) = listed(places)
    assert (found.name, found.path) == ("packaged", str(user / "package"))


def test_plugins_lie_in_folders_of_their_own(places: Path) -> None:
    write_backend(places / "checkout" / "plugins", "drift")
    (found,) = extensions.plugins(user=places / "user")
    assert (found.name, found.kind) == ("drift", "plugin")
    assert listed(places) == []


def test_load_backend_takes_the_first_that_accepts_the_model(places: Path) -> None:
    write_backend(places / "user", "a", accepts="other")
    write_backend(places / "user", "b", accepts="mine")
    module = extensions.load_backend("mine", user=places / "user")
    assert module.NAME == "b"
    assert module.load("mine", {}, lambda done, total: None) is not None


def test_load_backend_by_name_does_not_ask_it(places: Path) -> None:
    write_backend(places / "user", "a", accepts="nothing")
    module = extensions.load_backend("any", user=places / "user", name="a")
    assert module.NAME == "a"


def test_a_backend_in_a_folder_can_import_its_parts(places: Path) -> None:
    package = write_backend(places / "user" / "parts", "parts", file="__init__.py")
    package.write_text(package.read_text() + "\nfrom .inner import VALUE\n")
    (places / "user" / "parts" / "inner.py").write_text("VALUE = 7\n")
    assert extensions.load_backend("parts", user=places / "user").__dict__["VALUE"] == 7


def test_an_unknown_model_is_said_in_a_sentence(places: Path) -> None:
    with pytest.raises(ModelNotFound, match=r"^There is no model 'mine'\.$") as caught:
        extensions.load_backend("mine", user=places / "user")
    assert caught.value.hint


def test_a_backend_that_breaks_is_named_when_no_other_accepts(places: Path) -> None:
    (places / "user").mkdir()
    (places / "user" / "bad.py").write_text("NAME = 'bad'\nraise RuntimeError('no luck')\n")
    with pytest.raises(ModelUnsupported, match="bad: no luck"):
        extensions.load_backend("mine", user=places / "user")
    write_backend(places / "user", "good", accepts="mine")
    assert extensions.load_backend("mine", user=places / "user").NAME == "good"


def test_a_file_that_is_no_backend_says_what_it_lacks(places: Path) -> None:
    (places / "user").mkdir()
    (places / "user" / "thin.py").write_text("NAME = 'thin'\n")
    (found,) = listed(places)
    with pytest.raises(EngineError, match="does not define accepts"):
        extensions.load(found)


@pytest.fixture
def house(places: Path) -> Iterator[Path]:
    folder = places / "checkout" / "backends" / "house"
    folder.mkdir(parents=True)
    (folder / "config.json").touch()
    yield folder


def test_no_model_means_echo_until_the_house_is_whole(house: Path) -> None:
    assert extensions.resolve_model(None) == "echo"
    assert extensions.models() == {}
    with pytest.raises(ModelNotFound, match="house"):
        extensions.resolve_model("house")
    (house / "model.safetensors").touch()
    assert extensions.resolve_model(None) == str(house)
    assert extensions.resolve_model("house") == str(house)


def test_a_local_path_becomes_absolute_and_a_hub_name_stays(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(places)
    (places / "models" / "mine").mkdir(parents=True)
    (places / "echo").mkdir()
    assert extensions.resolve_model("models/mine") == str(places / "models" / "mine")
    assert extensions.resolve_model("someone/model") == "someone/model"
    assert extensions.resolve_model("echo") == "echo"


def test_the_real_echo_is_found_in_this_checkout() -> None:
    module = extensions.load_backend("echo", name="echo")
    assert module.accepts("echo")
    assert not module.accepts("gpt2")


def test_a_model_is_called_by_what_means_it_on_any_machine(tmp_path: Path) -> None:
    for name, folder in extensions.models().items():
        assert extensions.portable_name(str(folder)) == extensions.spoken_name(str(folder)) == name
    own = str(tmp_path / "tiny")
    assert extensions.portable_name(own) == own and extensions.spoken_name(own) == "tiny"
    assert extensions.spoken_name("openai-community/gpt2") == "openai-community/gpt2"
