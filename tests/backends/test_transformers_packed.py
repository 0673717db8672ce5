"""Branches on a shared trunk: the same as branches by themselves, in a fraction of the memory."""

from __future__ import annotations

import json
import math
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from numpy.typing import NDArray
from transformers import AutoModelForCausalLM

from loom.core.node import Ending
from loom.core.recipe import Recipe
from loom.core.span import Span
from loom.engine.api import Engine, EngineError, Event, Generate, ModelUnsupported
from loom.extensions import Backend, load_backend
from loom.testing import drive, ending_of, span_in
from tests.backends import tiny_models

NEAR = 1e-4  # nats
LONG = b"the lighthouse keeper had not. " * 5
KINDS = {"byte_level": (0,), "raw_bytes": ()}  # what stands before every text

Loads = Callable[..., Any]


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    base = tmp_path_factory.mktemp("packed")
    return {
        "byte_level": tiny_models.byte_level(base / "byte_level", context=1024),
        "raw_bytes": tiny_models.raw_bytes(base / "raw_bytes", context=1024),
        "sliding": tiny_models.sliding(base / "sliding"),
    }


@pytest.fixture(scope="session")
def backend(folders: dict[str, Path]) -> Backend:
    return load_backend(str(folders["byte_level"]))


@pytest.fixture(scope="session")
def load(backend: Backend, folders: dict[str, Path]) -> Loads:
    return lambda kind, **options: backend.load(str(folders[kind]), options, lambda *_: None)


@pytest.fixture(scope="session")
def plain(folders: dict[str, Path]) -> Callable[[str, Sequence[int]], NDArray[np.float32]]:
    """float32[n, V]: log-probabilities after each of the ids, by a plain forward pass."""
    models = {kind: AutoModelForCausalLM.from_pretrained(folders[kind]).eval() for kind in KINDS}

    def forward(kind: str, ids: Sequence[int]) -> NDArray[np.float32]:
        with torch.no_grad():
            logits = models[kind](torch.tensor([list(ids)])).logits[0]
        return np.asarray(torch.log_softmax(logits, dim=-1).numpy())

    return forward


def difference(
    plain: Callable[..., NDArray[np.float32]], kind: str, before: Sequence[int], span: Span
) -> float:
    """From a plain pass over the same ids, in nats."""
    ids = [*KINDS[kind], *before, *span.ids.tolist()]
    logs = plain(kind, ids[:-1])[-len(span) :]
    own = np.abs(logs[np.arange(len(span)), span.ids] - span.logprob).max()
    top = np.take_along_axis(logs, span.top_ids.astype(np.int64), axis=1)
    return float(max(own, np.abs(top - span.top_logprobs).max()))


def grown(engine: Engine, job: Generate, cancels: dict[int, int] | None = None) -> list[Event]:
    """The events of a job; after so many steps a branch is cancelled."""
    engine.submit(job)
    events: list[Event] = []
    for step in range(10_000):
        came = engine.step()
        if not came:
            return events
        events += came
        if cancels and step in cancels:
            engine.cancel(job.id, cancels[step])
    raise AssertionError("the job doesn't end")


# right


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", [LONG, b"the"])
def test_branches_of_different_length_have_the_logprobs_of_a_plain_pass(
    load: Loads, plain: Callable[..., NDArray[np.float32]], kind: str, text: bytes
) -> None:
    engine = load(kind, attention="packed")
    before = engine.encode(text, start=True)[0]
    job = Generate("a", (text,), Recipe(tokens=40, stop=("a", "e")), tuple(range(9)))
    events = grown(engine, job, {6: 2, 9: 5})
    spans = [span_in(events, "a", branch) for branch in range(9) if branch not in (2, 5)]
    assert len({len(span) for span in spans}) > 2
    for span in spans:
        assert difference(plain, kind, before, span) < NEAR
    assert ending_of(events, "a", 2) is Ending.CANCEL


@pytest.mark.parametrize("kind", KINDS)
def test_going_on_from_a_branch_and_from_the_middle_of_one_is_right(
    load: Loads, plain: Callable[..., NDArray[np.float32]], kind: str
) -> None:
    engine = load(kind, attention="packed")
    before = engine.encode(LONG, start=True)[0]
    first = grown(engine, Generate("a", (LONG,), Recipe(tokens=12), (1, 2, 3)))
    for branch, kept in ((0, 12), (1, 7), (2, 1), (0, 5), (0, 12)):
        ids = tuple(span_in(first, "a", branch).ids.tolist())[:kept]
        again = grown(engine, Generate("b", (before, ids), Recipe(tokens=6), (7, 8)))
        for row in (0, 1):
            assert difference(plain, kind, [*before, *ids], span_in(again, "b", row)) < NEAR


@pytest.mark.parametrize("kind", KINDS)
def test_packed_branches_say_what_forked_rows_say(load: Loads, kind: str) -> None:
    job = Generate("a", (LONG,), Recipe(tokens=24), tuple(range(6)))
    packed, rows = (grown(load(kind, attention=how), job) for how in ("packed", "rows"))
    for branch in range(6):
        one, other = span_in(packed, "a", branch), span_in(rows, "a", branch)
        assert one.ids.tolist() == other.ids.tolist()
        assert np.abs(one.logprob - other.logprob).max() < NEAR


@pytest.mark.parametrize("heads, shared, count", [(4, 9, 1), (2, 9, 3), (4, 0, 3), (1, 70, 1)])
@pytest.mark.parametrize("softcap", [None, 2.0])
def test_attention_is_what_its_formula_says(
    backend: Backend, heads: int, shared: int, count: int, softcap: float | None
) -> None:
    packed = _packed(backend)
    torch.manual_seed(0)
    rows, own, width = 3, 5, 8
    trunk = torch.randn(2, 1, heads, shared or 4, width)
    layer = packed.PackedLayer(trunk[0], trunk[1], rows, bool(shared))
    new = torch.randn(2, rows, heads, own, width)
    query = torch.randn(rows, 4, count, width)
    found, _ = packed.attend(
        torch.nn.Identity(), query, *layer.update(new[0], new[1]), None, softcap=softcap
    )
    keys, values = (torch.cat([trunk[i].expand(rows, -1, -1, -1), new[i]], 2) for i in (0, 1))
    keys, values = (t.repeat_interleave(4 // heads, 1) for t in (keys, values))
    scores = query @ keys.mT / math.sqrt(width)
    scores = scores if softcap is None else softcap * torch.tanh(scores / softcap)
    length = scores.shape[-1]
    late = torch.ones(count, length, dtype=torch.bool).triu(length - count + 1)
    expected = scores.masked_fill(late, -torch.inf).softmax(-1) @ values
    assert torch.allclose(found.transpose(1, 2), expected, atol=1e-5)


def _packed(backend: Backend) -> Any:
    """The module of the backend, which is loaded by path."""
    return sys.modules[f"{vars(backend)['__name__']}.packed"]


ARCHITECTURES: dict[str, dict[str, Any]] = {
    "Qwen3Config": {"head_dim": 8},
    "GemmaConfig": {"head_dim": 8, "hidden_activation": "gelu"},
    "GPTNeoXConfig": {},
    "OPTConfig": {"ffn_dim": 64, "word_embed_proj_dim": 32},
    "MixtralConfig": {"num_local_experts": 2},
    "Phi3Config": {},
}
ODD_ONES: dict[str, dict[str, Any]] = {
    "BloomConfig": {"n_head": 4, "n_layer": 2},  # a bias by distance
    "GptOssConfig": {"num_local_experts": 2, "num_experts_per_tok": 1, "head_dim": 8},  # sinks
    "Gemma2Config": {"head_dim": 8, "sliding_window": 16},
    "MambaConfig": {},
}


@pytest.mark.parametrize("name", [*ARCHITECTURES, *ODD_ONES])
def test_every_architecture_says_what_a_plain_pass_says(
    backend: Backend, folders: dict[str, Path], tmp_path: Path, name: str
) -> None:
    folder = Path(shutil.copytree(folders["byte_level"], tmp_path / "model"))
    model = random_model(name, json.loads((folder / "config.json").read_text())["vocab_size"])
    model.save_pretrained(folder)
    for half in (False, True):
        options = {"dtype": "bfloat16"} if half else {}
        engine = backend.load(str(folder), options, lambda *_: None)
        way = "packed" if name in ARCHITECTURES else "rows"
        assert engine.can().runtime["attention"] in ({way, "rows"} if half else {way})
    engine = backend.load(str(folder), {}, lambda *_: None)
    events = grown(engine, Generate("a", (LONG,), Recipe(tokens=9), (1, 2, 3)))
    for branch in range(3):
        span = span_in(events, "a", branch)
        ids = [0, *engine.encode(LONG, start=True)[0], *span.ids.tolist()]
        with torch.no_grad():
            logits = model(torch.tensor([ids[:-1]])).logits[0, -len(span) :]
        logs = torch.log_softmax(logits, dim=-1).gather(1, torch.tensor(ids[-len(span) :])[:, None])
        assert np.abs(logs[:, 0].numpy() - span.logprob).max() < NEAR


def random_model(name: str, size: int) -> Any:
    torch.manual_seed(0)
    common: dict[str, Any] = {
        "vocab_size": size, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 1024,
        "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": None,
    }  # fmt: skip
    config = common | {**ARCHITECTURES, **ODD_ONES}[name]
    model = AutoModelForCausalLM.from_config(getattr(transformers, name)(**config))
    for weights in model.parameters():
        if weights.ndim > 1:
            weights.data.normal_(0, 0.2)
    return model.eval()


# repeatable


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", [LONG, LONG[:30]])
def test_a_branch_is_the_same_bit_for_bit_with_any_siblings_and_cancellations(
    load: Loads, kind: str, text: bytes
) -> None:
    found = []
    for seeds in ((9,), (5, 6, 9), tuple(range(32))):
        engine = load(kind)
        assert engine.can().reproducible and engine.can().runtime["attention"] == "packed"
        own = seeds.index(9)
        cancels = {4 + 2 * n: b for n, b in enumerate(b for b in range(len(seeds)) if b != own)}
        events = grown(engine, Generate("a", (text,), Recipe(tokens=30), seeds), cancels)
        found.append(span_in(events, "a", own))
    for span in found[1:]:
        assert span.ids.tolist() == found[0].ids.tolist()
        assert span.logprob.tolist() == found[0].logprob.tolist()
        assert span.top_logprobs.tolist() == found[0].top_logprobs.tolist()


def test_a_model_whose_rows_depend_on_their_number_is_not_called_reproducible(
    load: Loads, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = _packed(backend)
    plainly = packed._over_rows
    monkeypatch.setattr(
        packed, "_over_rows", lambda left, trunk: plainly(left, trunk) * (1 + len(left) * 1e-6)
    )
    assert not load("byte_level").can().reproducible


# memory


def bytes_of(network: Any, length: int, branches: int) -> tuple[int, Any]:
    """Of keys and values after each branch has read one token of its own."""
    rows = network.rows(())
    with torch.inference_mode():
        rows.read([[5 + i % 200 for i in range(length)]], 0)
        rows.fork(branches)
        rows.read([[7]] * branches, 1)
    return rows.nbytes, rows


def test_eight_branches_on_a_long_text_take_a_quarter_of_the_memory_of_rows(load: Loads) -> None:
    packed, rows = (load("byte_level", attention=how).network for how in ("packed", "rows"))
    assert bytes_of(packed, 900, 8)[0] <= 0.25 * bytes_of(rows, 900, 8)[0]


def test_a_branch_that_is_over_frees_its_memory(load: Loads) -> None:
    network = load("byte_level", attention="packed").network
    before, rows = bytes_of(network, 100, 12)
    trunk = before - 12 * (before - bytes_of(network, 100, 4)[0]) // 8
    rows.select([0, 3, 7])
    assert rows.nbytes - trunk == (before - trunk) // 3  # padded to four rows
    with torch.inference_mode():
        assert rows.read([[8]] * 3, 1).shape[0] == 3


# which models


def test_a_model_with_a_sliding_window_keeps_forked_rows(load: Loads) -> None:
    assert load("sliding").can().runtime["attention"] == "rows"
    with pytest.raises(ModelUnsupported) as caught:
        load("sliding", attention="packed")
    assert "attention" in caught.value.hint


def test_an_unknown_way_is_named(load: Loads) -> None:
    with pytest.raises(EngineError, match="sideways"):
        load("byte_level", attention="sideways")


@pytest.mark.parametrize(
    "wrong",
    [
        lambda attended: attended.flip(0),  # siblings mixed up
        lambda attended: attended + 0.05,
        lambda attended: attended / 0,
    ],
)
def test_attention_that_is_off_for_this_model_is_found_at_load(
    load: Loads,
    backend: Backend,
    monkeypatch: pytest.MonkeyPatch,
    wrong: Callable[[torch.Tensor], torch.Tensor],
) -> None:
    from transformers import AttentionInterface

    packed = _packed(backend)

    def off(*args: Any, **keywords: Any) -> tuple[torch.Tensor, None]:
        return wrong(packed.attend(*args, **keywords)[0]), None

    monkeypatch.setitem(AttentionInterface._global_mapping, packed.NAME, off)
    engine = load("byte_level")
    assert engine.can().runtime["attention"] == "rows"
    assert len(span_in(drive(engine, Generate("a", (LONG,), Recipe(tokens=3), (1,))), "a")) == 3


def test_the_models_own_attention_is_back_after_a_pass_that_fails(load: Loads) -> None:
    network = load("byte_level", attention="packed").network
    config = network.module.config
    own = config._attn_implementation
    _, rows = bytes_of(network, 100, 4)
    assert config._attn_implementation == own
    with pytest.raises(IndexError), torch.inference_mode():
        rows.read([[10**6]] * 4, 1)
    assert config._attn_implementation == own
