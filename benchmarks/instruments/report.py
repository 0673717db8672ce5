"""docs/instruments.md, out of the figures of an evaluation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Facts = Mapping[str, Any]

GOALS = {
    "absorbing": "≤ 10",
    "loop of 12": "≤ 36",
    "loop of 40": "≤ 90",
    "template": "≤ 80 words",
    "temperature 1.3": "≥ 0.8 within 200",
}


def markdown(facts: Facts) -> str:
    return "\n".join(_lines(facts)) + "\n"


def _lines(facts: Facts) -> Iterator[str]:
    yield from _head(facts)
    yield from _false_alarms(facts["false_alarms"])
    yield from _papers(facts["papers"])
    yield from _changes(facts["changes"])
    yield from _fresh(facts.get("fresh"))
    yield from _cost(facts["cost"])
    yield from _calibration(facts["calibration"])
    yield from _weak_spots(facts["changes"])


def _head(facts: Facts) -> Iterator[str]:
    yield "# Instruments, measured"
    yield ""
    yield (
        "`make evaluate-detectors` wrote this page and `instruments.json` in "
        f"{facts['seconds']} s, on the model {facts['model']} (`{facts['fingerprint']}`), seed "
        f"{facts['seed']}. How the detectors work is in [traps.md](traps.md)."
    )


def _fresh(facts: Facts | None) -> Iterator[str]:
    if facts is None:
        return
    yield from ("", "## The same with a seed drawn by lot", "")
    yield f"Seed {facts['seed']}: other folds, other passages, other phrases and fills."
    if any(row["kind"].startswith("temperature") for row in facts["changes"]):
        yield "Less was drawn at temperatures: of every second work, half as many continuations."
    yield from _alarm_table(facts["false_alarms"])
    yield from _change_table([row for row in facts["changes"] if not row["how"]])


def _false_alarms(rows: Sequence[Facts]) -> Iterator[str]:
    yield from ("", "## False alarms on human text, per window of 512 tokens", "")
    yield (
        "A window raises an alarm where any statistic passes its limit in it. Works weigh alike, "
        "and errors are clustered by work. Held-out cuts are text that was not trained on, of "
        "works that mostly were; limits were fitted on the other four fifths of the works. Works "
        "never seen were kept apart whole; limits were fitted on the held-out cuts of all others. "
        "✓: at most α + 3 s.e., the goal. Statistics, drifts and spreads were chosen by looking at "
        "held-out cuts; nobody looked at the works never seen."
    )
    yield from _alarm_table(rows)


def _alarm_table(rows: Sequence[Facts]) -> Iterator[str]:
    yield ""
    yield "| text | reference | works | windows | α = 0.05 | α = 0.01 | what alarmed at 0.05 |"
    yield "|---|---|---|---|---|---|---|"
    for row in rows:
        five, one = row["rates"]["0.05"], row["rates"]["0.01"]
        yield (
            f"| {row['text']} | {row['reference']} | {five['works']} | {five['windows']} "
            f"| {_rate(five)} {_held(five, 0.05)} | {_rate(one)} {_held(one, 0.01)} "
            f"| {_counts(row['by'])} |"
        )


def _rate(rate: Facts) -> str:
    return f"{rate['share']:.3f} ± {rate['error']:.3f}"


def _held(rate: Facts, alpha: float) -> str:
    return "✓" if rate["share"] <= alpha + 3 * rate["error"] else "✗"


def _counts(by: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(by.items(), key=lambda x: -x[1]))


def _papers(facts: Facts) -> Iterator[str]:
    flagged = facts["flagged"]
    yield from ("", "## The Federalist Papers", "")
    yield (
        f"Of {facts['papers']} papers, read whole, {len(flagged)} are flagged as repeating "
        "themselves (loop, schema or repetition, α = 0.05)"
        + (": " + "; ".join(f"{k}: {', '.join(v)}" for k, v in flagged.items()) if flagged else "")
        + ". Goal: 0."
    )


def _changes(rows: Sequence[Facts]) -> Iterator[str]:
    yield from ("", "## How soon a change is noticed", "")
    yield (
        "Two hundred tokens of a work never seen, then the change; limits fitted on the held-out "
        "cuts of all other works, α = 0.05 where it doesn't say otherwise. Delays are in tokens "
        "from the change to the first flag, of templates in words; early: flagged before the "
        "change, and left out. A median of – means that most were not noticed in what there was to "
        "see: 160 tokens of loops, 240 of templates, 200 of the rest. `temperature 1` is the "
        "model's own text as it is, which no test of reference text has to notice."
    )
    yield from _change_table(rows)


def _change_table(rows: Sequence[Facts]) -> Iterator[str]:
    yield ""
    yield "| change | how | cases | early | median delay | noticed within 200 | by | goal |"
    yield "|---|---|---|---|---|---|---|---|"
    for row in rows:
        median = "–" if row["median"] is None else f"{row['median']:g}"
        goal = GOALS.get(row["kind"], "") if not row["how"] else ""
        yield (
            f"| {row['kind']} | {row['how']} | {row['cases']} | {row['early']} | {median} "
            f"| {_rate(row['within_200'])} | {_counts(row['by'])} | {goal} |"
        )


def _cost(facts: Facts) -> Iterator[str]:
    yield from ("", "## Cost", "")
    plugins = ", ".join(f"{name} {us:g} µs" for name, us in facts["plugins"].items())
    yield (
        f"Generating a token, eight branches side by side, took {facts['generating']:,g} µs; "
        f"reading it along in nodes of 48: {plugins}; together {facts['share']:.1%} of it (goal: "
        "≤ 5 %)."
    )


def _calibration(facts: Facts) -> Iterator[str]:
    yield from ("", "## What the model makes of human text", "")
    yield (
        f"{facts['tokens']:,} tokens of {facts['works']} works (`loom calibrate`); bits a token. "
        "The excess is surprise less entropy; the temperature is the one at which the model would "
        "find the text likeliest; the calibration error is that of its likeliest token."
    )
    yield ""
    yield "| genre | works | surprise | excess | temperature | ECE |"
    yield "|---|---|---|---|---|---|"
    for name, row in [("all", facts), *facts["genres"].items()]:
        yield (
            f"| {name} | {row['works']} | {row['surprise']:.3f} ± {row['surprise_error']:.3f} "
            f"| {row['excess']:+.3f} ± {row['excess_error']:.3f} "
            f"| {row['temperature']:.3f} ± {row['temperature_error']:.3f} | {row['ece']:.3f} |"
        )


def _unnoticed(rows: Sequence[Facts]) -> list[str]:
    """What repeats itself and mostly goes unnoticed at α = 0.01."""
    strict = (row for row in rows if row["how"] == "α = 0.01")
    missed = (row["kind"] for row in strict if row["within_200"]["share"] < 0.5)
    return [kind for kind in missed if kind.startswith(("loop", "template"))]


def _weak_spots(rows: Sequence[Facts]) -> Iterator[str]:
    yield from ("", "## Weak spots", "")
    yield ("- Seventeen unseen works say little about α = 0.01: one odd work moves it.")
    unnoticed = "; ".join(_unnoticed(rows)) or "none of these"
    yield (
        "- Transcripts, tables and reference works repeat themselves more than some loops do, and "
        "the limits for all text have to let them: templates whose slots differ in length are "
        f"noticed late, and at α = 0.01 most of some kinds are not noticed at all ({unnoticed}). "
        "With the reference fiction they are noticed sooner."
    )
    yield (
        "- Entropy and surprise by themselves notice next to nothing of temperature 0.7; that the "
        "excess does is owed to human text having one of its own, and holds for this model."
    )
    yield (
        "- The model is small and hardly trained. Delays on a large one are other delays; its "
        "false alarms have the same promise, once it is calibrated."
    )
