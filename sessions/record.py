"""Records the sessions of this folder anew: `python -m sessions.record [NAME …]`.

Who writes here is a script: the openings are its own, every other word is the bundled model's,
unedited, and what is walked into is drawn by the recording's seed, not picked for its looks.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from loom.config import Config
from loom.extensions import resolve_model
from loom.session import SESSION_SUFFIX, Session
from loom.store.atomic import sync_folder
from sessions.hand import Clock, Hand
from sessions.plays import RECORDINGS, Recording

FOLDER = Path(__file__).resolve().parent


async def record(recording: Recording, folder: Path, model: str) -> Path:
    """Play it on `model` into a file in `folder`, in place of one that is there."""
    clock = Clock()
    with tempfile.TemporaryDirectory(prefix=".recording-", dir=folder) as scratch:
        path = Path(scratch) / (recording.name + SESSION_SUFFIX)
        async with Session.create(path, now=clock, seed=recording.seed) as session:
            recipe = Config().recipe_with(recording.preset)
            recipe = replace(recipe, tokens=recording.tokens, top=recording.top)
            session.set_sampling(recipe=recipe)
            session.set_title(recording.title)
            await session.attach(model)
            await session.engine_ready()
            await recording.play(Hand(session, clock, recording.seed))
        target = path.replace(folder / path.name)
    sync_folder(folder)
    return target


def main() -> int:
    names = [recording.name for recording in RECORDINGS]
    parser = argparse.ArgumentParser(description="Record the sessions that come with Loom anew.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(names)}")
    parser.add_argument("--model", help="another model than each recording's own")
    parser.add_argument("--to", type=Path, default=FOLDER, metavar="FOLDER")
    args = parser.parse_args()
    unknown = [name for name in args.names if name not in names]
    if unknown:
        parser.error(f"there is no recording {unknown[0]!r}; there are {', '.join(names)}")
    for recording in RECORDINGS:
        if not args.names or recording.name in args.names:
            path = asyncio.run(
                record(recording, args.to, resolve_model(args.model or recording.model))
            )
            print(f"{path}: {path.stat().st_size / 1e6:.2f} MB", file=sys.stdout)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
