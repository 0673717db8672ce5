"""The llama.cpp engine on tiny random models: exact, nothing read twice, clear about errors."""

from __future__ import annotations

import importlib
import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from loom.core.node import Ending
from loom.core.recipe import Recipe, Sampling
from loom.engine.api import (
    Ended,
    EngineError,
    Event,
    Failed,
    Generate,
    ModelNotFound,
    ModelUnsupported,
    Score,
)
from loom.extensions import load_backend
from loom.testing import check_engine, drive, ending_of, span_in, text_of
from tests.backends import tiny_models

LIBRARY = all(importlib.util.find_spec(name) for name in ("llama_cpp", "gguf"))
needs_library = pytest.mark.skipif(not LIBRARY, reason="llama-cpp-python is not installed")
KINDS = ("byte_level", "sentencepiece")
NEAR = 1e-4  # nats
TEXT = "The lighthouse  keeper had not spoken. 日本 é\r\n\nNobody asked".encode()


@pytest.fixture(scope="module")
def backend() -> Any:
    return load_backend("model.gguf")


def part_of(backend: Any, name: str) -> ModuleType:
    return importlib.import_module(f"{backend.__name__}.{name}")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    base = tmp_path_factory.mktemp("folders")
    return {kind: getattr(tiny_models, kind)(base / kind) for kind in KINDS}


@pytest.fixture(scope="module")
def files(
    backend: Any, folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    base = tmp_path_factory.mktemp("files")
    convert = part_of(backend, "conversion").convert
    for kind, folder in folders.items():
        convert(folder, base / f"{kind}.gguf", "f32")
    return {kind: base / f"{kind}.gguf" for kind in folders}


@pytest.fixture
def load(backend: Any, files: dict[str, Path]) -> Iterator[Any]:
    engines = []

    def loads(kind: str = "byte_level", **options: Any) -> Any:
        engine = backend.load(str(files[kind]), options, lambda done, total: None)
        engines.append(engine)
        return engine

    yield loads
    for engine in engines:
        engine.close()


class Passes:
    """Counts the tokens of each forward pass of an engine."""

    def __init__(self, engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.tokens: list[int] = []
        network = engine._network
        decode = network._decode

        def counted(batch: Any) -> None:
            self.tokens.append(batch.n_tokens)
            decode(batch)

        monkeypatch.setattr(network, "_decode", counted)

    def take(self) -> list[int]:
        taken, self.tokens = self.tokens, []
        return taken


def grown(engine: Any, prefix: tuple[bytes | tuple[int, ...], ...], **kept: Any) -> list[Event]:
    recipe = Recipe(tokens=kept.get("tokens", 6))
    seeds = tuple(range(kept.get("branches", 1)))
    events = drive(engine, Generate("a", prefix, recipe, seeds))
    assert not [e for e in events if isinstance(e, Failed)]
    return events


# the contract and the other engine


@needs_library
@pytest.mark.parametrize("kind", KINDS)
def test_the_contract_is_kept(load: Any, kind: str) -> None:
    check_engine(load(kind))


@needs_library
@pytest.mark.parametrize("kind", KINDS)
def test_the_same_weights_say_the_same_in_both_engines(
    load: Any, folders: dict[str, Path], kind: str
) -> None:
    engine = load(kind)
    other = load_backend(str(folders[kind])).load(str(folders[kind]), {}, lambda d, t: None)
    assert engine.can().context == other.can().context
    ids = other.encode(TEXT, start=True)[0]
    mine, others = (span_in(drive(e, Score("a", (), ids)), "a") for e in (engine, other))
    assert np.abs(mine.logprob - others.logprob).max() < NEAR
    assert np.abs(mine.entropy - others.entropy).max() < NEAR
    assert (mine.top_ids[:, 0] == others.top_ids[:, 0]).mean() >= 0.995
    sampling = Sampling(temperature=0.7, top_k=30)
    job = Generate("b", (ids[:9],), Recipe(sampling, tokens=12), (3, 4))
    for branch in (0, 1):
        drawn, same = (span_in(drive(e, job), "b", branch) for e in (engine, other))
        assert drawn.ids.tolist() == same.ids.tolist()
        assert drawn.sampled_logprob is not None and same.sampled_logprob is not None
        assert np.abs(drawn.sampled_logprob - same.sampled_logprob).max() < NEAR * 10


@needs_library
def test_both_tokenizers_cut_text_alike(load: Any, folders: dict[str, Path]) -> None:
    folder = str(folders["byte_level"])
    other = load_backend(folder).load(folder, {}, lambda done, total: None)
    for text in (TEXT, b" the  keeper\n\n\n", "n\u0301 👩\u200d🚀".encode(), b"\xff\xfe the\x00"):
        assert load().encode(text, start=False) == other.encode(text, start=False)


@needs_library
@pytest.mark.parametrize("kind", KINDS)
def test_the_text_moves_through_a_full_context(load: Any, kind: str) -> None:
    engine = load(kind, context=32)
    events = grown(engine, (TEXT * 2,), tokens=40, branches=3)
    for branch in range(3):
        assert len(span_in(events, "a", branch)) == 40 or (
            ending_of(events, "a", branch) is Ending.EOS
        )
    written = tuple(span_in(events, "a", 1).ids.tolist())
    read = span_in(drive(engine, Score("b", (TEXT * 2,), written)), "b")
    assert np.abs(read.logprob - span_in(events, "a", 1).logprob).max() < NEAR


# what has been read is not read again


@needs_library
def test_branches_share_their_prefix_and_go_on_in_one_pass(
    load: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = load()
    passes = Passes(engine, monkeypatch)
    ids = engine.encode(TEXT, start=True)[0]
    grown(engine, (ids,), branches=8, tokens=3)
    prefill, *steps = passes.take()
    assert prefill == len(ids)  # with the token that opens a document, without the last
    assert steps[0] == 8 and len(steps) == 3


@needs_library
def test_a_place_visited_before_takes_one_token(load: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = load()
    passes = Passes(engine, monkeypatch)
    ids = engine.encode(TEXT, start=True)[0]
    child = span_in(grown(engine, (ids,), branches=2), "a", 1).ids.tolist()
    grown(engine, (b"Something else.",))
    passes.take()
    places = [(*ids, *child), ids, ids[:10], (*ids, *child[:2])]
    for place in places:
        grown(engine, (place,), tokens=1)
        assert passes.take() == [1]


@needs_library
def test_old_texts_make_room_for_new_ones(load: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = load(context=64, cache_mb=0)
    texts = [bytes([65 + n % 26, 97 + n // 26]) * 30 for n in range(60)]
    first = [span_in(grown(engine, (text,), tokens=3), "a") for text in texts]
    again = [span_in(grown(engine, (text,), tokens=3), "a") for text in texts]
    for one, other in zip(first, again, strict=True):
        assert one.ids.tolist() == other.ids.tolist()
        assert np.abs(one.logprob - other.logprob).max() < NEAR
    passes = Passes(engine, monkeypatch)
    grown(engine, (texts[-1],), tokens=1)
    assert passes.take() == [1]


@needs_library
def test_nothing_is_left_in_use_when_jobs_are_over(load: Any) -> None:
    engine = load()
    memory = engine._network.memory
    drive(
        engine,
        Generate("a", (TEXT,), Recipe(tokens=5), (1, 2, 3)),
        Generate("b", (TEXT[:20],), Recipe(tokens=7), (1,)),
        Score("c", (), TEXT, following=True),
        Generate("d", ((9999,),), Recipe(), (1,)),
    )
    engine.submit(Generate("e", (TEXT,), Recipe(tokens=50), tuple(range(12))))
    for _ in range(4):
        engine.step()
    engine.cancel("e", 3)
    engine.cancel("e")
    engine.step()
    assert len(memory._free) + len(memory._kept) == memory._count


@needs_library
def test_only_whole_texts_are_gone_on_from_where_parts_can_not_be(
    load: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = load()
    expected = {n: span_in(grown(engine, (TEXT[:n],)), "a") for n in (20, 40)}
    other = load()
    other._network.memory.partial = False
    passes = Passes(other, monkeypatch)
    for length in (40, 20, 40, 20):
        found = span_in(grown(other, (TEXT[:length],)), "a")
        assert found.ids.tolist() == expected[length].ids.tolist()
        assert np.abs(found.logprob - expected[length].logprob).max() < NEAR
        first = passes.take()[0]
    assert first == 1


@needs_library
def test_more_continuations_than_there_are_sequences_fail_with_a_sentence(load: Any) -> None:
    engine = load()
    (event,) = [
        e
        for e in drive(engine, Generate("a", (TEXT,), Recipe(tokens=2), tuple(range(400))))
        if isinstance(e, Failed)
    ]
    assert "at most" in event.error and event.hint
    assert text_of(grown(engine, (TEXT,)), "a")


@needs_library
def test_a_memory_full_of_open_texts_fails_one_job_and_no_other(load: Any) -> None:
    engine = load(context=128, cache_mb=0)
    jobs = [
        Generate(str(n), (bytes([65 + n]) * 100,), Recipe(tokens=24), tuple(range(9)))
        for n in range(8)
    ]
    events = drive(engine, *jobs)
    failed = {e.job for e in events if isinstance(e, Failed)}
    ended = {e.job for e in events if isinstance(e, Ended)}
    assert failed and ended - failed
    assert all("memory" in e.error for e in events if isinstance(e, Failed))
    assert text_of(grown(engine, (TEXT,)), "a")


# what can be wrong


@pytest.mark.parametrize(
    ("model", "taken"), [("a/b.gguf", True), ("owner/name", False), ("echo", False)]
)
def test_it_accepts_gguf_files(backend: Any, model: str, taken: bool) -> None:
    assert backend.accepts(model) is taken


def test_it_accepts_a_gguf_under_any_name(backend: Any, tmp_path: Path) -> None:
    (tmp_path / "blob").write_bytes(b"GGUF\x03\x00\x00\x00")
    (tmp_path / "text").write_bytes(b"Once")
    assert backend.accepts(str(tmp_path / "blob"))
    assert not backend.accepts(str(tmp_path / "text"))


def test_without_the_library_it_says_how_to_install_it(
    backend: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str, *args: Any) -> Any:
        raise ImportError(name)

    library = part_of(backend, "library")
    library.library.cache_clear()
    monkeypatch.setattr(importlib, "import_module", missing)
    (tmp_path / "a.gguf").write_bytes(b"GGUF\x03\x00\x00\x00")
    with pytest.raises(ModelUnsupported, match="not installed") as raised:
        backend.load(str(tmp_path / "a.gguf"), {}, lambda done, total: None)
    assert raised.value.hint == "Install it with: make llama"
    monkeypatch.setattr(library, "_CHECKOUT", tmp_path)
    assert library.install_command() == "pip install 'cyborg-loom[llama]'"


@needs_library
def test_a_missing_file_is_named(backend: Any, tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match=r"no\.gguf"):
        backend.load(str(tmp_path / "no.gguf"), {}, lambda done, total: None)


@needs_library
@pytest.mark.parametrize("share", [0.0, 0.00001, 0.01, 0.3, 0.6, 0.99])
def test_a_file_cut_short_is_refused(
    backend: Any, files: dict[str, Path], tmp_path: Path, share: float
) -> None:
    whole = files["byte_level"].read_bytes()
    path = tmp_path / "cut.gguf"
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(ModelUnsupported, match=r"cut\.gguf") as raised:
        backend.load(str(path), {}, lambda done, total: None)
    assert "again" in raised.value.hint


def altered(source: Path, target: Path, key: str, value: float) -> Path:
    gguf = importlib.import_module("gguf")
    target.write_bytes(source.read_bytes())
    field = gguf.GGUFReader(target, "r+").fields[key]
    field.parts[field.data[0]][0] = value
    return target


@needs_library
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("llama.embedding_length", 64),
        ("llama.attention.head_count", 3),
        ("llama.attention.head_count_kv", 0),
        ("llama.block_count", 77),
        ("llama.feed_forward_length", 7),
    ],
)
def test_a_file_that_lies_about_its_shape_is_refused(
    backend: Any, files: dict[str, Path], tmp_path: Path, key: str, value: int
) -> None:
    path = altered(files["byte_level"], tmp_path / "lie.gguf", key, value)
    with pytest.raises(ModelUnsupported, match="can't be loaded"):
        backend.load(str(path), {}, lambda done, total: None)


@needs_library
@pytest.mark.parametrize(
    ("key", "value"), [("llama.context_length", 0), ("tokenizer.ggml.bos_token_id", 99_999)]
)
def test_a_harmless_lie_does_no_harm(
    backend: Any, files: dict[str, Path], tmp_path: Path, key: str, value: int
) -> None:
    path = altered(files["byte_level"], tmp_path / "lie.gguf", key, value)
    engine = backend.load(str(path), {}, lambda done, total: None)
    check_engine(engine)
    engine.close()


@needs_library
def test_what_ends_the_process_ends_only_the_engines(
    files: dict[str, Path], tmp_path: Path
) -> None:
    path = altered(files["byte_level"], tmp_path / "lie.gguf", "llama.block_count", 4_000_000_000)
    command = [sys.executable, "-m", "loom.engine.host", "--model", str(path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe) as host:
        assert host.stderr is not None
        log = host.stderr.read()
    assert host.returncode
    assert b"n_layer" in log.splitlines()[-1]  # what the library has against it


@needs_library
def test_weights_that_give_no_numbers_are_refused(
    backend: Any, files: dict[str, Path], tmp_path: Path
) -> None:
    gguf = importlib.import_module("gguf")
    path = tmp_path / "broken.gguf"
    path.write_bytes(files["byte_level"].read_bytes())
    tensors = {t.name: t for t in gguf.GGUFReader(path, "r+").tensors}
    tensors["output_norm.weight"].data[:] = np.nan
    with pytest.raises(ModelUnsupported, match="no numbers"):
        backend.load(str(path), {}, lambda done, total: None)


@needs_library
@pytest.mark.parametrize(
    "options",
    [
        {"kv_type": "q3"},
        {"flash_attention": "maybe"},
        {"threads": "many"},
        {"threads": -1},
        {"context": 0.5},
        {"bos": "perhaps"},
        {"gpu_layers": -2},
    ],
)
def test_options_that_mean_nothing_are_named(load: Any, options: dict[str, Any]) -> None:
    with pytest.raises(EngineError, match=next(iter(options))):
        load(**options)


@needs_library
def test_options_are_used(load: Any) -> None:
    engine = load(context=50, threads=99, kv_type="f16", flash_attention=True)
    assert engine.can().context == 50
    assert int(engine.can().runtime["threads"]) <= (os.cpu_count() or 1)
    assert load(bos=False)._network.language.first is None
    check_engine(engine, tolerance=0.5)


# breaking off


@needs_library
def test_a_pass_that_is_broken_off_is_done_again(
    load: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = grown(load(), (TEXT,), branches=3)
    engine = load()
    brake = engine._network.brake
    release = brake.release
    pulled: list[bool] = []

    def jammed() -> None:
        """Pulled as soon as it is released, at every second pass."""
        release()
        pulled.append(len(pulled) % 2 == 0)
        if pulled[-1]:
            engine.interrupt()

    monkeypatch.setattr(brake, "release", jammed)
    events = grown(engine, (TEXT,), branches=3)
    assert sum(pulled) > 3
    for branch in range(3):
        mine, other = (span_in(found, "a", branch) for found in (events, expected))
        assert mine.ids.tolist() == other.ids.tolist()
        assert np.abs(mine.logprob - other.logprob).max() < NEAR


@needs_library
def test_a_job_can_be_cancelled_while_its_passes_are_broken_off(
    load: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = load()
    brake = engine._network.brake
    monkeypatch.setattr(brake, "release", brake.pull)
    engine.submit(Generate("a", (TEXT,), Recipe(tokens=9), (1,)))
    assert [list(engine.step()) for _ in range(5)] == [[]] * 5
    engine.cancel("a")
    assert list(engine.step()) == [Ended("a", 0, Ending.CANCEL)]
