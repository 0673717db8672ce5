"""docs/source-estimates.md, out of the figures of an evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from benchmarks.sources.attributed import held_out, unseen
from benchmarks.sources.figures import Facts, mark, pm
from benchmarks.sources.splicing import HUMAN, WITHIN


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
    yield from _weak_spots(parts)


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
            good = [mark(abs(ratio["mean"] - 1) <= 0.1), mark(ece["mean"] <= 0.04)]
            near, true = good if how == "exact" else ("", "")
            yield (
                f"| {length} | {how} | {row['texts']} | {pm(row['log_loss'], 3)} "
                f"| {pm(row['entropy'], 3)} | {pm(ratio, 3)} {near} "
                f"| {pm(ece, 3)} ({ece['honest']:.3f}) {true} | {pm(row['accuracy'], 2)} |"
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
            held = f" {mark(within['share'] >= 0.85)}" if goal else ""
            median = "–" if row["median"] is None else f"{row['median']:g}"
            yield (
                f"| {text} | {'yes' if row['tempered'] else 'no'} | 1/{1 / row['hazard']:.0f} "
                f"| {row['cases']} | {row['early']} | {median} "
                f"| {within['share']:.2f} ± {within['error']:.2f}{held} "
                f"| {alone['share']:.2f} ± {alone['error']:.2f} |"
            )

    if (asked := facts.get("asked")) is not None:
        yield ""
        yield (
            f"Asked after those 64 tokens, too, a question that sees {HUMAN + WITHIN} tokens in "
            f"all: of {asked['cases']} human texts in which it led by neither before, what goes on "
            f"leads in {pm(asked['read'])} by reading and in {pm(asked['together'])} by reading "
            f"and asking (tempered, h = 1/256); where the text goes on as it was, in "
            f"{pm(asked['read_without'])} and {pm(asked['together_without'])}."
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
    yield f"| most frequent answer drawn | {pm(drawn['top1'])} | |"
    hows = {
        "names scored as answers": facts["by_probe"],
        "the same passages read under frames": facts["by_frame"],
    }
    for how, row in hows.items():
        yield f"| {how} | {pm(row['top1'])} | {pm(row['top3'])} |"
    yield ""
    yield (
        f"Of the answers {pm(drawn['right'], 3)} name the right source and {pm(drawn['known'])} "
        f"any of the set. Median Δ {pm(facts['delta'])}, median |Δ| {pm(facts['apart'])}; of all "
        f"names, right or not, {facts['apart_of_all']:.2f}."
    )


def _cost(facts: Facts) -> Iterator[str]:
    yield from ("", "## Cost", "")
    share = facts["share"]
    rounds = ", ".join(f"{each:.2f}" for each in facts["shares"])
    yield (
        f"Weighing a node of {facts['tokens']} tokens under {facts['frames']} frames took "
        f"{facts['weighing']:.2f} s, generating it {facts['generating']:.2f} s: {share:.2f} of it "
        f"({rounds}; goal: ≤ 1.0 {mark(share <= 1)}). Of four such nodes side by side "
        f"({facts['four']:.2f} s) weighing all takes {facts['share_of_four']:.2f}. Asking about "
        f"all {facts['names']} sources after it took {facts['asking']:.2f} s, "
        f"{facts['asking'] / facts['generating']:.1f} times as long as generating it."
    )


def _weak_spots(parts: Mapping[str, Facts]) -> Iterator[str]:
    yield from ("", "## Weak spots", "")
    yield (
        "- The bundled model has seen a fraction of the text it is meant for, and what a byline "
        "does is learnt late ([house-model.md](house-model.md)): what misses a goal here mostly "
        "misses it for want of evidence, not of arithmetic, as the plumbing test shows. Counting "
        "5-grams tells the sources apart better."
    )
    if "unseen" in parts:
        after, costs = zip(*parts["unseen"]["raw"].items(), strict=True)
        losses = [cost["shown"]["log_loss"]["mean"] for cost in costs]
        if losses[-1] > min(losses):
            least = losses.index(min(losses))
            yield (
                "- Of works never seen the belief, untempered, costs more where it has read more: "
                f"{losses[least]:.2f} bits after {after[least]} tokens and {losses[-1]:.2f} after "
                f"{after[-1]}. What a byline says is in part the works that were trained on under "
                "it, and tempering can make that count less, not say which part it is."
            )
    yield (
        "- The hazard stays as it is where tempering lets a token count little, so that a belief "
        "goes back towards the prior on long texts of which the evidence is thin, whatever its "
        "sum says; without a hazard a splice is hardly noticed at all."
    )
    if "unseen" in parts:
        last = parts["unseen"]["tempered"]["256"]["shown"]
        both = parts["unseen"]["together"]["256"]["shown"]
        yield (
            "- Where a writer is, and near it, what is shown is by reading and asking; "
            "elsewhere in the tree, along the path and in the colours by reading alone, which "
            f"finds the source of works never seen for {last['top1']['mean']:.2f} of the passages "
            f"instead of {both['top1']['mean']:.2f}, with a calibration error of "
            f"{last['ece']['mean']:.3f} instead of {both['ece']['mean']:.3f}. How both are "
            "weighed, and what a name is held against, was chosen among a few ways with figures "
            "of these same works in sight, which may flatter it."
        )
    asked = parts.get("splices", {}).get("asked")
    if asked is not None and asked["together"]["mean"] < asked["read"]["mean"]:
        yield (
            "- A question is put after the last 256 tokens, all alike: where another source goes "
            "on, reading notices sooner than reading and asking together "
            f"({asked['read']['mean']:.2f} against {asked['together']['mean']:.2f} after 64 "
            "tokens). Along the path and in the colours it is reading that is shown."
        )
    yield (
        "- Seventeen unseen works, each by another source, say little: one odd work moves any of "
        "their figures, and a calibration error below that of exactly right beliefs is luck."
    )
    yield (
        "- A byline that makes any text of a kind likelier than another byline does is a bias "
        "which tempering by one factor doesn't take away, as the Federalist Papers show."
    )


SECTIONS: Mapping[str, Callable[[Facts], Iterator[str]]] = {
    "held_out": held_out,
    "unseen": unseen,
    "simulation": _simulation,
    "federalist": _federalist,
    "splices": _splices,
    "probe": _probe,
    "cost": _cost,
}
