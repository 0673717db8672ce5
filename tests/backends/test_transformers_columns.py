"""What is computed where the logits are is what the core computes from them."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from loom.core.recipe import PRESETS, Recipe, Sampling
from loom.core.sampling import draw, sampled_logprobs
from loom.core.span import Span
from loom.core.statistics import read_columns, span_of
from loom.engine.api import Generate, JobFailed, Score
from loom.extensions import load_backend
from loom.testing import NASTY, check_engine, drive, span_in
from tests.backends import tiny_models

TOP = 7
EVERY = Sampling(
    logit_bias=((3, 2.0), (9, -1.5), (10**6, 1.0)),
    repetition_penalty=1.3,
    repetition_window=4,
    temperature=1.4,
    top_k=30,
    top_p=0.93,
    min_p=0.004,
    typical_p=0.95,
)
SAMPLINGS = {
    **PRESETS,
    "every": EVERY,
    "top_k": Sampling(top_k=5),
    "top_p": Sampling(top_p=0.6),
    "typical": Sampling(typical_p=0.7),
    "banning": Sampling(logit_bias=tuple((i, -np.inf) for i in range(4096))),
}


@pytest.fixture(scope="module")
def columns(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The module, which is loaded by path."""
    backend = load_backend(str(tmp_path_factory.mktemp("model")))
    return importlib.import_module(f"{vars(backend)['__name__']}.columns")


def rows_of(seed: int, count: int, width: int, *, ties: bool) -> NDArray[np.float32]:
    """Log-probabilities, some of them −inf, and some equal with `ties`."""
    chance = np.random.default_rng(seed)
    logits = chance.gumbel(scale=2.0, size=(count, width))
    if ties:
        logits = np.round(logits)
    logits[chance.random(logits.shape) < 0.1] = -np.inf
    logits[:, 0] = 0.0
    logs = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    return np.asarray(logs, np.float32)


def device(columns: Any, width: int, banned: Sequence[int] | NDArray[np.int64] = ()) -> Any:
    mask = np.zeros(width, dtype=np.bool_)
    mask[list(banned)] = True
    return columns.DeviceArithmetic(mask, torch.device("cpu"))


def spans_differ(found: dict[str, Any], expected: Span) -> list[str]:
    """Names of the columns that are not the same to the last few bits of float32."""
    names = []
    for name, column in expected.columns():
        if name in ("ids", "ends"):
            continue
        if column is None:
            names += [] if found.get(name) is None else [name]
        elif column.dtype.kind == "i":
            names += [] if np.array_equal(found[name], column) else [name]
        elif not np.allclose(found[name], column, rtol=2e-5, atol=2e-5):
            names.append(name)
    return names


@pytest.mark.parametrize("name", SAMPLINGS)
@pytest.mark.parametrize("ties", [False, True])
def test_drawn_tokens_and_their_columns_are_those_of_the_core(
    columns: Any, name: str, ties: bool
) -> None:
    sampling = SAMPLINGS[name]
    for width in (40, 3000):
        logs = rows_of(width, 6, width, ties=ties)
        recent = [[1, 2, 2, 5, width, -1][: row + 1] for row in range(6)]
        banned = np.array([5, 11]) if name != "raw" else np.array([], np.int64)
        allowed = logs.copy()
        allowed[:, banned] = -np.inf
        uniforms = np.random.default_rng(1).random(6).tolist()
        sampled = sampled_logprobs(allowed, sampling, recent)
        ids = [draw(row, u) for row, u in zip(sampled, uniforms, strict=True)]
        changed = name != "raw"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # numpy's, of 0 × ∞ in its own sums
            expected = span_of(
                logs, ids, range(1, 7), TOP, sampled if changed else None, drawn=True
            )
        arithmetic = device(columns, width, banned)
        found, made = arithmetic.drawn(torch.from_numpy(logs), sampling, recent, uniforms, TOP)
        assert found == ids
        assert spans_differ(made(), expected) == []


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 999),
    width=st.integers(1, 60),
    ties=st.booleans(),
    temperature=st.sampled_from([0.0, 0.5, 1.0, 3.0]),
    top_k=st.integers(0, 70),
    top_p=st.sampled_from([1.0, 0.99, 0.5, 0.01]),
    min_p=st.sampled_from([0.0, 0.1, 0.9]),
    typical_p=st.sampled_from([1.0, 0.5]),
    ban=st.booleans(),
)
def test_any_sampling_leaves_what_the_core_leaves(
    columns: Any,
    seed: int,
    width: int,
    ties: bool,
    temperature: float,
    top_k: int,
    top_p: float,
    min_p: float,
    typical_p: float,
    ban: bool,
) -> None:
    sampling = Sampling(
        temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p, typical_p=typical_p
    )
    logs = rows_of(seed, 3, width, ties=ties)
    arithmetic = device(columns, width, [0] if ban else [])
    allowed = logs.copy()
    allowed[:, [0] if ban else []] = -np.inf
    uniforms = [0.0, 0.3, 1 - 2**-53]
    if not (allowed > -np.inf).any(axis=1).all():
        with pytest.raises(ValueError, match="possible"):
            arithmetic.drawn(torch.from_numpy(logs), sampling, [[]] * 3, uniforms, width)
        return
    expected = sampled_logprobs(allowed, sampling, [[]] * 3)
    ids, compute = arithmetic.drawn(torch.from_numpy(logs), sampling, [[]] * 3, uniforms, width)
    assert ids == [draw(row, u) for row, u in zip(expected, uniforms, strict=True)]
    if sampling.neutral and not ban:
        return
    made, dense = compute(), np.full(logs.shape, np.nan)
    np.put_along_axis(dense, made["top_ids"], made["top_sampled"], axis=1)
    assert np.array_equal(np.isfinite(dense), np.isfinite(expected))
    assert np.allclose(np.exp(dense), np.exp(expected), atol=1e-6)


@pytest.mark.parametrize("ties", [False, True])
def test_text_that_is_read_has_the_columns_of_the_core(columns: Any, ties: bool) -> None:
    logs = rows_of(3, 9, 500, ties=ties)
    chosen = [0, 0, *logs[2:].argmax(axis=1).tolist()]
    expected = read_columns(logs, chosen, TOP)
    found = device(columns, 500).read(torch.from_numpy(logs), chosen, TOP)
    assert found.keys() == expected.keys()
    for name, column in expected.items():
        assert found[name].dtype == column.dtype
        assert np.allclose(found[name], column, rtol=2e-5, atol=2e-5)


def test_everything_comes_in_one_copy(columns: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    copies = []
    plainly = torch.Tensor.cpu

    def counted(tensor: torch.Tensor) -> torch.Tensor:
        copies.append(tensor.shape)
        return plainly(tensor)

    monkeypatch.setattr(torch.Tensor, "cpu", counted)
    logs = torch.from_numpy(rows_of(0, 4, 300, ties=False))
    device(columns, 300).drawn(logs, EVERY, [[1]] * 4, [0.5] * 4, 20)
    assert copies == [(4, 2 + 4 + 3 * 20 + 1 + 8 + 3)]


def test_rows_that_are_no_numbers_are_told(columns: Any) -> None:
    arithmetic = device(columns, 20)
    logs = torch.from_numpy(rows_of(0, 2, 20, ties=False))
    logs[1, 3] = torch.nan
    with pytest.raises(JobFailed, match="overflowed"):
        arithmetic.read(logs, [0, 0], 5)
    with pytest.raises(JobFailed, match="overflowed"):
        arithmetic.drawn(logs, Sampling(top_p=0.9), [[]] * 2, [0.5] * 2, 5)


def test_an_engine_says_the_same_with_either(tmp_path: Path) -> None:
    folder = tiny_models.byte_level(tmp_path / "model")
    backend = load_backend(str(folder))
    spans = []
    for where in ("host", "device"):
        engine = backend.load(str(folder), {"statistics": where}, lambda *_: None)
        check_engine(engine)
        recipe = Recipe(PRESETS["balanced"], tokens=30)
        events = drive(engine, Generate("a", (b"the",), recipe, (1, 2, 3)), Score("b", (), NASTY))
        spans.append([*(span_in(events, "a", branch) for branch in range(3)), span_in(events, "b")])
    for host, device in zip(*spans, strict=True):
        assert host.ids.tolist() == device.ids.tolist()
        assert spans_differ(dict(device.columns()), host) == []
