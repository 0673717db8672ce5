"""`loom drift`: flags where they stand, on paths and plain texts, whatever a plugin does."""

from __future__ import annotations

import asyncio
import io
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from loom.cli import main
from loom.commands import drawing
from loom.config import Paths
from loom.session import Session

TEXT = "“Naïve,” he said: 12 + 30 = 43. And so on"
BAD = """\
from loom.instruments.api import Reading

NAME = "bad"


def start(settings):
    return 0


def step(state, span, context):
    {}
"""
Run = Callable[..., Any]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*words: str, code: int = 0) -> Any:
        assert main([*words, "--model", "echo", "--json"]) == code
        out, err = capsys.readouterr()
        return json.loads(out or err)

    return run


@pytest.fixture
def story(run: Run) -> str:
    """Node 1 is written, 2 and 3 are grown after it; 4 after 3 is written and unread."""
    run("new", "story.loom", "--text", TEXT)
    run("generate", "story.loom", "-n", "2", "--tokens", "5", "--seed", "1")
    run("write", "story.loom", "--node", "3", "--text", " 7 x 8 = 54, and then")
    return "story.loom"


def put_plugin(name: str, work: str) -> None:
    folder = Paths.default().plugins
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.py").write_text(BAD.replace('"bad"', f'"{name}"').replace("{}", work))


def test_a_text_is_read_and_drawn_and_flags_stand_in_tokens_and_characters(run: Run) -> None:
    Path("draft.txt").write_text(TEXT)
    facts = run("drift", "draft.txt", "--plot", "out.svg")
    assert (facts["session"], facts["node"], facts["calibrated"]) == (None, None, False)
    assert facts["characters"] == len(TEXT)
    (flag,) = facts["flags"]
    assert flag["text"].startswith("12 + 30 = 43.")
    assert TEXT[flag["start_character"] : flag["stop_character"]] == flag["text"]
    assert (flag["plugin"], flag["null"], flag["level"]) == ("verify", "reference", "info")
    assert flag["bits"] == pytest.approx(math.log2(90))
    for reading in facts["readings"].values():
        assert {len(series) for series in reading["series"].values()} <= {facts["tokens"]}
    tokens = run("score", "draft.txt")["tokens"]
    assert len(tokens) == facts["tokens"]
    pieces = [bytes.fromhex(token["bytes"]) for token in tokens]
    assert b"".join(pieces[: flag["start"]]).decode() == TEXT[: flag["start_character"]]
    assert b"".join(pieces[: flag["stop"]]).decode() == TEXT[: flag["stop_character"]]
    picture = Path("out.svg").read_text()
    assert picture.startswith("<svg") and picture.endswith("</svg>\n")
    for title in ("surprise: entropy (bits)", "ledger: steering (bits)", "verify: evidence"):
        assert title in picture
    assert picture.count(">info</text>") == 1


def test_a_path_is_that_of_the_node_with_what_was_chosen(run: Run, story: str) -> None:
    counts = [node["token_count"] for node in run("tree", story)["nodes"]]
    assert counts[1:] == [5, 5, None]
    facts = run("drift", story, "--node", "4")
    unread = run("show", story, "--node", "4")["token_count"]
    assert facts["tokens"] == counts[0] + 5 + unread
    assert (Path(facts["session"]).name, facts["node"]) == (story, 4)
    ledger = facts["readings"]["ledger"]["summary"]
    assert ledger["chosen"] == 1
    assert ledger["written"] > 0 and ledger["model"] > 0
    text = run("show", story)["path_text"]
    assert facts["characters"] == len(text)
    reasons = [flag["reason"] for flag in facts["flags"]]
    assert reasons == ["12 + 30 is 42, not 43.", "7 x 8 is 56, not 54."]
    for flag in facts["flags"]:
        assert text[flag["start_character"] : flag["stop_character"]] == flag["text"]


def test_without_a_node_it_is_the_place_and_nothing_beside_the_session_is_run(
    run: Run, story: str, here: Path
) -> None:
    evil = BAD.replace("{}", "return state, Reading()") + "\nopen('touched', 'w')\n"
    for place in (here, here / "plugins", here / "story"):
        place.mkdir(exist_ok=True)
        (place / "evil.py").write_text(evil)
    (here / "loom.toml").write_text("[plugins]\ndisabled = ['surprise']\n")
    run("go", story, "--node", "1", "--at", "3")
    facts = run("drift", story)
    assert "evil" not in facts["readings"] and not (here / "touched").exists()
    assert (facts["node"], facts["tokens"]) == (1, 3)
    assert len(facts["readings"]["surprise"]["series"]["surprise"]) == 3


def test_a_session_that_is_open_elsewhere_is_told_of_as_far_as_it_was_read(
    run: Run, story: str
) -> None:
    session = Session.open(Path(story))
    try:
        facts = run("drift", story)
    finally:
        asyncio.run(session.close())
    assert facts["node"] == 4
    assert [flag["reason"] for flag in facts["flags"]] == ["12 + 30 is 42, not 43."]


def test_without_the_model_it_is_told_of_as_far_as_it_was_read(
    story: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["drift", story, "--model", "no-such-model"]) == 0
    out, err = capsys.readouterr()
    assert "12 + 30 is 42, not 43." in out
    assert "7 x 8" not in out
    assert "no-such-model" in err and "left out" in err


def test_bad_plugins_are_off_and_the_others_go_on(run: Run) -> None:
    put_plugin("bad", "raise ValueError('no')")
    put_plugin("worse", "__import__('os')._exit(3)")
    Path("draft.txt").write_text(TEXT)
    facts = run("drift", "draft.txt")
    off = {off["plugin"]: off["why"] for off in facts["off"]}
    assert off.keys() == {"bad", "worse"}
    assert "it raised ValueError: no" in off["bad"]
    assert "exit code 3" in off["worse"]
    assert {"surprise", "ledger", "verify"} <= facts["readings"].keys()
    assert len(facts["flags"]) == 1


def test_options_come_from_the_settings_and_a_wrong_one_is_told(run: Run) -> None:
    config = Paths.default().config
    config.parent.mkdir(parents=True, exist_ok=True)
    Path("draft.txt").write_text(TEXT)
    config.write_text(
        '[plugins]\ndisabled = ["surprise"]\n'
        "[plugins.verify]\nwrong_by_people = 0.001\n"
        "[plugins.ledger]\nnonsense = 1\n"
    )
    facts = run("drift", "draft.txt")
    assert facts["flags"][0]["bits"] == pytest.approx(math.log2(900))
    assert "line 6: plugins.ledger.nonsense is no option" in facts["off"][0]["why"]
    assert not {"surprise", "ledger"} & facts["readings"].keys()


def test_of_a_long_text_every_peak_is_drawn_in_few_points() -> None:
    column = np.zeros(50_000, np.float32)
    column[[7, 31_234]] = 5, -3
    column[20_000:21_000] = np.nan
    line = drawing.line_of("surprise", column)
    assert len(line.places) <= 2 * drawing.CELLS
    assert {(7, 5.0), (31_234, -3.0)} <= set(zip(line.places, line.values, strict=True))
    assert list(line.places) == sorted(line.places)
    assert any(math.isnan(value) for value in line.values)
    short = drawing.line_of("surprise", column[:1000])
    assert (len(short.places), short.values[7]) == (1000, 5.0)


def test_people_get_flags_then_a_line_for_each_plugin(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = TEXT.replace("Naïve", "Na\x1b[31mive").encode()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text)))
    assert main(["drift", "-", "--model", "echo"]) == 0
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert lines[0].startswith("info  verify  tokens ")
    assert lines[0].endswith("  6.5 bits  12 + 30 is 42, not 43.")
    assert "against: this looks like reference text · perhaps: a slip" in lines[1]
    assert [line.split()[0] for line in lines[2:6]] == ["ledger", "surprise", "traps", "verify"]
    assert lines[-1].endswith("uncalibrated")
    assert "\x1b" not in out


def test_a_node_of_a_text_is_wrong_usage_and_nothing_is_a_failure(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("draft.txt").write_text(TEXT)
    assert main(["drift", "draft.txt", "--node", "1"]) == 2
    assert "--node is for sessions" in capsys.readouterr().err
    Path("empty.txt").write_text("")
    assert run("drift", "empty.txt", code=1)["error"] == "There is no text to read."
    run("new", "empty.loom", "--text", "")
    assert "No model has read" in run("drift", "empty.loom", code=1)["error"]
