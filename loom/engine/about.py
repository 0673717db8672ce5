"""`python -m loom.engine.about`: what each backend says of itself, one JSON object.

A process of its own, since it imports the libraries that run models.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from typing import Any

from loom.engine.api import About, EngineError


def main() -> int:
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries print
    answer.write(json.dumps({name: asdict(one) for name, one in abouts()}))
    answer.close()
    return 0


def abouts() -> list[tuple[str, About]]:
    """(name, what it says) of every backend that can be used; runs their code."""
    from loom.extensions import backends

    return [(found.name, _about(found)) for found in backends() if found.usable]


def _about(found: Any) -> About:
    from loom.extensions import load

    try:
        module: Any = load(found)
        about = getattr(module, "about", None)
        answer = About() if about is None else about()
        return answer if isinstance(answer, About) else About(lack="It doesn't say what it is.")
    except EngineError as error:
        return About(lack=f"{error} {error.hint}".strip())
    except Exception as error:  # a stranger's file may raise anything
        return About(lack=" ".join(str(error).split()) or type(error).__name__)


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)  # no thread of a library holds it up
