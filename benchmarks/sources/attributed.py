"""The sections of the page about whose a passage is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from benchmarks.sources.figures import Facts, mark, pm, span
from loom.instruments.sources.api import HAZARD
from loom.labelled import ASKED_AFTER

WAYS = {
    "raw": "no",
    "tempered": "yes",
    "lasting": "yes, no hazard",
    "together": "yes, and asked",
}


def held_out(facts: Facts) -> Iterator[str]:
    yield from ("", "## Which of the 80? Held-out cuts", "")
    yield (
        "Text that was not trained on, of works that were. Ranked by the likelihood of 256 tokens "
        "under each byline, by how much likelier each name is as the answer after them than after "
        "other held-out cuts (PMI), and by both together; naive Bayes was trained on all training "
        "text and tested on the same passages."
    )
    yield from _hits(facts, {"top1": (0.70, "≥ .70"), "top3": (0.90, "≥ .90")})
    yield from _lengths(facts)


def unseen(facts: Facts) -> Iterator[str]:
    yield from ("", "## The same on works never seen")
    yield from _hits(facts, {"top1": (0.50, "≥ .50")})
    prior = facts["prior"]["given"]
    every = [facts["tempered"], facts["together"]]
    below = [
        all(
            row["given"]["log_loss"]["mean"] < prior and row["shown"]["log_loss"]["mean"] < loss
            for row in way.values()
        )
        for loss in [facts["prior"]["loss"]]
        for way in every
    ]
    eces = [way["256"]["shown"]["ece"] for way in every]
    losses = [way["256"]["given"]["log_loss"]["mean"] / prior for way in every]
    yield ""
    yield "| goal, tempered | read | read and asked |"
    yield "|---|---|---|"
    cells = (f"{pm(ece)} ({ece['honest']:.2f}) {mark(ece['mean'] <= 0.07)}" for ece in eces)
    yield f"| ECE at 256 tokens (of beliefs exactly right) ≤ .07 | {' | '.join(cells)} |"
    goal = "log loss at 256 tokens ≤ .8 of the prior's entropy"
    yield f"| {goal} | {' | '.join(f'{loss:.3f} {mark(loss <= 0.8)}' for loss in losses)} |"
    cells = (mark(held) for held in below)
    yield f"| log loss below the prior's at every length | {' | '.join(cells)} |"
    parted = " and ".join(span(facts["eces"][way]) for way in ("tempered", "together"))
    yield ""
    yield f"By how the works are parted into folds the two calibration errors are {parted}."
    yield from _lengths(facts)


def _hits(facts: Facts, goals: Mapping[str, tuple[float, str]]) -> Iterator[str]:
    rows: dict[str, tuple[Facts, Mapping[str, tuple[float, str]]]] = {
        "likelihood under each byline": (facts["by_evidence"], goals),
        "each name as the answer, when asked": (facts["by_asking"], {}),
        "read and asked together": (facts["together"]["256"]["shown"], goals),
        "naive Bayes, 5-grams": (facts["naive_bayes"], {}),
    }
    yield ""
    yield f"{facts['passages']} passages of {facts['works']} works by {facts['sources']} sources."
    yield ""
    yield "| how | top-1 | top-3 |"
    yield "|---|---|---|"
    for how, (row, judged) in rows.items():
        cells = (f"{pm(row[key])} {_held(row[key], judged.get(key))}" for key in ("top1", "top3"))
        yield f"| {how} | {' | '.join(cell.strip() for cell in cells)} |"
    said = (goals[key][1] if key in goals else "" for key in ("top1", "top3"))
    yield f"| goal | {' | '.join(said)} |"
    yield ""
    yield (
        f"The passage is {pm(facts['gain'])} bits likelier under the right byline than under "
        f"none; a choice among the sources is one of {facts['prior']['given']:.1f} bits."
    )


def _held(fact: Facts, goal: tuple[float, str] | None) -> str:
    return "" if goal is None else mark(fact["mean"] >= goal[0])


def _lengths(facts: Facts) -> Iterator[str]:
    prior, fitted, both = facts["prior"], facts["tempering"], facts["pooling"]
    yield ""
    yield (
        "What is shown, after so many tokens: the filter with the null among its hypotheses, as it "
        "is and tempered, and tempered for a filter without a hazard, to which no source ever "
        "changes; the tempering fitted on other works (in five folds, the mean over five ways to "
        f"part the works: η {span(fitted['eta'])}, γ {span(fitted['gamma'])}). Bits. The prior "
        f"alone has an entropy of {prior['shown']:.2f} and, the truth being one of the sources, a "
        "log loss of "
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
            yield _length(length, WAYS[way], row["shown"], row["given"])
    last = {way: facts[way]["256"]["shown"]["log_loss"]["mean"] for way in WAYS}
    yield ""
    yield (
        f"After 256 tokens the hazard, a chance of 1/{1 / HAZARD:.0f} a token that another source "
        f"goes on, has cost {last['tempered'] - last['lasting']:.2f} bits of log loss; tempering "
        f"has saved {last['raw'] - last['tempered']:.2f}. Asked as well, it says "
        f"{last['tempered'] - last['together']:.2f} bits more: together the log-odds believed "
        "after reading t tokens and the bits of a name as the answer count "
        f"{span(both['read'])} and {span(both['asked'])} times (t / 256)^{span(both['rise'])}, "
        f"fitted on other works, too, after {', '.join(map(str, ASKED_AFTER))} tokens."
    )


def _length(length: str, how: str, shown: Facts, given: Facts) -> str:
    ece = shown["ece"]
    cells = [
        length,
        how,
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
