"""The lens: what its lines say, where it looks, when it asks the engine, what a click does."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.pilot import Pilot

from loom.core.node import Author, Place
from loom.core.recipe import Recipe, Sampling
from loom.core.span import Span
from loom.engine.api import EngineError, Following
from loom.session import Session
from loom.ui import glyphs
from loom.ui.app import LoomApp
from loom.ui.choices import Choice
from loom.ui.outlook import Outlook, Prospect
from loom.ui.widgets import lens, lens_facts
from loom.ui.widgets.lens import Lens, Sight
from loom.ui.widgets.lens_facts import ago, is_odd, sampling
from loom.ui.widgets.lens_lines import (
    Fact,
    Line,
    cards,
    fact,
    heading,
    odds,
    scale,
    sentence,
)
from loom.ui.widgets.lens_panels import Odds, Panel

OPENING = "The lighthouse keeper had not spoken to anyone since"

MakeApp = Callable[..., LoomApp]
Settle = Callable[[Pilot[None]], Awaitable[None]]
WaitFor = Callable[[Pilot[None], Callable[[], Any]], Awaitable[None]]


def plain(line: Line) -> str:
    return "".join(text for text, _ in line)


def shown(app: LoomApp) -> str:
    return "\n".join(plain(line) for panel in app.main.query(Panel) for line in panel.lines)


def is_ready(app: LoomApp) -> bool:
    return app.session.engine is not None and app.session.engine.state == "ready"


# ── lines ──────────────────────────────────────────────────────────────────────────────────

texts = st.text(max_size=40).map(lambda text: glyphs.token_text(text.encode("utf-8", "replace")))
choices = st.builds(
    Choice,
    token=st.integers(0, 9999),
    text=texts,
    probability=st.floats(0, 1),
    rank=st.integers(1, 200_000),
    chosen=st.booleans(),
)


@given(st.lists(choices, max_size=30), st.integers(26, 60), st.integers(1, 24))
def test_no_line_of_the_odds_is_wider_than_the_lens(
    many: list[Choice], width: int, most: int
) -> None:
    lines = odds(many, width, most, {choice.token: "1+" for choice in many})
    assert all(cell_len(plain(odd.line)) <= width for odd in lines)


@given(texts, texts, st.integers(26, 60), st.none() | st.floats(0, 1))
def test_no_fact_heading_or_sentence_is_wider_than_the_lens(
    left: str, right: str, width: int, share: float | None
) -> None:
    value = right if share is None else "12.5 bits"
    lines = [*fact(Fact("probability", value, share), width), *sentence(left, width)]
    lines.append(heading(left, "rank 17", width))
    assert all(cell_len(plain(line)) <= width for line in lines)


def some_choices(count: int, chosen: int) -> list[Choice]:
    return [Choice(i, f"t{i}", 0.5 ** (i + 1), i + 1, chosen=i == chosen) for i in range(count)]


def test_the_chosen_token_is_among_the_odds_however_improbable() -> None:
    lines = odds(some_choices(20, chosen=17), 34, 6)
    assert [odd.token for odd in lines] == [0, 1, 2, 3, 17, None]
    assert plain(lines[4].line).rstrip().endswith("●")
    assert plain(lines[4].line).strip().startswith("18 t17")
    assert sum("●" in plain(odd.line) for odd in lines) == 1


def test_the_last_line_is_all_the_probability_that_is_not_shown() -> None:
    lines = odds(some_choices(20, chosen=0), 34, 4)
    assert "all others" in plain(lines[-1].line)
    assert "12 %" in plain(lines[-1].line)  # 1 - 1/2 - 1/4 - 1/8


def test_nothing_has_no_odds() -> None:
    assert odds([], 34, 9) == []


@pytest.mark.parametrize(
    ("likeliest", "full"), [(0.01, 0.125), (0.125, 0.125), (0.2, 0.25), (0.51, 1), (1.0, 1)]
)
def test_bars_have_one_of_few_scales(likeliest: float, full: float) -> None:
    assert scale(likeliest) == full


def test_the_likeliest_bar_is_the_longest() -> None:
    bars = [plain(odd.line).count("█") for odd in odds(some_choices(6, 0), 40, 9)]
    assert bars[0] == max(bars) > bars[1] > 0


@pytest.mark.parametrize(
    ("numbers", "mark"),
    [([1], "1"), ([2, 1], "12"), ([1, 2, 3], "1+"), ([9, 12], "9+"), ([11], "●")],
)
def test_marks_are_the_keys_that_lead_there(numbers: list[int], mark: str) -> None:
    assert cards(numbers) == mark


# ── facts ──────────────────────────────────────────────────────────────────────────────────


def span_of_one(sampled: float | None) -> Span:
    column = np.array([math.log(0.25)], np.float32)
    return Span(
        ids=np.array([5], np.int32),
        ends=np.array([3], np.int32),
        logprob=column,
        entropy=np.array([math.log(8)], np.float32),
        varentropy=np.zeros(1, np.float32),
        rank=np.array([1], np.int32),
        top_ids=np.array([[4, 5]], np.int32),
        top_logprobs=np.log(np.array([[0.5, 0.25]], np.float32)),
        sampled_logprob=None if sampled is None else np.log(np.array([sampled], np.float32)),
    )


def facts_of(sampled: float | None, text: bytes) -> dict[str, str]:
    token = span_of_one(sampled)[0]
    return {name: value for name, value, _ in lens_facts.of_token(token, text)}


def test_a_token_is_told_by_probability_surprise_and_entropy() -> None:
    assert facts_of(None, b" sea") == {
        "probability": "25 %",
        "surprise": "2.0 bits",
        "entropy": "3.0 bits",
    }


@pytest.mark.parametrize(("sampled", "told"), [(0.25, None), (0.4, "40 %")])
def test_the_sampled_probability_is_told_where_it_differs(sampled: float, told: str | None) -> None:
    assert facts_of(sampled, b" sea").get("as drawn") == told


@pytest.mark.parametrize(
    ("text", "odd"),
    [(b" sea", False), (b"\n", True), (b"\xe2\x80", True), ("é".encode(), True), (b"\x1b[", True)],
)
def test_bytes_are_told_where_the_text_does_not_tell_them(text: bytes, odd: bool) -> None:
    assert is_odd(text) is odd
    assert ("bytes" in facts_of(None, text)) is odd
    if odd:
        assert bytes.fromhex(facts_of(None, text)["bytes"]) == text


@pytest.mark.parametrize(
    ("passed", "said"),
    [(-5, "just now"), (59, "just now"), (60, "1 minute ago"), (7199, "1 hour ago"),
     (3 * 86400, "3 days ago"), (15 * 86400, "2 weeks ago"), (100 * 86400, "1970")],
)  # fmt: skip
def test_times_are_told_as_one_thinks_of_them(passed: float, said: str) -> None:
    assert said in ago(1e6, 1e6 + passed)


def test_the_sampler_is_told_by_what_it_changes() -> None:
    assert sampling(Sampling()) == "as the model has it"
    assert sampling(Sampling(temperature=0, top_k=4)) == "always the likeliest"
    said = sampling(Sampling(temperature=0.9, min_p=0.02, logit_bias=((1, 2.0),)))
    assert said.replace("\xa0", " ") == "temperature 0.9, min-p 0.02, 1 biased"


def test_greedy_grows_one(tmp_path: Path) -> None:
    recipe = Recipe(sampling=Sampling(temperature=0), tokens=9)
    assert next(lens_facts.in_force(recipe, 4)).value == "1 × 9 tokens"


# ── what is known without asking ───────────────────────────────────────────────────────────


async def test_what_hangs_at_a_place_tells_what_the_engine_would(tmp_path: Path) -> None:
    async with Session.create(tmp_path / "s.loom", seed=7) as session:
        await session.attach("echo")
        await session.engine_ready()
        session.write(OPENING)
        here = session.place
        outlook = Outlook(session)
        assert outlook.known(here) is None
        assert outlook.can_ask(here)
        nodes = session.grow(recipe=Recipe(tokens=6), count=3)
        assert not outlook.can_ask(here)
        assert not outlook.can_ask(session.tree[nodes[0]].end)
        await session.finished(nodes)
        assert outlook.can_ask(here)

        span = session.span(nodes[1])
        assert span is not None
        inside = Place(nodes[1], int(span.ends[2]))
        for place, source in ((here, (nodes[0], 0)), (inside, (nodes[1], 3))):
            found, asked = outlook.known(place), await session.next_tokens(place)
            assert found is not None
            assert found.source == source
            assert found.following.ids == asked.ids
            assert found.following.pieces == asked.pieces
            assert found.following.logprobs == pytest.approx(asked.logprobs, abs=1e-4)
            assert found.following.entropy == pytest.approx(asked.entropy, abs=1e-4)
        begun = outlook.begun(outlook.known(here))  # type: ignore[arg-type]
        firsts = [session.span(node).ids[0] for node in nodes]  # type: ignore[union-attr]
        assert sorted(n for numbers in begun.values() for n in numbers) == [1, 2, 3]
        assert all(firsts[number - 1] == token for token, ns in begun.items() for number in ns)
        assert outlook.known(Place(nodes[1], int(span.ends[2]) - 1)) is None


async def test_recorded_odds_can_be_taken_without_an_engine(tmp_path: Path) -> None:
    path = tmp_path / "s.loom"
    async with Session.create(path, seed=7) as session:
        await session.attach("echo")
        session.write(OPENING)
        await session.engine_ready()
        await session.generate(recipe=Recipe(tokens=4), count=1)
    async with Session.open(path) as session:
        outlook = Outlook(session)
        prospect = outlook.known(session.place)
        assert prospect is not None
        assert not outlook.can_ask(session.place)
        (child,) = session.tree.children(session.place.node)
        drawn = session.span(child).ids[0]  # type: ignore[union-attr]
        rank = next(i for i, token in enumerate(prospect.following.ids) if token != drawn)
        node = session.tree[outlook.take(prospect, prospect.following.ids[rank])]
        assert node.author is Author.WRITER
        assert node.text == prospect.following.pieces[rank] != b""


async def test_a_token_that_ends_the_document_is_no_branch(tmp_path: Path) -> None:
    async with Session.create(tmp_path / "s.loom", seed=7) as session:
        session.write(OPENING)
        following = Following("", (0, 1), (-0.1, -3.0), (b"", b"x"), 0.3, 0.1)
        prospect = Prospect(session.place, following)
        with pytest.raises(ValueError, match="ends"):
            Outlook(session).take(prospect, 0)


# ── on the screen ──────────────────────────────────────────────────────────────────────────


async def test_the_next_token_is_told_at_the_end_of_the_path(
    make_app: MakeApp, wait_for: WaitFor
) -> None:
    app = make_app(OPENING)
    async with app.run_test(size=(120, 40)) as pilot:
        await wait_for(pilot, lambda: "as open as" in shown(app))
        following = await app.session.next_tokens()
        assert f"{following.entropy * glyphs.BITS:.1f} bits" in shown(app)
        for piece, logprob in list(zip(following.pieces, following.logprobs, strict=True))[:8]:
            assert glyphs.token_text(piece) in shown(app)
            assert glyphs.percent(math.exp(logprob)) in shown(app)
        assert "In force here" in shown(app)
        assert app.main.text_pane.size.width >= 40
        assert app.main.lens.region.right == 120
        assert app.main.lens.max_scroll_y == 0


async def test_the_token_under_the_cursor_is_told(
    make_app: MakeApp, settle: Settle, wait_for: WaitFor
) -> None:
    app = make_app(OPENING)
    session = app.session
    async with app.run_test(size=(120, 40)) as pilot:
        await wait_for(pilot, lambda: is_ready(app))
        await pilot.press("g")
        await settle(pilot)
        await pilot.press("1", "tab", "left", "left", "left")
        await wait_for(pilot, lambda: "This token" in shown(app))
        node, index = app.main.text_pane.token_at_cursor() or (-1, -1)
        span = session.span(node)
        assert span is not None
        token = span[index]
        text = session.tree[node].text[token.start : token.end]
        assert app.main.lens.sight == Sight(node, index)
        for said in (
            f"rank {token.rank + 1}",
            glyphs.token_text(text),
            f"{-token.logprob * glyphs.BITS:.1f} bits",
            f"{token.entropy * glyphs.BITS:.1f} bits",
            f"{session.tree[node].seed}",
            "the model",
            "48",
            "at its full length",
        ):
            assert said in shown(app), said
        lines = [plain(line) for line in app.main.query_one(Odds).lines]
        (chosen,) = [line for line in lines if "●" in line]
        assert glyphs.token_text(text) in chosen
        await pilot.press("escape")
        await wait_for(pilot, lambda: "The next token" in shown(app))


async def test_a_click_on_a_next_token_branches(make_app: MakeApp, wait_for: WaitFor) -> None:
    app = make_app(OPENING)
    session = app.session
    async with app.run_test(size=(120, 40)) as pilot:
        await wait_for(pilot, lambda: "as open as" in shown(app))
        place, following = session.place, await session.next_tokens()
        await pilot.click(Odds, offset=(6, 2))
        await wait_for(pilot, lambda: session.place != place)
        node = session.tree[session.place.node]
        assert (node.parent, node.at) == place
        assert node.text == following.pieces[2]
        assert node.author is Author.WRITER


async def test_a_click_on_an_alternative_branches_at_the_cursor(
    make_app: MakeApp, wait_for: WaitFor, settle: Settle
) -> None:
    app = make_app(OPENING)
    session = app.session
    async with app.run_test(size=(120, 40)) as pilot:
        await wait_for(pilot, lambda: is_ready(app))
        await pilot.press("g")
        await settle(pilot)
        await pilot.press("2", "tab", "left", "left")
        await wait_for(pilot, lambda: "This token" in shown(app))
        node, index = app.main.text_pane.token_at_cursor() or (-1, -1)
        span = session.span(node)
        assert span is not None
        row = next(i for i, token in enumerate(span.top_ids[index]) if token != span.ids[index])
        await pilot.click(Odds, offset=(6, row))
        await wait_for(pilot, lambda: session.place.node != node)
        taken = session.tree[session.place.node]
        assert (taken.parent, taken.at) == (node, span[index].start)
        assert taken.text == session.piece(node, int(span.top_ids[index][row]))


async def test_continuations_are_marked_among_the_next_tokens(
    make_app: MakeApp, settle: Settle, wait_for: WaitFor
) -> None:
    app = make_app(OPENING)
    session = app.session
    async with app.run_test(size=(120, 60)) as pilot:
        await wait_for(pilot, lambda: is_ready(app))
        session.set_sampling(recipe=Recipe(sampling=Sampling(temperature=0), tokens=3))
        await pilot.press("g")
        await settle(pilot)
        await wait_for(pilot, lambda: app.main.query_one(Odds).lines)
        (first, *others) = [plain(line) for line in app.main.query_one(Odds).lines]
        assert first.rstrip().endswith("% 1")
        assert not any(line.rstrip().endswith("% 1") for line in others)


@pytest.mark.parametrize("width", [80, 117, 118, 200])
async def test_the_lens_stands_beside_the_text_where_there_is_room(
    make_app: MakeApp, width: int, wait_for: WaitFor
) -> None:
    app = make_app(OPENING)
    async with app.run_test(size=(width, 40)) as pilot:
        await pilot.pause()
        beside = width >= 118
        assert app.main.lens.display is beside
        before = app.main.text_pane.size.width
        await pilot.press("L")
        await pilot.pause()
        assert app.main.lens.display is not beside
        if not beside:
            assert app.main.text_pane.size.width == before
            await wait_for(pilot, lambda: "as open as" in shown(app))
            await pilot.press("escape")
        else:
            await pilot.press("L")
        await pilot.pause()
        assert app.main.lens.display is beside


class Asked:
    """Stands in for the engine's answers about next tokens; counts, and holds them back."""

    def __init__(self, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
        self.places: list[Place] = []
        self.cancelled: list[Place] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: EngineError | None = None
        self._really = session.next_tokens
        monkeypatch.setattr(session, "next_tokens", self)

    async def __call__(self, place: Place, top: int = 20) -> Following:
        self.places.append(place)
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled.append(place)
            raise
        if self.error is not None:
            raise self.error
        return await self._really(place, top)


async def test_each_place_is_asked_about_once(
    make_app: MakeApp, wait_for: WaitFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(OPENING)
    session = app.session
    first = session.place
    session.write(" the war.")
    second = session.place
    asked = Asked(session, monkeypatch)
    async with app.run_test(size=(120, 40)) as pilot:
        await wait_for(pilot, lambda: "as open as" in shown(app))
        assert asked.places == [second]
        await pilot.press("left")
        await wait_for(pilot, lambda: session.span(second.node) and "as open as" in shown(app))
        await pilot.press("right")
        await wait_for(pilot, lambda: "as open as" in shown(app))
        assert session.place == second
        assert set(asked.places) <= {first, second}
        assert len(asked.places) == len(set(asked.places))


async def test_one_who_goes_on_at_once_asks_nothing(
    make_app: MakeApp, wait_for: WaitFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(OPENING)
    session = app.session
    session.write(" the war.")
    end = session.place
    asked = Asked(session, monkeypatch)
    monkeypatch.setattr(lens, "PAUSE", 30.0)
    async with app.run_test(size=(120, 40)) as pilot:
        await wait_for(pilot, lambda: is_ready(app))
        await wait_for(pilot, lambda: app.main.lens._asking)
        monkeypatch.setattr(lens, "PAUSE", 0.0)
        await pilot.press("left", "left")
        await wait_for(pilot, lambda: asked.places or "as open as" in shown(app))
        assert end not in asked.places


async def test_going_away_cancels_the_question(
    make_app: MakeApp, wait_for: WaitFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(OPENING)
    session = app.session
    session.write(" the war.")
    end = session.place
    asked = Asked(session, monkeypatch)
    asked.gate.clear()
    async with app.run_test(size=(120, 40)) as pilot:
        await wait_for(pilot, lambda: end in asked.places)
        await pilot.press("left")
        await wait_for(pilot, lambda: end in asked.cancelled)


async def test_a_question_that_takes_long_is_said_and_an_answer_shown(
    make_app: MakeApp, wait_for: WaitFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(OPENING)
    asked = Asked(app.session, monkeypatch)
    asked.gate.clear()
    monkeypatch.setattr(lens, "PATIENCE", 0.05)
    async with app.run_test(size=(120, 40)) as pilot:
        await wait_for(pilot, lambda: "asking…" in shown(app))
        asked.gate.set()
        await wait_for(pilot, lambda: "as open as" in shown(app))
        assert "asking…" not in shown(app)


async def test_an_error_is_a_sentence_in_the_lens_and_not_asked_for_again(
    make_app: MakeApp, wait_for: WaitFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(OPENING)
    asked = Asked(app.session, monkeypatch)
    asked.error = EngineError("This engine can't tell.", "Use another.")
    async with app.run_test(size=(120, 40)) as pilot:
        await wait_for(pilot, lambda: "can't tell" in shown(app))
        app.main.look_again()
        await pilot.pause(0.3)
        assert len(asked.places) == 1


async def test_nothing_is_asked_where_something_grows(
    make_app: MakeApp, wait_for: WaitFor, settle: Settle, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(OPENING, delay=0.05)
    session = app.session
    session.set_sampling(recipe=replace(session.recipe, tokens=100_000))
    asked = Asked(session, monkeypatch)
    monkeypatch.setattr(lens, "PAUSE", 0.0)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("g")
        await wait_for(pilot, lambda: session.growing() and len(app.main.cards))
        await pilot.press("1")
        await wait_for(pilot, lambda: "Growing here." in shown(app))
        before = list(asked.places)
        await pilot.pause(0.3)
        assert session.growing()
        assert asked.places == before
        await pilot.press("escape")
        await wait_for(pilot, lambda: "as open as" in shown(app))


async def test_a_hidden_lens_asks_nothing(
    make_app: MakeApp, wait_for: WaitFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(OPENING)
    asked = Asked(app.session, monkeypatch)
    monkeypatch.setattr(lens, "PAUSE", 0.0)
    async with app.run_test(size=(100, 40)) as pilot:
        await wait_for(pilot, lambda: is_ready(app))
        await pilot.pause(0.3)
        assert asked.places == []
        assert app.main.query_one(Lens).sight is None


async def test_control_characters_are_never_raw(
    make_app: MakeApp, settle: Settle, wait_for: WaitFor
) -> None:
    app = make_app("A\x1b[31m\x07\u202e and so")
    async with app.run_test(size=(120, 40)) as pilot:
        session = app.session
        await wait_for(pilot, lambda: is_ready(app))
        await wait_for(pilot, lambda: session.tree[session.place.node].token_count)
        await pilot.press("tab", "home")
        for _ in range(8):
            await pilot.press("right")
            await pilot.pause()
            raw = shown(app)
            assert not {"\x1b", "\x07", "\u202e"} & set(raw)
            if "1b" in raw:
                break
        assert "␛" in shown(app)
        assert "bytes" in shown(app)


async def test_without_a_model_the_lens_says_so_and_tells_the_rest(
    make_app: MakeApp, wait_for: WaitFor
) -> None:
    app = make_app(OPENING, model="no-such-model-anywhere")
    async with app.run_test(size=(120, 40)) as pilot:
        await wait_for(pilot, lambda: "No model is loaded." in shown(app))
        assert "not read by a model" in shown(app)
        assert "4 × 48 tokens" in shown(app)
        await pilot.press("tab", "left")
        await wait_for(pilot, lambda: "No model has read this yet." in shown(app))
        app.session.set_sampling(branches=7)
        await wait_for(pilot, lambda: "7 × 48 tokens" in shown(app))


async def test_a_model_that_is_ready_late_is_asked_then(
    make_app: MakeApp, wait_for: WaitFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(OPENING)
    session, attach, gate = app.session, app.session.attach, asyncio.Event()

    async def late(model: str, options: Any) -> None:
        await gate.wait()
        await attach(model, options)

    monkeypatch.setattr(session, "attach", late)
    async with app.run_test(size=(120, 40)) as pilot:
        await wait_for(pilot, lambda: "The model is on its way." in shown(app))
        gate.set()
        await wait_for(pilot, lambda: "as open as" in shown(app))
