"""The one table of keys: strip, help, palette and keymaps are all made from it.

Knows names of actions, not what they do; the main screen has a method for each.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from textual.binding import Binding


class Where(StrEnum):
    """Which part of the screen has to have the keyboard."""

    PAGE = "anywhere but the editor"
    TEXT = "in the text"
    EDITOR = "in the editor"


class Group(StrEnum):
    """Headings of the help."""

    GROW = "grow"
    TAKE = "take"
    GO = "go"
    CURSOR = "in the text"
    WRITE = "write"
    EDITOR = "in the editor"
    ARRANGE = "arrange"
    SEE = "see"
    FIND = "find"
    SET = "set"
    PROGRAM = "program"
    NAMED = "in the palette, by name"


@dataclass(frozen=True, slots=True)
class Command:
    """What can be done, and by which keys (Textual's names).

    `action` is the main screen's method without `action_`, with its arguments. `each` appends the
    key's ordinal, so nine keys can be one command. `written` replaces the list of keys in the help.
    """

    action: str
    keys: tuple[str, ...]
    title: str
    help: str
    group: Group
    where: Where = Where.PAGE
    written: str = ""
    each: bool = False

    @property
    def name(self) -> str:
        """What a keymap calls it."""
        return self.title.lower().replace(" ", "_") if "(" in self.action else self.action

    @property
    def shown(self) -> str:
        """The keys as a reader writes them."""
        return self.written or "  ".join(key_name(key) for key in self.keys if key)

    def bindings(self) -> Iterator[Binding]:
        for number, key in enumerate(self.keys, start=1):
            if not key:  # taken away by a keymap
                continue
            yield Binding(
                key,
                f"screen.{self.action_for(number)}",
                self.title,
                show=False,
                tooltip=self.help,
                id=f"{self.name}_{number}" if self.each else self.name,
            )

    def action_for(self, number: int) -> str:
        """The action of the key at `number`, counted from 1."""
        return f"{self.action}({number})" if self.each else self.action


NAMES = {
    "left": "←",
    "right": "→",
    "up": "↑",
    "down": "↓",
    "comma": ",",
    "space": "Space",
    "escape": "Esc",
    "ctrl+@": "Ctrl+Space",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "ctrl+left": "Ctrl+←",
    "ctrl+right": "Ctrl+→",
    "alt+left": "Alt+←",
    "alt+right": "Alt+→",
    "alt+up": "Alt+↑",
    "alt+down": "Alt+↓",
    "–": "Alt+-",
    "≠": "Alt+=",
}


def key_name(key: str) -> str:
    """A key as it is written on paper: `ctrl+g` is Ctrl+G, `left` is ←, `G` stays G."""
    if key in NAMES:
        return NAMES[key]
    if len(key) == 1:
        return key
    return "+".join(part.capitalize() for part in key.split("+"))


DIGITS = tuple("123456789")
TEXT, EDITOR = Where.TEXT, Where.EDITOR

COMMANDS: tuple[Command, ...] = (
    Command(
        "grow", ("g", "space"), "Grow here", "Grow continuations at the cursor.", Group.GROW,
    ),
    Command(
        "grow_siblings", ("G",), "Grow siblings",
        "Grow more continuations beside this node, from where it begins.", Group.GROW,
    ),
    Command("more", ("+", "="), "One more branch", "Grow one more at a time.", Group.GROW),
    Command("fewer", ("-",), "One branch less", "Grow one less at a time.", Group.GROW),
    Command(
        "stop", ("escape",), "Stop growing",
        "Stop what grows here; once more: everything. Leaves the text first.", Group.GROW,
    ),
    Command(
        "walk", DIGITS, "Walk into a continuation",
        "Walk into that continuation, also while it streams.", Group.TAKE, written="1–9", each=True,
    ),
    Command("parent", ("left", "h"), "To the parent", "To the branch point before.", Group.GO),
    Command(
        "child", ("right", "l"), "To the child", "To the child visited last, or the first.",
        Group.GO,
    ),
    Command("sibling(-1)", ("up", "k"), "Previous sibling", "To the sibling above.", Group.GO),
    Command("sibling(1)", ("down", "j"), "Next sibling", "To the sibling below.", Group.GO),
    Command(
        "reading(1)", (".",), "Next in reading order", "To the next node in reading order.",
        Group.GO,
    ),
    Command(
        "reading(-1)", ("comma",), "Previous in reading order",
        "To the node before in reading order.", Group.GO,
    ),
    Command("root", ("r", "home"), "To the root", "To the start of the tree.", Group.GO),
    Command(
        "leaf", ("end",), "To the leaf", "Along the nodes visited last, to the end.", Group.GO
    ),
    Command("random", ("w",), "Random walk", "Walk at random to a leaf.", Group.GO),
    Command("back", ("[",), "Back", "To where you were before.", Group.GO),
    Command("forward", ("]",), "Forward", "And forward again.", Group.GO),
    Command(
        "flag(1)", ("f",), "Next flag", "To the next flag of a plugin, on this path first.",
        Group.GO,
    ),
    Command("flag(-1)", ("F",), "Previous flag", "To the flag before.", Group.GO),
    Command(
        "diverge", ("D",), "Where the worlds part",
        "To where the next token would tell most about the source; again: next most.", Group.GO,
    ),
    Command("page(-1)", ("pageup",), "Page up", "Scroll the text up a page.", Group.GO),
    Command("page(1)", ("pagedown",), "Page down", "Scroll the text down a page.", Group.GO),
    Command(
        "switch", ("tab",), "Into the text and back",
        "Into the text, to move by tokens, and back to the tree.", Group.GO,
    ),
    Command("token(-1)", ("left", "h"), "Token left", "One token left.", Group.CURSOR, TEXT),
    Command("token(1)", ("right", "l"), "Token right", "One token right.", Group.CURSOR, TEXT),
    Command("word(-1)", ("ctrl+left",), "Word left", "One word left.", Group.CURSOR, TEXT),
    Command("word(1)", ("ctrl+right",), "Word right", "One word right.", Group.CURSOR, TEXT),
    Command("sentence(-1)", ("(",), "Sentence back", "One sentence back.", Group.CURSOR, TEXT),
    Command("sentence(1)", (")",), "Sentence on", "One sentence on.", Group.CURSOR, TEXT),
    Command("line(-1)", ("up", "k"), "Line up", "One line up.", Group.CURSOR, TEXT),
    Command("line(1)", ("down", "j"), "Line down", "One line down.", Group.CURSOR, TEXT),
    Command(
        "flag_start", ("enter",), "Where the flag began",
        "From a flag to the beginning of what it is about.", Group.CURSOR, TEXT,
    ),
    Command("edge(-1)", ("home",), "Start of the text", "To the start.", Group.CURSOR, TEXT),
    Command("edge(1)", ("end",), "End of the text", "To the end of the path.", Group.CURSOR, TEXT),
    Command(
        "alternatives", ("a",), "Alternatives",
        "Other tokens at the cursor; at the end of the path, the next one. Enter branches.",
        Group.CURSOR,
    ),
    Command(
        "write", ("i",), "Write here", "Open the editor at the cursor.", Group.WRITE,
    ),
    Command(
        "edit", ("e",), "Edit as a new branch",
        "Edit this node, or from the cursor on; the old text stays as it is.", Group.WRITE,
    ),
    Command(
        "edit_outside", ("E",), "Edit in $EDITOR", "The same in your own editor.", Group.WRITE
    ),
    Command(
        "commit", ("escape",), "Commit", "Put the text into the tree and leave the editor.",
        Group.EDITOR, EDITOR,
    ),
    Command(
        "commit_and_grow", ("ctrl+g", "ctrl+@"), "Commit and grow",
        "Put the text into the tree and grow after it.", Group.EDITOR, EDITOR,
    ),
    Command("bookmark", ("b",), "Bookmark", "Set or remove a bookmark here.", Group.ARRANGE),
    Command("next_bookmark", ("B",), "Next bookmark", "To the next bookmark.", Group.ARRANGE),
    Command("fold", ("o",), "Fold", "Fold or unfold this node in the tree.", Group.ARRANGE),
    Command(
        "fold_others", ("O",), "Fold the others", "Fold everything beside this path.",
        Group.ARRANGE,
    ),
    Command(
        "hoist", ("z",), "Hoist", "Show this node and what hangs below it as the whole tree.",
        Group.ARRANGE,
    ),
    Command("unhoist", ("Z",), "Unhoist", "Show what is around it again.", Group.ARRANGE),
    Command(
        "hide", ("backspace", "delete"), "Hide",
        "Hide this node and what hangs after it; undo restores.", Group.ARRANGE,
    ),
    Command("undo", ("u", "alt+z"), "Undo", "Take the last change back.", Group.ARRANGE),
    Command("redo", ("ctrl+r", "alt+y"), "Redo", "Do it again.", Group.ARRANGE),
    Command(
        "history", ("U",), "History", "Everything that happened; Enter goes back to a moment.",
        Group.ARRANGE,
    ),
    Command(
        "checkpoint", ("ctrl+s", "C"), "Name this moment",
        "A checkpoint to go back to, in the history.", Group.ARRANGE,
    ),
    Command(
        "layer", ("c",), "Colour layer",
        "Plain, probability, surprise, entropy, author, one after the other; with sources who "
        "leads, what moved that, what would tell.", Group.SEE,
    ),
    Command("tree", ("T",), "Show or hide the tree", "Show or hide the tree.", Group.SEE),
    Command(
        "lens", ("L",), "Show or hide the lens",
        "Show or hide what the model held likely: at the cursor, or next.", Group.SEE,
    ),
    Command(
        "context", ("p",), "What the model saw",
        "The text and the tokens that the model was given before this node.", Group.SEE,
    ),
    Command(
        "instruments", ("I",), "Readings along the path",
        "What each plugin reads, token by token, as strips to move along.", Group.SEE,
    ),
    Command(
        "sources", ("S",), "Sources",
        "Who could have written this: weighed, asked, chosen to go on under; sets of them.",
        Group.SEE,
    ),
    Command(
        "beside", ("M",), "Beside another model",
        "What another model makes of this path, beside what is on record.", Group.SEE,
    ),
    Command(
        "divide('tree', -2)", ("<",), "Narrower tree",
        "Less room for the tree; the line beside it can be dragged too.", Group.SEE,
    ),
    Command("divide('tree', 2)", (">",), "Wider tree", "More room for the tree.", Group.SEE),
    Command("divide('lens', 2)", ("{",), "Wider lens", "More room for the lens.", Group.SEE),
    Command("divide('lens', -2)", ("}",), "Narrower lens", "Less room for the lens.", Group.SEE),
    Command("divide('cards', 1)", ("K",), "Taller cards", "More room for the cards.", Group.SEE),
    Command(
        "divide('cards', -1)", ("J",), "Lower cards", "More room for the text above the cards.",
        Group.SEE,
    ),
    Command(
        "settings", ("P",), "Sampling",
        "Temperature and the rest, length, presets: in force at once.", Group.SET,
    ),
    Command(
        "plugins", ("X",), "Plugins",
        "What reads along: on and off, options, why one doesn't run.", Group.SET,
    ),
    Command(
        "models", ("m",), "Model",
        "Load another model, the tree stays; read its card.", Group.SET,
    ),
    Command(
        "sessions", ("s", "ctrl+o"), "Sessions",
        "Open, begin, rename, copy, throw away; save the text to a file.", Group.SET,
    ),
    Command(
        "search", ("/",), "Search", "Find words in the text; the list shows them while you type.",
        Group.FIND,
    ),
    Command("match(1)", ("n",), "Next match", "To the next place where they are.", Group.FIND),
    Command("match(-1)", ("N",), "Previous match", "To the one before.", Group.FIND),
    Command("copy", ("y",), "Copy the text", "Copy the text up to here.", Group.PROGRAM),
    Command("palette", ("ctrl+p",), "Everything by name", "Find a command by its name.",
            Group.PROGRAM),
    Command("help", ("?",), "Help", "All keys on one page.", Group.PROGRAM),
    Command("quit", ("q", "ctrl+q"), "Quit", "Everything is saved already.", Group.PROGRAM),
    Command(
        "byline", (), "Begin under a byline…",
        "A name and an empty line: the model goes on as that author would.", Group.NAMED,
    ),
    Command(
        "save_text", (), "Save the text as a file…", "The text up to here, plain or as Markdown.",
        Group.NAMED,
    ),
    Command(
        "demo", (), "Open the demo session",
        "A recorded tree to look about in; it opens as a copy of your own.", Group.NAMED,
    ),
    Command(
        "tour", (), "Take the tour", "One minute, one key at a time, in a session of its own.",
        Group.NAMED,
    ),
    Command("theme", (), "Theme", "Choose other colours; they stay chosen.", Group.NAMED),
)  # fmt: skip


def bindings(where: Where, commands: Iterable[Command] = COMMANDS) -> list[Binding]:
    """Textual's bindings for one part of the screen."""
    return [made for command in commands if command.where is where for made in command.bindings()]


def in_groups(commands: Iterable[Command] = COMMANDS) -> dict[Group, list[Command]]:
    """The table under its headings, in order."""
    table = list(commands)
    return {group: [c for c in table if c.group is group] for group in Group}
