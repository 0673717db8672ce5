"""Reading and asking together: what is fitted is worth what it should be, and loses less."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from loom.instruments.sources import pooling
from loom.instruments.sources.api import (
    Pair,
    Pooling,
    Posterior,
    Source,
    SourceSet,
    Standing,
)
from loom.instruments.sources.pooling import Example, pooled

K = 5
TWO = SourceSet(
    "two",
    "",
    tuple(Source(name, (f"{name}\n\n",)) for name in ("Ada", "Bell", "Cole")),
    pairs=(Pair("Ada or Bell", "Ada", "Bell"),),
)
READ = Posterior(
    (
        Standing("Ada", "Ada", 0.5, 3.0),
        Standing("Bell", "Bell", 0.3, 2.0),
        Standing("Cole", "Cole", 0.1, -1.0, rescored=False),
    ),
    0.1, 1.7, 40, calibrated=True, following=0.2, pairs=(("Ada or Bell", 0.7),),
)  # fmt: skip


def examples(
    count: int, read: float, asked: float, seed: int = 5, tokens: int = pooling.WHOLE
) -> list[Example]:
    """Passages whose source is drawn from what two independent opinions say together, each of them
    told blown up: the first by 1/`read`, the second by 1/`asked`."""
    rng = np.random.default_rng(seed)
    found = []
    for place in range(count):
        first, second = rng.normal(0, 1.2, K), rng.normal(0, 1.2, K)
        right = np.exp(np.append(0.0, first + second))
        truth = int(rng.choice(K + 1, p=right / right.sum()))
        told = np.exp(np.append(0.0, first / read))
        bits = second / asked / np.log(2)
        found.append(Example(told / told.sum(), bits, truth, f"work {place % 40}", tokens))
    return found


@pytest.mark.parametrize(("read", "asked"), [(1.0, 1.0), (0.5, 0.25), (1.0, 0.5)])
def test_each_opinion_gets_the_weight_that_is_right(read: float, asked: float) -> None:
    found = pooling.fit(examples(4000, read, asked))
    assert found.read == pytest.approx(read, rel=0.15)
    assert found.asked == pytest.approx(asked, rel=0.15)


def test_what_counts_less_after_short_texts_is_found() -> None:
    short, whole = examples(4000, 0.4, 0.3, tokens=16), examples(4000, 0.8, 0.6, seed=7)
    found = pooling.fit([*short, *whole])
    assert found.read == pytest.approx(0.8, rel=0.15)
    assert found.asked == pytest.approx(0.6, rel=0.15)
    assert found.rise == pytest.approx(0.25, rel=0.2), "16^-¼ is a half"


def test_after_a_short_text_both_count_less_and_after_a_long_one_no_more() -> None:
    its = Pooling(0.8, 0.5, 0.5)
    shares, bits = np.array([0.1, 0.6, 0.3]), np.array([-1.0, 2.0])
    for tokens, by in ((64, 0.5), (256, 1.0), (4096, 1.0), (0, 1 / 16)):
        alike = Pooling(its.read * by, its.asked * by)
        np.testing.assert_allclose(pooled(shares, bits, its, tokens), pooled(shares, bits, alike))
    every = pooled(np.stack([shares] * 2), np.stack([bits] * 2), its, np.array([64, 256]))
    np.testing.assert_allclose(every[0], pooled(shares, bits, its, 64))
    np.testing.assert_allclose(every[1], pooled(shares, bits, its, 256))


def test_an_opinion_without_any_news_gets_none() -> None:
    rng = np.random.default_rng(2)
    noise = [replace(one, bits=rng.normal(0, 3, K)) for one in examples(3000, 1.0, 1.0)]
    assert pooling.fit(noise).asked < 0.05


def test_together_they_lose_less_than_either_on_other_texts() -> None:
    fitted = pooling.fit(examples(2000, 0.5, 0.5))
    others = examples(2000, 0.5, 0.5, seed=6)

    def loss(its: Pooling) -> float:
        return float(np.mean([-np.log2(pooled(o.shares, o.bits, its)[o.truth]) for o in others]))

    alone = [loss(Pooling(fitted.read, 0.0)), loss(Pooling(0.0, fitted.asked))]
    assert loss(fitted) < min(alone) - 0.2


def test_a_work_counts_once_however_many_passages_it_gave() -> None:
    some = examples(400, 1.0, 1.0)
    again = [*some, *([one for one in some if one.work == "work 3"] * 30)]
    assert pooling.fit(again).read == pytest.approx(pooling.fit(some).read, abs=0.03)
    with pytest.raises(ValueError, match="no passage"):
        pooling.fit([])


def test_a_posterior_is_ranked_anew_and_keeps_its_bits() -> None:
    both = pooling.posterior(TWO, READ, {"Bell": 4.0, "Ada": 0.0}, Pooling(1.0, 0.5))
    assert [one.name for one in both.standings] == ["Bell", "Ada", "Cole"]
    weights = np.array([0.3 * 4, 0.5, 0.1, 0.1])
    shares = [*(one.probability for one in both.standings), both.null]
    assert shares == pytest.approx(weights / weights.sum())
    assert both.entropy == pytest.approx(-(shares @ np.log2(shares)))
    assert [one.bits for one in both.standings] == [2.0, 3.0, -1.0]
    assert (both.tokens, both.calibrated, both.following) == (40, True, 0.2)
    ((name, bits),) = both.pairs
    assert name == "Ada or Bell" and bits == pytest.approx(np.log2(0.5 / 1.2))
    assert both.read is READ and both.by_reading is READ and READ.by_reading is READ


def test_asking_that_counts_nothing_leaves_what_was_read() -> None:
    same = pooling.posterior(TWO, READ, {"Bell": 4.0}, Pooling(1.0, 0.0))
    assert [one.probability for one in same.standings] == pytest.approx([0.5, 0.3, 0.1])


def test_what_is_thought_impossible_is_taken_for_nearly_so() -> None:
    shares = np.array([[0.0, 1.0, 0.0]])
    found = pooled(shares, np.array([[-1e4, 1e4]]), Pooling(1.0, 1.0))
    assert np.isfinite(found).all() and found[0].argmax() == 2
