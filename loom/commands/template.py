"""What `plugins new` writes: a detector that works, and its test."""

from __future__ import annotations

PLUGIN = '''\
"""NAME: says when the model knew what was coming for so many tokens in a row."""

from __future__ import annotations

from typing import Any

import numpy as np

from loom.core.span import Span
from loom.instruments.api import Context, Flag, Reading, Settings

NAME = "NAME"
VERSION = "1"  # change it when readings change: then everything is read anew
ABOUT = "Says when the model knew what was coming for so many tokens in a row."
OPTIONS = {"bits": 0.1, "tokens": 16}  # [plugins.NAME] in loom.toml sets them
UNITS = {"run": "tokens"}


def start(settings: Settings) -> Any:
    """The state before the first token: whatever JSON keeps."""
    return {"run": 0, **settings.options}


def step(state: Any, span: Span, context: Context) -> tuple[Any, Reading]:
    """The state after a span, and what is said of it: a value a token, a summary, flags."""
    run, runs, flags = state["run"], [], []
    for index, bits in enumerate((-span.logprob / np.log(2)).tolist()):
        run = run + 1 if bits < state["bits"] else 0
        runs.append(run)
        if run == state["tokens"]:
            began = context.position + index - run + 1
            reason = f"{run} tokens in a row had less than {state['bits']:g} bits of surprise."
            flags.append(Flag("info", "none", index, began, 0.0, reason))
    reading = Reading({"run": np.array(runs, np.float32)}, {"found": len(flags)}, tuple(flags))
    return {**state, "run": run}, reading
'''

TEST = '''\
"""Run it with: pytest test_NAME.py"""

from pathlib import Path

from loom.testing import check_instrument, human_path, load_plugin, path_of, read_along

PLUGIN = load_plugin(Path(__file__).with_name("NAME.py"))


def test_it_keeps_the_contract():
    check_instrument(PLUGIN)


def test_it_flags_a_run_of_certain_tokens():
    path = path_of(["Once", " upon"], bits=6)
    path = path_of([" and on"] * 20, bits=0.01, after=path)
    (flag,) = read_along(PLUGIN, path).reading.flags
    assert (flag.began, flag.at) == (2, 17)


def test_it_leaves_ordinary_text_alone():
    assert read_along(PLUGIN, human_path()).reading.flags == ()
'''


def files_of(name: str) -> dict[str, str]:
    """Name of each file and what is in it, the plugin first."""
    return {
        f"{name}.py": PLUGIN.replace("NAME.py", f"{name}.py")
        .replace('"NAME"', f'"{name}"')
        .replace("plugins.NAME", f"plugins.{name}")
        .replace('"""NAME:', f'"""{name}:'),
        f"test_{name}.py": TEST.replace("NAME.py", f"{name}.py"),
    }
