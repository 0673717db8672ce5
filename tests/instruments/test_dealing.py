"""Branches side by side and dealt out again: every token once, in order, with what is its own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from loom.core.node import Author
from loom.instruments import wire
from loom.instruments.api import Drawn, Flag, Reading
from loom.instruments.dealing import InNode, dealt, side_by_side
from loom.instruments.keeping import Kept, pack, unpack
from loom.testing import Stretch, job_of, path_of


def job(*texts: str) -> Stretch:
    spans = {2 * n: path_of(text, [n + i for i in range(len(text.split()))])[0]
             for n, text in enumerate(texts)}  # fmt: skip
    parts = {branch: (part.span, part.context.pieces) for branch, part in spans.items()}
    return side_by_side(3, parts, position=10, offset=99, temperature=0.5)


def test_a_step_at_a_time_the_branches_side_by_side() -> None:
    whole = job("a b c", "d", "e f")
    context = whole.context
    assert context.pieces == (b"a", b"d", b"e", b" b", b" f", b" c")
    assert context.drawn == Drawn(3, (0, 0, 0, 1, 1, 2), (0, 2, 4, 0, 4, 0))
    assert whole.span.ends.tolist() == [1, 2, 3, 5, 7, 9]
    assert np.round(-whole.span.logprob / np.log(2)).tolist() == [0, 1, 2, 1, 3, 2]
    assert (context.position, context.offset, context.author) == (10, 99, Author.MODEL)
    assert (context.temperature, context.choice) == (0.5, None)


def test_a_cut_has_its_own_steps_and_branches() -> None:
    part = job("a b c", "d", "e f").cut(2, 5)
    assert part.context.drawn == Drawn(3, (0, 1, 1), (4, 0, 4))
    assert (part.context.position, part.context.offset) == (12, 101)


def test_a_flag_goes_to_the_branch_that_raised_it_and_begins_there() -> None:
    whole = job("a b c", "d", "e f")
    began_before = Flag("info", "none", 4, 2, 0.0, "From before the job.")
    began_inside = Flag("flag", "sampler", 5, 11, 7.0, "From the second row.", 0.01, 9, "chance")
    values = np.arange(6, dtype=np.float32)
    shares = dealt(Reading({"v": values}, {"n": 6}, (began_before, began_inside)), whole)
    assert {branch: share.values["v"].tolist() for branch, share in shares.items()} == {
        0: [0, 3, 5], 2: [1], 4: [2, 4],
    }  # fmt: skip
    assert shares[4].flags == (InNode("info", "none", 1, 0, 0.0, "From before the job."),)
    (flag,) = shares[0].flags
    assert (flag.at, flag.began, flag.horizon) == (2, 1, 9)
    assert shares[2].flags == ()
    assert all(share.summary == {"n": 6} for share in shares.values())


@settings(max_examples=60)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=5))
def test_every_token_comes_back_to_its_branch(lengths: list[int]) -> None:
    (whole,) = job_of([[f"{b}.{t} " for t in range(n)] for b, n in enumerate(lengths)])
    drawn = whole.context.drawn
    assert drawn is not None
    rows = list(zip(drawn.steps, drawn.branches, strict=True))
    assert rows == sorted(rows)
    shares = dealt(Reading({"row": np.arange(len(whole), dtype=np.float32)}), whole)
    for branch, share in shares.items():
        own = [whole.context.pieces[row].decode() for row in share.values["row"].astype(int)]
        assert own == [f"{branch}.{t} " for t in range(lengths[branch])]


def test_it_travels_and_is_kept_as_it_is() -> None:
    whole = job("a b c", "d")
    travelled = wire.read_stretch(wire.stretch_record(whole))
    assert travelled.context == whole.context
    flag = InNode("info", "none", 1, 0, 0.0, "It is so.")
    for flags in ((flag,), (Flag("info", "none", 1, 0, 0.0, "It is so."),), ()):
        kept = Kept(bytes(8), "null", Reading(flags=flags), 2)
        found = unpack(*pack(kept)).reading.flags
        assert found == flags and [type(one) for one in found] == [type(one) for one in flags]


def test_jobs_of_a_log_go_on_after_each_other() -> None:
    log = job_of(["a b", "c"], [1.0, [2.0]], after=job_of(["one two"]))
    assert [part.context.position for part in log] == [0, 2]
    assert log[1].context.offset == len("one two")
    assert [part.context.drawn.job for part in log if part.context.drawn] == [0, 1]
    assert replace(log[1].context, drawn=None).choice is None
    assert log[1].span.renyi is not None and log[1].span.mass_above is not None
