"""Token columns in less room: every bit comes back, whatever was in them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hn

from loom.core.recipe import Sampling
from loom.core.sampling import sampled_logprobs
from loom.core.span import Span
from loom.core.statistics import span_of
from loom.store.columns import COLUMNS, Blobs, encode
from loom.store.squeezing import LEAST, squeezed, unsqueezed

BITS = st.integers(0, 2**32 - 1)
WIDE = ("top_ids", "top_logprobs", "top_sampled", "renyi")


def drawn(sampling: Sampling, tokens: int = 48, words: int = 600) -> Span:
    """As an engine records a continuation."""
    random = np.random.default_rng(1)
    logits = random.normal(0, 2.5, (tokens, words)).astype(np.float32)
    logprobs = logits - np.log(np.exp(logits.astype(np.float64)).sum(1, keepdims=True))
    logprobs = logprobs.astype(np.float32)
    sampled = sampled_logprobs(logprobs, sampling, [[1, 2, 3]] * tokens)
    chosen = sampled.argmax(1)
    ends = np.arange(4, 4 * tokens + 1, 4)
    return span_of(logprobs, chosen, ends, 20, sampled=sampled, drawn=True)


def size(blobs: Blobs, *names: str) -> int:
    return sum(len(blobs[COLUMNS.index(name)] or b"") for name in names or COLUMNS)


@pytest.mark.parametrize(
    ("sampling", "most"),
    [
        (Sampling(temperature=0.9, min_p=0.02), 175),
        (Sampling(temperature=0.7, top_p=0.9), 175),
        (Sampling(temperature=1.2, top_k=7), 175),
        (Sampling(typical_p=0.5), 175),
        (Sampling(repetition_penalty=1.3), 185),
        (Sampling(temperature=0.0), 175),
        (Sampling(), 160),
    ],
)
def test_a_continuation_takes_half_the_room(sampling: Sampling, most: int) -> None:
    count, top, blobs = encode(drawn(sampling))
    small = squeezed(count, top, blobs)
    assert unsqueezed(count, top, small) == blobs
    assert size(small) <= most * count
    if not sampling.neutral:
        assert size(small, "top_sampled") <= 0.3 * size(blobs, "top_sampled")


@settings(max_examples=40)
@given(st.data())
def test_every_bit_comes_back(data: st.DataObject) -> None:
    count, top = data.draw(st.integers(0, 2 * LEAST)), data.draw(st.integers(0, 3))
    odd = st.sampled_from([0xFF800000, 0x7F800000, 0x7FC00001, 0x80000000, 0, 0xBF800000])

    def floats(width: int) -> np.ndarray:
        some = data.draw(st.sampled_from([BITS, odd, st.just(0xFF800000), BITS | odd]))
        return data.draw(hn.arrays(np.uint32, (count, width), elements=some)).view(np.float32)

    whole = data.draw(st.sampled_from([255, 2**16, 2**24, 2**31 - 1]))
    ids = data.draw(hn.arrays(np.int32, (count, top), elements=st.integers(0, whole)))
    one = np.zeros(count, np.float32)
    span = Span(
        ids=np.zeros(count, np.int32),
        ends=np.arange(count, dtype=np.int32),
        logprob=one,
        entropy=one,
        varentropy=one,
        rank=np.zeros(count, np.int32),
        top_ids=ids,
        top_logprobs=floats(top),
        top_sampled=data.draw(st.sampled_from([None, floats(top)])),
        renyi=data.draw(st.sampled_from([None, floats(8)])),
    )
    blobs = encode(span)[2]
    small = squeezed(count, top, blobs)
    assert size(small) <= size(blobs)
    assert unsqueezed(count, top, small) == blobs


def test_what_was_never_squeezed_stays_as_it_is() -> None:
    count, top, blobs = encode(drawn(Sampling(temperature=0.9)))
    assert unsqueezed(count, top, blobs) == blobs
    few = encode(drawn(Sampling(), tokens=LEAST - 1))
    assert squeezed(*few) == few[2]


@pytest.mark.parametrize("name", WIDE)
@pytest.mark.parametrize(
    "change",
    [
        lambda blob: blob[:-3] if len(blob[:-3]) % 48 else blob[:-4],
        lambda blob: b"?" + blob[1:],
        lambda blob: blob[:40] + bytes([blob[40] ^ 255]) + blob[41:],
        lambda blob: blob[:1] + b"x",
    ],
)
def test_what_cannot_have_been_made_is_refused(name: str, change: Callable[[bytes], bytes]) -> None:
    count, top, blobs = encode(drawn(Sampling(temperature=0.9)))
    small = list(squeezed(count, top, blobs))
    place = COLUMNS.index(name)
    small[place] = change(small[place] or b"")
    with pytest.raises(ValueError, match=name):
        unsqueezed(count, top, small)
