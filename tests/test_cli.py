"""The command line on echo: commands, exit codes, streams, and what it doesn't import."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import loom
from loom.cli import explain, main, with_command
from loom.commands import parser as grammar
from loom.commands.opening import session_for
from loom.config import Config, Paths
from loom.console import Console, bar, to_json

OPENING = "The lighthouse keeper had not spoken to anyone since"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place for everything, so that nobody's own settings are read or written."""
    monkeypatch.setenv("LOOM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("PYTHONPATH", str(Path(loom.__file__).parents[1]))
    monkeypatch.delenv("LOOM_DEBUG", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


@pytest.fixture
def story(capsys: pytest.CaptureFixture[str]) -> str:
    """A session whose node 1 is the opening."""
    assert main(["new", "story.loom", "--text", OPENING]) == 0
    capsys.readouterr()
    return "story.loom"


Run = Any


@pytest.fixture
def failure(capsys: pytest.CaptureFixture[str]) -> Run:
    """The error a command prints; asserts exit code 1 and an empty stdout."""

    def failure(*words: str) -> Any:
        assert main([*words, "--json"]) == 1
        out, err = capsys.readouterr()
        assert out == ""
        return json.loads(err)

    return failure


def feed(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))


def start(*words: str, **options: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "loom", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **options,
    )


# ── what a line means ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ([], ["open"]),
        (["story.loom"], ["open", "story.loom"]),
        (["--model", "tree"], ["--model", "tree", "open"]),
        (["--model", "echo", "draft.txt"], ["--model", "echo", "open", "draft.txt"]),
        (["--model=echo", "tree", "s.loom"], ["--model=echo", "tree", "s.loom"]),
        (["--version"], ["--version"]),
        (["-h"], ["-h"]),
    ],
)
def test_a_line_without_a_command_opens_the_screen(words: list[str], meant: list[str]) -> None:
    assert with_command(words, grammar.build()[1]) == meant


def test_a_mistyped_command_names_the_one_meant(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["generat", "story.loom"])
    assert stop.value.code == 2
    assert "`loom generate`" in capsys.readouterr().err


def test_a_file_may_have_nearly_the_name_of_a_command(tmp_path: Path) -> None:
    (tmp_path / "shows").write_text("text")
    assert with_command(["shows"], grammar.build()[1]) == ["open", "shows"]


@pytest.mark.parametrize(
    "words",
    [
        ["show"],
        ["take", "story.loom"],
        ["next", "story.loom", "--top", "0"],
        ["generate", "story.loom", "--logit-bias", "3:x"],
        ["generate", "story.loom", "--tokens", "many"],
        ["generate", "story.loom", "--at", "1", "--at-byte", "2"],
        ["write", "story.loom", "--text", "a", "--file", "b"],
        ["tree", "story.loom", "--nod", "1"],
    ],
)
def test_wrong_usage_exits_with_2(words: list[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--temperature", "-1"], "temperature must be"),
        (["--tokens", "0"], "tokens must be"),
        (["--preset", "bold"], "no preset 'bold'"),
        (["-n", "0"], "-n must be"),
        (["-n", "100000"], "-n must be"),
        (["--node", "1", "--at-byte", "999"], "byte 999"),
    ],
)
def test_values_out_of_range_are_wrong_usage(
    story: str, options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["generate", story, "--model", "echo", *options]) == 2
    out, err = capsys.readouterr()
    assert out == "" and said in err


# ── writing ────────────────────────────────────────────────────────────────────────────────


def test_new_makes_a_session_with_the_text_as_its_first_node(run: Run, tmp_path: Path) -> None:
    facts = run("new", "story.loom", "--text", OPENING)
    assert facts == {"session": str(tmp_path / "story.loom"), "node": 1}
    assert run("show", "story.loom")["path_text"] == OPENING


def test_new_reads_standard_input_byte_by_byte(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    feed(monkeypatch, b"one\r\ntwo \xff\n")
    run("new", "story.loom")
    assert run("show", "story.loom")["text"] == "one\r\ntwo \ufffd\n"


def test_new_takes_the_defaults_of_the_settings(run: Run, home: Path) -> None:
    home.mkdir()
    (home / "loom.toml").write_text('branches = 2\ntokens = 3\npreset = "raw"\n')
    run("new", "story.loom", "--text", OPENING)
    nodes = run("generate", "story.loom", model=True)["nodes"]
    assert len(nodes) == 2
    assert all(node["token_count"] <= 3 for node in nodes)
    assert nodes[0]["recipe"]["preset"] == "raw"


def test_new_never_overwrites(story: str, failure: Run) -> None:
    error = failure("new", story, "--text", "something else")
    assert story in error["error"] and error["hint"]


def test_write_goes_on_where_the_session_is(story: str, run: Run) -> None:
    facts = run("write", story, "--text", " the storm.")
    shown = run("show", story)
    assert shown["id"] == facts["node"] == 2
    assert shown["path_text"] == OPENING + " the storm."


def test_write_branches_at_a_byte(story: str, run: Run) -> None:
    run("write", story, "--node", "1", "--at-byte", "3", "--text", " sea")
    shown = run("show", story)
    assert (shown["parent"], shown["at_byte"], shown["path_text"]) == (1, 3, "The sea")


def test_write_takes_a_file_but_no_session(story: str, run: Run, failure: Run) -> None:
    Path("more.txt").write_bytes(b" more")
    run("write", story, "--file", "more.txt")
    assert run("show", story)["text"] == " more"
    assert "not a text" in failure("write", story, "--file", story)["error"]


def test_tokens_of_unread_text_cannot_be_counted(story: str, failure: Run) -> None:
    assert "--at-byte" in failure("write", story, "--node", "1", "--at", "2", "--text", "x")["hint"]


def test_hidden_nodes_come_back_with_undo(story: str, run: Run) -> None:
    run("write", story, "--text", " a")
    facts = run("hide", story, "--node", "2")
    assert (facts["hidden"], facts["node"]) == (1, 1)
    assert [n["hidden"] for n in run("tree", story)["nodes"]] == [False, True]
    assert run("undo", story)["undone"] == "hide"
    assert [n["hidden"] for n in run("tree", story)["nodes"]] == [False, False]
    assert run("redo", story)["redone"] == "hide"
    assert [n["hidden"] for n in run("tree", story)["nodes"]] == [False, True]


def test_hiding_a_tail_keeps_what_hangs_before_it(story: str, run: Run) -> None:
    run("write", story, "--node", "1", "--at-byte", "3", "--text", " sea")
    run("write", story, "--node", "1", "--text", " then")
    run("hide", story, "--node", "1", "--at-byte", "3")
    assert {n["id"]: n["hidden"] for n in run("tree", story)["nodes"]} == {
        1: False,
        2: False,
        3: True,
    }


def test_hiding_from_a_place_inside_a_text_leaves_one_before_it(story: str, run: Run) -> None:
    """Nothing hangs there, so the text is shown as one."""
    facts = run("hide", story, "--at-byte", "3")
    assert (facts["hidden"], facts["node"], facts["at_byte"]) == (1, 1, 3)
    assert run("undo", story)["undone"] == "hide"


def test_hidden_nodes_can_be_seen_on_request_only(
    story: str, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["write", story, "--text", " SECRET"])
    main(["hide", story])
    capsys.readouterr()
    main(["tree", story])
    assert "SECRET" not in capsys.readouterr().out
    main(["tree", story, "--all"])
    assert "✗  SECRET" in capsys.readouterr().out


def test_undo_says_when_there_is_nothing(failure: Run, run: Run) -> None:
    run("new", "empty.loom", "--text", "")
    assert "nothing to be undone" in failure("undo", "empty.loom")["error"]
    assert "nothing to be redone" in failure("redo", "empty.loom")["error"]


def test_bookmarks_are_set_and_removed(story: str, run: Run) -> None:
    assert run("bookmark", story, "--node", "1")["bookmark"] is True
    assert run("show", story)["bookmarks"] == [0]
    run("bookmark", story, "--node", "1", "--off")
    assert run("show", story)["bookmarks"] == []


def test_the_empty_root_cannot_be_hidden(run: Run, failure: Run) -> None:
    run("new", "empty.loom", "--text", "")
    assert "root" in failure("hide", "empty.loom")["error"]


def test_a_place_is_kept(story: str, run: Run) -> None:
    run("write", story, "--text", " a")
    assert run("go", story, "--node", "1", "--at-byte", "3")["at_byte"] == 3
    assert run("show", story)["id"] == 1
    assert run("write", story, "--text", " sea")["node"] == 3
    assert run("show", story)["path_text"] == "The sea"


# ── the model ──────────────────────────────────────────────────────────────────────────────


def test_generate_grows_as_many_and_as_long_as_asked(story: str, run: Run) -> None:
    nodes = run("generate", story, "-n", "3", "--tokens", "5", "--preset", "raw", model=True)[
        "nodes"
    ]
    assert [node["id"] for node in nodes] == [2, 3, 4]
    for node in nodes:
        assert node["parent"] == 1 and node["at_byte"] == len(OPENING)
        assert node["author"] == "model" and node["token_count"] <= 5
        assert node["ended"] in {"length", "eos"} and node["recipe"]["tokens"] == 5
    assert run("show", story)["id"] == 1


def test_the_same_seed_grows_the_same(story: str, run: Run) -> None:
    words = ("generate", story, "--node", "1", "--tokens", "6", "--seed", "7")
    first = run(*words, "-n", "4", model=True)["nodes"]
    again = run(*words, "-n", "2", model=True)["nodes"]
    free = run("generate", story, "--node", "1", "--tokens", "6", "-n", "2", model=True)["nodes"]
    assert [n["text"] for n in again] == [n["text"] for n in first[:2]]
    assert [n["seed"] for n in again] == [n["seed"] for n in first[:2]]
    assert [n["seed"] for n in free] != [n["seed"] for n in again]


def test_greedy_grows_one(story: str, run: Run) -> None:
    assert len(run("generate", story, "--preset", "greedy", model=True)["nodes"]) == 1


def test_generate_has_the_written_parent_read(story: str, run: Run) -> None:
    nodes = run("generate", story, "-n", "1", "--tokens", "2", model=True)["nodes"]
    parent = run("show", story, "--node", "1", "--tokens")
    assert nodes[0]["at"] == parent["token_count"] == len(parent["tokens"]) > 0


def test_generate_need_not_wait_for_the_parent_to_be_read(story: str, run: Run) -> None:
    found = run("generate", story, "-n", "1", "--tokens", "2", "--no-read", model=True)
    parent = run("show", story, "--node", "1")
    assert found["nodes"][0]["at"] in (None, parent["token_count"])


def test_siblings_hang_where_the_node_hangs(story: str, run: Run) -> None:
    run("generate", story, "-n", "1", "--tokens", "2", model=True)
    beside = run(
        "generate", story, "--node", "2", "--siblings", "-n", "1", "--tokens", "2", model=True
    )
    assert beside["nodes"][0]["parent"] == 1


def test_a_stop_text_ends_a_continuation(story: str, run: Run) -> None:
    found = run(
        "generate", story, "--stop", "e", "-n", "8", "--tokens", "60", "--seed", "1", model=True
    )
    stopped = [node for node in found["nodes"] if node["ended"] == "stop"]
    assert stopped
    assert all("e" in node["text"] for node in stopped)


def test_tokens_join_to_the_text(story: str, run: Run) -> None:
    run("generate", story, "-n", "2", "--tokens", "12", model=True)
    for number in (1, 2, 3):
        shown = run("show", story, "--node", str(number), "--tokens")
        joined = b"".join(bytes.fromhex(token["bytes"]) for token in shown["tokens"])
        assert joined.decode("utf-8", "replace") == shown["text"]
        assert shown["token_count"] == len(shown["tokens"])
        for token in shown["tokens"]:
            logprobs = [other["logprob"] for other in token["alternatives"]]
            assert logprobs == sorted(logprobs, reverse=True)
            assert token["logprob"] <= 0 <= token["rank"]


def test_show_tokens_has_unread_text_read(story: str, run: Run) -> None:
    assert run("show", story)["token_count"] is None
    tokens = run("show", story, "--tokens", model=True)["tokens"]
    assert "".join(token["text"] for token in tokens) == OPENING
    assert all(token["sampled_logprob"] is None for token in tokens)
    assert run("show", story)["token_count"] == len(tokens)


def test_take_branches_before_the_replaced_token(story: str, run: Run) -> None:
    run("generate", story, "-n", "1", "--tokens", "8", "--seed", "3", model=True)
    tokens = run("show", story, "--node", "2", "--tokens")["tokens"]
    other = next(o for o in tokens[4]["alternatives"] if o["id"] != tokens[4]["id"])
    words = ("--node", "2", "--token", "4", "--id", str(other["id"]))
    taken = run("take", story, *words)["node"]
    shown = run("show", story, "--tokens")
    assert (shown["id"], shown["parent"], shown["at"]) == (taken, 2, 4)
    assert shown["tokens"][0]["id"] == other["id"]
    assert shown["tokens"][0]["logprob"] == pytest.approx(other["logprob"])
    assert run("take", story, *words)["node"] == taken


def test_take_refuses_what_was_not_considered(story: str, run: Run, failure: Run) -> None:
    run("generate", story, "-n", "1", "--tokens", "3", model=True)
    error = failure("take", story, "--node", "2", "--token", "0", "--id", "99999999")
    assert "no token 99999999" in error["error"]


def test_take_goes_on_with_a_token_that_next_lists(story: str, run: Run) -> None:
    listed = run("next", story, "--top", "5", model=True)
    assert (listed["node"], listed["at_byte"]) == (1, len(OPENING))
    assert len(listed["alternatives"]) == 5
    third = listed["alternatives"][2]
    run("take", story, "--id", str(third["id"]), model=True)
    assert run("show", story)["text"] == third["text"]


def test_score_adds_up_what_show_lists(story: str, run: Run) -> None:
    Path("draft.txt").write_text(OPENING)
    scored = run("score", "draft.txt", model=True)
    tokens = run("show", story, "--tokens", model=True)["tokens"]
    bits = -sum(token["logprob"] for token in tokens) / 0.6931471805599453
    assert scored["token_count"] == len(scored["tokens"]) == len(tokens)
    assert [token["bytes"] for token in scored["tokens"]] == [token["bytes"] for token in tokens]
    assert scored["tokens"][3]["alternatives"]
    assert scored["bits"] == pytest.approx(bits, rel=1e-4)
    assert scored["bits_per_byte"] == pytest.approx(scored["bits"] / len(OPENING))


def test_score_reads_standard_input(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    feed(monkeypatch, OPENING.encode())
    assert run("score", "-", model=True)["bytes"] == len(OPENING)


def test_score_refuses_nothing(failure: Run) -> None:
    Path("empty.txt").touch()
    assert failure("score", "empty.txt")["error"] == "There is no text to read."
    assert "No such file" in failure("score", "nowhere.txt")["error"]


def test_a_model_that_is_not_there_is_a_sentence(story: str, failure: Run) -> None:
    error = failure("generate", story, "--model", "no-such-model-anywhere")
    assert "no-such-model-anywhere" in error["error"] and error["hint"]


# ── sessions that aren't ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("command", ["show", "tree", "undo", "go", "generate"])
def test_a_missing_session_is_a_sentence(command: str, failure: Run) -> None:
    error = failure(command, "nowhere.loom")
    assert "nowhere.loom" in error["error"] and error["hint"]


def test_a_foreign_file_is_a_sentence(failure: Run) -> None:
    Path("foreign.loom").write_text("just text")
    assert "foreign.loom" in failure("tree", "foreign.loom")["error"]


def test_a_node_that_is_not_there_is_a_sentence(story: str, failure: Run) -> None:
    assert "no node 99" in failure("show", story, "--node", "99")["error"]


# ── the installation ───────────────────────────────────────────────────────────────────────


def test_config_says_where_a_setting_comes_from(run: Run, home: Path) -> None:
    home.mkdir()
    (home / "loom.toml").write_text('tokens = 12\n[engine]\ndevice = "cpu"\n')
    settings = {s["name"]: s for s in run("config", "--model", "echo")["settings"]}
    assert settings["tokens"] == {"name": "tokens", "value": 12, "from": "loom.toml"}
    assert settings["branches"]["from"] == "default"
    assert settings["engine.device"]["from"] == "loom.toml"
    assert settings["model"] == {"name": "model", "value": "echo", "from": "command line"}


def test_config_path_is_one_line(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "--path"]) == 0
    assert capsys.readouterr().out == f"{home / 'loom.toml'}\n"


def test_a_mistake_in_the_settings_is_a_sentence(failure: Run, home: Path) -> None:
    home.mkdir()
    (home / "loom.toml").write_text("tokens = 'many'\n")
    error = failure("config")
    assert "line 1" in error["error"] and "tokens" in error["error"]


def test_doctor_reports_a_mistake_in_the_settings(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home.mkdir()
    (home / "loom.toml").write_text("tokens = 'many'\n")
    assert main(["doctor", "--json", "--no-engine"]) == 1
    facts = json.loads(capsys.readouterr().out)
    assert "line 1" in facts["problems"][0]


def test_doctor_starts_the_engine(run: Run) -> None:
    facts = run("doctor", model=True)
    assert facts["engine"]["label"] and facts["engine"]["error"] == ""
    assert {"echo"} <= {found["name"] for found in facts["backends"]}


def test_doctor_names_a_backend_that_cannot_be_read(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "backends").mkdir(parents=True)
    (home / "backends" / "broken.py").write_text("def (")
    assert main(["doctor", "--json", "--no-engine"]) == 1
    assert "broken.py" in capsys.readouterr().out


# ── which session the screen opens ─────────────────────────────────────────────────────────


async def opened(name: str | None) -> tuple[Path, str]:
    from datetime import date

    async with session_for(name, Config(), Paths.default(), date(2026, 1, 2)) as session:
        return session.path, session.path_text()


async def test_no_argument_opens_a_new_session_then_the_last(home: Path) -> None:
    first, _ = await opened(None)
    assert first == home / "sessions" / "2026-01-02.loom"
    assert (await opened(None))[0] == home / "sessions" / "2026-01-02-2.loom"
    Paths.default().remember_session(first)
    assert (await opened(None))[0] == first


async def test_a_new_name_begins_a_session_and_then_opens_it(tmp_path: Path) -> None:
    assert (await opened("tale.loom"))[0] == tmp_path / "tale.loom"
    assert (await opened("tale.loom"))[0] == tmp_path / "tale.loom"


async def test_a_text_file_begins_a_session_and_never_overwrites_one(tmp_path: Path) -> None:
    (tmp_path / "draft.txt").write_bytes(b"Once\r\n")
    assert await opened("draft.txt") == (tmp_path / "draft.loom", "Once\r\n")
    assert await opened("draft.txt") == (tmp_path / "draft-2.loom", "Once\r\n")


async def test_a_session_is_known_by_its_content(tmp_path: Path) -> None:
    path, _ = await opened("tale.loom")
    path.rename(tmp_path / "tale.backup")
    assert (await opened("tale.backup"))[0] == tmp_path / "tale.backup"


def test_the_screen_needs_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["story.loom"]) == 1
    assert "needs a terminal" in capsys.readouterr().err
    assert not Path("story.loom").exists()


# ── streams ────────────────────────────────────────────────────────────────────────────────


def test_model_text_never_steers_the_terminal(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    nasty = "a\x1b]0;owned\x07\x9b31m\x7f\u202eb\x00"
    feed(monkeypatch, nasty.encode())
    assert main(["new", "nasty.loom"]) == 0
    for words in (["show"], ["tree"], ["show", "--json"], ["tree", "--json"]):
        assert main([words[0], "nasty.loom", *words[1:]]) == 0
    assert main(["generate", "nasty.loom", "--model", "echo", "--tokens", "2"]) == 0
    assert main(["show", "nasty.loom", "--node", "1", "--tokens", "--model", "echo"]) == 0
    out = capsys.readouterr().out
    assert not set(out) & {"\x1b", "\x07", "\x9b", "\x7f", "\u202e", "\x00"}


@pytest.mark.parametrize("words", [["backups"], ["tree"], ["sessions", "--trash"]])
def test_no_file_has_a_nul_in_its_name(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([*words, "a\0b"])
    assert "'a\\x00b' holds a NUL, which no file's name can" in capsys.readouterr().err


def test_no_name_of_a_file_steers_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    name = "\x1b[2Ja\u202eb\x07.loom"
    for words in (["new", name, "--text", "One."], ["checkpoint", name, "now"], ["tree", name]):
        assert main(words) == 0
    assert main(["config", "--config", "\x1b[2J.toml"]) == 1
    said = "".join(capsys.readouterr())
    assert not set(said) & {"\x1b", "\u202e", "\x07"}


def test_json_keeps_control_characters_exactly() -> None:
    text = "\x7f\x1b\u202e\ud7ff"
    assert json.loads(to_json({"text": text})) == {"text": text}
    assert to_json({"text": text}).isascii() and "\x7f" not in to_json({"text": text})


def test_json_has_no_infinity() -> None:
    facts = {"a": [float("-inf"), 1.5], "b": {"c": float("nan")}}
    assert json.loads(to_json(facts)) == {"a": [None, 1.5], "b": {"c": None}}


def test_a_bar_is_never_longer_than_itself() -> None:
    assert {len(bar(share)) for share in (-1.0, 0.0, 0.5, 1.0, 7.0)} == {24}
    assert bar(0.5).count("━") == 12


def test_progress_is_for_terminals_only() -> None:
    quiet, live = io.StringIO(), io.StringIO()
    Console(io.StringIO(), quiet).progress("growing", 0.5)
    console = Console(io.StringIO(), live, live=True, width=30)
    console.progress("growing very many tokens indeed", 0.5)
    assert quiet.getvalue() == ""
    assert len(live.getvalue().rpartition("\x1b[2K")[2]) == 29


def test_colour_is_for_terminals_only() -> None:
    assert Console(io.StringIO(), io.StringIO()).style("a", "bold") == "a"
    assert (
        Console(io.StringIO(), io.StringIO(), styled=True).style("a", "bold") == "\x1b[1ma\x1b[0m"
    )


def test_an_unexpected_error_is_a_sentence_too() -> None:
    message, hint = explain(ZeroDivisionError("division by zero"))
    assert "ZeroDivisionError" in message and "LOOM_DEBUG" in hint


def test_a_closed_stdout_is_no_traceback(story: str, run: Run) -> None:
    for _ in range(30):
        run("write", story, "--text", "x" * 4000)
    reader, writer = os.pipe()
    os.close(reader)
    process = subprocess.Popen(
        [sys.executable, "-m", "loom", "tree", story, "--json"],
        stdout=writer,
        stderr=subprocess.PIPE,
    )
    os.close(writer)
    _, err = process.communicate()
    assert err == b"" and process.returncode == 141


def test_streams_that_were_closed_before_the_start_are_no_traceback(story: str) -> None:
    line = f"{sys.executable} -m loom write {story} <&- >&- 2>err.txt"
    assert subprocess.run(["sh", "-c", line], check=False).returncode == 1
    assert "no text to write" in Path("err.txt").read_text()


def test_ctrl_c_is_not_lost_where_nothing_can_be_raised() -> None:
    script = """
import sys, time, weakref
from loom import cli

class Thing: ...

def interrupted(_):
    raise KeyboardInterrupt

def run(args, console):
    thing = Thing()
    reference = weakref.ref(thing, interrupted)
    del thing
    time.sleep(60)

cli._run = run
sys.exit(cli.main(["doctor"]))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"Stopped.\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_seals_what_grew(story: str, run: Run, number: signal.Signals) -> None:
    process = start(
        "generate", story, "-n", "1", "--tokens", "1000000", "--preset", "raw", "--model", "echo"
    )
    deadline = time.monotonic() + 60
    while not _grows(story, run) and time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    process.send_signal(number)
    out, err = process.communicate()
    assert (process.returncode, out, err) == (130, b"", b"Stopped.\n")
    node = run("show", story, "--node", "2", "--tokens")
    assert node["ended"] == "cancel"
    assert len(node["tokens"]) == node["token_count"] > 0


def _grows(story: str, run: Run) -> bool:
    nodes = run("tree", story)["nodes"]
    return len(nodes) == 2 and bool(nodes[1]["text"])


def test_reading_works_while_another_loom_writes(story: str, run: Run, failure: Run) -> None:
    grow = ("generate", story, "-n", "1", "--tokens", "1000000", "--seed", "7")  # has no early end
    process = start(*grow, "--model", "echo")
    try:
        deadline = time.monotonic() + 60
        while not _grows(story, run) and time.monotonic() < deadline:
            assert process.poll() is None
            time.sleep(0.1)
        assert run("tree", story)["nodes"][1]["ended"] is None
        assert "open" in failure("write", story, "--text", "x")["error"]
    finally:
        process.terminate()
        process.communicate()


# ── start ──────────────────────────────────────────────────────────────────────────────────

HEAVY = ("torch", "transformers", "textual", "llama_cpp", "networkx")


@pytest.mark.parametrize("words", [["--help"], ["tree", "story.loom"], ["show", "story.loom"]])
def test_commands_import_nothing_heavy(story: str, words: list[str]) -> None:
    code = (
        "import sys\n"
        "from loom.cli import main\n"
        "try:\n"
        f"    main({words!r})\n"
        "except SystemExit:\n"
        "    pass\n"
        f"print(sorted(set(sys.modules) & set({HEAVY!r})), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stderr == b"[]\n"


def test_generate_keeps_models_out_of_its_own_process(story: str) -> None:
    code = (
        "import sys\n"
        "from loom.cli import main\n"
        "code = main(['generate', 'story.loom', '-n', '1', '--tokens', '2', '--model', 'echo'])\n"
        f"print(code, sorted(set(sys.modules) & set({HEAVY!r})), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stderr == b"0 []\n"


def test_engine_options_are_taken_before_and_after_the_command(run: Run) -> None:
    words = ("--engine", "threads=3", "config", "--engine", "context=64", "--engine", "bos=false")
    found = {s["name"]: (s["value"], s["from"]) for s in run(*words)["settings"]}
    assert found["engine.threads"] == (3, "command line")
    assert found["engine.context"] == (64, "command line")
    assert found["engine.bos"] == (False, "command line")


@pytest.mark.parametrize(
    ("option", "said"), [("thread=1", "Did you mean threads?"), ("threads", "threads=4")]
)
def test_an_engine_option_that_is_none_is_wrong_usage(
    option: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code = main(["config", "--engine", option])
    except SystemExit as end:
        code = int(end.code or 0)
    assert code == 2
    assert said in capsys.readouterr().err


def test_an_engine_option_reaches_the_engine(
    story: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["generate", story, "--model", "echo", "--engine", "backend=nobody"]
    assert main(words) == 1
    assert "nobody" in capsys.readouterr().err
