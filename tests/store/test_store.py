from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loom.core.marks import Kind, Mark
from loom.core.node import Author, Ending, Node
from loom.core.nodes import Unmade
from loom.core.span import Span
from loom.store.store import Batch, EventRow, Loaded, ModelRow, Store, StoreError


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


MODEL = ModelRow(3, "f00d", "House 25M", "house", {"dtype": "float32", "device": "cpu"})


def reopened(store: Store) -> Loaded:
    """What another process would find after this one is gone."""
    store.close()
    again = Store.open(store.path)
    loaded = again.load()
    again.close()
    return loaded


def test_everything_posted_comes_back_after_a_restart(
    store: Store, node: Callable[..., Node], span: Callable[..., Span]
) -> None:
    growing = replace(node(2, b"caf\xc3", parent=1, at=4), ended=None, hash=b"", token_count=None)
    marks = ((Mark(1, 0, Kind.BOOKMARK), ""), (Mark(1, 4, Kind.NOTE), "a note\n☕"))
    event = EventRow(1, 1_700_000_000.125, "grow", {"nodes": [1, 2], "place": "ab"})
    batch = Batch(
        nodes=((node(1, b"caf\xc3\xa9 \x00\xff"), span(3)), (growing, None)),
        marks=marks,
        recipes=((1, {"tokens": 48, "stop": ["\n\n"], "sampling": {"temperature": 0.9}}),),
        models=(MODEL,),
        pieces=((3, 7, b"\xe2\x98"),),
        meta={"place": "[1, 4]"},
        event=event,
    )
    store.post(batch)
    assert reopened(store) == Loaded(
        nodes=Unmade.of((batch.nodes[0][0], growing)),
        marks=marks,
        recipes=batch.recipes,
        models=(MODEL,),
        events=(event,),
        meta={"place": "[1, 4]"},
    )


def test_authors_and_endings_come_back_as_what_they_are(store: Store) -> None:
    nodes = [
        Node(1 + i, 0, 0, author, b"", ended=ending)
        for i, (author, ending) in enumerate((a, e) for a in Author for e in [*Ending, None])
    ]
    store.post(Batch(nodes=tuple((node, None) for node in nodes)))
    loaded = reopened(store).nodes
    assert loaded == tuple(nodes)
    assert all(isinstance(node.author, Author) for node in loaded)
    assert all(node.ended is None or isinstance(node.ended, Ending) for node in loaded)


def test_a_later_batch_replaces_rows_and_none_removes_them(
    store: Store, node: Callable[..., Node]
) -> None:
    mark, other = Mark(1, 0, Kind.FOLDED), Mark(1, 1, Kind.FOLDED)
    store.post(Batch(nodes=((node(1, b"a"), None),), marks=((mark, "1"), (other, "1"))))
    store.post(Batch(meta={"draft": "x", "seed": "1"}, recipes=((1, {"tokens": 1}),)))
    store.post(Batch(nodes=((node(1, b"ab"), None),), marks=((mark, None), (other, "2"))))
    store.post(Batch(meta={"draft": None, "absent": None, "seed": "2"}, recipes=((1, {"top": 5}),)))
    loaded = reopened(store)
    assert [n.text for n in loaded.nodes] == [b"ab"]
    assert loaded.marks == ((other, "2"),)
    assert loaded.meta == {"seed": "2"}
    assert loaded.recipes == ((1, {"top": 5}),)


def test_nodes_come_back_in_the_order_of_their_ids(store: Store, node: Callable[..., Node]) -> None:
    store.post(Batch(nodes=tuple((node(i), None) for i in (3, 1))))
    store.post(Batch(nodes=((node(2), None),)))
    assert [n.id for n in reopened(store).nodes] == [1, 2, 3]


def test_a_growing_node_is_put_again_and_keeps_its_span_without_one(
    store: Store, node: Callable[..., Node], span: Callable[..., Span]
) -> None:
    store.post(Batch(nodes=((node(1, b"a"), span(1)),)))
    store.post(Batch(nodes=((node(1, b"ab"), span(2)),)))
    store.post(Batch(nodes=((replace(node(1, b"ab"), ended=Ending.CANCEL), None),)))
    store.close()
    again = Store.open(store.path)
    found = again.span(1)
    assert found is not None and len(found) == 2
    assert again.load().nodes[0].ended is Ending.CANCEL
    again.close()


def test_a_span_comes_back_bit_by_bit(
    store: Store, node: Callable[..., Node], span: Callable[..., Span]
) -> None:
    posted = span(33)
    store.post(Batch(nodes=((node(1), posted), (node(2), None))))
    store.flush()
    found = store.span(1)
    assert found is not None and found is not posted
    for (_, one), (_, other) in zip(found.columns(), posted.columns(), strict=True):
        assert one is not None and other is not None and one.tobytes() == other.tobytes()
    assert store.span(2) is None
    assert store.span(99) is None


def test_pieces_are_those_of_the_model_that_are_known(store: Store) -> None:
    store.post(Batch(pieces=((1, 5, b" the"), (1, 6, b"\xff"), (2, 5, b"other"))))
    store.flush()
    store.post(Batch(pieces=((1, 7, b"new"),)))
    assert store.pieces(1, [5, 6, 7, 8]) == {5: b" the", 6: b"\xff", 7: b"new"}
    assert store.pieces(2, range(10)) == {5: b"other"}
    assert store.pieces(1, []) == {}


def test_what_is_posted_can_be_read_before_it_is_written(
    store: Store, node: Callable[..., Node], span: Callable[..., Span]
) -> None:
    """Another connection keeps the writer out while the reads go on."""
    store.post(Batch(nodes=((node(1), span(1)),)))
    store.flush()
    with held(store.path):
        store.post(Batch(nodes=((node(1, b"xx"), span(2)), (node(2), None))))
        store.post(Batch(nodes=((node(1, b"xxx"), span(3)),), pieces=((1, 1, b"p"),)))
        store.post(Batch(nodes=((node(1, b"xxx"), None),)))
        latest = store.span(1)
        assert latest is not None and len(latest) == 3
        assert store.span(2) is None
        assert store.pieces(1, [1]) == {1: b"p"}
    store.flush()
    assert len(store.load().nodes) == 2


class held:
    """While it lasts nobody else can write the file; stands for any slow disk."""

    def __init__(self, path: Path) -> None:
        self._other = sqlite3.connect(path, isolation_level=None)

    def __enter__(self) -> None:
        self._other.execute("BEGIN IMMEDIATE")

    def __exit__(self, *_: object) -> None:
        self._other.execute("ROLLBACK")
        self._other.close()


def test_load_waits_for_what_was_posted(store: Store) -> None:
    for i in range(50):
        store.post(Batch(meta={"i": str(i)}))
    assert store.load().meta == {"i": "49"}


values = st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"]), max_size=4))
batches = st.lists(
    st.builds(
        Batch,
        nodes=st.lists(
            st.tuples(
                st.builds(
                    Node,
                    id=st.integers(1, 6),
                    parent=st.just(0),
                    at=st.just(0),
                    author=st.sampled_from(Author),
                    text=st.binary(max_size=6),
                    seed=st.none() | st.integers(-(2**63), 2**63 - 1),
                    ended=st.none() | st.sampled_from(Ending),
                    created=st.floats(allow_nan=False),
                ),
                st.none(),
            ),
            max_size=3,
        ).map(tuple),
        marks=st.lists(
            st.tuples(
                st.builds(Mark, st.integers(0, 2), st.integers(0, 2), st.sampled_from(Kind)), values
            ),
            max_size=3,
        ).map(tuple),
        meta=st.dictionaries(st.sampled_from("abc"), values, max_size=3),
    ),
    max_size=8,
)


@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(posted=batches)
def test_the_file_holds_what_the_batches_say_in_their_order(
    tmp_path_factory: pytest.TempPathFactory, posted: list[Batch]
) -> None:
    nodes: dict[int, Node] = {}
    marks: dict[Mark, str | None] = {}
    meta: dict[str, str | None] = {}
    store = Store.create(tmp_path_factory.mktemp("s") / "story.loom")
    for batch in posted:
        store.post(batch)
        nodes |= {node.id: node for node, _ in batch.nodes}
        marks |= dict(batch.marks)
        meta |= batch.meta
    loaded = reopened(store)
    assert loaded.nodes == tuple(nodes[i] for i in sorted(nodes))
    assert dict(loaded.marks) == {k: v for k, v in marks.items() if v is not None}
    assert loaded.meta == {k: v for k, v in meta.items() if v is not None}


@pytest.mark.parametrize(
    "batch",
    [
        Batch(meta={"x": "\ud800"}),
        Batch(event=EventRow(1, 0.0, "k", {"x": {1, 2}})),
        Batch(event=EventRow(1, 0.0, "k", {"x": float("nan")})),
        Batch(event=EventRow(2**63, 0.0, "k", {})),
        Batch(pieces=((1, 2**80, b""),)),
        Batch(recipes=((1, {"x": b"bytes"}),)),
    ],
)
def test_what_no_file_can_hold_is_refused_at_once_and_spoils_nothing(
    store: Store, batch: Batch
) -> None:
    with pytest.raises((ValueError, TypeError)):
        store.post(batch)
    store.post(Batch(meta={"after": "1"}))
    assert reopened(store).meta == {"after": "1"}


@pytest.mark.parametrize("column", ["at", "text", "created", "parent", "hash"])
def test_a_node_with_a_value_of_another_type_is_refused_at_once(
    store: Store, node: Callable[..., Node], column: str
) -> None:
    wrong: Any = object()
    with pytest.raises((ValueError, TypeError)):
        store.post(Batch(nodes=((replace(node(1), **{column: wrong}), None),)))
    store.flush()


def test_at_rest_it_is_one_file(store: Store) -> None:
    store.post(Batch(meta={"a": "b"}))
    store.span(1)
    store.close()
    assert names(store.path.parent) == ["story.loom"]
    with sqlite3.connect(store.path) as plain:
        assert plain.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert plain.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_while_open_it_has_a_log_and_waits_for_the_disk(store: Store) -> None:
    writing = store._writing
    assert writing is not None
    assert writing[1].execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert writing[1].execute("PRAGMA synchronous").fetchone() == (2,)  # FULL


def test_the_connection_for_reading_can_not_write(store: Store) -> None:
    store.span(1)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        store._reader.execute("DELETE FROM meta")


def test_post_after_close_is_refused(store: Store) -> None:
    store.close()
    store.close()
    for use in (lambda: store.post(Batch()), store.load, lambda: store.span(1)):
        with pytest.raises(StoreError, match="closed"):
            use()


def test_many_threads_may_post_and_read(store: Store, node: Callable[..., Node]) -> None:
    def work(base: int) -> None:
        for i in range(base, base + 20):
            store.post(Batch(nodes=((node(i), None),)))
            store.span(i)

    threads = [threading.Thread(target=work, args=(1 + 20 * n,)) for n in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [n.id for n in reopened(store).nodes] == list(range(1, 101))


def test_a_copy_holds_everything_and_can_be_written(
    store: Store, node: Callable[..., Node], span: Callable[..., Span], tmp_path: Path
) -> None:
    store.post(Batch(nodes=((node(1), span(4)),), meta={"a": "b"}))
    store.copy_to(tmp_path / "copy.loom")
    assert sorted(p.name for p in tmp_path.iterdir() if "copy" in p.name) == ["copy.loom"]
    copy = Store.open(tmp_path / "copy.loom")
    assert copy.load() == store.load()
    assert copy.span(1) is not None
    copy.post(Batch(meta={"a": "c"}))
    copy.close()
    assert store.load().meta == {"a": "b"}


def test_a_copy_overwrites_nothing(store: Store, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("mine")
    with pytest.raises(StoreError, match="there already"):
        store.copy_to(tmp_path / "there")
    with pytest.raises(StoreError, match="can't be made"):
        store.copy_to(store.path)
    assert (tmp_path / "there").read_text() == "mine"
    assert len(list(tmp_path.glob(".*.tmp*"))) == 0


def test_a_store_left_open_at_exit_is_written_and_settled(tmp_path: Path) -> None:
    script = (
        "import sys, pathlib\n"
        "from loom.store.store import Batch, Store\n"
        "store = Store.create(pathlib.Path(sys.argv[1]))\n"
        "[store.post(Batch(meta={'i': str(i)})) for i in range(30)]\n"
    )
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", script, tmp_path / "a.loom"], cwd=root, check=True)
    assert names(tmp_path) == ["a.loom"]
    store = Store.open(tmp_path / "a.loom")
    assert store.load().meta == {"i": "29"}
    store.close()
