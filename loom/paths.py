"""Where Loom keeps its files; knows nothing of what is in them but the name of the last session."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from loom.store.atomic import write_atomically


@dataclass(frozen=True, slots=True)
class Paths:
    """The settings file, and folders for the rest, which are made when first written to."""

    config: Path
    sessions: Path
    backups: Path
    backends: Path
    plugins: Path
    calibrations: Path
    sources: Path
    state: Path
    logs: Path

    @classmethod
    def default(cls, environment: Mapping[str, str] = os.environ) -> Paths:
        """All in the folder LOOM_HOME where that is set, else where the platform wants them."""
        if environment.get("LOOM_HOME"):
            home = Path(environment["LOOM_HOME"]).expanduser().absolute()
            config, data, state, logs = home, home, home / "state", home / "logs"
        else:
            import platformdirs  # deferred: whatever is opened first need not wait for it

            place = platformdirs.PlatformDirs("loom", appauthor=False)
            config, data = place.user_config_path, place.user_data_path
            state, logs = place.user_state_path, place.user_log_path
        return cls(
            config=config / "loom.toml",
            sessions=data / "sessions",
            backups=data / "backups",
            backends=data / "backends",
            plugins=data / "plugins",
            calibrations=data / "calibrations",
            sources=data / "sources",
            state=state,
            logs=logs,
        )

    def log_file(self, name: str) -> Path:
        """The file NAME.log in the log folder, or nowhere where no such folder can be made."""
        try:
            self.logs.mkdir(parents=True, exist_ok=True)
        except OSError:
            return Path(os.devnull)
        return self.logs / f"{name}.log"

    def last_session(self) -> Path | None:
        """The session that was open last, where it is still there."""
        try:
            path = Path(os.fsdecode((self.state / "last").read_bytes()))
            return path if path.is_absolute() and path.is_file() else None
        except (OSError, ValueError):
            return None

    def remember_session(self, path: Path) -> None:
        """Makes `path` the last session. Raises OSError."""
        self.state.mkdir(parents=True, exist_ok=True)
        write_atomically(self.state / "last", os.fsencode(path.absolute()))
