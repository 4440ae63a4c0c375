"""Random valid arguments for each QuixBugs program, by what its own description asks of them."""

from __future__ import annotations

import string
from collections.abc import Callable
from itertools import pairwise
from random import Random
from typing import Any


class Node:
    """What the graph programs walk over."""

    def __init__(self, value: object) -> None:
        self.value = value
        self.successor: Node | None = None
        self.successors: list[Node] = []
        self.incoming_nodes: list[Node] = []
        self.outgoing_nodes: list[Node] = []


def _ints(r: Random, low: int, high: int, most: int = 8, least: int = 0) -> list[int]:
    return [r.randint(low, high) for _ in range(r.randint(least, most))]


def _word(r: Random, letters: str, most: int) -> str:
    return "".join(r.choice(letters) for _ in range(r.randint(0, most)))


def _sorted_and_one(r: Random) -> tuple[object, ...]:
    rows = sorted(_ints(r, 0, 12))
    return rows, r.choice([*rows, r.randint(-1, 13)])


def _nested(r: Random, depth: int = 3) -> list[object]:
    return [_nested(r, depth - 1) if depth and r.random() < 0.4 else r.randint(0, 9) for _ in range(r.randint(0, 4))]


def _graph(r: Random, most: int = 7) -> list[Node]:
    nodes = [Node(n) for n in range(r.randint(1, most))]
    for node in nodes:
        node.successors = [other for other in nodes if r.random() < 0.3]
    return nodes


def _two_nodes(r: Random) -> tuple[object, ...]:
    nodes = _graph(r)
    return r.choice(nodes), r.choice(nodes)


def _chain(r: Random, least: int = 0, cycle: float = 0.0) -> Node | None:
    nodes = [Node(n) for n in range(r.randint(least, 7))]
    for a, b in pairwise(nodes):
        a.successor = b
    if nodes and r.random() < cycle:
        nodes[-1].successor = r.choice(nodes)
    return nodes[0] if nodes else None


def _lengths_of_nodes(r: Random) -> tuple[object, ...]:
    nodes = _graph(r)
    lengths = {(a, b): r.randint(1, 10**6) for a in nodes for b in a.successors}
    return lengths, r.choice(nodes), r.choice(nodes)


def _lengths(r: Random) -> tuple[object, ...]:
    n = r.randint(1, 5)
    return n, {(a, b): r.randint(1, 12) for a in range(n) for b in range(n) if a != b and r.random() < 0.5}


def _weights(r: Random) -> dict[tuple[str, str], int]:
    names = "ABCDEF"[: r.randint(2, 6)]
    weights = {(a, b): r.randint(-1, 9) for a in names for b in names if a < b and r.random() < 0.6}
    return weights or {("A", "B"): 1}


def _tree_weights(r: Random) -> tuple[object, ...]:
    edges = list(_weights(r))
    return (dict(zip(edges, r.sample(range(1, 60), len(edges)), strict=True)),)


def _acyclic(r: Random) -> tuple[object, ...]:
    nodes = [Node(n) for n in range(r.randint(1, 7))]
    for i, node in enumerate(nodes):
        for other in nodes[i + 1 :]:
            if r.random() < 0.35:
                node.outgoing_nodes.append(other)
                other.incoming_nodes.append(node)
    r.shuffle(nodes)
    return (nodes,)


def _polish(r: Random) -> tuple[object, ...]:
    tokens: list[object] = []
    depth = 0
    for _ in range(r.randint(1, 6)):
        tokens.append(float(r.randint(1, 9)))
        depth += 1
        while depth > 1 and r.random() < 0.5:
            tokens.append(r.choice("+-*/"))
            depth -= 1
    return ([*tokens, *(r.choice("+-*/") for _ in range(depth - 1))],)


def _infix(r: Random) -> tuple[object, ...]:
    tokens: list[object] = [r.randint(1, 99)]
    for _ in range(r.randint(0, 6)):
        tokens += [r.choice("+-*/"), r.randint(1, 99)]
    return (tokens,)


def _shuffled(r: Random) -> list[int]:
    rows = list(range(r.randint(1, 6)))
    r.shuffle(rows)
    return rows


def _next_permutation(r: Random) -> tuple[object, ...]:
    rows = _shuffled(r)
    while len(rows) < 2 or rows == sorted(rows, reverse=True):
        rows = _shuffled(r)
    return (rows,)


def _palindrome(r: Random) -> tuple[object, ...]:
    half = [r.randint(1, 9), *_ints(r, 7, 9, 3)]
    return ([*half, *_ints(r, 7, 9, 1), *half[::-1]],)


def _nearly_sorted(r: Random) -> tuple[object, ...]:
    k = r.randint(1, 4)
    rows = sorted(_ints(r, 0, 30, 10))
    for i in range(0, len(rows) - k, k + 1):
        part = rows[i : i + k + 1]
        r.shuffle(part)
        rows[i : i + k + 1] = part
    return rows, k


GENERATORS: dict[str, Callable[[Random], tuple[Any, ...]]] = {
    "bitcount": lambda r: (r.randint(0, 10**6),),
    "breadth_first_search": _two_nodes,
    "bucketsort": lambda r: (_ints(r, 0, 9, 10), 10),
    "depth_first_search": _two_nodes,
    "detect_cycle": lambda r: (_chain(r, cycle=0.5),),
    "find_first_in_sorted": _sorted_and_one,
    "find_in_sorted": lambda r: (sorted(set(_ints(r, 0, 12))), r.randint(-1, 13)),
    "flatten": lambda r: (_nested(r),),
    "gcd": lambda r: (r.randint(0, 300), r.randint(0, 300)),
    "get_factors": lambda r: (r.randint(1, 2000),),
    "hanoi": lambda r: (r.randint(0, 5), *r.choice([(1, 2), (1, 3), (2, 1), (2, 3), (3, 1), (3, 2)])),
    "is_valid_parenthesization": lambda r: (_word(r, "()", 8),),
    "kheapsort": _nearly_sorted,
    "knapsack": lambda r: (r.randint(0, 25), [[r.randint(1, 12), r.randint(1, 30)] for _ in range(r.randint(0, 6))]),
    "kth": lambda r: (lambda rows: (rows, r.randrange(len(rows))))(_ints(r, 0, 9, 9, 1)),
    "lcs_length": lambda r: (_word(r, "abc", 8), _word(r, "abc", 8)),
    "levenshtein": lambda r: (_word(r, "abc", 6), _word(r, "abc", 6)),
    "lis": lambda r: (r.sample(range(30), r.randint(0, 9)),),
    "longest_common_subsequence": lambda r: (_word(r, "abc", 7), _word(r, "abc", 7)),
    "max_sublist_sum": lambda r: (_ints(r, -9, 9),),
    "mergesort": lambda r: (_ints(r, -9, 9, 10),),
    "minimum_spanning_tree": _tree_weights,
    "next_palindrome": _palindrome,
    "next_permutation": _next_permutation,
    "pascal": lambda r: (r.randint(1, 9),),
    "possible_change": lambda r: (sorted(r.sample(range(1, 15), r.randint(0, 4))), r.randint(0, 30)),
    "powerset": lambda r: (_shuffled(r),),
    "quicksort": lambda r: (_ints(r, -9, 9, 10),),
    "reverse_linked_list": lambda r: (_chain(r),),
    "rpn_eval": _polish,
    "shortest_path_length": _lengths_of_nodes,
    "shortest_path_lengths": _lengths,
    "shortest_paths": lambda r: ("A", _weights(r)),
    "shunting_yard": _infix,
    "sieve": lambda r: (r.randint(0, 120),),
    "sqrt": lambda r: (round(r.uniform(0.5, 200.0), 3), r.choice([0.1, 0.01, 0.001])),
    "subsequences": lambda r: (lambda a: (a, a + r.randint(0, 6), r.randint(0, 4)))(r.randint(0, 4)),
    "to_base": lambda r: (r.randint(1, 10**5), r.randint(2, 36)),
    "topological_ordering": _acyclic,
    "wrap": lambda r: (_word(r, string.ascii_lowercase[:4] + "   ", 40), r.randint(3, 12)),
}
