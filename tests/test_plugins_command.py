"""`loom plugins`: what is listed, what is never run, and what a trial tells."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import loom
from loom import recordings
from loom.cli import main
from loom.commands import plugging, trying
from loom.commands.completing import FILES, candidates
from loom.config import Paths, load_config
from loom.console import UsageError

GOOD = """\
from loom.instruments.api import Reading

NAME = "mine"
VERSION = "3"
ABOUT = "It is mine."
OPTIONS = {"n": 1}


def start(settings):
    return 0


def step(state, span, context):
    return state + len(span), Reading()
"""
Run = Callable[..., Any]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's plugins; the working folder is another."""
    monkeypatch.chdir(tmp_path)
    return Paths.default().plugins


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*words: str, code: int = 0) -> Any:
        assert main([*words, "--json"]) == code
        out, err = capsys.readouterr()
        return json.loads(out or err)

    return run


def put(folder: Path, name: str, content: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text(content)
    return file


def listed(run: Run) -> dict[str, Any]:
    return {one["path"]: one for one in run("plugins")["plugins"]}


def test_each_is_listed_with_what_it_says_and_what_is_wrong(run: Run, folder: Path) -> None:
    mine = put(folder, "mine.py", GOOD)
    broken = put(folder, "broken.py", "import nothing_of_that_name\n")
    torn = put(folder, "torn.py", "def start(:\n")
    leaving = put(folder, "leaving.py", "import os\nos._exit(7)\n")
    shadow = put(folder, "shadow.py", GOOD)
    put(folder, "test_mine.py", "raise SystemExit\n")
    found = listed(run)
    assert found[str(mine)] == {
        "name": "mine",
        "version": "3",
        "about": "It is mine.",
        "source": "user",
        "path": str(mine),
        "on": True,
        "scope": "path",
        "options": {"n": 1},
        "error": "",
        "shadowed_by": "",
    }
    assert "ModuleNotFoundError" in found[str(broken)]["error"]
    assert "can't be read" in found[str(torn)]["error"]
    assert "exit code 7" in found[str(leaving)]["error"]
    assert found[str(shadow)]["shadowed_by"] == str(mine)
    names = [one["name"] for one in found.values()]
    assert {"surprise", "ledger", "verify"} <= set(names)
    assert "test_mine" not in names


def test_one_that_is_off_is_not_run(run: Run, folder: Path, tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    file = put(folder, "mine.py", GOOD + f"\nopen({str(touched)!r}, 'w')\n")
    assert run("plugins", "disable", "mine") == {
        "plugin": "mine",
        "on": False,
        "config": str(Paths.default().config),
    }
    one = listed(run)[str(file)]
    assert (one["on"], one["version"], one["about"]) == (False, "3", "It is mine.")
    assert not touched.exists()
    assert run("plugins", "enable", "mine")["on"] is True
    assert load_config().plugin("mine").enabled
    assert listed(run)[str(file)]["on"]
    assert touched.exists()


def test_what_lies_in_the_current_folder_is_neither_listed_nor_run(
    run: Run, tmp_path: Path
) -> None:
    touched = tmp_path / "touched"
    evil = f"open({str(touched)!r}, 'w')\n" + GOOD
    for place in (tmp_path, tmp_path / "plugins", tmp_path / "loom"):
        put(place, "mine.py", evil)
    for name in ("numpy.py", "json.py", "sitecustomize.py"):
        put(tmp_path, name, f"open({str(touched)!r}, 'w')\n")
    command = [sys.executable, "-P", "-m", "loom", "plugins", "--json"]
    environment = {**os.environ, "PYTHONPATH": str(Path(loom.__file__).parents[1])}
    done = subprocess.run(command, capture_output=True, env=environment, check=True)
    paths = [one["path"] for one in json.loads(done.stdout)["plugins"]]
    assert paths and not [path for path in paths if path.startswith(str(tmp_path))]
    assert not touched.exists()


def test_an_unknown_plugin_is_told_with_those_there_are(run: Run) -> None:
    told = run("plugins", "disable", "nonsense", code=1)
    assert told["error"] == "There is no plugin 'nonsense'."
    assert "surprise" in told["hint"]
    assert not Paths.default().config.exists()


def test_another_file_of_settings_can_be_named(run: Run, tmp_path: Path) -> None:
    put(tmp_path, "mine.toml", "")
    told = run("plugins", "disable", "traps", "--config", "mine.toml")
    assert (told["config"], (tmp_path / "mine.toml").read_text()) == (
        "mine.toml",
        '[plugins]\ndisabled = ["traps"]\n',
    )
    assert not Paths.default().config.exists()
    settings = {s["name"]: s for s in run("config", "--config", "mine.toml")["settings"]}
    assert settings["plugins.disabled"] == {
        "name": "plugins.disabled",
        "value": ["traps"],
        "from": "loom.toml",
    }


def test_an_option_is_set_as_what_it_is(run: Run, folder: Path) -> None:
    options = 'OPTIONS = {"n": 1, "x": 0.5, "on": False, "word": "a", "names": []}'
    put(folder, "mine.py", GOOD.replace('OPTIONS = {"n": 1}', options))
    told = run("plugins", "set", "mine", "x", "2")
    assert told == {
        "plugin": "mine",
        "option": "x",
        "value": 2.0,
        "config": str(Paths.default().config),
    }
    run("plugins", "set", "mine", "names", "7", "x y")
    assert load_config().plugin("mine").options == {"x": 2.0, "names": [7, "x y"]}
    assert "n, x, on, word, names" in run("plugins", "set", "mine", "no", "1", code=1)["hint"]


@pytest.mark.parametrize(
    ("default", "words", "value"),
    [
        (1, ["2"], 2),
        (0.5, ["2"], 2.0),
        (False, ["true"], True),
        ("a", ["2"], "2"),
        ([], [], []),
        (["a"], ["b", "1.5", "true"], ["b", 1.5, True]),
        (1, ["2.5"], None),
        (1, ["true"], None),
        (1, [], None),
        (0.5, ["NaN"], None),
        (0.5, ["Infinity"], None),
        ("a", ["b", "c"], None),
    ],
)
def test_what_is_typed_is_read_as_what_the_option_is(
    default: Any, words: list[str], value: Any
) -> None:
    if value is None:
        with pytest.raises(UsageError, match="something like"):
            plugging._valued("n", default, words)
        return
    found = plugging._valued("n", default, words)
    assert (found, type(found)) == (value, type(value))


def test_one_that_has_gone_can_still_be_switched_on(run: Run) -> None:
    put(Paths.default().config.parent, "loom.toml", '[plugins]\ndisabled = ["gone"]\n')
    assert run("plugins", "enable", "gone")["on"] is True
    assert Paths.default().config.read_text() == "[plugins]\ndisabled = []\n"


def test_a_new_one_works_at_once_and_so_does_its_test(run: Run, folder: Path) -> None:
    made = run("plugins", "new", "certain")
    plugin, test = Path(made["file"]), Path(made["test"])
    assert (plugin, test) == (folder / "certain.py", folder / "test_certain.py")
    assert len(plugin.read_text().splitlines()) <= 40
    assert run("plugins", "check", "certain")["good"] is True
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(test)]
    environment = {**os.environ, "PYTHONPATH": str(Path(loom.__file__).parents[1])}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert "3 passed" in done.stdout, done.stdout
    one = listed(run)[str(plugin)]
    assert (one["name"], one["on"], one["error"]) == ("certain", True, "")
    before = plugin.read_bytes()
    assert "already" in run("plugins", "new", "certain", code=1)["error"]
    assert plugin.read_bytes() == before


def test_a_new_one_goes_where_it_is_told_and_overwrites_nothing(run: Run, tmp_path: Path) -> None:
    test = put(tmp_path / "here", "test_mine.py", "mine\n")
    told = run("plugins", "new", "mine", "--in", "here", code=1)
    assert str(test) in told["error"]
    assert [path.name for path in test.parent.iterdir()] == ["test_mine.py"]
    made = run("plugins", "new", "other", "--in", "here")
    assert Path(made["file"]) == tmp_path / "here" / "other.py"
    assert "surprise" in run("plugins", "new", "surprise", code=1)["error"]


@pytest.mark.parametrize("name", ["two words", "1st", "_mine", "test_mine", "na-me", "../up"])
def test_a_name_that_is_none_is_wrong_usage(name: str, folder: Path) -> None:
    assert main(["plugins", "new", name]) == 2
    assert not folder.exists()


@pytest.mark.parametrize(
    ("change", "what", "where"),
    [
        ("state + len(span) / 0", "step raised ZeroDivisionError", "human-like text, token 0"),
        ("print(state) or state + len(span)", "Besides its work, it printed", ""),
        ("__import__('os')._exit(9)", "It ended the process (exit code 9).", "human-like text"),
        ("state + 1", "when the same tokens come in other spans", "human-like text"),
    ],
)
def test_a_trial_names_the_broken_promise_and_the_place(
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: str,
    what: str,
    where: str,
) -> None:
    monkeypatch.setattr(recordings, "recordings", list)
    file = put(tmp_path, "mine.py", GOOD.replace("state + len(span)", change))
    facts = run("plugins", "check", "mine.py", code=1)
    assert (facts["file"], facts["good"]) == (str(file), False)
    assert any(what in f["what"] and f["where"].startswith(where) for f in facts["faults"]), facts


def test_a_trial_has_the_options_of_the_settings(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recordings, "recordings", list)
    put(tmp_path, "own.py", "def chance(text):\n    raise KeyError('none')\n")
    run("plugins", "set", "verify", "verifiers", str(tmp_path / "own.py:chance"))
    (fault,) = run("plugins", "check", "verify", code=1)["faults"]
    assert fault["what"] == "step raised KeyError: 'none'."
    put(Paths.default().config.parent, "loom.toml", "[plugins.verify]\nnonsense = 1\n")
    (fault,) = run("plugins", "check", "verify", code=1)["faults"]
    assert fault["what"].startswith("The option nonsense is no option of this plugin")


def test_a_trial_hands_over_no_choice_to_one_that_does_not_look_at_it(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recordings, "recordings", list)
    blind = GOOD.replace(
        "    return state +", "    assert context.choice is None\n    return state +"
    )
    put(tmp_path, "mine.py", blind)
    (fault,) = run("plugins", "check", "mine.py", code=1)["faults"]
    assert fault["what"].startswith("step raised AssertionError")
    put(tmp_path, "mine.py", "CHOICE = False\n" + blind)
    assert run("plugins", "check", "mine.py")["good"] is True


def test_a_plugin_of_a_package_is_tried_by_its_name(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recordings, "recordings", list)
    package = tmp_path / "site" / "packaged"
    put(package, "__init__.py", "")
    put(package, "beside.py", "START = 7\n")
    put(
        package,
        "mine.py",
        "from .beside import START\n" + GOOD.replace("    return 0", "    return START"),
    )
    put(tmp_path / "site" / "packaged-1.dist-info", "METADATA", "Name: packaged\nVersion: 1\n")
    points = "[loom.plugins]\nmine = packaged.mine\n"
    put(tmp_path / "site" / "packaged-1.dist-info", "entry_points.txt", points)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    told = run("plugins", "check", "mine")
    assert (told["file"], told["good"]) == ("packaged.mine", True)
    put(package, "beside.py", "START = None\n")
    assert run("plugins", "check", "mine", code=1)["faults"]


def test_a_plugin_that_reads_the_log_is_tried_on_logs(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = [one for one in recordings.recordings() if one.path.stem == "first-story"]
    monkeypatch.setattr(recordings, "recordings", lambda: story)
    log = "SCOPE = 'log'\n" + GOOD.replace("len(span)", "len(span) * (context.drawn.job + 1)")
    put(tmp_path, "mine.py", log)
    told = run("plugins", "check", "mine.py")
    assert told["good"] and told["tokens"] > 1000
    assert "first-story, the log of model 1" in told["paths"]
    put(
        tmp_path,
        "mine.py",
        log.replace("state + len(span)", "state + len(set(context.drawn.steps))"),
    )
    told = run("plugins", "check", "mine.py", code=1)
    assert "in other spans" in told["faults"][0]["what"]


def test_a_trial_that_never_ends_is_ended(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trying, "TRYING", 1)
    put(tmp_path, "mine.py", GOOD + "\nwhile True: pass\n")
    (fault,) = run("plugins", "check", "mine.py", code=1)["faults"]
    assert fault["what"] == "It didn't come to an end within 1 s."


def test_no_file_and_no_plugin_cannot_be_tried(run: Run) -> None:
    assert "no file" in run("plugins", "check", "nowhere.py", code=1)["error"]


def test_people_get_lines(capsys: pytest.CaptureFixture[str], folder: Path, tmp_path: Path) -> None:
    put(folder, "broken.py", "raise ValueError('no\\x1b[31m')\n")
    main(["plugins", "disable", "verify"])
    capsys.readouterr()
    assert main(["plugins"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["!", "broken", "user"]
    assert "It doesn't run: it raised ValueError" in lines[1]
    assert "\x1b" not in "".join(lines)
    (off,) = [line for line in lines if line.startswith("off")]
    assert off.split()[:2] == ["off", "verify"]
    assert lines[-1] == f"Your own lie in {folder}."


def test_shells_complete_the_names(folder: Path) -> None:
    put(folder, "mine.py", GOOD)
    assert candidates(["plugins", "en"]) == ["enable"]
    assert candidates(["plugins", "disable", "m"]) == ["mine"]
    assert candidates(["plugins", "check", "mi"]) == ["mine", FILES]
