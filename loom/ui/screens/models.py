"""The models on this machine, to go on with one or read its card; and what those lack that can't
be loaded."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import OptionList

from loom import offers
from loom.core.text import visible
from loom.extensions import HOUSE
from loom.offers import Offer
from loom.paths import Paths
from loom.ui.screens.model_card import ModelCard
from loom.ui.screens.picker import Picker

NO_HOUSE = Offer(HOUSE, "bundled")
NO_HOUSE_LACKS = "is not in this copy of Loom; a release brings it, in backends/house"
ANOTHER = "Another: type the path of a folder or .gguf file, or a hub name …"


class Models(Picker[str]):
    """Answers with what --model takes. `attached` is the model that is loaded now."""

    HEADING = "Models"
    KEYS = "Enter loads · c its card · o another · Esc closes · the tree stays as it is"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "card", "Its card"),
        Binding("o", "another", "Another"),
    ]

    def __init__(self, attached: str | None, paths: Paths) -> None:
        super().__init__()
        self._attached, self._paths = attached, paths
        self.offers: list[Offer] = []

    def begin(self) -> None:
        self.options.loading = True
        self._list()

    @work(exit_on_error=False)
    async def _list(self) -> None:
        self.offers = await asyncio.to_thread(self._found)
        self.options.loading = False
        here = [i for i, offer in enumerate(self.offers) if self._is_attached(offer)]
        self.refill()
        self.options.highlighted = here[0] if here else 0
        self.say(f"Models may be put into {offers.model_folder(self._paths)}")
        self.set_focus(self.options)

    def refill(self) -> None:
        if self.offers:
            rows = [*(self._row(offer) for offer in self.offers), Content(f"  {ANOTHER}")]
            self.fill(rows, self.options.highlighted or 0)

    def _found(self) -> list[Offer]:
        found = offers.offers(self._paths, os.environ)
        if self._attached is not None and not any(map(self._is_attached, found)):
            path = self._attached if Path(self._attached).exists() else None
            found.append(Offer(self._attached, "loaded now", path))
        if not any(offer.name == HOUSE for offer in found):
            found.append(NO_HOUSE)
        return [*found, *offers.incomplete_in(offers.model_folder(self._paths))]

    def _is_attached(self, offer: Offer) -> bool:
        return self._attached is not None and offer.is_model(self._attached)

    def _row(self, offer: Offer) -> Content:
        here = self._is_attached(offer)
        lack = lack_of(offer)
        facts = Content.styled(f"{offer.source}  ", self.look("facts"))
        name = Content.styled(shown_name(offer), self.look("here" if here else "name"))
        name = name.truncate(max(8, self.room - facts.cell_length - 4), ellipsis=True)
        gap = " " * max(2, self.room - name.cell_length - facts.cell_length - 2)
        row = Content.assemble("● " if here else "  ", name, gap, facts)
        if not lack:
            return row
        return Content.assemble(row, "\n    ", (visible(lack), self.look("trouble")))

    @on(OptionList.OptionSelected)
    def choose(self, event: OptionList.OptionSelected) -> None:
        if event.option_index >= len(self.offers):
            self.action_another()
            return
        offer = self.offers[event.option_index]
        lack = lack_of(offer)
        if lack:
            self.say(f"{shown_name(offer)} {lack}.", trouble=True)
        else:
            self.dismiss(None if self._is_attached(offer) else offer.path or offer.name)

    async def action_card(self) -> None:
        """What is known of the model under the bar, in the words of those who made it."""
        row = self.options.highlighted
        if row is None or row >= len(self.offers):
            return
        offer = self.offers[row]
        if offer.card is None:
            self.say(f"{shown_name(offer)} has no card ({offers.CARD} in its folder).")
            return
        try:
            text = await asyncio.to_thread(offers.read_card, offer.card)
        except OSError as error:
            self.say(f"{offer.card} can't be read: {error.strerror}.", trouble=True)
        else:
            await self.app.push_screen(ModelCard(shown_name(offer), text))

    def action_another(self) -> None:
        self.ask("A folder, a .gguf file or a hub name", "", self._typed)

    def _typed(self, answer: str) -> None:
        name = answer.strip()
        path = Path(name).expanduser()
        if not name:
            raise ValueError("There is no name to look for; type a path or a hub name.")
        if name.startswith(("/", ".", "~")) and not path.exists():
            raise ValueError(f"There is no file or folder {name}; check the path.")
        resolved = str(path.absolute()) if path.exists() and name != HOUSE else name
        lack = offers.lack_of(resolved)
        if lack:
            raise ValueError(f"{name} {lack}.")
        self.dismiss(resolved)


def lack_of(offer: Offer) -> str:
    return NO_HOUSE_LACKS if offer == NO_HOUSE else offers.lack_of(offer.path or offer.name)


def shown_name(offer: Offer) -> str:
    """A path by its last part, where that is a model folder's; other names as they are."""
    name = Path(offer.name).name if offer.source == "folder" else offer.name
    return visible(name)
