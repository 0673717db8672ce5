"""The sessions of a folder from outside: lists, titles, copies, texts in and out."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import pytest

from loom import shelf
from loom.config import Config
from loom.core.node import Place
from loom.core.recipe import Recipe
from loom.session import Session
from loom.store.errors import SessionLocked, StoreError
from loom.store.glance import FIRST_BYTES, Glance, glance

OPENING = "The lighthouse keeper had not spoken"


async def made(path: Path, *texts: str) -> Path:
    async with Session.create(path, seed=1) as session:
        for text in texts:
            session.write(text)
    return path


async def test_a_list_has_titles_sizes_and_first_words_the_newest_first(tmp_path: Path) -> None:
    old = await made(tmp_path / "old.loom", OPENING)
    new = await made(tmp_path / "new.loom", "It  rained.\n", "And\x1b[31m then")
    os.utime(old, (1000, 1000))
    (tmp_path / "notes.txt").write_text("no session")
    first, second = shelf.listed(tmp_path)
    assert (first.path, first.title, first.nodes) == (new, "new", 2)
    assert first.words == "It rained. And␛[31m then"
    assert (second.title, second.changed, second.words) == ("old", 1000, OPENING)
    assert second.size == old.stat().st_size


async def test_a_session_from_elsewhere_is_listed_once(tmp_path: Path) -> None:
    folder = tmp_path / "sessions"
    folder.mkdir()
    inside, outside = await made(folder / "a.loom"), await made(tmp_path / "b.loom")
    found = shelf.listed(folder, [outside, inside, tmp_path / "gone.loom"])
    assert sorted(shelved.title for shelved in found) == ["a", "b"]


def test_a_folder_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert shelf.listed(tmp_path / "nowhere") == []


def test_what_is_no_session_is_listed_with_its_problem(tmp_path: Path) -> None:
    (tmp_path / "broken.loom").write_bytes(b"not a database at all, only a name")
    (shelved,) = shelf.listed(tmp_path)
    assert "not a Loom session" in shelved.problem
    assert shelved.words == ""


async def test_a_list_is_quick_the_second_time_and_never_out_of_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[Path] = []

    def counted(path: Path) -> Glance:
        looked.append(path)
        return glance(path)

    monkeypatch.setattr(shelf, "glance", counted)
    one, two = [await made(tmp_path / f"{name}.loom", name) for name in ("one", "two")]
    shelf.listed(tmp_path)
    shelf.listed(tmp_path)
    assert sorted(looked) == [one, two]
    shelf.renamed(two, "Deux")
    assert {shelved.title for shelved in shelf.listed(tmp_path)} == {"one", "Deux"}
    assert looked[2:] == [two]


async def test_first_words_leave_out_what_is_hidden_and_go_on_over_nodes(tmp_path: Path) -> None:
    async with Session.create(tmp_path / "a.loom", seed=1) as session:
        session.write("Thrown away")
        session.hide(session.display.segment_of(session.place))
        session.go(Place(0, 0))
        session.write("Kept")
        session.write(" and more")
        session.write("x" * (2 * FIRST_BYTES))
    seen = glance(tmp_path / "a.loom")
    assert seen.opening == ("Kept and more" + "x" * FIRST_BYTES).encode()[:FIRST_BYTES]
    assert seen.title is None


async def test_a_session_that_is_open_can_be_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "a.loom"
    async with Session.create(path, seed=1) as session:
        session.write(OPENING)
        session._store.flush()
        assert glance(path).opening == OPENING.encode()


async def test_a_long_chain_is_looked_at_by_its_beginning(tmp_path: Path) -> None:
    path = await made(tmp_path / "a.loom", *(f"{n} " for n in range(200)))
    seen = glance(path)
    assert seen.nodes == 200
    assert seen.opening.startswith(b"0 1 2 3 ")


async def test_renaming_changes_the_title_and_not_the_file(tmp_path: Path) -> None:
    path = await made(tmp_path / "a.loom", OPENING)
    shelf.renamed(path, "  The \n Lighthouse ")
    assert [shelved.title for shelved in shelf.listed(tmp_path)] == ["The Lighthouse"]
    async with Session.open(path) as session:
        assert session.title == "The Lighthouse"
        assert session.path_text() == OPENING
        session.set_title("Another")
    assert glance(path).title == "Another"
    with pytest.raises(ValueError, match="at least one letter"):
        shelf.renamed(path, " \n")


async def test_a_session_that_is_open_is_not_renamed(tmp_path: Path) -> None:
    path = tmp_path / "a.loom"
    async with Session.create(path, seed=1):
        with pytest.raises(SessionLocked):
            shelf.renamed(path, "B")
        assert path.exists()


async def test_a_copy_has_everything_and_a_name_of_its_own(tmp_path: Path) -> None:
    path = await made(tmp_path / "a.loom", OPENING)
    copies = [shelf.duplicated(path), shelf.duplicated(path)]
    assert [copy.name for copy in copies] == ["a-2.loom", "a-3.loom"]
    shelf.renamed(path, "Sea")
    assert glance(shelf.duplicated(path)).title == "Sea (copy)"
    async with Session.open(copies[0]) as session:
        assert session.path_text() == OPENING
        session.write(" more")
    async with Session.open(path) as session:
        assert session.path_text() == OPENING


async def test_a_text_begins_a_session_with_the_sampling_of_the_settings(tmp_path: Path) -> None:
    text = tmp_path / "draft.txt"
    text.write_bytes("Ünfinished \xff".encode("latin-1"))
    config = Config(branches=7, recipe=Recipe(tokens=5))
    async with shelf.begun_with(text, tmp_path / "sessions", config) as session:
        assert session.path == tmp_path / "sessions" / "draft.loom"
        assert session.tree.path_bytes(session.place) == text.read_bytes()
        assert (session.branches, session.recipe.tokens) == (7, 5)
    with pytest.raises(StoreError, match="is a session"):
        shelf.begun_with(session.path, tmp_path, config)
    with pytest.raises(StoreError, match="can't be read: No such file"):
        shelf.begun_with(tmp_path / "none.txt", tmp_path, config)


async def test_a_new_session_is_named_after_the_day(tmp_path: Path) -> None:
    names = []
    for _ in range(2):
        async with shelf.begun_today(tmp_path, Config(), date(2026, 1, 2)) as session:
            names.append(session.path.name)
    assert names == ["2026-01-02.loom", "2026-01-02-2.loom"]


async def test_one_that_another_has_open_is_opened_to_read(tmp_path: Path) -> None:
    path = tmp_path / "a.loom"
    async with Session.create(path), shelf.opened(path) as second:
        assert second.read_only


def test_text_is_saved_byte_for_byte(tmp_path: Path) -> None:
    shelf.save_text(b"a\r\n\xff\n", "Title", tmp_path / "a.txt")
    assert (tmp_path / "a.txt").read_bytes() == b"a\r\n\xff\n"


def test_markdown_has_a_heading_and_keeps_the_lines_of_a_verse(tmp_path: Path) -> None:
    shelf.save_text(b"one\ntwo\n\nthree\n", "Sea", tmp_path / "a.MD")
    assert (tmp_path / "a.MD").read_text() == "# Sea\n\none  \ntwo\n\nthree\n"


def test_a_text_that_cannot_be_saved_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="can't be written"):
        shelf.save_text(b"a", "Title", tmp_path / "nowhere" / "a.txt")
