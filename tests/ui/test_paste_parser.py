"""Pasted text comes in one piece, whatever pieces the terminal sends it in."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual import events
from textual._xterm_parser import XTermParser
from textual.drivers import linux_driver
from textual.message import Message

from loom.ui import pasting
from loom.ui.pasting import BEGIN, END, PasteParser

TEXTS = st.text(st.characters(exclude_characters="\x1b\x00"), max_size=30)


def heard(pieces: Iterable[str]) -> list[str]:
    """Keys as they are typed, pastes in brackets."""
    parser = PasteParser()
    events_: list[Message] = [event for piece in pieces if piece for event in parser.feed(piece)]
    return [
        f"<{event.text}>" if isinstance(event, events.Paste) else event.character or event.key
        for event in events_
        if isinstance(event, events.Key | events.Paste)
    ]


@given(TEXTS, st.lists(st.integers(0, 60), max_size=6))
def test_a_paste_is_one_event_however_it_is_cut(text: str, cuts: list[int]) -> None:
    stream = f"a{BEGIN}{text}{END}b"
    begun = len("a" + BEGIN)  # the beginning itself comes in one piece
    edges = sorted({0, len(stream), *(min(begun + cut, len(stream)) for cut in cuts)})
    pieces = [stream[a:b] for a, b in zip(edges, edges[1:], strict=False)]
    assert heard(pieces) == ["a", f"<{text}>", "b"]


@given(st.lists(TEXTS.filter(bool), min_size=1, max_size=3))
def test_several_pastes_in_one_piece(texts: list[str]) -> None:
    stream = "x".join(f"{BEGIN}{text}{END}" for text in texts)
    assert [part for part in heard([stream]) if part != "x"] == [f"<{text}>" for text in texts]


@pytest.mark.parametrize("at", range(1, len(BEGIN)))
def test_a_beginning_cut_in_two_is_understood_too(at: int) -> None:
    stream = f"{BEGIN}abc{END}d"
    assert heard([stream[:at], stream[at:]]) == ["<abc>", "d"]


def test_it_is_used_where_textual_is_as_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linux_driver, "XTermParser", XTermParser)
    pasting.install()
    assert vars(linux_driver)["XTermParser"] is PasteParser
