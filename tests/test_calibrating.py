"""`loom calibrate`, run as a person does, on the echo model."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import pytest

from loom.cli import main
from loom.extensions import models
from loom.instruments.calibration import load, read, tempering_of
from loom.instruments.sources import finding, sets

SENTENCE = "The lighthouse keeper had not spoken to anyone since the storm. "


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOOM_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def text(tmp_path: Path) -> Path:
    file = tmp_path / "human.txt"
    file.write_text(SENTENCE * 2500)
    return file


def test_what_is_found_is_kept_for_the_model_and_told(
    text: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["calibrate", "echo", str(text), "--tokens", "21000", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    kept = load(facts["fingerprint"])
    assert kept is not None
    assert kept.of("traps") == facts["plugins"]["traps"]
    assert Path(facts["file"]).is_relative_to(home)
    assert not list((home / "state" / "calibrating").iterdir())
    assert main(["calibrate", "echo"]) == 0
    assert f"{facts['tokens']:,} tokens" in capsys.readouterr().out


def test_a_plugin_that_fails_is_named_and_spoils_nothing(
    text: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "plugins").mkdir(parents=True)
    broken = "NAME = 'broken'\ndef start(s): ...\ndef step(s, a, c): ...\n"
    (home / "plugins" / "broken.py").write_text(broken + "def calibrate(p, o): return 1 / 0\n")
    assert main(["calibrate", "echo", str(text), "--tokens", "21000"]) == 0
    out, err = capsys.readouterr()
    assert "The plugin broken could not be calibrated: ZeroDivisionError" in err
    assert "calibrated: traps" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["echo"], "has not been calibrated"),
        (["echo", "nowhere.txt"], "There is no nowhere.txt"),
        (["echo", "short.txt"], "too few to calibrate on"),
        (["--sources", "nothing", "echo", "short.txt"], "There is no source set"),
        (["echo", "--sources", "house"], "There is no text to calibrate on"),
    ],
)
def test_what_can_not_be_done_is_said_in_a_sentence(
    words: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("short.txt").write_text(SENTENCE * 100)
    assert main(["calibrate", *words]) == 1
    assert said in capsys.readouterr().err


def test_a_run_that_was_interrupted_goes_on_where_it_stopped(text: Path, home: Path) -> None:
    text.write_text(SENTENCE * 10_000)  # so long that it is never done before it is interrupted
    command = [sys.executable, "-m", "loom", "calibrate", "echo", str(text), "--tokens", "130000"]
    run = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=dict(os.environ))
    kept = home / "state" / "calibrating"
    while run.poll() is None and len(list(kept.glob("*/*.npz"))) < 2:
        time.sleep(0.01)
    run.send_signal(signal.SIGINT)
    _, said = run.communicate()
    before = {file.name: file.stat().st_mtime_ns for file in kept.glob("*/*[0-9a-f].npz")}
    assert run.returncode == 130
    assert "passages are kept; the same command goes on there" in said
    run = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=dict(os.environ))
    while run.poll() is None and len(list(kept.glob("*/*.npz"))) < len(before) + 1:
        time.sleep(0.01)
    run.send_signal(signal.SIGINT)
    run.communicate()
    after = {file.name: file.stat().st_mtime_ns for file in kept.glob("*/*[0-9a-f].npz")}
    assert before.items() < after.items()


SET = """
name = "keepers"
about = "Who kept the light."
probes = ["\\n\\n— "]
[[source]]
name = "Ada"
frame = "the cold storm\\n\\n"
[[source]]
name = "Mr. Bell"
frame = "my old house\\n\\n"
"""


@pytest.fixture
def keepers(tmp_path: Path) -> list[str]:
    (tmp_path / "keepers.toml").write_text(SET)
    for name in ("ada", "Mr_Bell", "nobody"):
        folder = tmp_path / "texts" / name
        folder.mkdir(parents=True)
        for work in ("one", "two"):
            (folder / f"{work}.txt").write_text(f"{name} {work}. {SENTENCE * 160}")
    return ["--sources", str(tmp_path / "keepers.toml"), "echo", str(tmp_path / "texts")]


def test_what_evidence_about_sources_is_worth_is_kept_beside_the_rest(
    keepers: list[str], text: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["calibrate", *keepers, "--tokens", "4096", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    (kept,) = facts["sources"]
    assert kept["works"] == 4
    assert facts["fitted"]["sources"] == 2
    assert facts["fitted"]["tempered"] <= facts["fitted"]["raw"]
    assert facts["surprise"] is None
    assert not list((home / "state" / "calibrating").iterdir())
    assert main(["calibrate", "echo", str(text), "--tokens", "21000"]) == 0
    known = load(facts["fingerprint"])
    assert known is not None
    tempering = known.tempering(kept["digest"])
    assert tempering is not None
    assert (tempering.eta, tempering.delta) == (kept["eta"], kept["delta"])
    assert tempering.pooling is not None
    assert json.loads(json.dumps(asdict(tempering.pooling))) == kept["pooling"]
    assert set(kept["pooling"]["anyway"]) == {"Ada", "Mr. Bell"}
    assert 0 <= kept["pooling"]["rise"] <= 1
    assert facts["fitted"]["together"] <= facts["fitted"]["read"]
    assert known.of("traps") is not None
    capsys.readouterr()
    assert main(["calibrate", "echo"]) == 0
    assert "sources of keepers" in capsys.readouterr().out


def test_what_names_are_after_any_text_is_found_by_texts_of_their_own(
    keepers: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def anyway(*options: str) -> dict[str, list[float]]:
        assert main(["calibrate", *keepers, "--tokens", "4096", *options, "--json"]) == 0
        (kept,) = json.loads(capsys.readouterr().out)["sources"]
        found: dict[str, list[float]] = kept["pooling"]["anyway"]
        return found

    for name in ("ada", "Mr_Bell"):
        folder = tmp_path / "any" / name
        folder.mkdir(parents=True)
        (folder / "one.txt").write_text("Mr. Bell and Mr. Bell and Ada. " * 200)
    usual, others = anyway(), anyway("--names-after", str(tmp_path / "any"))
    assert others["Mr. Bell"] != usual["Mr. Bell"]
    (tmp_path / "strangers" / "x").mkdir(parents=True)
    (tmp_path / "strangers" / "x" / "one.txt").write_text(SENTENCE * 60)
    for called, words in (("none", "There is no"), ("strangers", "no text by a source of keepers")):
        assert main(["calibrate", *keepers, "--names-after", str(tmp_path / called)]) == 1
        assert words in capsys.readouterr().err


def test_folders_of_no_source_are_named_and_left_out(
    keepers: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for file in (tmp_path / "texts").glob("*/*.txt"):
        file.write_text(SENTENCE * 60)
    assert main(["calibrate", *keepers]) == 1
    said = capsys.readouterr().err
    assert "the set keepers has none of these: nobody" in said
    assert "too few to calibrate on" in said


@pytest.mark.skipif("house" not in models(), reason="the bundled model is not here")
def test_the_tempering_that_comes_with_the_bundled_model_is_of_its_sources() -> None:
    folder = models()["house"]
    shipped = read(folder / "calibration.json")
    assert shipped is not None
    tempering = shipped.tempering(sets.digest(finding.find("house")))
    assert tempering is not None, "make calibrate: the tempering is of other frames"
    assert tempering.works == len((folder / "kept-apart.txt").read_text().split())
    assert tempering_of(shipped.fingerprint, finding.find("house")) == tempering
    assert tempering.pooling is not None and tempering.pooling.asked > 0


@pytest.mark.skipif("house" not in models(), reason="the bundled model is not here")
def test_the_calibration_that_comes_with_the_bundled_model_is_of_its_weights() -> None:
    from loom.engine.weights import fingerprint, weight_files

    folder = models()["house"]
    shipped = read(folder / "calibration.json")
    assert shipped is not None
    assert shipped.fingerprint == fingerprint(folder, weight_files(folder))
    assert load(shipped.fingerprint) == shipped
