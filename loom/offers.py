"""What --model finds on this machine: bundled, used recently, in folders; and what a model lacks.

Finds a model's card, too: the README.md of its folder, as the hub has it. Looks at names, folders
and the rows of sessions only; loads no model.
"""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from loom import extensions
from loom.core.text import visible
from loom.paths import Paths
from loom.session import SESSION_SUFFIX
from loom.store.atomic import write_atomically
from loom.store.errors import StoreError
from loom.store.glance import glance

SESSIONS_LOOKED_AT = 5  # the newest ones, for models used recently
RECENT = 10
CARD = "README.md"
FRONT_MATTER = re.compile(r"\A---\n.*?^---\n\s*", re.DOTALL | re.MULTILINE)  # facts for the hub
LLAMA_MISSING = "needs llama.cpp: pip install 'cyborg-loom[llama]', or make llama in a checkout"


@dataclass(frozen=True, slots=True)
class Offer:
    """A name that --model takes, and where it comes from."""

    name: str
    source: str
    path: str | None = None

    def is_model(self, resolved: str) -> bool:
        return resolved in (self.name, self.path)

    @property
    def card(self) -> Path | None:
        """The file that says what was trained on what, and what it is good and bad at."""
        file = None if self.path is None else Path(self.path) / CARD
        return file if file is not None and file.is_file() else None


def offers(paths: Paths, environment: Mapping[str, str]) -> list[Offer]:
    """Each model once, under the first name it is found by."""
    found = [Offer(name, "bundled", str(path)) for name, path in extensions.models().items()]
    found.append(Offer(extensions.ECHO, "built in"))
    found += in_folder(model_folder(paths))
    found += in_hub_cache(hub_cache(environment))
    toys = [Offer(name, "toy") for name in extensions.TOYS]
    known = {path for offer in [*found, *toys] for path in (offer.name, offer.path)}
    used = [*recent(paths), *(name for path in _newest(paths) for name in _used_in(path))]
    names = dict.fromkeys(name for name in used if name not in known)
    found += [Offer(n, "recent", n if Path(n).exists() else None) for n in names]
    return found + toys


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


def incomplete_in(folder: Path) -> Iterator[Offer]:
    """Folders there that are meant as models and aren't whole."""
    for entry in _entries(folder):
        if entry.is_dir() and not _is_model_folder(entry) and lack_of(str(entry)):
            yield Offer(str(entry), "folder", str(entry))


def in_hub_cache(cache: Path) -> Iterator[Offer]:
    """Complete downloads, by their hub name (`models--owner--name` on the disk)."""
    for entry in _entries(cache):
        kind, _, rest = entry.name.partition("--")
        if kind == "models" and rest:
            snapshots = [s for s in _entries(entry / "snapshots") if _is_model_folder(s)]
            if snapshots:
                yield Offer(rest.replace("--", "/"), "hub cache", str(snapshots[-1]))


def lack_of(model: str) -> str:
    """What a model on this machine is missing, and how to get it; "" if nothing is known to."""
    path = Path(model).expanduser()
    if path.suffix == ".gguf":
        return "" if importlib.util.find_spec("llama_cpp") else LLAMA_MISSING
    if not path.is_dir():
        return "is not there any more" if path.is_absolute() and not path.exists() else ""
    if not (path / "config.json").is_file():
        weights = [*path.glob("*.safetensors"), *path.glob("*.bin")]
        return "has no config.json: copy it from where the weights are from" if weights else ""
    if any(path.glob("*.safetensors")):
        return ""
    if any(path.glob("*.bin")):
        return "has only *.bin weights, which can run code: save it as *.safetensors"
    return "has no *.safetensors: download the weights into the folder"


def read_card(file: Path) -> str:
    """Markdown, without the facts for the hub that may stand before it. Raises OSError."""
    text = file.read_text("utf-8-sig", "replace")
    return visible(FRONT_MATTER.sub("", text)).strip() + "\n"


def recent(paths: Paths) -> list[str]:
    """The models chosen last, the newest first."""
    try:
        lines = (paths.state / "models").read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return []
    return [line for line in lines if line][:RECENT]


def remember(paths: Paths, model: str) -> None:
    """Put `model` first among the recent ones. Raises OSError."""
    names = list(dict.fromkeys([model, *recent(paths)]))[:RECENT]
    paths.state.mkdir(parents=True, exist_ok=True)
    write_atomically(paths.state / "models", os.fsencode("".join(f"{name}\n" for name in names)))


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


def _used_in(path: Path) -> tuple[str, ...]:
    """The models of a session as they were asked for, newest first; none if it can't be read."""
    try:
        return glance(path).models
    except StoreError:
        return ()
