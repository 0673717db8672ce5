"""Buffers of what grows."""

from __future__ import annotations

import numpy as np
import pytest

from loom.core.span import Span
from loom.engine.api import Grown
from loom.growth import Growth


def span_of(ids: list[int], ends: list[int]) -> Span:
    count = len(ids)
    zeros = np.zeros(count, np.float32)
    return Span(
        ids=np.array(ids, np.int32),
        ends=np.array(ends, np.int32),
        logprob=zeros,
        entropy=zeros,
        varentropy=zeros,
        rank=np.zeros(count, np.int32),
        top_ids=np.zeros((count, 2), np.int32),
        top_logprobs=np.zeros((count, 2), np.float32),
    )


def test_events_are_joined_in_order_of_their_branch() -> None:
    growth = Growth()
    growth.start(5, "job", 0, 1.0)
    growth.start(6, "job", 1, 1.0)
    for text, ids in ((b"ab", [1]), (b"cde", [2])):
        buffer = growth.find("job", 0)
        assert buffer is not None
        buffer.add(Grown("job", 0, text, span_of(ids, [len(text)])))
    buffer = growth.of(5)
    assert buffer is not None
    span = buffer.span()
    assert span is not None
    assert bytes(buffer.text) == b"abcde"
    assert (span.ids.tolist(), span.ends.tolist()) == ([1, 2], [2, 5])
    other = growth.of(6)
    assert other is not None and other.span() is None
    assert [b.node for b in growth.fresh()] == [5]


def test_what_comes_after_the_end_is_dropped() -> None:
    growth = Growth()
    growth.start(5, "job", 0, 1.0)
    growth.stop(5)
    assert growth.find("job", 0) is None
    assert 5 not in growth and len(growth) == 0
    with pytest.raises(KeyError):
        growth.stop(5)
