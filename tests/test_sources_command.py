"""`loom sources` and the experiments on belief: of texts and paths, calibrated or not, in words,
numbers and pictures."""

from __future__ import annotations

import asyncio
import io
import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from loom.asking.probing import BATCH
from loom.cli import main
from loom.commands.completing import FILES, candidates
from loom.engine.api import Engine
from loom.extensions import load_backend
from loom.instruments import calibration
from loom.instruments.calibration import Calibration
from loom.instruments.sources import finding, sets
from loom.instruments.sources.api import Pooling, Tempering
from loom.session import Session
from loom.testing.inprocess import InProcess

TEXT = "The whale rose out of the sea, and the captain said that the whale was white."
SEA = """\
name = "sea"
probes = ["\\n\\n— ", "\\n\\nSource: "]

[[source]]
name = "Whaler"
short = "whale"
frames = ["The whale and the captain and the sea and the whale.\\n\\n", "The white whale.\\n\\n"]

[[source]]
name = "Gardener"
frame = "A rose and a garden and a spade.\\n\\n"

[[pair]]
name = "sea or land"
first = "Whaler"
second = "Gardener"
"""
ANYWAY = {"Whaler": (-30.0, -28.0), "Gardener": (-35.0, -33.0)}  # nats, after each phrasing
Run = Callable[..., Any]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("sea.toml").write_text(SEA)
    Path("draft.txt").write_text(TEXT)
    return tmp_path


@pytest.fixture(scope="module")
def engine() -> Engine:
    loaded: Engine = load_backend("echo").load("echo", {}, lambda done, total: None)
    return loaded


@pytest.fixture
def at_once(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts are read in this process: it would take a second to start another each time."""

    monkeypatch.setattr("loom.commands.weighing.Asking", lambda *asked: InProcess(engine))


@pytest.fixture
def run(at_once: None, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*words: str, code: int = 0) -> Any:
        assert main([*words, "--model", "echo", "--json"]) == code
        out, err = capsys.readouterr()
        return json.loads(out or err)

    return run


@pytest.fixture
def said(at_once: None, capsys: pytest.CaptureFixture[str]) -> Callable[..., list[str]]:
    def said(*words: str) -> list[str]:
        assert main([*words, "--model", "echo"]) == 0
        return capsys.readouterr().out.splitlines()

    return said


def calibrate(engine: Engine, pooling: Pooling | None = None) -> None:
    """As if it had been found out for that set that evidence is what it seems."""
    digest = sets.digest(sets.read(Path("sea.toml")))
    known = Calibration(engine.can().fingerprint, "echo")
    calibration.save(known.tempered(digest, "sea", Tempering(1, 0, pooling=pooling)))


def test_a_text_has_a_posterior_and_a_course_for_every_token(run: Run) -> None:
    facts = run("sources", "draft.txt", "--set", "sea.toml")
    assert (facts["session"], facts["node"], facts["set"]) == (None, None, "sea")
    assert (facts["calibrated"], facts["probe"], facts["byline"]) == (False, None, "")
    first, second = facts["posterior"]
    assert (first["name"], first["short"], second["name"]) == ("Whaler", "whale", "Gardener")
    assert first["bits"] > 0 and first["bits"] > second["bits"] and first["rescored"]
    assert facts["null"] + first["probability"] + second["probability"] == pytest.approx(1)
    assert facts["worlds"] == pytest.approx(2 ** facts["entropy_bits"])
    assert facts["pairs"][0]["bits"] > 0
    series = facts["series"]
    assert "".join(series["token"]) == TEXT and len(series["token"]) == facts["tokens"]
    assert series["shares"]["Whaler"][-1] == pytest.approx(first["probability"], abs=1e-6)
    lengths = {len(series[name]) for name in series if name != "shares"}
    assert lengths | {len(shares) for shares in series["shares"].values()} == {facts["tokens"]}
    for one in facts["moved"]:
        assert TEXT[one["character"] :].startswith(one["text"])
        assert series["token"][one["token"]] == one["text"]
        assert one["bits"] == pytest.approx(series["moved_bits"][one["token"]])
    least = min(one["bits"] for one in facts["moved"])
    assert sum(bits > least for bits in series["moved_bits"]) == len(facts["moved"]) - 1


def test_a_token_that_is_part_of_a_character_is_shown_as_that(run: Run) -> None:
    facts = run("sources", "Ё’Ё’Ё’", "--set", "sea.toml", code=1)
    assert "There is no file" in facts["error"], "nothing with a space in it"
    text = "’Ё ’Ё"
    facts = run("sources", text, "--set", "sea.toml")
    assert facts["tokens"] > len(text), "bytes"
    for one in facts["moved"]:
        assert text[one["character"] :].startswith(one["text"]) and one["text"]


def test_words_standard_input_and_a_file_are_the_same(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = run("sources", "draft.txt", "--set", "sea.toml")
    assert run("sources", TEXT, "--set", "sea.toml") == facts
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(TEXT.encode())))
    assert run("sources", "-", "--set", "sea.toml") == facts


def test_a_long_text_is_no_file_name(run: Run) -> None:
    long = "The whale and the captain. " * 12
    facts = run("sources", long, "--set", "sea.toml")
    assert "".join(facts["series"]["token"]) == long
    assert "x" * 300 in run("sources", "x" * 300, "--set", "sea.toml", code=1)["error"]


def test_a_byline_of_the_set_is_no_evidence(run: Run) -> None:
    Path("signed.txt").write_text("A rose and a garden and a spade.\n\n" + TEXT)
    facts = run("sources", "signed.txt", "--set", "sea.toml")
    plain = run("sources", "draft.txt", "--set", "sea.toml")
    assert facts["byline"] == "A rose and a garden and a spade.\n\n"
    assert facts["posterior"] == plain["posterior"]
    start = len(facts["byline"])
    assert [one["character"] - start for one in facts["moved"]] == [
        one["character"] for one in plain["moved"]
    ]
    Path("only.txt").write_text(facts["byline"])
    assert "no text to weigh" in run("sources", "only.txt", "--set", "sea.toml", code=1)["error"]


def test_without_a_calibration_there_are_ranks_and_bits_and_with_one_shares(
    run: Run, said: Callable[..., list[str]], engine: Engine
) -> None:
    words = ("sources", "draft.txt", "--set", "sea.toml", "--plot", "out.svg")
    lines = said(*words)
    assert not any("%" in line for line in lines), "no share that isn't known to be one"
    assert any("Whaler" in line and "bits" in line for line in lines)
    assert any("uncalibrated" in line for line in lines)
    assert "none of these" in "".join(lines) and "sea or land: Whaler" in lines
    bare = Path("out.svg").read_text()
    assert "evidence against none of these" in bare and ">posterior<" not in bare
    calibrate(engine)
    facts = run("sources", "draft.txt", "--set", "sea.toml")
    assert facts["calibrated"]
    assert facts["posterior"][0]["probability"] > 0.5
    lines = said(*words)
    assert any("Whaler" in line and "%" in line and "█" in line for line in lines)
    assert any("worlds" in line for line in lines)
    picture = Path("out.svg").read_text()
    root = ElementTree.fromstring(picture)
    texts = [element.text for element in root.iter() if element.text]
    assert {"posterior", "whale", "Gardener", "none of these"} <= set(texts)


def test_the_model_is_asked_and_both_ways_are_held_together(
    run: Run, said: Callable[..., list[str]]
) -> None:
    probe = run("sources", "draft.txt", "--set", "sea.toml", "--probe", "9")["probe"]
    assert probe["asked"] == 9 == sum(one["asked"] for one in probe["by_probe"])
    assert [one["probe"] for one in probe["by_probe"]] == ["\n\n— ", "\n\nSource: "]
    for cluster in probe["clusters"]:
        assert cluster["low"] < cluster["share"] == cluster["count"] / 9 < cluster["high"]
    assert sum(one["count"] for one in probe["clusters"]) <= 9
    named = {one["name"] for one in probe["agreements"]}
    assert {"Whaler", "Gardener"} <= named and len(named) > 2
    for one in probe["agreements"]:
        assert one["delta_bits"] == pytest.approx(one["frame_bits"] - one["probe_bits"])
    assert probe["verified"]
    lines = said("sources", "draft.txt", "--set", "sea.toml", "--probe", "4")
    assert "asked 4 times who it is by" in lines
    assert any("would be something not said yet" in line for line in lines)


def test_what_is_read_and_asked_is_weighed_together_where_it_is_known_how(
    run: Run, said: Callable[..., list[str]], engine: Engine
) -> None:
    ask = ("sources", "draft.txt", "--set", "sea.toml", "--probe", "4")
    calibrate(engine)
    alone = run(*ask)
    assert alone["asked"] is False and alone["by_reading"] is None
    assert not any("read and asked" in line for line in said(*ask))
    calibrate(engine, Pooling(0.5, 0.25, 0.0, sets.questions(sets.read(Path("sea.toml"))), ANYWAY))
    facts = run(*ask)
    read = facts["by_reading"]
    assert facts["asked"] and read == {key: alone[key] for key in read}
    asked = {one["name"]: one["probe_bits"] for one in facts["probe"]["agreements"]}
    parts = {"": read["null"] ** 0.5}
    for one in read["posterior"]:
        parts[one["name"]] = one["probability"] ** 0.5 * 2 ** (0.25 * asked[one["name"]])
    shares = {one["name"]: one["probability"] for one in facts["posterior"]}
    shares[""] = facts["null"]
    assert shares == pytest.approx(
        {name: part / sum(parts.values()) for name, part in parts.items()}
    )
    assert facts["worlds"] == pytest.approx(2 ** facts["entropy_bits"])
    first = max(read["posterior"], key=lambda one: one["probability"])
    (line,) = [line for line in said(*ask) if line.startswith("read and asked; by reading alone")]
    assert f"{first['probability']:.1%}" in line or f"{read['null']:.1%}" in line


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([""], "There is no text in that."),
        (["."], ". is a folder, not a text."),
        (["draft.txt", "--set", "empty"], "The folder empty has no texts yet: put one file or"),
        (["draft.txt", "--set", "wrong.toml"], "prior must be"),
    ],
)
def test_what_is_wrong_is_said_with_what_it_is_about(
    at_once: None, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    Path("empty").mkdir()
    Path("wrong.toml").write_text(SEA.replace('short = "whale"', 'prior = "two"'))
    assert main(["sources", *words, "--model", "echo"]) == 1
    err = capsys.readouterr().err
    assert said in err and "--list" not in err


def test_the_asking_can_be_stopped_and_what_was_answered_counts(
    run: Run, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stopping(InProcess):
        async def generate(self, *job: Any) -> Any:
            signal.raise_signal(signal.SIGINT)
            return await super().generate(*job)

    monkeypatch.setattr("loom.commands.weighing.Asking", lambda *asked: Stopping(engine))
    probe = run("sources", "draft.txt", "--set", "sea.toml", "--probe", "90")["probe"]
    assert probe["asked"] == BATCH < 90 and probe["agreements"]

    class Ending(Stopping):
        async def generate(self, *job: Any) -> Any:
            signal.raise_signal(signal.SIGINT)
            return await super().generate(*job)

    monkeypatch.setattr("loom.commands.weighing.Asking", lambda *asked: Ending(engine))
    assert main(["sources", "draft.txt", "--set", "sea.toml", "--probe", "9"]) == 130


def test_a_path_of_a_session_is_weighed_by_the_set_that_was_chosen(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run("new", "story.loom", "--text", TEXT)
    run("write", "story.loom", "--text", " And so on, the whale.")
    assert run("sources", "story.loom", "--choose", "sea.toml")["set"] == "sea"
    Path("sea.toml").rename("other.toml")
    facts = run("sources", "story.loom", "--probe", "2")
    assert facts["probe"]["asked"] == 2 and facts["probe"]["agreements"]
    assert (facts["set"], facts["node"], Path(facts["session"]).name) == ("sea", 2, "story.loom")
    assert "".join(facts["series"]["token"]) == TEXT + " And so on, the whale."
    earlier = run("sources", "story.loom", "--node", "1")
    assert earlier["tokens"] < facts["tokens"]
    shares, before = facts["series"]["shares"]["Whaler"], earlier["series"]["shares"]["Whaler"]
    assert shares[: len(before)] == pytest.approx(before, abs=1e-3)
    with monkeypatch.context() as without:
        without.delattr(Session, "attach")
        assert main(["sources", "story.loom", "--json"]) == 0
        kept = json.loads(capsys.readouterr().out)
    assert kept == {**facts, "probe": None}, "what was weighed is in the session"
    assert run("sources", "story.loom", "--off") == {"session": "story.loom", "set": None}
    assert "switched off" in run("sources", "story.loom", code=1)["error"]
    run("undo", "story.loom")
    again = run("sources", "story.loom", "--set", "other.toml", "--node", "1")
    assert again["posterior"] == earlier["posterior"], "for once, and nothing is kept"


def test_a_session_that_is_open_elsewhere_is_weighed_too(run: Run) -> None:
    run("new", "story.loom", "--text", TEXT)
    session = Session.open(Path("story.loom"))
    try:
        facts = run("sources", "story.loom", "--set", "sea.toml")
    finally:
        asyncio.run(session.close())
    assert (facts["node"], facts["posterior"][0]["name"]) == (1, "Whaler")


def test_the_sets_are_listed_with_what_is_wrong(run: Run, said: Callable[..., list[str]]) -> None:
    folder = Path(run("sources", "--list")["folder"])
    folder.mkdir(parents=True)
    (folder / "mine.toml").write_text(SEA)
    (folder / "bad.toml").write_text(SEA.replace('"Gardener"\nframe', '"Whaler"\nframe'))
    listed = {one["name"]: one for one in run("sources", "--list")["sets"]}
    assert {"house", "general", "mine", "bad"} <= listed.keys()
    assert (listed["house"]["from"], listed["mine"]["from"]) == ("bundled", "yours")
    assert (listed["mine"]["sources"], listed["mine"]["frames"]) == (2, 3)
    assert "bad.toml, line" in listed["bad"]["error"] and listed["mine"]["error"] == ""
    lines = said("sources", "--list")
    assert any(line.startswith("mine") and "2 sources, yours" in line for line in lines)
    assert any(line.startswith("bad ") and "line" in line for line in lines)
    assert set(candidates(["sources", "x", "--set", "m"])) == {"mine", FILES}
    assert {one.name for one in finding.listed()} <= set(candidates(["sources", "--choose", ""]))


@pytest.mark.parametrize(
    ("words", "code", "what"),
    [
        (("sources", "draft.txt"), 1, "No source set is meant for"),
        (("sources", "draft.txt", "--set", "see"), 1, "There is no source set 'see'"),
        (("sources", "draft.txt", "--set", "sea.toml", "--plot", "no/out.svg"), 1, "no/out.svg"),
        (("sources", "draft.txt", "--set", "none.toml"), 1, "none.toml"),
        (("sources", "nothing.txt", "--set", "sea.toml"), 1, "There is no file nothing.txt"),
        (("experiment", "onion", "--source", "Nobody"), 1, "has no source Nobody"),
        (("experiment", "onion", "--set", "sea.toml"), 1, "sea has no source The Onion"),
        (("experiment", "collapse", "--set", "see"), 1, "There is no source set"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_do(
    run: Run, words: tuple[str, ...], code: int, what: str
) -> None:
    facts = run(*words, code=code)
    assert what in facts["error"] and facts["hint"]


@pytest.mark.parametrize(
    "words",
    [
        ("sources",),
        ("sources", "draft.txt", "--node", "1"),
        ("sources", "draft.txt", "--choose", "sea.toml"),
        ("sources", "draft.txt", "--off"),
        ("experiment", "collapse", "--length", "300"),
        ("experiment", "onion", "--opening", ""),
    ],
)
def test_wrong_usage_is_said_with_the_usage(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--model", "echo"]) == 2
    assert "usage: loom" in capsys.readouterr().err
