"""For those who write backends and plugins: run one without a model, and check its contract.

    check_engine(engine)
    check_instrument(plugin)

Needs no process and no test framework; ContractBroken says which promise was broken and where.
"""

from __future__ import annotations

from loom.instruments.folding import Stretch
from loom.testing.engines import (
    NASTY,
    check_engine,
    check_span,
    drive,
    ending_of,
    span_in,
    text_of,
)
from loom.testing.instruments import check_instrument, faults_of
from loom.testing.paths import (
    human_path,
    job_of,
    loop_path,
    nasty_path,
    path_of,
    random_path,
    sample_logs,
    sample_paths,
)
from loom.testing.promises import ContractBroken
from loom.testing.reading import Fault, Run, load_plugin, read_along

__all__ = [
    "NASTY",
    "ContractBroken",
    "Fault",
    "Run",
    "Stretch",
    "check_engine",
    "check_instrument",
    "check_span",
    "drive",
    "ending_of",
    "faults_of",
    "human_path",
    "job_of",
    "load_plugin",
    "loop_path",
    "nasty_path",
    "path_of",
    "random_path",
    "read_along",
    "sample_logs",
    "sample_paths",
    "span_in",
    "text_of",
]
