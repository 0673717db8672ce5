"""Bylines: the table that ships, completing a name, and `loom new --byline`."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from loom.bylines import FOLDERS, TABLE, bylines, canonical, completions, heading
from loom.cli import main
from loom.core.node import Author
from loom.session import Session

KNOWN = ("Charles Dickens", "Henry James", "Jane Austen", "M. R. James", "William James")


def test_the_table_that_ships_is_read_whole() -> None:
    with (FOLDERS[0] / TABLE).open(encoding="utf-8", newline="") as lines:
        names = {row["byline"] for row in csv.DictReader(lines, delimiter="\t")}
    assert set(bylines()) == names
    assert "Charlotte Brontë" in bylines()
    assert list(bylines()) == sorted(names, key=str.casefold)


def test_the_second_place_is_where_the_wheel_puts_it() -> None:
    package = Path(bylines.__wrapped__.__code__.co_filename).parent
    assert FOLDERS[1] == package / "_bundled" / "backends" / "house"


def test_the_first_table_found_counts(tmp_path: Path) -> None:
    (tmp_path / TABLE).write_text("source\tbyline\nx\tX. Y.\n", encoding="utf-8")
    assert bylines((tmp_path / "absent", tmp_path)) == ("X. Y.",)
    assert bylines((tmp_path / "absent",)) == ()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("aus", ["Jane Austen"]),
        ("JANE", ["Jane Austen"]),
        ("h ja", ["Henry James"]),
        ("james", ["Henry James", "M. R. James", "William James"]),
        ("m", ["M. R. James"]),
        ("usten", []),
        ("", list(KNOWN)),
    ],
)
def test_words_are_completed_from_their_beginnings(text: str, found: list[str]) -> None:
    assert completions(text, KNOWN) == found


def test_names_that_begin_with_the_text_come_first() -> None:
    assert completions("ja", KNOWN)[0] == "Jane Austen"


def test_a_known_name_is_written_as_it_is_known() -> None:
    assert canonical("  jane   AUSTEN ", KNOWN) == "Jane Austen"
    assert canonical("My  Aunt", KNOWN) == "My Aunt"
    with pytest.raises(ValueError, match="needs a name"):
        canonical(" \n", KNOWN)


def new(tmp_path: Path, *words: str) -> Session:
    assert main(["new", str(tmp_path / "s.loom"), *words]) == 0
    return Session.open(tmp_path / "s.loom", read_only=True)


def test_new_begins_with_the_byline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO()))
    session = new(tmp_path, "--byline", "jane austen")
    assert session.text(1) == heading("Jane Austen") == "Jane Austen\n\n"
    assert session.tree[1].author is Author.WRITER
    assert session.place == session.tree[1].end


def test_new_goes_on_with_the_text(tmp_path: Path) -> None:
    session = new(tmp_path, "--byline", "Jane Austen", "--text", "It is a truth")
    assert [session.text(node) for node in (1, 2)] == ["Jane Austen\n\n", "It is a truth"]
    assert session.tree[2].parent == 1


def test_a_name_that_is_not_known_is_kept_and_remarked_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session = new(tmp_path, "--byline", "austen", "--text", "It")
    assert session.text(1) == "austen\n\n"
    assert "Jane Austen" in capsys.readouterr().err


def test_a_byline_without_a_name_is_wrong_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["new", str(tmp_path / "s.loom"), "--byline", " ", "--text", "x"]) == 2
    assert "needs a name" in capsys.readouterr().err
    assert not (tmp_path / "s.loom").exists()
