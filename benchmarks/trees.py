"""The live tree and its display: many nodes, deep chains, and one more token."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

from benchmarks.measure import Benchmark, Work
from loom.core.display import Display
from loom.core.marks import Marks
from loom.core.node import ROOT, Author, Ending, Node, Place
from loom.core.tree import Tree

TEXT = b" and the lamp went round as it had every night" * 4
NODES = 20_000


def benchmarks() -> Iterator[Benchmark]:
    yield Benchmark("tree: add nodes", "nodes", add_nodes)
    yield Benchmark(f"tree: text of a chain of {NODES:,}", "nodes", read_chain)
    yield Benchmark(f"display: all rows of {NODES:,} nodes", "nodes", show_rows)
    yield Benchmark(f"display: a leaf grows among {NODES:,}", "updates", grow_leaf)


def bushy(count: int) -> Tree:
    """Nodes that hang now at the end of an earlier one, now inside it."""
    chance = random.Random(count)
    tree = Tree()
    for id_ in range(1, count + 1):
        parent = chance.randrange(max(0, id_ - 50), id_)
        at = chance.choice((tree[parent].length, tree[parent].length // 2))
        tree.add(Node(id_, parent, at, Author.MODEL, TEXT + b" %d" % id_, ended=Ending.LENGTH))
    return tree


def chain(count: int) -> Tree:
    tree = Tree()
    for id_ in range(1, count + 1):
        tree.add(Node(id_, id_ - 1, tree[id_ - 1].length, Author.MODEL, TEXT, ended=Ending.LENGTH))
    return tree


def add_nodes(_: ExitStack) -> Work:
    return lambda: len(bushy(2000))


def read_chain(_: ExitStack) -> Work:
    tree = chain(NODES)
    end = Place(NODES, len(TEXT))

    def work() -> int:
        tree.path_bytes(end)
        return NODES

    return work


def show_rows(_: ExitStack) -> Work:
    tree = bushy(NODES)

    def work() -> int:
        Display(tree, Marks()).rows()
        return NODES

    return work


def grow_leaf(_: ExitStack) -> Work:
    tree = bushy(NODES)
    leaf = Node(NODES + 1, ROOT, 0, Author.MODEL)
    tree.add(leaf)
    display = Display(tree, Marks())

    def work() -> int:
        for _ in range(20):
            grown = tree[leaf.id]
            tree.replace(replace(grown, text=grown.text + b" more"))
            display.invalidate(leaf.id)
            display.rows()
        return 20

    return work
