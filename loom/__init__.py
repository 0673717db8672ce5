"""Loom: a terminal instrument for writing with language models.

async with loom.open("story.loom") as session:
    session.write("The lighthouse keeper had not spoken to anyone since")
    nodes = await session.generate(count=4)
    print([session.text(node) for node in nodes])
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from loom.session import Session

__version__ = "0.1.0"
__all__ = ["__version__", "open"]


class _Opening:
    """Awaitable and asynchronous context manager: the session, with its engine attached."""

    def __init__(self, path: Path, model: str | None, options: dict[str, Any]) -> None:
        self._path, self._model, self._options = path, model, options
        self._session: Session | None = None

    async def _open(self) -> Session:
        from loom.extensions import resolve_model  # deferred: `import loom` stays instant
        from loom.session import Session

        session = Session.open(self._path) if self._path.exists() else Session.create(self._path)
        await session.attach(resolve_model(self._model), self._options)
        self._session = session
        return session

    def __await__(self) -> Any:
        return self._open().__await__()

    async def __aenter__(self) -> Session:
        return await self._open()

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()


def open(path: str | Path, model: str | None = None, **options: Any) -> _Opening:
    """The session at `path` (made if it isn't there) with `model` attached, for scripts.

    `async with loom.open("story.loom") as session:`. Options go to the engine. Raises StoreError.
    """
    return _Opening(Path(path), model, options)
