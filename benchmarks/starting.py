"""What a person waits for before anything is on the screen: a new process and its imports."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial

from benchmarks.measure import Benchmark, Work


def benchmarks() -> Iterator[Benchmark]:
    yield Benchmark("start: python alone", "starts", partial(run, "pass"))
    yield Benchmark("start: loom --version", "starts", partial(run, VERSION))
    yield Benchmark("start: import loom.session", "starts", partial(run, "import loom.session"))
    yield Benchmark("start: import loom.ui.app", "starts", partial(run, "import loom.ui.app"))


VERSION = "from loom.cli import main; main(['--version'])"


def run(code: str, _: ExitStack) -> Work:
    def work() -> int:
        subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
        return 1

    return work
