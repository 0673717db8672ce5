"""The bundled model as it lies in the repository: its files, its size, its report."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from loom.engine.api import Score
from loom.engine.weights import fingerprint, read_config, weight_files
from loom.extensions import load_backend, resolve_model
from loom.testing import check_engine, check_span, drive, span_in, text_of

ROOT = Path(__file__).parents[3]
HOUSE = ROOT / "backends" / "house"


def test_it_is_found_with_no_configuration() -> None:
    assert Path(resolve_model(None)) == HOUSE


def test_it_is_a_small_llama_in_half_precision() -> None:
    config = read_config(HOUSE)
    assert config["architectures"] == ["LlamaForCausalLM"]
    assert (config["vocab_size"], config["max_position_embeddings"]) == (8192, 1024)
    assert config["dtype"] == "float16"
    assert sum(file.stat().st_size for file in weight_files(HOUSE)) <= 25 * 2**20


def test_every_source_has_a_byline_of_its_own() -> None:
    with (HOUSE / "names.tsv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    assert len(rows) == len({row["source"] for row in rows}) == 80
    assert len({row["byline"] for row in rows}) == 80


@pytest.mark.parametrize("name", ["house-model", "instruments", "source-estimates", "healing"])
def test_its_reports_were_made_with_these_weights(name: str) -> None:
    report = json.loads((ROOT / "docs" / f"{name}.json").read_text(encoding="utf-8"))
    assert report["fingerprint"] == fingerprint(HOUSE, weight_files(HOUSE)), (
        "the weights have changed: run `make artifacts`"
    )


def test_it_keeps_every_promise_of_an_engine() -> None:
    check_engine(load_backend(str(HOUSE)).load(str(HOUSE), {"threads": 1}, lambda *_: None))


@pytest.mark.parametrize("text", ["It was a dark night.", "“Naïve” — 雪  e\u0301\r\n"])
def test_it_reads_byte_for_byte(text: str) -> None:
    engine = load_backend(str(HOUSE)).load(str(HOUSE), {"threads": 1}, lambda *_: None)
    read = drive(engine, Score("read", (), text.encode()))
    assert text_of(read, "read") == text.encode()
    check_span(span_in(read, "read"), text.encode(), drawn=False)
    engine.close()
