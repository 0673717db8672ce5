"""Everything that crosses the pipe comes out as it went in."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from loom.core.node import Ending
from loom.core.recipe import End, Recipe, Sampling
from loom.core.span import Span
from loom.engine import wire
from loom.engine.api import (
    Capabilities,
    Ended,
    Event,
    Failed,
    Following,
    Generate,
    Grown,
    Job,
    Piece,
    Progress,
    Score,
)
from loom.processes.records import (
    Lines,
    Record,
    line,
    read_span,
    read_strings,
    span_record,
    strings_record,
)

INT32 = st.integers(-(2**31), 2**31 - 1)
TOKENS = st.integers(0, 2**31 - 1)
NAMES = st.text(max_size=20)
FLOATS = st.floats(allow_nan=False)
PIECES: st.SearchStrategy[Piece] = st.one_of(
    st.binary(max_size=60), st.lists(TOKENS, max_size=20).map(tuple)
)
OPTIONAL = [
    "sampled_logprob",
    "sampled_entropy",
    "sampled_varentropy",
    "top_sampled",
    "mass_above",
    "renyi",
]


@st.composite
def spans(draw: st.DrawFn) -> Span:
    tokens, top = draw(st.integers(0, 5)), draw(st.integers(0, 4))
    columns: dict[str, Any] = {}
    for name in Span.__dataclass_fields__:
        if name in OPTIONAL and draw(st.booleans()):
            continue
        integers = name in {"ids", "ends", "rank", "top_ids"}
        wide = {"top_ids": top, "top_logprobs": top, "top_sampled": top, "renyi": 8}
        shape = (tokens, wide[name]) if name in wide else (tokens,)
        columns[name] = draw(hnp.arrays(np.int32 if integers else np.float32, shape))
    return Span(**columns)


@st.composite
def recipes(draw: st.DrawFn) -> Recipe:
    biases = st.tuples(TOKENS, st.floats(-100, 100))
    sampling = Sampling(
        logit_bias=tuple(draw(st.lists(biases, max_size=3))),
        temperature=draw(st.floats(0, 5)),
        top_k=draw(st.integers(0, 100)),
        top_p=draw(st.floats(0.01, 1)),
    )
    return Recipe(
        sampling=sampling,
        tokens=draw(st.integers(1, 10_000)),
        end=draw(st.sampled_from(End)),
        stop=tuple(draw(st.lists(NAMES, max_size=2))),
        preset=draw(NAMES),
    )


JOBS: st.SearchStrategy[Job] = st.one_of(
    st.builds(
        Generate,
        NAMES,
        st.lists(PIECES, max_size=4).map(tuple),
        recipes(),
        st.lists(st.integers(0, 2**53 - 1), max_size=4).map(tuple),
    ),
    st.builds(
        Score,
        NAMES,
        st.lists(PIECES, max_size=4).map(tuple),
        PIECES,
        st.integers(1, 100),
        st.booleans(),
    ),
)
EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.builds(Ended, NAMES, st.integers(0, 99), st.sampled_from(Ending)),
    st.builds(
        Following,
        NAMES,
        st.lists(TOKENS, max_size=5).map(tuple),
        st.lists(FLOATS, max_size=5).map(tuple),
        st.lists(st.binary(max_size=9), max_size=5).map(tuple),
        FLOATS,
        FLOATS,
    ),
    st.builds(Progress, NAMES, st.integers(0), st.integers(0)),
    st.builds(Failed, NAMES, NAMES, NAMES),
)


def through_the_pipe(record: Record) -> Record:
    sent = line(record)
    assert sent.count(b"\n") == 1
    assert sent.isascii()
    (received,) = Lines().feed(sent)
    return received


def assert_same_span(left: Span, right: Span) -> None:
    for (name, a), (_, b) in zip(left.columns(), right.columns(), strict=True):
        assert (a is None) == (b is None), name
        if a is not None and b is not None:
            assert a.dtype == b.dtype, name
            assert a.shape == b.shape, name
            np.testing.assert_array_equal(a.view(np.uint32), b.view(np.uint32), name)


@given(JOBS)
def test_jobs_come_back_as_they_went(job: Job) -> None:
    assert wire.read_job(through_the_pipe(wire.job_record(job))) == job


@given(EVENTS)
def test_events_come_back_as_they_went(event: Event) -> None:
    assert wire.read_event(through_the_pipe(wire.event_record(event))) == event


@given(spans(), NAMES, st.integers(0, 99), st.binary(max_size=100))
def test_grown_comes_back_bit_for_bit(span: Span, job: str, branch: int, text: bytes) -> None:
    grown = Grown(job, branch, text, span)
    received = wire.read_event(through_the_pipe(wire.event_record(grown)))
    assert isinstance(received, Grown)
    assert (received.job, received.branch, received.text) == (job, branch, text)
    assert_same_span(received.span, span)


def test_cut_columns_that_are_views_are_sent_as_they_look() -> None:
    ids = np.arange(12, dtype=np.int32)
    floats = ids.astype(np.float32)
    wide = ids.reshape(4, 3).T.astype(np.int32)[:, ::-1]
    columns: dict[str, Any] = {"ids": ids[:3], "ends": ids[::4], "rank": ids[9:]}
    columns |= {"logprob": floats[:3], "entropy": floats[::4], "varentropy": floats[3:6]}
    span = Span(**columns, top_ids=wide, top_logprobs=wide.astype(np.float32))
    assert_same_span(read_span(through_the_pipe(span_record(span))), span)


def test_logprobs_of_minus_infinity_survive() -> None:
    following = Following("f", (3,), (float("-inf"),), (b"x",), 0.0, 0.0)
    assert wire.read_event(through_the_pipe(wire.event_record(following))) == following


@given(st.builds(Capabilities, NAMES, NAMES, NAMES, TOKENS, TOKENS))
def test_capabilities_come_back_as_they_went(capabilities: Capabilities) -> None:
    capabilities = replace(capabilities, runtime={"version": "1"})
    record = through_the_pipe(wire.capabilities_record(capabilities))
    assert wire.read_capabilities(record) == capabilities


@given(st.lists(st.binary(max_size=20)))
def test_lists_of_bytes_come_back_as_they_went(pieces: list[bytes]) -> None:
    assert read_strings(through_the_pipe(strings_record(pieces))) == pieces


@settings(max_examples=50)
@given(st.lists(st.dictionaries(NAMES, NAMES | INT32)), st.data())
def test_records_survive_any_cutting_of_the_stream(
    records: list[Record], data: st.DataObject
) -> None:
    stream = b"".join(line(record) for record in records)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    lines, received = Lines(), []
    for start, stop in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        received += lines.feed(stream[start:stop])
    assert received == records


def test_a_line_of_megabytes_is_one_record() -> None:
    record = {"text": "x" * 5_000_000}
    sent, lines = line(record), Lines()
    received = []
    for start in range(0, len(sent), 1 << 16):
        received += lines.feed(sent[start : start + (1 << 16)])
    assert received == [record]


@pytest.mark.parametrize("line", [b"hello\n", b"[1]\n", b"\n"])
def test_what_is_no_record_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError):
        Lines().feed(line)


def test_an_unknown_event_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown event"):
        wire.read_event(json.loads('{"sang": "a"}'))
