"""The picture in the README: a recorded session at 120×36 as SVG.

python tools/picture.py SESSION NODE OUTPUT.svg
"""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from loom.config import Config
from loom.session import Session
from loom.ui.app import LoomApp

SIZE = (120, 36)
FONTS = re.compile(r"@font-face \{[^}]*\}\s*")  # Textual's picture would fetch them from elsewhere


async def picture(session: Path, node: int, output: Path) -> None:
    """Where `node` ends, with the model in force here: the bundled one, or none that is larger."""
    with TemporaryDirectory(prefix="loom-picture-") as folder:
        copy = Path(folder) / session.name
        shutil.copy(session, copy)
        opened = Session.open(copy)
        opened.go(opened.tree[node].end)
        app = LoomApp(opened, Config())
        async with app.run_test(size=SIZE) as pilot:
            await app.main.engine_settled.wait()
            await opened.engine_ready()
            while not opened.has_instruments:
                await pilot.pause(0.1)
            await opened.instruments_settled()
            await opened.weighed()
            await pilot.pause(1.0)
            drawn = FONTS.sub("", app.export_screenshot(title="Loom"))
            output.write_text(drawn, encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(picture(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])))
