"""`python -m benchmarks [NAME…]`: measures what a writer waits for; at last the screen and engines
beside what they are held to."""

from __future__ import annotations

import argparse
import json
import sys

from benchmarks import engines, sampling, screen, starting, store, trees
from benchmarks.measure import Benchmark, Result, measure
from benchmarks.ratios import HEAD, line


def main() -> int:
    every = [b for part in (starting, trees, sampling, store, engines) for b in part.benchmarks()]
    parser = argparse.ArgumentParser(
        prog="make bench", description="Measure how fast Loom is here."
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="only those that contain this")
    parser.add_argument("--seconds", type=float, default=1.0, help="for each (default: 1)")
    parser.add_argument("--list", action="store_true", help="name them and stop")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    args = parser.parse_args()
    wanted = [b for b in every if not args.names or any(name in b.name for name in args.names)]
    with_screen = not args.names or any(name in screen.NAME for name in args.names)
    ratios = [name for name in engines.ratios() if engines.is_wanted(name, args.names)]
    if not wanted and not with_screen and not ratios:
        sys.stderr.write("loom: no benchmark has such a name; --list names them all\n")
        return 1
    for benchmark in wanted:
        print(
            benchmark.name if args.list else _line(benchmark, args.seconds, args.json), flush=True
        )
    if with_screen:
        print(screen.NAME if args.list else screen.report(as_json=args.json), flush=True)
    if args.list:
        print(*ratios, sep="\n")
    elif ratios:
        _print_ratios(args.names, as_json=args.json)
    return 0


def _print_ratios(names: list[str], *, as_json: bool) -> None:
    if not as_json:
        print(f"\n{HEAD}", flush=True)
    with engines.quiet():
        for verdict in engines.table(names):
            print(json.dumps(verdict.facts()) if as_json else line(verdict), flush=True)


def _line(benchmark: Benchmark, seconds: float, as_json: bool) -> str:
    result = measure(benchmark, seconds)
    return _json(result) if as_json else _text(result)


def _text(result: Result) -> str:
    rate = f"{result.median:,.0f}" if result.median >= 100 else f"{result.median:.3g}"
    return (
        f"{result.name:<44} {rate:>14} {result.unit}/s  ±{result.spread:4.0%}  "
        f"{result.seconds_a_round * 1000:9.2f} ms a round"
    )


def _json(result: Result) -> str:
    return json.dumps(
        {
            "name": result.name,
            "unit": result.unit,
            "per_second": result.median,
            "spread": result.spread,
            "seconds_a_round": result.seconds_a_round,
            "rounds": len(result.rates),
        }
    )


if __name__ == "__main__":
    sys.exit(main())
