"""Changes loom.toml in one place and leaves every other byte as it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from loom.config import Config, ConfigError, parse_config
from loom.store.atomic import write_atomically


def amend(
    file: Path,
    edit: Callable[[bytes, Config], bytes],
    meant: Callable[[Config], Config],
    refusal: tuple[str, str],
) -> Config:
    """Write what `edit` makes of the content; the settings as they are then.

    Raises ConfigError where the file can't be read or written, and (`refusal`: what, and what to
    do) where the new content wouldn't say what is `meant`; nothing has then changed.
    """
    before = _bytes_of(file)
    known = parse_config(before, file)
    after = edit(before, known)
    try:
        config = parse_config(after, file)
    except ConfigError:
        config = known
    if config != meant(known):
        raise ConfigError(*refusal)
    if after != before:
        _write(file, after)
    return config


def _bytes_of(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise ConfigError(f"{file} can't be read: {error.strerror}.", "") from error


def _write(file: Path, content: bytes) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, content)
    except OSError as error:
        raise ConfigError(
            f"{file} can't be written: {error.strerror}.", "Allow writing it and its folder."
        ) from error


def table(name: str, lines: list[str], before: bytes) -> bytes:
    """A table to append to `before`: a blank line between, its line ends."""
    end = line_end(before)
    gap = [] if not before else [""] if before.endswith(b"\n") else ["", ""]
    return end.join([*gap, f"[{name}]", *lines, ""]).encode()


def line_end(content: bytes) -> str:
    return "\r\n" if b"\r\n" in content else "\n"
