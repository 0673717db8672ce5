"""`models`: what --model finds on this machine: bundled, used recently, in folders.

Looks at names and folders only; loads nothing.
"""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from loom import extensions
from loom.commands import access
from loom.config import Paths
from loom.console import Console
from loom.core.text import visible
from loom.facts import Facts
from loom.session import SESSION_SUFFIX, Session
from loom.store.errors import StoreError

SESSIONS_LOOKED_AT = 5  # the newest ones, for models used recently


@dataclass(frozen=True, slots=True)
class Offer:
    """A name that --model takes, and where it comes from."""

    name: str
    source: str
    path: str | None = None

    def is_model(self, resolved: str) -> bool:
        return resolved in (self.name, self.path)


async def models(args: Namespace, console: Console) -> None:
    chosen = access.model_of(args, access.config_of(args))
    found = await offers(Paths.default(), os.environ)
    if not any(offer.is_model(chosen) for offer in found):
        found.append(Offer(chosen, "as configured", chosen if Path(chosen).is_dir() else None))
    console.answer(
        lambda: {"models": [_facts(offer, chosen) for offer in found]},
        lambda: _lines(found, chosen),
    )


def _facts(offer: Offer, chosen: str) -> Facts:
    return {**asdict(offer), "default": offer.is_model(chosen)}


def _lines(found: list[Offer], chosen: str) -> Iterator[str]:
    width = max(len(offer.name) for offer in found)
    for offer in found:
        star = "*" if offer.is_model(chosen) else " "
        yield visible(f"{star} {offer.name:<{width}}  {offer.source}")


async def offers(paths: Paths, environment: Mapping[str, str]) -> list[Offer]:
    """Each model once, under the first name it is found by."""
    found = [Offer(name, "bundled", str(path)) for name, path in extensions.models().items()]
    found.append(Offer(extensions.ECHO, "built in"))
    found += in_folder(model_folder(paths))
    found += in_hub_cache(hub_cache(environment))
    known = {path for offer in found for path in (offer.name, offer.path)}
    recent = [await _used_in(path) for path in _newest(paths)]
    names = dict.fromkeys(name for names in recent for name in names if name not in known)
    return found + [Offer(n, "recent", n if Path(n).is_dir() else None) for n in names]


def model_folder(paths: Paths) -> Path:
    """Where a person may put models for Loom to list."""
    return paths.sessions.parent / "models"


def hub_cache(environment: Mapping[str, str]) -> Path:
    """Where the hub's library keeps what it has downloaded."""
    if environment.get("HF_HUB_CACHE"):
        return Path(environment["HF_HUB_CACHE"]).expanduser()
    home = environment.get("HF_HOME") or "~/.cache/huggingface"
    return Path(home).expanduser() / "hub"


def in_folder(folder: Path) -> Iterator[Offer]:
    """Model folders and GGUF files right in `folder`."""
    for entry in _entries(folder):
        if _is_model_folder(entry) or entry.suffix == ".gguf":
            yield Offer(str(entry), "folder", str(entry))


def in_hub_cache(cache: Path) -> Iterator[Offer]:
    """Complete downloads, by their hub name (`models--owner--name` on the disk)."""
    for entry in _entries(cache):
        kind, _, rest = entry.name.partition("--")
        if kind == "models" and rest:
            snapshots = [s for s in _entries(entry / "snapshots") if _is_model_folder(s)]
            if snapshots:
                yield Offer(rest.replace("--", "/"), "hub cache", str(snapshots[-1]))


def _is_model_folder(path: Path) -> bool:
    return (path / "config.json").is_file() and any(path.glob("*.safetensors"))


def _entries(folder: Path) -> Iterable[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return ()


def _newest(paths: Paths) -> list[Path]:
    """The last session, wherever it is, and the newest in the sessions folder."""
    files = [path for path in _entries(paths.sessions) if path.suffix == SESSION_SUFFIX]
    newest = sorted(files, key=lambda path: path.stat().st_mtime, reverse=True)
    last = paths.last_session()
    every = ([last] if last is not None else []) + newest
    return list(dict.fromkeys(every))[:SESSIONS_LOOKED_AT]


async def _used_in(path: Path) -> list[str]:
    """The models of a session as they were asked for, newest first; none if it can't be read."""
    try:
        async with access.reading(path) as session:
            return list(dict.fromkeys(_specs(session)))
    except StoreError:
        return []


def _specs(session: Session) -> Iterator[str]:
    for number in reversed(list(session.tree.preorder())):
        row = session.model_of(number)
        if row is not None:
            yield row.spec
