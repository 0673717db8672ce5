"""`python -m loom` is the `loom` command."""

from __future__ import annotations

import sys

from loom.cli import main

if __name__ == "__main__":
    sys.exit(main())
