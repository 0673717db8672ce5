"""The source set in force in a session: the one chosen there, else the one offered for the model.

Knows settings and where sets lie; weighs nothing.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from loom.changes import Notice
from loom.config import Config
from loom.core.node import ROOT
from loom.instruments.sources import finding, sets
from loom.instruments.sources.api import SourceSet
from loom.instruments.sources.sets import SetError

if TYPE_CHECKING:
    from loom.watched import Watched

SETTING = "sources"  # of a session: the set in force as JSON
NONE = "null"  # there: no set, whatever is offered


class Chosen:
    """Of one session."""

    def __init__(self, session: Watched) -> None:
        self._session = session
        self._config: Config | None = None
        self._model = ""
        self._spelled = ""
        self._read: SourceSet | None = None
        self._offers: dict[str, SourceSet | None] = {}

    def configure(self, config: Config) -> None:
        """What is offered from now on is looked up by whoever calls `learn`."""
        self._config = config
        self._offers.clear()

    @property
    def sources(self) -> SourceSet | None:
        """None too while it isn't known yet what is offered."""
        spelled = self._session.setting(SETTING)
        if spelled:
            return self._chosen(spelled)
        model = self.model
        if self._config is None and model not in self._offers:
            self._offers[model] = finding.default_for(model) if model else None
        return self._offers.get(model)

    def _chosen(self, spelled: str) -> SourceSet | None:
        """None too for what makes no sense."""
        if spelled != self._spelled:
            self._spelled, self._read = spelled, None
            try:
                self._read = None if spelled == NONE else sets.from_json(spelled)
            except (ValueError, TypeError, LookupError, AttributeError):
                return None
        return self._read

    async def learn(self) -> bool:
        """Find out what is offered for the model at hand; whether that is news."""
        model, config = self.model, self._config
        if config is None or model in self._offers:
            return False
        try:
            self._offers[model] = await asyncio.to_thread(_offered, config, model)
        except SetError as error:
            self._offers[model] = None
            self._session.emit(Notice(str(error), error.hint, "error"))
        return self._offers[model] is not None

    @property
    def model(self) -> str:
        """The fingerprint of the attached model, else of the one nearest to the writer that has
        drawn or read anything; "" for none."""
        session = self._session
        engine = session.engine
        able = None if engine is None else engine.capabilities
        if able is not None:
            self._model = able.fingerprint
        elif engine is None or not self._model:
            self._model = self._nearest()
        return self._model

    def _nearest(self) -> str:
        session, there = self._session, self._session.place.node
        while there != ROOT:
            row = session.model_of(there)
            if row is not None:
                return row.fingerprint
            there = session.tree[there].parent or ROOT
        below = (session.model_of(node) for node in session.tree.children(ROOT))
        return next((row.fingerprint for row in below if row is not None), "")


def spelled(wanted: SourceSet | None) -> str:
    """The setting that stands for a set."""
    return NONE if wanted is None else sets.to_json(wanted)


def _offered(config: Config, model: str) -> SourceSet | None:
    """Raises SetError where the user names one that there isn't."""
    name = config.sources.set
    if name:
        return finding.find(name)
    return finding.default_for(model) if model else None
