"""docs/source-estimates.md, out of the figures of an evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from loom.instruments.sources.api import HAZARD

Facts = Mapping[str, Any]


def markdown(facts: Facts) -> str:
    return "\n".join(_lines(facts)) + "\n"


def _lines(facts: Facts) -> Iterator[str]:
    parts: Mapping[str, Facts] = facts["parts"]
    seeds = ", ".join(sorted({str(part["seed"]) for part in parts.values()}))
    yield "# Source estimates, measured"
    yield ""
    yield (
        f"`make evaluate-sources` wrote this page and `source-estimates.json` on the model "
        f"{facts['model']} (`{facts['fingerprint']}`), source set {facts['set']} "
        f"(`{facts['digest']}`), seed {seeds}. Errors are standard errors, clustered by work. "
        "✓ and ✗ say whether a goal is met by the figure as it is. How it works is in "
        "[sources.md](sources.md)."
    )
    for name, section in SECTIONS.items():
        if name in parts:
            yield from section(parts[name])


def _held_out(facts: Facts) -> Iterator[str]:
    yield from ("", "## Which of the 80? Held-out cuts", "")
    yield (
        "Text that was not trained on, of works that were. Ranked by the likelihood of 256 tokens "
        "under each byline; naive Bayes was trained on all training text and tested on the same "
        "passages."
    )
    yield from _hits(facts, {"top1": (0.70, "≥ .70"), "top3": (0.90, "≥ .90")})
    yield from _lengths(facts)


def _unseen(facts: Facts) -> Iterator[str]:
    yield from ("", "## The same on works never seen", "")
    yield from _hits(facts, {"top1": (0.50, "≥ .50")})
    last = facts["tempered"]["256"]["given"]
    prior = facts["prior"]["given"]
    share = last["log_loss"]["mean"] / prior
    below = all(
        row["given"]["log_loss"]["mean"] < prior and row["shown"]["log_loss"]["mean"] < loss
        for loss in [facts["prior"]["loss"]]
        for row in facts["tempered"].values()
    )
    ece = facts["tempered"]["256"]["shown"]["ece"]
    yield ""
    yield "| goal | figure |"
    yield "|---|---|"
    yield f"| tempered ECE at 256 tokens ≤ .07 | {_pm(ece)} {_mark(ece['mean'] <= 0.07)} |"
    goal = "log loss at 256 tokens ≤ .8 of the prior's entropy"
    yield f"| {goal} | {share:.3f} {_mark(share <= 0.8)} |"
    yield f"| log loss below the prior's at every length | {_mark(below)} |"
    yield from _lengths(facts)


def _hits(facts: Facts, goals: Mapping[str, tuple[float, str]]) -> Iterator[str]:
    rows = {"likelihood under each byline": "by_evidence", "naive Bayes, 5-grams": "naive_bayes"}
    yield ""
    yield f"{facts['passages']} passages of {facts['works']} works by {facts['sources']} sources."
    yield ""
    yield "| how | top-1 | top-3 |"
    yield "|---|---|---|"
    for how, key in rows.items():
        yield f"| {how} | {_pm(facts[key]['top1'])} | {_pm(facts[key]['top3'])} |"
    found = [
        f"{said} {_mark(facts['by_evidence'][key]['mean'] >= least)}"
        for key, (least, said) in goals.items()
    ]
    texts = dict(zip(goals, found, strict=True))
    yield f"| goal | {texts.get('top1', '')} | {texts.get('top3', '')} |"
    yield ""
    yield (
        f"The passage is {_pm(facts['gain'])} bits likelier under the right byline than under "
        f"none; a choice among the sources is one of {facts['prior']['given']:.1f} bits."
    )


def _lengths(facts: Facts) -> Iterator[str]:
    prior, fitted = facts["prior"], facts["tempering"]
    yield ""
    yield (
        "What is shown, after so many tokens: the filter with the null among its hypotheses, as it "
        "is and tempered, and tempered for a filter without a hazard, to which no source ever "
        "changes; the tempering fitted on other works (five folds: "
        f"η {_span(fitted['eta'])}, γ {_span(fitted['gamma'])}). Bits. The prior alone has an "
        f"entropy of {prior['shown']:.2f} and, the truth being one of the sources, a log loss of "
        f"{prior['loss']:.2f}; among the sources alone both are {prior['given']:.2f}. ECE is of "
        "the likeliest hypothesis, ten bins; beside it what beliefs that are exactly right would "
        "show, as there are so few."
    )
    yield ""
    yield (
        "| tokens | tempered | log loss | among the sources | entropy | Brier | ECE (honest) "
        "| top-1 | top-3 | null |"
    )
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for way in WAYS:
        for length, row in facts[way].items():
            yield _length(length, way, row["shown"], row["given"])
    last = {way: facts[way]["256"]["shown"]["log_loss"]["mean"] for way in WAYS}
    yield ""
    yield (
        f"After 256 tokens the hazard, a chance of 1/{1 / HAZARD:.0f} a token that another source "
        f"goes on, has cost {last['tempered'] - last['lasting']:.2f} bits of log loss; tempering "
        f"has saved {last['raw'] - last['tempered']:.2f}."
    )


WAYS = {"raw": "no", "tempered": "yes", "lasting": "yes, no hazard"}


def _length(length: str, way: str, shown: Facts, given: Facts) -> str:
    ece = shown["ece"]
    cells = [
        length,
        WAYS[way],
        _pm(shown["log_loss"], 2),
        _pm(given["log_loss"], 2),
        f"{shown['entropy']['mean']:.2f}",
        _pm(shown["brier"], 3),
        f"{_pm(ece, 3)} ({ece['honest']:.3f})",
        _pm(shown["top1"], 2),
        _pm(shown["top3"], 2),
        f"{shown['null']['mean']:.2f}",
    ]
    return f"| {' | '.join(cells)} |"


def _simulation(facts: Facts) -> Iterator[str]:
    yield from ("", "## Self-simulation: a plumbing test", "")
    yield (
        f"{facts['texts']} texts of 128 tokens drawn from the model itself, in {facts['sets']} "
        f"sets of {facts['sources']} bylines by lot and the null, each as often as its prior says; "
        "read under all of them, untempered. The hypotheses are true here, so this says whether "
        "anything is mixed up on the way, and nothing about the world. `exact`: no hazard, as it "
        "was drawn; `filter`: as the program does it. Goals, for exact: log loss / mean entropy "
        "within 10 %, ECE ≤ .04."
    )
    yield ""
    yield ("| tokens | how | texts | log loss | mean entropy | ratio | ECE (honest) | right |")
    yield "|---|---|---|---|---|---|---|---|"
    for how in ("exact", "filter"):
        for length, row in facts[how].items():
            ratio, ece = row["ratio"], row["ece"]
            good = [_mark(abs(ratio["mean"] - 1) <= 0.1), _mark(ece["mean"] <= 0.04)]
            near, true = good if how == "exact" else ("", "")
            yield (
                f"| {length} | {how} | {row['texts']} | {_pm(row['log_loss'], 3)} "
                f"| {_pm(row['entropy'], 3)} | {_pm(ratio, 3)} {near} "
                f"| {_pm(ece, 3)} ({ece['honest']:.3f}) {true} | {_pm(row['accuracy'], 2)} |"
            )


def _federalist(facts: Facts) -> Iterator[str]:
    fitted, known = facts["fitted_on"], facts["known"]
    yield from ("", "## The Federalist Papers", "")
    yield (
        "Bylines Alexander Hamilton and James Madison, and the null, on papers that no training "
        f"text has, without headings and signature; η {facts['eta']:.4f}, γ {facts['gamma']:.2f} "
        f"fitted on held-out cuts of all sources ({fitted['tokens']:,} tokens of "
        f"{fitted['works']} works), none of them of these papers. Bits are for Madison against "
        f"Hamilton. Of {facts['disputed']} disputed papers {facts['to_madison']} go to Madison "
        "(character n-grams: 11 of 12). Of those whose author is known, "
        f"{known['hamilton']['right']} of {known['hamilton']['papers']} by Hamilton and "
        f"{known['madison']['right']} of {known['madison']['papers']} by Madison go to their "
        "author. What tempers was fitted on 256 tokens and says little of thousands. Beliefs are "
        "the filter's at the end of the paper, which remembers the last few hundred tokens best."
    )
    yield ""
    yield "| paper | by | tokens | bits | tempered bits | Madison | Hamilton | null |"
    yield "|---|---|---|---|---|---|---|---|"
    for row in facts["rows"]:
        yield (
            f"| {row['paper']} | {row['label']} | {row['tokens']:,} | {row['bits']:+.1f} "
            f"| {row['tempered']:+.2f} | {row['madison']:.2f} | {row['hamilton']:.2f} "
            f"| {row['null']:.2f} |"
        )


def _splices(facts: Facts) -> Iterator[str]:
    yield from ("", "## Another source goes on", "")
    yield (
        "Noticed: the source that goes on leads all others, the null too, within 64 tokens; those "
        "where it led before are left out (early). Beside it how often the same source comes to "
        "lead where the text goes on as it was. Drawn: 48 tokens from the model itself under one "
        "of six bylines, then 64 under another (goal: ≥ .85 at h = 1/64). Human: 128 tokens of a "
        "work never seen, then 64 of another; two bylines and the null, the tempering fitted on "
        "neither."
    )
    yield ""
    yield "| text | tempered | h | cases | early | median | noticed | without a splice |"
    yield "|---|---|---|---|---|---|---|---|"
    for text in ("drawn", "human"):
        for row in facts[text]:
            within, alone = row["within"], row["without"]
            goal = text == "drawn" and row["hazard"] > 0.01
            mark = f" {_mark(within['share'] >= 0.85)}" if goal else ""
            median = "–" if row["median"] is None else f"{row['median']:g}"
            yield (
                f"| {text} | {'yes' if row['tempered'] else 'no'} | 1/{1 / row['hazard']:.0f} "
                f"| {row['cases']} | {row['early']} | {median} "
                f"| {within['share']:.2f} ± {within['error']:.2f}{mark} "
                f"| {alone['share']:.2f} ± {alone['error']:.2f} |"
            )


def _probe(facts: Facts) -> Iterator[str]:
    yield from ("", "## Asked, beside read", "")
    drawn, works = facts["drawn"], facts["works"]
    yield (
        f"After {facts['passages']} passages of {works} works never seen the model was asked for "
        f"an attribution {facts['asked']} times, and every name of the set was scored as the "
        "answer against what it is after any text. Δ is PMI by frame less PMI by probe of the "
        "right source, in bits; a model of one mind would have 0."
    )
    yield ""
    yield "| how | top-1 | top-3 |"
    yield "|---|---|---|"
    yield f"| most frequent answer drawn | {_pm(drawn['top1'])} | |"
    hows = {
        "names scored as answers": facts["by_probe"],
        "the same passages read under frames": facts["by_frame"],
    }
    for how, row in hows.items():
        yield f"| {how} | {_pm(row['top1'])} | {_pm(row['top3'])} |"
    yield ""
    yield (
        f"Of the answers {_pm(drawn['right'], 3)} name the right source and {_pm(drawn['known'])} "
        f"any of the set. Median Δ {_pm(facts['delta'])}, median |Δ| {_pm(facts['apart'])}; of all "
        f"names, right or not, {facts['apart_of_all']:.2f}."
    )


def _cost(facts: Facts) -> Iterator[str]:
    yield from ("", "## Cost", "")
    share = facts["share"]
    rounds = ", ".join(f"{each:.2f}" for each in facts["shares"])
    yield (
        f"Weighing a node of {facts['tokens']} tokens under {facts['frames']} frames took "
        f"{facts['weighing']:.2f} s, generating it {facts['generating']:.2f} s: {share:.2f} of it "
        f"({rounds}; goal: ≤ 1.0 {_mark(share <= 1)}). Of four such nodes side by side "
        f"({facts['four']:.2f} s) weighing all takes {facts['share_of_four']:.2f}."
    )


def _pm(fact: Facts, digits: int = 2) -> str:
    return f"{fact['mean']:.{digits}f} ± {fact['error']:.{digits}f}"


def _span(values: Sequence[float]) -> str:
    low, high = min(values), max(values)
    return f"{low:.3g}" if low == high else f"{low:.3g} to {high:.3g}"


def _mark(held: bool) -> str:
    return "✓" if held else "✗"


SECTIONS: Mapping[str, Callable[[Facts], Iterator[str]]] = {
    "held_out": _held_out,
    "unseen": _unseen,
    "simulation": _simulation,
    "federalist": _federalist,
    "splices": _splices,
    "probe": _probe,
    "cost": _cost,
}
