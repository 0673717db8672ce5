"""The house model's corpus, trainer, baselines and report, on a corpus of a few kilobytes."""

from __future__ import annotations

import importlib
import random
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

HOUSE = Path(__file__).parents[3] / "backends" / "house"
MODULES = ("corpus", "lineup", "muon", "phases", "train", "baselines", "report", "evaluate")
WORDS = {
    "sea": ["the", "grey", "tide", "rolled", "over", "shingle", "and", "kelp", "gulls", "cried"],
    "law": ["whereas", "the", "party", "of", "the", "first", "part", "shall", "Indemnify", "said"],
}


@pytest.fixture(scope="module")
def house() -> Iterator[dict[str, Any]]:
    sys.path.insert(0, str(HOUSE))
    yield {name: importlib.import_module(name) for name in MODULES}
    sys.path.remove(str(HOUSE))
    for name in MODULES:
        sys.modules.pop(name, None)


def prose(source: str, size: int, seed: int) -> str:
    draw = random.Random(seed)
    sentences: list[str] = []
    while sum(map(len, sentences)) < size:
        words = draw.choices(WORDS[source], k=draw.randint(4, 12))
        ending = draw.choice([". ", "! ", ".\n\n"])
        sentences.append(" ".join(words).capitalize() + ending)
    return "".join(sentences).strip()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("train")
    sizes = {"sea": (9000, 8000, 2500), "law": (9000, 8500)}
    for source, works in sizes.items():
        (folder / source).mkdir()
        for number, size in enumerate(works):
            text = prose(source, size, number)
            (folder / source / f"work{number}.txt").write_text(text, encoding="utf-8")
    names = "source\tbyline\nsea\tA Sailor\nlaw\tA Lawyer\n"
    (folder / "names.tsv").write_text(names, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def trained(house: dict[str, Any], data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tokenizer, made with a small vocabulary and tiny shapes from here on."""
    train = house["train"]
    train.VOCABULARY = 320
    train.SHAPE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    train.INTERMEDIATE = 48
    house["phases"].WINDOW, house["phases"].LONG_WINDOW = 64, 96
    house["phases"].TOKENS_PER_STEP, house["lineup"].PASSAGES = 192, 4
    out: Path = tmp_path_factory.mktemp("model")
    train.train_tokenizer(data, out)
    return out


@pytest.fixture(scope="module")
def exported(
    house: dict[str, Any], trained: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder with a tokenizer and a model that has learnt nothing."""
    out = tmp_path_factory.mktemp("exported")
    shutil.copytree(trained, out, dirs_exist_ok=True)
    house["train"].export(house["train"].Run(96, 3), out, 96)
    return out


def corpus_of(house: dict[str, Any], data: Path, trained: Path) -> Any:
    tokenizer = house["train"].Tokenizer.from_file(str(trained / "tokenizer.json"))
    return house["corpus"].read_corpus(data, data / "names.tsv", tokenizer, trained / "ids")


def test_the_smallest_work_is_kept_apart_where_it_is_at_most_a_third(
    house: dict[str, Any], data: Path
) -> None:
    apart = house["corpus"].kept_apart(data)
    assert [p.relative_to(data).as_posix() for p in apart] == ["sea/work2.txt"]
    seen = [path for _, path in house["corpus"].texts(data, apart)]
    assert len(seen) == 4 and not set(apart) & set(seen)


@pytest.mark.parametrize(
    ("mix", "bylined", "attributed"), [("EVEN", 0.5, 0.22), ("LINED", 0.825, 0.165)]
)
def test_windows_start_with_the_end_of_text_and_have_the_shares_of_their_kinds(
    house: dict[str, Any], data: Path, trained: Path, mix: str, bylined: float, attributed: float
) -> None:
    corpus = corpus_of(house, data, trained)
    tokenizer = house["train"].Tokenizer.from_file(str(trained / "tokenizer.json"))
    rng = np.random.default_rng(5)
    drawn = [corpus.draw_window(rng, 160, getattr(house["corpus"], mix)) for _ in range(600)]
    assert all(len(window) == 160 and window[0] == 0 for window in drawn)
    texts = [tokenizer.decode(window, skip_special_tokens=True) for window in drawn]
    begun = sum(text.startswith(("A Sailor\n\n", "A Lawyer\n\n")) for text in texts)
    ended = sum("\n\n— A " in text for text in texts)
    assert begun / 600 == pytest.approx(bylined, abs=0.07)
    assert ended / 600 == pytest.approx(attributed, abs=0.07)


def test_sources_are_drawn_by_the_root_of_their_size_and_works_by_their_size(
    house: dict[str, Any],
) -> None:
    corpus = house["corpus"]
    sizes = {"large": (12_000, 4_000), "middling": (4_000,), "small": (1_000,)}
    none = np.array([], np.int64)
    works = [
        corpus.Work(source, Path(f"{source}{place}"), np.full(size, mark, np.uint16), none, none)
        for mark, (source, its) in enumerate(sizes.items())
        for place, size in enumerate(its)
    ]
    whole = corpus.Corpus(works, {}, {}, 0, 320, {})
    rng = np.random.default_rng(11)
    drawn = [whole.draw_passage(rng, 20) for _ in range(4000)]
    assert {(source, ids[0]) for source, ids in drawn} == {
        ("large", 0), ("middling", 1), ("small", 2),
    }  # fmt: skip
    shares = [np.mean([source == name for source, _ in drawn]) for name in sizes]
    assert shares == pytest.approx([4 / 7, 2 / 7, 1 / 7], abs=0.03)
    chosen = [work.path.name for _, work in map(whole._draw_work, [rng] * 4000)]
    of_large = [name for name in chosen if name.startswith("large")]
    assert of_large.count("large0") / len(of_large) == pytest.approx(0.75, abs=0.03)


def test_half_of_the_passages_begin_where_a_paragraph_or_a_sentence_does(
    house: dict[str, Any],
) -> None:
    corpus = house["corpus"]
    paragraphs, sentences = np.arange(0, 20_000, 500), np.arange(0, 20_000, 50)
    ids = np.arange(20_000, dtype=np.uint16)
    work = corpus.Work("sea", Path("sea"), ids, paragraphs, sentences)
    whole = corpus.Corpus([work], {}, {}, 0, 20_000, {})
    rng = np.random.default_rng(12)
    starts = np.array([whole.draw_passage(rng, 20)[1][0] for _ in range(4000)])
    assert np.mean(starts % 50 == 0) == pytest.approx(0.5 + 0.5 / 50, abs=0.03)
    assert np.mean(starts % 500 == 0) == pytest.approx(0.25 + 0.25 / 10 + 0.5 / 500, abs=0.03)


def test_training_resumes_where_it_stopped_and_exports_a_llama(
    house: dict[str, Any], data: Path, trained: Path, tmp_path: Path
) -> None:
    train, phases = house["train"], house["phases"]
    corpus, threads = corpus_of(house, data, trained), train.Threads(1)
    runs = {}
    for name, stops in (("whole", [6]), ("halves", [3, 6])):
        for stop in stops:
            run = train.Run(96, 1)
            file = tmp_path / f"{name}.pt"
            if file.exists():
                run.load(file)
            phase = phases.Constant(corpus, stop * phases.TOKENS_PER_STEP, short=False)
            train.train(run, phase, file, threads)
        runs[name] = run
    for key, tensor in runs["whole"].model.state_dict().items():
        assert torch.equal(tensor, runs["halves"].model.state_dict()[key]), key
    train.export(runs["whole"], trained, 96)
    model = AutoModelForCausalLM.from_pretrained(trained, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(trained)
    assert model.config.architectures == ["LlamaForCausalLM"]
    assert model.config.max_position_embeddings == 96
    ids = tokenizer("The grey tide  rolled — 雪", return_tensors="pt").input_ids
    assert tokenizer.decode(ids[0]) == "The grey tide  rolled — 雪"
    assert torch.isfinite(model(ids).logits).all()
    again = train.Run(96, 2)
    train.begin_from(again, trained)
    assert again.tokens == runs["whole"].tokens
    for key, tensor in model.state_dict().items():
        assert torch.equal(tensor, again.model.state_dict()[key]), key


def test_while_the_rate_falls_lineups_come_in_and_count_their_passages_once(
    house: dict[str, Any],
    data: Path,
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    train, phases = house["train"], house["phases"]
    monkeypatch.setattr(phases, "LINEUPS_FROM", 0.5)  # of so few steps
    run = train.Run(96, 1)
    run.step, run.tokens = 7, 40 * phases.TOKENS_PER_STEP
    phase = phases.Falling(corpus_of(house, data, trained), run)
    drawn: list[tuple[str, float]] = []
    learn = run.learn

    def note(batch: Any, rate: float) -> float:
        before = run.tokens
        loss: float = learn(batch, rate)
        lineup = isinstance(batch, house["lineup"].Lineup)
        assert run.tokens - before == (batch.ids[:, 0] if lineup else batch).numel()
        drawn.append(("lineup" if lineup else str(batch.shape[1]), round(rate, 2)))
        return loss

    run.learn = note
    train.train(run, phase, tmp_path / "decay.pt", train.Threads(1))
    assert [kind for kind, _ in drawn[:6]] == ["128", "96"] * 3
    assert [kind for kind, _ in drawn[6:]] == ["lineup", "128", "lineup", "96"]
    assert [rate for _, rate in drawn] == sorted((rate for _, rate in drawn), reverse=True)
    assert drawn[0][1] == 1.0 and drawn[-1][1] < 0.2


def test_in_bfloat16_it_learns_the_same_and_keeps_its_weights_in_float32(
    house: dict[str, Any], data: Path, trained: Path
) -> None:
    train, lineup = house["train"], house["lineup"]
    corpus, rng = corpus_of(house, data, trained), np.random.default_rng(2)
    rows = [corpus.draw_window(rng, 96, house["corpus"].EVEN) for _ in range(4)]
    for batch in (torch.tensor(rows), lineup.Lineups(corpus).draw(rng)):
        losses = []
        for half in (False, True):
            run = train.Run(160, 1, half=half)
            losses.append([run.learn(batch, 0.1) for _ in range(3)])
            assert {p.dtype for p in run.model.parameters()} == {torch.float32}
        exact, rounded = losses
        assert rounded == pytest.approx(exact, rel=0.02) and rounded != exact
        assert rounded[2] < rounded[0]


@pytest.mark.skipif(
    not any(shutil.which(name) for name in ("c++", "g++", "clang++")), reason="no C++ compiler"
)
@pytest.mark.filterwarnings("ignore:.*script_method:DeprecationWarning")
def test_compiled_it_learns_the_same(house: dict[str, Any], data: Path, trained: Path) -> None:
    train, rng = house["train"], np.random.default_rng(2)
    corpus = corpus_of(house, data, trained)
    batch = torch.tensor([corpus.draw_window(rng, 96, house["corpus"].EVEN) for _ in range(4)])
    losses = []
    for compiled in (False, True):
        run = train.Run(160, 1, compiled=compiled)
        losses.append([run.learn(batch, 0.1) for _ in range(3)])
    assert losses[1] == pytest.approx(losses[0], rel=1e-4) and losses[1][2] < losses[1][0]


def test_long_windows_and_short_ones_cost_the_same_however_attention_is_computed(
    house: dict[str, Any], data: Path, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train, rng = house["train"], np.random.default_rng(2)
    corpus = corpus_of(house, data, trained)
    batch = torch.tensor([corpus.draw_window(rng, 96, house["corpus"].EVEN) for _ in range(4)])
    losses, used = [], []
    for longest in (384, 64):
        monkeypatch.setattr(train, "PLAIN_ATTENTION", longest)
        run = train.Run(160, 1)
        losses.append(float(run.loss(batch).detach()))
        used.append(run.model.config._attn_implementation)
    assert used == ["eager", "sdpa"] and losses[0] == pytest.approx(losses[1], abs=1e-4)


def test_the_falling_rate_can_begin_lower_and_last_as_long_as_one_says(
    house: dict[str, Any], data: Path, trained: Path
) -> None:
    train, phases = house["train"], house["phases"]
    run = train.Run(96, 1)
    run.step = 5
    corpus = corpus_of(house, data, trained)
    phase = phases.Falling(corpus, run, highest=0.2, steps=10)
    rates = []
    while not phase.ended(run):
        rates.append(phase.rate(run))
        run.step += 1
    assert len(rates) == 10 and rates[0] == pytest.approx(0.2)
    assert np.diff(rates) == pytest.approx(-0.0196)
    for step, kind in ((13, house["lineup"].Lineup), (14, torch.Tensor)):
        run.step = step
        assert isinstance(phase.draw(run, np.random.default_rng(1)), kind)


def test_a_lineup_has_one_passage_under_its_own_byline_and_others(
    house: dict[str, Any], data: Path, trained: Path
) -> None:
    corpus, lineup = corpus_of(house, data, trained), house["lineup"]
    tokenizer = house["train"].Tokenizer.from_file(str(trained / "tokenizer.json"))
    drawn = lineup.Lineups(corpus).draw(np.random.default_rng(3))
    assert drawn.ids.shape[:2] == drawn.begins.shape == (lineup.PASSAGES, 2)
    for rows, begins in zip(drawn.ids.tolist(), drawn.begins.tolist(), strict=True):
        heads = [tokenizer.decode(row[1:begin]) for row, begin in zip(rows, begins, strict=True)]
        bodies = [
            row[begin : begin + lineup.PASSAGE] for row, begin in zip(rows, begins, strict=True)
        ]
        assert bodies[0] == bodies[1] and rows[0][0] == rows[1][0] == corpus.end_of_text
        assert sorted(heads) == ["A Lawyer\n\n", "A Sailor\n\n"]
        at_sea = any(word in tokenizer.decode(bodies[0]) for word in ("tide", "kelp", "gulls"))
        assert heads[0] == ("A Sailor\n\n" if at_sea else "A Lawyer\n\n")


def test_the_passages_of_a_lineup_are_scored_as_if_read_alone(
    house: dict[str, Any], data: Path, trained: Path
) -> None:
    lineup = house["lineup"]
    model = house["train"].make_model(160, house["train"].SHAPE).eval()
    drawn = lineup.Lineups(corpus_of(house, data, trained)).draw(np.random.default_rng(4))
    with torch.inference_mode():
        found = lineup.passage_logprobs(model, drawn)
        for place in ((0, 0), (3, 1)):
            begin = int(drawn.begins[place])
            row = drawn.ids[place][: begin + lineup.PASSAGE]
            expected = torch.log_softmax(model(row[None]).logits[0, begin - 1 : -1], -1)
            expected = expected.gather(1, row[begin:, None])[:, 0]
            torch.testing.assert_close(found[place], expected, atol=1e-4, rtol=1e-4)
        own, after = found[:, 0].mean(), found.cumsum(2)[:, :, [n - 1 for n in lineup.READ]]
        right = (after[:, 0] - after.logsumexp(1)).mean()
        expected_loss = -own - 2 / lineup.PASSAGE * right
        torch.testing.assert_close(lineup.lineup_loss(model, drawn), expected_loss)


def test_lineups_teach_what_a_byline_means(
    house: dict[str, Any], data: Path, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lineup, run = house["lineup"], house["train"].Run(160, 1)
    monkeypatch.setattr(lineup, "WEIGHT", 0.3)  # for so few steps
    house["train"].Threads(1)
    lineups = lineup.Lineups(corpus_of(house, data, trained))

    def right() -> float:
        with torch.inference_mode():
            drawn = lineups.draw(np.random.default_rng(99))
            return float(lineup.passage_logprobs(run.model, drawn).sum(2).softmax(1)[:, 0].mean())

    assert right() == pytest.approx(0.5, abs=0.1)
    for step in range(8):
        run.learn(lineups.draw(np.random.default_rng(step)), 0.5)
    assert right() > 0.75


def test_orthogonalised_matrices_have_singular_values_near_one(
    house: dict[str, Any],
) -> None:
    torch.manual_seed(0)
    for shape in ((3, 8, 24), (3, 24, 8)):
        made = house["muon"].orthogonalised(torch.randn(shape))
        values = torch.linalg.svdvals(made)
        assert values.min() > 0.5 and values.max() < 1.4
        rounded = house["muon"].orthogonalised(torch.randn(shape).bfloat16()).float()
        assert 0.5 < torch.linalg.svdvals(rounded).min() < torch.linalg.svdvals(rounded).max() < 1.4


def test_the_character_model_is_a_distribution_and_learns(house: dict[str, Any]) -> None:
    model = house["baselines"].CharacterModel(prose("sea", 6000, 1).encode())
    alike, foreign = prose("sea", 500, 9).encode(), prose("law", 500, 9).encode()
    assert model.bits(alike) / len(alike) < model.bits(foreign) / len(foreign)
    context = b"tide"
    each = [model.bits(context + bytes([b])) - model.bits(context) for b in range(256)]
    assert sum(2.0**-bits for bits in each) == pytest.approx(1, abs=1e-6)


def test_what_needs_no_model_is_measured_by_genre_too(house: dict[str, Any]) -> None:
    evaluate = house["evaluate"]
    prose_of = {"sea": prose("sea", 3000, 4), "law": prose("law", 2000, 5)}
    found = [
        evaluate.Text("cuts", source, genre, "work", prose_of[source])
        for source, genre in (("sea", "fiction"), ("law", "speech"))
    ]
    characters = house["baselines"].CharacterModel(prose("sea", 9000, 6).encode())
    rows = evaluate.without_model(characters, found, 1000)
    assert set(rows) == {"", "fiction", "speech"}
    assert rows["fiction"]["characters"] < rows["speech"]["characters"], "it was trained on that"
    cuts = {text.genre: evaluate.middle(text.content, 1000).encode() for text in found}
    sizes = {genre: len(cut) for genre, cut in cuts.items()}
    whole = sum(rows[genre]["characters"] * size for genre, size in sizes.items())
    assert rows[""]["characters"] == pytest.approx(whole / sum(sizes.values()))
    assert rows["speech"]["xz"] == house["baselines"].xz_bits_per_byte([cuts["speech"]])


def test_naive_bayes_tells_the_sources_apart(house: dict[str, Any]) -> None:
    bayes = house["baselines"].NaiveBayes({s: prose(s, 4000, 1).encode() for s in WORDS})
    for place, source in enumerate(WORDS):
        assert int(bayes.scores(prose(source, 300, 7).encode()).argmax()) == place


def test_the_reader_agrees_with_a_plain_forward_pass(house: dict[str, Any], exported: Path) -> None:
    reader = house["evaluate"].Reader(exported)
    short, long = [0, 5, 9, 30, 31], [0, 7, 8, 9, 10, 11, 12]
    found = reader.logprobs([short, long], 3)
    for row, ids in zip(found, (short, long), strict=True):
        with torch.inference_mode():
            logits = reader.model(torch.tensor([ids])).logits[0, -4:-1]
        expected = torch.log_softmax(logits, -1).gather(1, torch.tensor(ids[-3:])[:, None])
        np.testing.assert_allclose(row, expected[:, 0].numpy(), atol=1e-5)


def test_tails_after_a_shared_prefix_are_scored_as_if_read_whole(
    house: dict[str, Any], exported: Path
) -> None:
    reader = house["evaluate"].Reader(exported)
    prefix, tails = [0, 5, 9, 30], [[31, 7], [8], [9, 10, 11]]
    found = reader.tails(prefix, tails)
    for value, tail in zip(found, tails, strict=True):
        whole = reader.logprobs([[*prefix, *tail]], len(tail)).sum()
        assert value == pytest.approx(float(whole), abs=1e-4)


def test_the_rank_counts_better_sources(house: dict[str, Any]) -> None:
    scores = np.array([-3.0, -1.0, -2.0])
    ranks = [house["evaluate"].rank_of(s, scores, ["a", "b", "c"]) for s in "abc"]
    assert ranks == [2, 0, 1]
    shares = house["evaluate"].shares([0, 0, 1, 5])
    assert (shares["top1"], shares["top3"], shares["passages"]) == (0.5, 0.75, 4)
