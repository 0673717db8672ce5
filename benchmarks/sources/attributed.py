"""The sections of the page about whose a passage is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from benchmarks.sources.figures import Facts, mark, pm, span
from loom.instruments.sources.api import HAZARD

WAYS = {"raw": "no", "tempered": "yes", "lasting": "yes, no hazard"}


def held_out(facts: Facts) -> Iterator[str]:
    yield from ("", "## Which of the 80? Held-out cuts", "")
    yield (
        "Text that was not trained on, of works that were. Ranked by the likelihood of 256 tokens "
        "under each byline; naive Bayes was trained on all training text and tested on the same "
        "passages."
    )
    yield from _hits(facts, {"top1": (0.70, "≥ .70"), "top3": (0.90, "≥ .90")})
    yield from _lengths(facts)


def unseen(facts: Facts) -> Iterator[str]:
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
    yield f"| tempered ECE at 256 tokens ≤ .07 | {pm(ece)} {mark(ece['mean'] <= 0.07)} |"
    goal = "log loss at 256 tokens ≤ .8 of the prior's entropy"
    yield f"| {goal} | {share:.3f} {mark(share <= 0.8)} |"
    yield f"| log loss below the prior's at every length | {mark(below)} |"
    yield from _lengths(facts)


def _hits(facts: Facts, goals: Mapping[str, tuple[float, str]]) -> Iterator[str]:
    rows = {"likelihood under each byline": "by_evidence", "naive Bayes, 5-grams": "naive_bayes"}
    yield ""
    yield f"{facts['passages']} passages of {facts['works']} works by {facts['sources']} sources."
    yield ""
    yield "| how | top-1 | top-3 |"
    yield "|---|---|---|"
    for how, key in rows.items():
        yield f"| {how} | {pm(facts[key]['top1'])} | {pm(facts[key]['top3'])} |"
    found = [
        f"{said} {mark(facts['by_evidence'][key]['mean'] >= least)}"
        for key, (least, said) in goals.items()
    ]
    texts = dict(zip(goals, found, strict=True))
    yield f"| goal | {texts.get('top1', '')} | {texts.get('top3', '')} |"
    yield ""
    yield (
        f"The passage is {pm(facts['gain'])} bits likelier under the right byline than under "
        f"none; a choice among the sources is one of {facts['prior']['given']:.1f} bits."
    )


def _lengths(facts: Facts) -> Iterator[str]:
    prior, fitted = facts["prior"], facts["tempering"]
    yield ""
    yield (
        "What is shown, after so many tokens: the filter with the null among its hypotheses, as it "
        "is and tempered, and tempered for a filter without a hazard, to which no source ever "
        "changes; the tempering fitted on other works (five folds: "
        f"η {span(fitted['eta'])}, γ {span(fitted['gamma'])}). Bits. The prior alone has an "
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


def _length(length: str, way: str, shown: Facts, given: Facts) -> str:
    ece = shown["ece"]
    cells = [
        length,
        WAYS[way],
        pm(shown["log_loss"], 2),
        pm(given["log_loss"], 2),
        f"{shown['entropy']['mean']:.2f}",
        pm(shown["brier"], 3),
        f"{pm(ece, 3)} ({ece['honest']:.3f})",
        pm(shown["top1"], 2),
        pm(shown["top3"], 2),
        f"{shown['null']['mean']:.2f}",
    ]
    return f"| {' | '.join(cells)} |"
