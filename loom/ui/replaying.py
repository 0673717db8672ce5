"""The program while it plays a recorded session; on Enter it becomes the program on a copy."""

from __future__ import annotations

from pathlib import Path

from loom import shelf
from loom.config import Config
from loom.paths import Paths
from loom.replay.playback import Playback
from loom.session import Session
from loom.store.errors import StoreError
from loom.ui.app import LoomApp
from loom.ui.player import Player
from loom.ui.screens.main import MainScreen
from loom.ui.screens.replay import ReplayScreen
from loom.ui.screens.sessions import Opening


class ReplayApp(LoomApp):
    """`model` is loaded once one goes on in a copy."""

    def __init__(self, player: Player, config: Config, model: str | None = None) -> None:
        self.player = player
        super().__init__(player.playback, config, model)

    def screen_for(self, session: Session) -> MainScreen:
        if not isinstance(session, Playback):
            return super().screen_for(session)
        commands = self._keys_in_force[0]
        return ReplayScreen(self.player, commands, self.begin_anew, self.go_on)

    async def start_engine(self) -> None:
        if not isinstance(self.session, Playback):
            await super().start_engine()

    async def begin_anew(self) -> None:
        """Show the playback that has gone back, in place of the one before."""
        self.session = self.player.playback
        with self.batch_update():
            await self._show(self.session)

    def go_on(self) -> None:
        self.run_worker(self._copy_and_open(), group="replay", exit_on_error=False)

    async def _copy_and_open(self) -> None:
        try:
            path = await copied_as_it_was(self.player.playback, Paths.default().sessions)
        except (StoreError, ValueError) as error:
            self.main.complain(error)
            return
        self.choose_session(Opening(path))


async def copied_as_it_was(playback: Playback, folder: Path) -> Path:
    """A new session in `folder` that looks like the moment shown; what came later is there, hidden,
    and undo shows it. Raises StoreError, or ValueError where one can't go back there."""
    if playback.last is None:
        raise ValueError("Nothing has happened here yet; play on a little.")
    target = shelf.unused(folder, playback.path.stem)
    playback.copy_to(target)
    async with Session.open(target) as session:
        session.return_to(playback.last.id)
    return target
