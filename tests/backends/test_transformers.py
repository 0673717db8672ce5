"""The transformers engine on tiny random models: exact, repeatable, clear about what is wrong."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from transformers import AutoModelForCausalLM

from loom.core.node import Ending
from loom.core.recipe import Recipe, Sampling
from loom.core.span import Span
from loom.engine.api import (
    Ended,
    Engine,
    EngineError,
    Event,
    Failed,
    Following,
    Generate,
    Grown,
    ModelNotFound,
    ModelUnsupported,
    Progress,
    Score,
)
from loom.extensions import Backend, load_backend
from loom.testing import NASTY, check_engine, check_span, drive, ending_of, span_in, text_of
from tests.backends import tiny_models

NEAR = 1e-4  # nats
FIRST = {"byte_level": (0,), "sentencepiece": (1,), "raw_bytes": (), "sliding": (0,)}
KINDS = tuple(FIRST)

Loads = Callable[..., Engine]


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    base = tmp_path_factory.mktemp("models")
    return {kind: getattr(tiny_models, kind)(base / kind) for kind in KINDS}


@pytest.fixture(scope="session")
def backend(folders: dict[str, Path]) -> Backend:
    return load_backend(str(folders["byte_level"]))


@pytest.fixture(scope="session")
def load(backend: Backend, folders: dict[str, Path]) -> Loads:
    """A fresh engine of a kind."""

    def loads(kind: str, **options: Any) -> Engine:
        return backend.load(str(folders[kind]), options, lambda done, total: None)

    return loads


@pytest.fixture(scope="session")
def engines(load: Loads) -> dict[str, Engine]:
    return {kind: load(kind) for kind in KINDS}


@pytest.fixture(scope="session")
def plain(folders: dict[str, Path]) -> Callable[[str, Sequence[int]], NDArray[np.float32]]:
    """float32[n, V]: log-probabilities after each of the ids, by a plain forward pass."""
    models: dict[str, Any] = {}

    def forward(kind: str, ids: Sequence[int]) -> NDArray[np.float32]:
        if kind not in models:
            models[kind] = AutoModelForCausalLM.from_pretrained(folders[kind]).eval()
        with torch.no_grad():
            logits = models[kind](torch.tensor([list(ids)])).logits[0]
        return np.asarray(torch.log_softmax(logits.float(), dim=-1).numpy())

    return forward


Plain = Callable[[str, Sequence[int]], NDArray[np.float32]]


def agrees(kind: str, plain: Plain, before: Sequence[int], span: Span) -> None:
    """The columns of `span` are what a plain pass over the same ids says."""
    ids = [*FIRST[kind], *before, *span.ids.tolist()]
    count = len(span)
    logs = plain(kind, ids[:-1])[-count:]
    assert np.abs(logs[np.arange(count), span.ids] - span.logprob).max() < NEAR
    entropy = -(np.exp(logs) * logs).sum(axis=1)
    assert np.abs(entropy - span.entropy).max() < NEAR * 10
    top = np.take_along_axis(logs, span.top_ids.astype(np.int64), axis=1)
    assert np.abs(top - span.top_logprobs).max() < NEAR


def generated(engine: Engine, *jobs: Generate) -> list[Event]:
    events = drive(engine, *jobs)
    assert not [e for e in events if isinstance(e, Failed)]
    return events


def steps_of(engine: Engine, job: Generate | Score) -> int:
    engine.submit(job)
    steps = 0
    while True:
        steps += 1
        if any(isinstance(e, Ended | Failed) for e in engine.step()):
            return steps


# the contract and plain forward passes


@pytest.mark.parametrize("kind", ["byte_level", "raw_bytes", "sliding"])
def test_the_contract_is_kept(engines: dict[str, Engine], kind: str) -> None:
    check_engine(engines[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_generated_text_has_the_logprobs_of_a_plain_pass(
    engines: dict[str, Engine], plain: Plain, kind: str
) -> None:
    engine = engines[kind]
    before = engine.encode(NASTY, start=True)[0]
    recipe = Recipe(Sampling(temperature=0.8), tokens=20)
    events = generated(engine, Generate("a", (NASTY,), recipe, (1, 2, 3, 4, 5)))
    for branch in range(5):
        span = span_in(events, "a", branch)
        check_span(span, text_of(events, "a", branch), drawn=True)
        agrees(kind, plain, before, span)


@pytest.mark.parametrize("kind", KINDS)
def test_logprobs_agree_after_moves_that_reuse_what_was_read(
    load: Loads, plain: Plain, kind: str
) -> None:
    engine = load(kind)
    before = engine.encode(b"The lighthouse keeper", start=True)[0]
    recipe = Recipe(tokens=12)
    events = generated(engine, Generate("a", (b"The lighthouse keeper",), recipe, (1, 2, 3)))
    for branch, kept in ((0, 12), (1, 7), (2, 1), (0, 12), (0, 5)):
        ids = tuple(span_in(events, "a", branch).ids.tolist())[:kept]
        again = generated(engine, Generate("b", (before, ids), recipe, (7, 8)))
        agrees(kind, plain, [*before, *ids], span_in(again, "b", 1))
        read = drive(engine, Score("c", (before, ids), b" had not\r\n"))
        agrees(kind, plain, [*before, *ids], span_in(read, "c"))


@pytest.mark.parametrize("kind", KINDS)
def test_scored_text_has_the_logprobs_of_a_plain_pass(
    engines: dict[str, Engine], plain: Plain, kind: str
) -> None:
    engine = engines[kind]
    text = NASTY + b" the lighthouse keeper"
    before = engine.encode(b"The keeper", start=True)[0]
    events = drive(engine, Score("a", (b"The keeper",), text, following=True))
    assert text_of(events, "a") == text
    span = span_in(events, "a")
    agrees(kind, plain, before, span)
    following = next(e for e in events if isinstance(e, Following))
    logs = plain(kind, [*FIRST[kind], *before, *span.ids.tolist()])[-1]
    assert np.abs(logs[list(following.ids)] - np.array(following.logprobs)).max() < NEAR
    assert following.ids[0] == logs.argmax()


@pytest.mark.parametrize("kind", ["byte_level", "sentencepiece"])
def test_the_first_token_is_predicted_from_the_token_that_opens_documents(
    engines: dict[str, Engine], plain: Plain, kind: str
) -> None:
    events = drive(engines[kind], Score("a", (), b"the keeper"))
    assert text_of(events, "a") == b"the keeper"
    agrees(kind, plain, [], span_in(events, "a"))


def test_without_such_a_token_the_end_of_a_document_stands_in_for_the_first_only(
    engines: dict[str, Engine], plain: Plain
) -> None:
    span = span_in(drive(engines["raw_bytes"], Score("a", (), b"the")), "a")
    assert abs(span.logprob[0] - plain("raw_bytes", [0])[0][span.ids[0]]) < NEAR
    logs = plain("raw_bytes", span.ids.tolist())
    assert np.abs(logs[[0, 1], span.ids[1:]] - span.logprob[1:]).max() < NEAR


# repeatable


@pytest.mark.parametrize("kind", ["byte_level", "sentencepiece", "raw_bytes"])
def test_a_branch_is_the_same_bit_for_bit_with_any_number_of_siblings(
    load: Loads, kind: str
) -> None:
    recipe = Recipe(tokens=24)
    found = []
    for seeds in ((9,), (9, 1), (5, 6, 9), (1, 2, 3, 4, 9), tuple(range(12))):
        events = generated(load(kind), Generate("a", (b"the keeper",), recipe, seeds))
        found.append(span_in(events, "a", seeds.index(9)))
    for span in found[1:]:
        assert span.ids.tolist() == found[0].ids.tolist()
        assert span.logprob.tolist() == found[0].logprob.tolist()


def test_a_cancelled_sibling_and_another_job_change_nothing(load: Loads) -> None:
    recipe = Recipe(tokens=24)
    alone = span_in(generated(load("byte_level"), Generate("a", (b"the",), recipe, (9,))), "a")
    engine = load("byte_level")
    engine.submit(Generate("a", (b"the",), recipe, (3, 9, 4, 5, 6)))
    engine.submit(Generate("b", (b"not",), recipe, (1, 2)))
    events: list[Event] = []
    for step in range(200):
        events += engine.step()
        if step in (10, 20, 22, 24):
            engine.cancel("a", {10: 0, 20: 2, 22: 3, 24: 4}[step])
    span = span_in(events, "a", 1)
    assert span.ids.tolist() == alone.ids.tolist()
    assert span.logprob.tolist() == alone.logprob.tolist()
    assert ending_of(events, "a", 0) is Ending.CANCEL
    assert ending_of(events, "b", 1) is Ending.LENGTH


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_draws_the_same_again_from_what_was_read_and_after_a_restart(
    load: Loads, kind: str
) -> None:
    job = Generate("a", (b"the lighthouse",), Recipe(tokens=24), (1, 2, 3))
    engine = load(kind)
    first, second = generated(engine, job), generated(engine, job)
    third = generated(load(kind), job)
    for branch in range(3):
        ids = span_in(first, "a", branch).ids.tolist()
        assert span_in(second, "a", branch).ids.tolist() == ids
        assert span_in(third, "a", branch).ids.tolist() == ids


# memory of what was read


def test_growing_at_the_end_of_a_branch_reads_almost_nothing(load: Loads) -> None:
    engine = load("byte_level", context=100_000)
    text = b"the lighthouse keeper had not. " * 3
    ids = engine.encode(text, start=True)[0]
    one = Recipe(tokens=1)
    events = generated(engine, Generate("a", (ids,), Recipe(tokens=8), (1, 2)))
    for branch in (0, 1):
        end = (ids, tuple(span_in(events, "a", branch).ids.tolist()))
        assert steps_of(engine, Generate("b", end, one, (1,))) == 1
    assert steps_of(engine, Generate("c", (ids,), one, (1,))) == 1
    assert steps_of(engine, Score("d", (ids,), b" had")) == 1


def test_what_a_cancelled_branch_read_is_remembered(load: Loads) -> None:
    engine = load("byte_level")
    engine.submit(Generate("a", (b"the keeper",), Recipe(tokens=90), (1, 2)))
    events = [event for _ in range(20) for event in engine.step()]
    engine.cancel("a")
    events += engine.step()
    ids = tuple(span_in(events, "a", 1).ids.tolist())
    before = engine.encode(b"the keeper", start=True)[0]
    assert steps_of(engine, Generate("b", (before, ids), Recipe(tokens=1), (1,))) == 1


def test_without_memory_everything_is_read_again(load: Loads) -> None:
    engine = load("byte_level", cache_mb=0)
    job = Generate("a", (b"the keeper",), Recipe(tokens=1), (1,))
    assert [steps_of(engine, job), steps_of(engine, job)] == [2, 2]


def test_a_long_prefix_is_read_in_chunks_that_say_how_far(tmp_path: Path, backend: Backend) -> None:
    folder = tiny_models.byte_level(tmp_path / "long", context=2048)
    engine = backend.load(str(folder), {}, lambda done, total: None)
    text = b"q" * 1000
    events = generated(engine, Generate("a", (text,), Recipe(tokens=1), (1,)))
    told = [(e.done, e.total) for e in events if isinstance(e, Progress)]
    assert told == [(256, 1000), (512, 1000), (768, 1000), (1000, 1000)]


# bytes


@given(
    text=st.one_of(
        st.binary(max_size=24),
        st.text(max_size=24).map(str.encode),
        st.text("▁ e\u0301\r\n日本👩\u200dthé<s>", max_size=24).map(str.encode),
    ),
    kind=st.sampled_from(KINDS),
    start=st.booleans(),
)
def test_tokens_give_back_the_text(
    engines: dict[str, Engine], text: bytes, kind: str, start: bool
) -> None:
    engine = engines[kind]
    ids, ends = engine.encode(text, start=start)
    pieces = list(engine.pieces(ids))
    if start and kind == "sentencepiece" and text:
        assert pieces[0].startswith(b" ")
        pieces[0] = pieces[0][1:]
    assert b"".join(pieces) == text
    assert list(ends) == np.cumsum([len(piece) for piece in pieces]).tolist()


@hypothesis_settings(max_examples=15)
@given(
    text=st.binary(min_size=1, max_size=40), kind=st.sampled_from(KINDS), seed=st.integers(0, 99)
)
def test_events_carry_exactly_the_bytes_of_their_tokens(
    engines: dict[str, Engine], text: bytes, kind: str, seed: int
) -> None:
    engine = engines[kind]
    scored = drive(engine, Score("a", (), text))
    assert text_of(scored, "a") == text
    ids = tuple(span_in(scored, "a").ids.tolist())
    recipe = Recipe(Sampling(temperature=1.5), tokens=5)
    for grown in drive(engine, Generate("b", (ids,), recipe, (seed,))):
        if isinstance(grown, Grown):
            assert b"".join(engine.pieces(grown.span.ids.tolist())) == grown.text
            assert grown.span.ends[-1] == len(grown.text)


def test_the_space_that_sentencepiece_puts_first_is_not_in_the_text(
    engines: dict[str, Engine],
) -> None:
    engine = engines["sentencepiece"]
    opened, inside = engine.encode(b"the", start=True), engine.encode(b"the", start=False)
    assert (engine.pieces(opened[0]), opened[1]) == ((b" the",), (3,))
    assert (engine.pieces(inside[0]), inside[1]) == ((b"the",), (3,))
    told = [
        Score("a", (), opened[0]),
        Score("b", (), b"the"),
        Score("c", (b"the",), b"the"),
    ]
    events = drive(engine, *told)
    assert [text_of(events, job.id) for job in told] == [b"the"] * 3
    (following,) = (
        e for e in drive(engine, Score("d", (), b"", top=10**6, following=True))
        if isinstance(e, Following)
    )  # fmt: skip
    with_space = dict(zip(following.ids, following.pieces, strict=True))
    assert not any(piece.startswith(b" ") for piece in with_space.values() if piece.strip())
    assert with_space[opened[0][0]] == b"the"


def test_control_tokens_typed_by_the_writer_are_text(engines: dict[str, Engine]) -> None:
    for kind, token in (("byte_level", b"<|endoftext|>"), ("sentencepiece", b"</s>")):
        ids, _ = engines[kind].encode(token, start=False)
        assert len(ids) > 1


# what is drawn


def test_control_tokens_are_never_drawn_and_their_probability_stays_on_record(
    load: Loads, folders: dict[str, Path]
) -> None:
    engine = load("byte_level")
    pad = json.loads((folders["byte_level"] / "tokenizer.json").read_text())["added_tokens"][1][
        "id"
    ]
    biased = Recipe(Sampling(logit_bias=((pad, 50.0),)), tokens=10)
    events = generated(engine, Generate("a", (b"the",), biased, tuple(range(6))))
    for branch in range(6):
        if ending_of(events, "a", branch) is Ending.EOS:
            continue
        span = span_in(events, "a", branch)
        assert pad not in span.ids
        assert span.sampled_logprob is not None
        assert (span.sampled_logprob > span.logprob - 1e-6).all()


def test_the_end_of_the_document_ends_a_branch_and_is_not_text(load: Loads) -> None:
    biased = Recipe(Sampling(logit_bias=((0, 50.0),)), tokens=10)
    events = generated(load("byte_level"), Generate("a", (b"the",), biased, (1, 2)))
    assert [ending_of(events, "a", b) for b in (0, 1)] == [Ending.EOS] * 2
    assert not [e for e in events if isinstance(e, Grown)]


def test_stop_strings_and_branches_of_different_length(load: Loads, plain: Plain) -> None:
    engine = load("byte_level")
    recipe = Recipe(tokens=60, stop=("a", "e", "o"))
    events = generated(engine, Generate("a", (b"the",), recipe, tuple(range(7))))
    before = engine.encode(b"the", start=True)[0]
    lengths = set()
    for branch in range(7):
        span = span_in(events, "a", branch)
        agrees("byte_level", plain, before, span)
        lengths.add(len(span))
    assert len(lengths) > 2


# a full context


def seen(
    ids: Sequence[int], first: tuple[int, ...], context: int, pieces: Sequence[bytes] = ()
) -> list[int]:
    """What the model sees of `ids`: the tail, its start moved on by quarters of the context, and to
    the next paragraph or else line in that quarter."""
    start = 0
    while len(ids) - start > context - len(first):
        start += context // 4
    edges: dict[bytes, list[int]] = {b"\n\n": [], b"\n": []}
    for index in range(start, start + context // 4) if start and pieces else ():
        for gap, found in edges.items():
            if b"".join(pieces[:index]).endswith(gap) and not pieces[index].startswith(b"\n"):
                found.append(index)
    return [*first, *ids[next((found[0] for found in edges.values() if found), start) :]]


@pytest.mark.parametrize("kind", ["byte_level", "raw_bytes", "sliding"])
def test_past_the_context_the_model_sees_the_tail(
    engines: dict[str, Engine], plain: Plain, kind: str
) -> None:
    engine = engines[kind]
    text = bytes(range(97, 123)) * 11
    ids, _ = engine.encode(text, start=True)
    assert len(ids) > 2 * tiny_models.CONTEXT
    scored = span_in(drive(engine, Score("a", (), text)), "a")
    recipe = Recipe(tokens=90)
    events = generated(engine, Generate("b", (ids[:100],), recipe, (1, 2, 3)))
    texts = [(list(ids), 1, scored)]
    for branch in range(3):
        span = span_in(events, "b", branch)
        texts.append(([*ids[:100], *span.ids.tolist()], 100, span))
    for whole, known, span in texts:
        for position in (known, 127, 128, 129, 150, 160, 161, 185):
            if position >= known + len(span) or position >= len(whole):
                continue
            logs = plain(kind, seen(whole[:position], FIRST[kind], tiny_models.CONTEXT))[-1]
            row = position - (len(whole) - len(span))
            assert abs(logs[whole[position]] - span.logprob[row]) < NEAR


def test_past_the_context_sight_begins_at_a_paragraph(load: Loads, plain: Plain) -> None:
    """Also where branches that grow together see different paragraphs of their own."""
    engine = load("byte_level")
    text = b"the keeper had not.\nthe lighthouse\n\n" * 9
    ids, _ = engine.encode(text, start=True)
    (newline,) = engine.encode(b"\n", start=False)[0]
    breaks = Recipe(Sampling(logit_bias=((newline, 4.0), (0, -99.0))), tokens=170)
    events = generated(engine, Generate("a", (ids[:100],), breaks, (1, 2, 3)))
    starts = set()
    for branch in range(3):
        span = span_in(events, "a", branch)
        whole = [*ids[:100], *span.ids.tolist()]
        pieces = engine.pieces(whole)
        for position in range(100, len(whole), 3):
            visible = seen(whole[:position], (0,), tiny_models.CONTEXT, pieces)
            starts.add((branch, position - len(visible) + 1))
            logs = plain("byte_level", visible)[-1]
            assert abs(logs[whole[position]] - span.logprob[position - 100]) < NEAR
    assert len(dict(starts)) == 3 and len({start for _, start in starts}) > 6
    assert any(start % (tiny_models.CONTEXT // 4) for _, start in starts)
    read = span_in(drive(engine, Score("c", (ids[:100],), tuple(span.ids.tolist()))), "c")
    assert np.abs(read.logprob - span.logprob).max() < NEAR


def test_branches_that_see_different_paragraphs_end_and_are_cancelled_one_by_one(
    load: Loads,
) -> None:
    engine = load("byte_level")
    (newline,) = engine.encode(b"\n", start=False)[0]
    breaks = Recipe(Sampling(logit_bias=((newline, 4.0), (0, -99.0))), tokens=170)
    alone = generated(load("byte_level"), Generate("a", (b"the",), breaks, (2,)))
    engine.submit(Generate("a", (b"the",), breaks, (1, 2, 3)))
    events: list[Event] = []
    for step in range(900):
        events += engine.step()
        if step == 240:
            engine.cancel("a", 0)
    assert ending_of(events, "a", 0) is Ending.CANCEL
    assert ending_of(events, "a", 2) is Ending.LENGTH
    assert span_in(events, "a", 1).ids.tolist() == span_in(alone, "a").ids.tolist()
    assert not engine.step()


# jobs


def test_jobs_take_turns_and_a_job_that_fails_leaves_the_others(load: Loads) -> None:
    engine = load("byte_level")
    recipe = Recipe(tokens=6)
    events = drive(
        engine,
        Generate("a", (b"the",), recipe, (1,)),
        Generate("bad", ((10**6,),), recipe, (1,)),
        Score("c", (), b"the keeper"),
        Generate("d", (b"not",), recipe, (1, 2)),
    )
    failed = [e for e in events if isinstance(e, Failed)]
    assert [e.job for e in failed] == ["bad"] and failed[0].hint
    order = [e.job for e in events if isinstance(e, Grown) and e.branch == 0]
    assert order.index("d") < len(order) - order[::-1].index("a") - 1
    assert ending_of(events, "a") is Ending.LENGTH


def test_a_long_text_is_scored_in_chunks_and_can_be_cancelled(load: Loads) -> None:
    engine = load("byte_level", context=64)
    engine.submit(Score("a", (), b"zq" * 5000))
    events: list[Event] = []
    for _ in range(12):
        events += engine.step()
    engine.cancel("a")
    events += engine.step()
    grown = [e for e in events if isinstance(e, Grown)]
    assert grown and all(1 <= len(e.span) <= 256 for e in grown)
    assert ending_of(events, "a") is Ending.CANCEL
    assert not engine.step()


def test_an_empty_page_needs_a_token_that_opens_it(load: Loads, plain: Plain) -> None:
    events = generated(load("sentencepiece"), Generate("a", (), Recipe(tokens=4), (1,)))
    agrees("sentencepiece", plain, [], span_in(events, "a"))


# a pass that is broken off


@pytest.mark.parametrize("kind", ["byte_level", "raw_bytes", "sliding"])
@pytest.mark.parametrize("attention", ["auto", "rows"])
def test_a_pass_that_is_broken_off_is_made_again_and_changes_nothing(
    load: Loads, monkeypatch: pytest.MonkeyPatch, kind: str, attention: str
) -> None:
    text = b"the lighthouse keeper had not. " * 3
    jobs = (Generate("a", (text,), Recipe(tokens=12), (1, 2, 3)), Score("b", (text,), NASTY))
    calm = drive(load(kind, attention=attention), *jobs)
    engine: Any = load(kind, attention=attention)
    brake, release = engine.network.brake, engine.network.brake.release
    passes: list[bool] = []  # whether it is to be broken off

    def counted() -> None:
        release()
        passes.append(len(passes) % 3 == 2)

    def pull(*_: Any) -> None:
        if passes[-1]:
            engine.interrupt()

    monkeypatch.setattr(brake, "release", counted)
    layers_of(engine.network.module)[1].register_forward_pre_hook(pull, prepend=True)
    for job in jobs:
        engine.submit(job)
    shaken: list[Event] = []
    for _ in range(200):
        shaken += engine.step()
    assert not engine.step() and len(passes) > 12
    for name, branch in (("a", 0), ("a", 1), ("a", 2), ("b", 0)):
        one, other = span_in(calm, name, branch), span_in(shaken, name, branch)
        assert one.ids.tolist() == other.ids.tolist()
        assert one.logprob.tolist() == other.logprob.tolist()
    assert brake.works is (kind != "sliding")


def layers_of(module: Any) -> Any:
    return max((m for m in module.modules() if isinstance(m, torch.nn.ModuleList)), key=len)


# loading


def load_error(backend: Backend, model: Path | str, **options: Any) -> EngineError:
    with pytest.raises(EngineError) as caught:
        backend.load(str(model), options, lambda done, total: None)
    assert str(caught.value).endswith(".") and caught.value.hint.endswith(".")
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.fixture
def damaged(folders: dict[str, Path], tmp_path: Path) -> Path:
    """A copy to be broken."""
    return Path(shutil.copytree(folders["byte_level"], tmp_path / "model"))


def test_a_missing_folder_is_named(backend: Backend, tmp_path: Path) -> None:
    error = load_error(backend, tmp_path / "nowhere")
    assert isinstance(error, ModelNotFound) and "nowhere" in str(error)


def test_a_folder_that_is_no_model_is_named(backend: Backend, tmp_path: Path) -> None:
    error = load_error(backend, tmp_path)
    assert isinstance(error, ModelNotFound) and "config.json" in str(error)


def test_a_hub_name_is_not_looked_up_unless_asked(backend: Backend) -> None:
    error = load_error(backend, "nobody/no-such-model")
    assert isinstance(error, ModelNotFound) and "download" in error.hint
    assert "connection" in load_error(backend, "nobody/no-such-model", download=True).hint


def test_pickled_weights_are_refused(backend: Backend, damaged: Path) -> None:
    (damaged / "model.safetensors").rename(damaged / "pytorch_model.bin")
    error = load_error(backend, damaged)
    assert isinstance(error, ModelUnsupported) and "pickle" in str(error)


@pytest.mark.parametrize("size", [0, 5, 100, -1])
def test_truncated_weights_are_found(backend: Backend, damaged: Path, size: int) -> None:
    path = damaged / "model.safetensors"
    path.write_bytes(path.read_bytes()[:size])
    error = load_error(backend, damaged)
    assert isinstance(error, ModelUnsupported) and "damaged" in str(error)


def test_a_corrupt_header_is_found(backend: Backend, damaged: Path) -> None:
    path = damaged / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[20:40] = b"\xff" * 20
    path.write_bytes(data)
    assert isinstance(load_error(backend, damaged), ModelUnsupported)


def test_weights_that_are_no_numbers_are_found(backend: Backend, damaged: Path) -> None:
    path = damaged / "model.safetensors"
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] + b"\xff" * (len(data) - len(data) // 2))
    assert isinstance(load_error(backend, damaged), ModelUnsupported)


def test_missing_parts_are_found(backend: Backend, damaged: Path) -> None:
    config = json.loads((damaged / "config.json").read_text())
    (damaged / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 3}))
    error = load_error(backend, damaged)
    assert "lack" in str(error) and "layers.2" in str(error)


def test_a_missing_shard_is_named(backend: Backend, damaged: Path) -> None:
    (damaged / "model.safetensors").unlink()
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors"}}
    (damaged / "model.safetensors.index.json").write_text(json.dumps(index))
    assert "model-00001-of-00002" in str(load_error(backend, damaged))


def test_a_missing_tokenizer_is_said(backend: Backend, damaged: Path) -> None:
    (damaged / "tokenizer.json").unlink()
    error = load_error(backend, damaged)
    assert isinstance(error, ModelUnsupported) and "tokenizer" in str(error)


def test_a_tokenizer_that_cannot_write_every_byte_is_refused(
    backend: Backend, damaged: Path
) -> None:
    rules = json.loads((damaged / "tokenizer.json").read_text())
    vocab = rules["model"]["vocab"]
    for letter in "Ġqz":
        number = vocab.pop(letter)
        vocab[f"unused{number}"] = number
    rules["model"]["merges"] = [m for m in rules["model"]["merges"] if "Ġ" not in "".join(m)]
    (damaged / "tokenizer.json").write_text(json.dumps(rules))
    error = load_error(backend, damaged)
    assert isinstance(error, ModelUnsupported) and "tokenizer" in str(error)


def test_an_unknown_kind_of_model_is_said(backend: Backend, damaged: Path) -> None:
    (damaged / "config.json").write_text(json.dumps({"model_type": "no-such-kind"}))
    assert isinstance(load_error(backend, damaged), ModelUnsupported)
    (damaged / "config.json").write_text("{")
    assert isinstance(load_error(backend, damaged), ModelUnsupported)


def test_code_that_comes_with_a_model_is_never_run(backend: Backend, damaged: Path) -> None:
    config = json.loads((damaged / "config.json").read_text())
    config |= {
        "model_type": "own",
        "auto_map": {"AutoConfig": "own.C", "AutoModelForCausalLM": "own.M"},
    }
    (damaged / "config.json").write_text(json.dumps(config))
    (damaged / "own.py").write_text(f"open({str(damaged / 'ran')!r}, 'w')\n")
    assert isinstance(load_error(backend, damaged), ModelUnsupported)
    assert not (damaged / "ran").exists()


@pytest.mark.parametrize("option", [{"device": "abacus"}, {"dtype": "float8"}, {"threads": "many"}])
def test_a_wrong_option_is_named(
    backend: Backend, folders: dict[str, Path], option: dict[str, str]
) -> None:
    (value,) = option.values()
    assert value in str(load_error(backend, folders["byte_level"], **option))


def test_progress_rises_to_the_size_of_the_weights(
    backend: Backend, folders: dict[str, Path]
) -> None:
    folder, told = folders["byte_level"], list[tuple[int, int]]()
    backend.load(str(folder), {}, lambda done, total: told.append((done, total)))
    size = (folder / "model.safetensors").stat().st_size
    assert {total for _, total in told} == {size}
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert (told[0][0], told[-1][0]) == (0, size) and len(told) > 3


def test_every_option_is_in_the_docs_and_no_other() -> None:
    root = Path(__file__).parents[2]
    source = "".join(p.read_text() for p in (root / "backends/transformers").glob("*.py"))
    read = set(re.findall(r"""(?:options_of|_choice)\(\s*options, "(\w+)\"""", source))
    page = (root / "docs/transformers.md").read_text()
    assert set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) == read
    assert len(read) > 8


def test_what_the_engine_can_do_names_what_it_runs_on(load: Loads) -> None:
    can = load("byte_level", threads=1).can()
    assert (can.device, can.dtype, can.context) == ("cpu", "float32", tiny_models.CONTEXT)
    assert can.reproducible
    named = {"engine", "transformers", "torch", "device", "dtype", "threads", "attention"}
    assert named <= set(can.runtime)
    assert can.runtime["threads"] == "1"


def test_half_precision_runs_and_promises_nothing(load: Loads) -> None:
    engine = load("byte_level", dtype="bfloat16")
    assert not engine.can().reproducible
    generated(engine, Generate("a", (b"the",), Recipe(tokens=5), (1, 2)))


def test_the_fingerprint_changes_with_one_byte_of_weights_or_tokenizer(
    load: Loads, backend: Backend, damaged: Path
) -> None:
    def mark() -> str:
        return backend.load(str(damaged), {}, lambda done, total: None).can().fingerprint

    original = mark()
    assert original == load("byte_level").can().fingerprint
    weights = damaged / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-3] ^= 1
    weights.write_bytes(data)
    changed = mark()
    (damaged / "tokenizer.json").write_text((damaged / "tokenizer.json").read_text() + "\n")
    assert len({original, changed, mark()}) == 3


@pytest.mark.parametrize(
    ("model", "taken"),
    [("owner/name", True), ("echo", False), ("a/b.gguf", False), ("/no/where", True)],
)
def test_it_accepts_folders_and_hub_names(backend: Backend, model: str, taken: bool) -> None:
    assert backend.accepts(model) is taken


def test_it_accepts_a_folder_and_leaves_files_to_others(backend: Backend, tmp_path: Path) -> None:
    (tmp_path / "model.gguf").touch()
    assert backend.accepts(str(tmp_path))
    assert not backend.accepts(str(tmp_path / "model.gguf"))


# real models, where they are there

REAL = Path(os.environ.get("LOOM_MODELS", "/nonexistent"))


@pytest.mark.skipif(not REAL.is_dir(), reason="LOOM_MODELS names no folder of models")
@pytest.mark.parametrize("name", ["stories260K", "stories3M", "atome-vanilla-1m"])
def test_real_models_say_what_they_say_elsewhere(backend: Backend, name: str) -> None:
    expected = json.loads((REAL / "expected_hf_fp32.json").read_text())[name]
    engine = backend.load(str(REAL / name / "hf"), {}, lambda done, total: None)
    prompt, ids = expected["prompt"].encode(), expected["greedy_ids"]
    first = expected["prompt_ids"][:1] if expected["prompt_ids"][0] == 1 else []
    assert [*first, *engine.encode(prompt, start=True)[0]] == expected["prompt_ids"]
    greedy = Recipe(Sampling(temperature=0), tokens=len(ids))
    events = generated(engine, Generate("a", (prompt,), greedy, (1,)))
    count = ids.index(1) if first and 1 in ids else len(ids)  # <s> begins another document
    span = span_in(events, "a")
    assert span.ids.tolist() == ids[:count]
    assert ending_of(events, "a") is (Ending.EOS if count < len(ids) else Ending.LENGTH)
    read = drive(engine, Score("b", (prompt,), tuple(ids)))
    logprobs = np.array(expected["greedy_logprobs_fp32"])
    assert np.abs(span_in(read, "b").logprob - logprobs).max() < NEAR
    assert np.abs(span.logprob - logprobs[:count]).max() < NEAR
    assert text_of(read, "b").decode() == expected["greedy_text"][len(expected["prompt"]) :]
    top = [logprob for _, logprob in span[0].alternatives[:5]]
    assert np.abs(np.array(top) - [p for _, p in expected["first_token_top5"]]).max() < NEAR
