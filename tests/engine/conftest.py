"""What the tests of real processes share."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def alive() -> Callable[[int], bool]:
    """Whether a process runs; a zombie doesn't."""

    def state(pid: int) -> str:
        if not Path("/proc/self/stat").exists():
            listed = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True)
            return listed.stdout.decode().strip()[:1]
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return ""

    return lambda pid: state(pid) not in {"", "Z"}
