"""What a session believes about the sources of its text: the set in force, and what is known where.

Changes nothing itself: what was weighed goes into the file through the Session it serves.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from loom.config import Config
from loom.core.node import Place
from loom.instruments.sources.api import Course, Posterior, Scores, SourceSet

if TYPE_CHECKING:
    from loom.session import Session

SETTING = "sources"  # of the session: the set in force as JSON, null for none


class Beliefs:
    def __init__(self, session: Session) -> None:
        self._session = session
        self._config = Config()
        self._spelled: str | None = None
        self._chosen: SourceSet | None = None

    async def attach(self, config: Config) -> None:
        self._config = config

    async def close(self) -> None:
        """What was weighed is handed to the file."""

    # ── the set ────────────────────────────────────────────────────────────────────────────

    @property
    def sources(self) -> SourceSet | None:
        """The set in force: the one chosen for this session, else what is offered."""
        spelled = self._session.setting(SETTING)
        if not spelled:
            return self._offered()
        if spelled != self._spelled:
            self._spelled, self._chosen = spelled, _read(spelled)
        return self._chosen

    def _offered(self) -> SourceSet | None:
        from loom.instruments.sources import finding

        engine = self._session.engine
        able = None if engine is None else engine.capabilities
        return None if able is None else finding.default_for(able.fingerprint)

    # ── what is believed ───────────────────────────────────────────────────────────────────

    def posterior_at(self, place: Place) -> Posterior | None:
        return None

    def course(self, node: int) -> Course | None:
        return None

    def scores(self, node: int) -> Scores | None:
        return None

    # ── weighing ───────────────────────────────────────────────────────────────────────────

    def weigh(self, place: Place) -> None:
        """Every frame on the path to `place`, whether or not that is done in idle time."""

    def stop(self) -> bool:
        return False

    @property
    def progress(self) -> tuple[int, int] | None:
        return None

    async def settled(self) -> None:
        """Returns when nothing is left to weigh at present."""


def spelled(wanted: SourceSet | None) -> str:
    """The setting that stands for a set."""
    from loom.instruments.sources import sets

    return json.dumps(None if wanted is None else sets.to_json(wanted))


def _read(setting: str) -> SourceSet | None:
    """None too for what makes no sense."""
    from loom.instruments.sources import sets

    try:
        data = json.loads(setting)
        return None if data is None else sets.from_json(data)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
