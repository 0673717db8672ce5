"""`loom replay` on echo: told, verified, regrown, and what it says of a changed session."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from loom.cli import main
from loom.core.node import Ending, Node
from loom.core.recipe import Recipe, Sampling
from loom.core.span import Span
from loom.extensions import models
from loom.replay.checks import Check, Verdict
from loom.replay.material import stamp
from loom.replay.notebook import Notebook
from loom.session import Session
from loom.store.batch import Batch

OPENING = "The lighthouse keeper had not spoken"
RECIPE = Recipe(sampling=Sampling(temperature=0.9), tokens=12)
Run = Callable[..., tuple[int, Any]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Exit code and facts of `loom replay`."""

    def run(*words: str) -> tuple[int, Any]:
        code = main(["replay", *words, "--json"])
        out, err = capsys.readouterr()
        return code, json.loads(out or err)

    return run


@pytest.fixture
async def story(tmp_path: Path) -> Path:
    """Written, grown, branched inside, one stopped half-way, one undone."""
    path = tmp_path / "story.loom"
    async with Session.create(path, seed=7) as session:
        await session.attach("echo", {"delay": 0.002})
        session.write(OPENING)
        first = await session.generate(count=3, recipe=RECIPE)
        session.go(session.tree[first[1]].end)
        await session.generate(count=2, recipe=replace(RECIPE, tokens=8))
        span = session.span(first[0])
        assert span is not None
        session.take_alternative(first[0], 3, int(span.top_ids[3][1]))
        (stopped,) = session.grow(count=1, recipe=replace(RECIPE, tokens=400))
        while session.tree[stopped].length < 8:
            await asyncio.sleep(0.005)
        session.cancel([stopped])
        assert session.tree[stopped].ended is Ending.CANCEL
        await session.generate(count=1, recipe=RECIPE)
        assert session.undo() == "grow"
    return path


def verdicts(facts: Any) -> set[str]:
    return {node["verdict"] for node in facts["nodes"]}


def changed(path: Path, node: int, by: Callable[[Session], Batch]) -> Path:
    """A copy of the session with something put into it that was never recorded."""
    other = path.with_name("changed.loom")
    shutil.copy(path, other)
    session = Session.open(other)
    session._store.post(by(session))
    session._store.flush()
    session._store.close()
    return other


def put(row: tuple[Node, Span]) -> Callable[[Session], Batch]:
    return lambda session: Batch(nodes=(row,))


def test_what_nobody_touched_verifies_and_regrows(story: Path, run: Run) -> None:
    code, facts = run(str(story), "--verify")
    assert code == 0 and facts["good"] and verdicts(facts) == {"same"}
    assert facts["largest_difference"] < facts["models"][0]["tolerance"]
    assert facts["counts"] == {"same": len(facts["nodes"])} and len(facts["nodes"]) >= 7
    code, facts = run(str(story), "--regrow")
    assert code == 0 and verdicts(facts) == {"same"}
    session = Session.open(story, read_only=True)
    grown = [n for n in session.tree.preorder() if session.tree[n].seed is not None]
    assert sorted(node["node"] for node in facts["nodes"]) == sorted(grown)


def test_one_node_can_be_checked(story: Path, run: Run) -> None:
    code, facts = run(str(story), "--regrow", "--node", "3")
    assert code == 0 and [node["node"] for node in facts["nodes"]] == [3]


@pytest.mark.skipif(not models(), reason="this copy has no bundled weights")
def test_another_model_is_named(story: Path, run: Run) -> None:
    code, facts = run(str(story), "--verify", "--model", "house")
    assert code == 1 and not facts["good"]
    assert verdicts(facts) == {"other model"}
    assert all("other weights" in node["reason"] for node in facts["nodes"])


def test_a_model_that_is_not_there_is_said_node_by_node(story: Path, run: Run) -> None:
    code, facts = run(str(story), "--verify", "--model", str(story.parent / "nowhere"))
    assert code == 1 and verdicts(facts) == {"no model"}
    assert all("nowhere" in node["reason"] for node in facts["nodes"])


def test_a_probability_that_was_changed_is_found(story: Path, run: Run) -> None:
    def louder(session: Session) -> Batch:
        node, span = session.tree[2], session.span(2)
        assert span is not None
        logprob = span.logprob.copy()
        logprob[4] -= np.float32(0.5)
        return Batch(nodes=((node, replace(span, logprob=logprob)),))

    code, facts = run(str(changed(story, 2, louder)), "--verify")
    wrong = [node for node in facts["nodes"] if node["verdict"] != "same"]
    assert code == 1 and [node["node"] for node in wrong] == [2]
    assert wrong[0]["verdict"] == "differs" and abs(wrong[0]["difference"] - 0.5) < 0.01


def test_a_text_that_was_changed_is_found(story: Path, run: Run) -> None:
    def other_text(session: Session) -> Batch:
        node = session.tree[2]
        return Batch(nodes=((replace(node, text=node.text.swapcase()), session.span(2)),))

    for how in ("--verify", "--regrow"):
        code, facts = run(str(changed(story, 2, other_text)), how)
        wrong = {node["node"]: node["verdict"] for node in facts["nodes"]}
        assert code == 1 and wrong[2] == "edited", how


def test_a_seed_that_was_changed_grows_another_text(story: Path, run: Run) -> None:
    def other_seed(session: Session) -> Batch:
        return Batch(nodes=((replace(session.tree[2], seed=12345), session.span(2)),))

    _, facts = run(str(changed(story, 2, other_seed)), "--regrow")
    (wrong,) = [node for node in facts["nodes"] if node["node"] == 2]
    assert wrong["verdict"] == "near-tie" and wrong["index"] is not None
    assert wrong["difference"] < 1e-3  # the distribution is the same: only the draw was another


def test_the_events_tell_how_it_came_to_be(story: Path, run: Run) -> None:
    code, facts = run(str(story), "--headless")
    events = facts["events"]
    assert code == 0 and events[0]["kind"] == "write"
    assert events[0]["added"][0]["text"] == OPENING
    assert [event["time"] for event in events] == sorted(event["time"] for event in events)
    added = {node["id"] for event in events for node in event["added"]}
    sealed = [node for event in events for node in event["sealed"]]
    session = Session.open(story, read_only=True)
    assert added == set(range(1, session.tree.next_id))
    assert sorted(sealed) == [n for n in sorted(added) if session.tree[n].author == "model"]
    assert events[-1]["kind"] == "undo" and events[-1]["marks"]
    for event in events:  # nothing is complete before it was there
        assert {n["id"] for n in event["added"]}.isdisjoint(event["sealed"])


def test_a_session_in_which_no_model_wrote_has_nothing_to_check(tmp_path: Path, run: Run) -> None:
    Session.create(tmp_path / "empty.loom")._store.close()
    code, facts = run(str(tmp_path / "empty.loom"), "--verify")
    assert code == 1 and "No model has written" in facts["error"]


def test_an_interrupted_check_goes_on(tmp_path: Path) -> None:
    stamps = {3: b"\x01", 4: b"\x02"}
    check = Check(3, 12, Verdict.SAME, difference=1e-6)
    with Notebook(tmp_path, stamps.__getitem__, "story", "verify") as notebook:
        notebook.add(check)
        notebook.add(replace(check, node=4))
    path = next((tmp_path / "replay").iterdir())
    path.write_text(path.read_text() + '{"half a li')
    stamps[4] = b"\x09"  # it has changed since
    with Notebook(tmp_path, stamps.__getitem__, "story", "verify") as again:
        assert len(again) == 2 and again.known(3) == check
        assert again.known(4) is None and again.known(5) is None
        assert len(Notebook(tmp_path, stamps.__getitem__, "story", "regrow")) == 0
        again.finish()
    assert len(Notebook(tmp_path, stamps.__getitem__, "story", "verify")) == 0


@pytest.mark.parametrize(
    "line",
    [
        b"5",
        b"[]",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"stamp": "01", "verdict": "same", "node": "3", "tokens": 12}',
        b'{"stamp": "01", "verdict": "same", "node": 3, "tokens": 12, "difference": "none"}',
        b'{"stamp": "01", "verdict": "same", "node": 3, "tokens": 12, "other": 1}',
        b'{"stamp": "01", "verdict": "fine", "node": 3, "tokens": 12}',
        b'{"stamp": "01", "verdict": "same", "node": 3}',
    ],
)
def test_a_line_that_says_nothing_is_left_out(tmp_path: Path, line: bytes) -> None:
    check = Check(4, 12, Verdict.SAME)
    with Notebook(tmp_path, lambda node: b"\x01", "story") as notebook:
        notebook.add(check)
    path = next((tmp_path / "replay").iterdir())
    path.write_bytes(line + b"\n" + path.read_bytes())
    again = Notebook(tmp_path, lambda node: b"\x01", "story")
    assert len(again) == 1 and again.known(4) == check


def test_a_probability_that_was_changed_between_two_runs_is_found(
    story: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def louder(session: Session) -> Batch:
        node, span = session.tree[2], session.span(2)
        assert span is not None
        return Batch(nodes=((node, replace(span, logprob=span.logprob - np.float32(0.5))),))

    monkeypatch.setattr(Notebook, "finish", lambda self: None)  # as if it had been interrupted
    path = changed(story, 2, lambda session: Batch())
    assert run(str(path), "--verify")[0] == 0
    assert changed(story, 2, louder) == path
    code, facts = run(str(path), "--verify")
    assert code == 1
    assert [n["node"] for n in facts["nodes"] if n["verdict"] == "differs"] == [2]


def test_what_a_check_rests_on_is_known_by_its_stamp(story: Path) -> None:
    session = Session.open(story, read_only=True)
    node, span = session.tree[2], session.span(2)
    assert span is not None
    logprob = span.logprob.copy()
    logprob[0] -= np.float32(1e-3)
    others = {
        "a probability": (node, replace(span, logprob=logprob)),
        "the text": (replace(node, text=node.text.swapcase()), span),
        "the seed": (replace(node, seed=1), span),
    }
    for what, row in others.items():
        later = Session.open(changed(story, 2, put(row)))
        assert stamp(later, 2) != stamp(session, 2), what
        assert stamp(later, 3) == stamp(session, 3), what
        later._store.close()
    session._store.close()
