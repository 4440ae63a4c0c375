"""A third set: one slip of each kind that the first two lack. Data only."""

CASES = {}


def case(name, source, test, right, wrong):
    source, test = source.lstrip(), test.lstrip()
    if "np." in source:
        source, test = "import numpy as np\n\n\n" + source, "import numpy as np\n" + test
    assert source.count(right) == 1, (name, right)
    CASES[name] = (source, test, source.replace(right, wrong))


case(
    "missing_await",
    """
import asyncio


async def size(rows):
    await asyncio.sleep(0)
    return len(rows)


async def sizes(tables):
    return [await size(rows) for rows in tables]
""",
    """
import asyncio
from mod import sizes
def test_two(): assert asyncio.run(sizes([[1], [2, 3]])) == [1, 2]
def test_none(): assert asyncio.run(sizes([[]])) == [0]
""",
    "await size(rows)",
    "size(rows)",
)
case(
    "missing_base_case",
    """
def depth(tree):
    if tree is None:
        return 0
    return 1 + max(depth(tree[0]), depth(tree[1]))
""",
    """
from mod import depth
def test_leaf(): assert depth((None, None)) == 1
def test_left(): assert depth(((None, None), None)) == 2
def test_nothing(): assert depth(None) == 0
""",
    "    if tree is None:\n        return 0\n",
    "",
)
case(
    "missing_copy",
    """
def with_total(row):
    out = list(row)
    out.append(sum(row))
    return out
""",
    """
from mod import with_total
def test_total(): assert with_total([1, 2]) == [1, 2, 3]
def test_untouched():
    row = [4]
    with_total(row)
    assert row == [4]
""",
    "list(row)",
    "row",
)
case(
    "missing_cast",
    """
def total(fields):
    return sum(int(field) for field in fields)
""",
    """
from mod import total
def test_two(): assert total(["1", "20"]) == 21
def test_none(): assert total([]) == 0
""",
    "int(field)",
    "field",
)
case(
    "missing_clamp",
    """
def brightness(level, by):
    return max(0, min(255, level + by))
""",
    """
import pytest
from mod import brightness
@pytest.mark.parametrize("by, want", [(10, 110), (200, 255), (-300, 0), (-100, 0)])
def test_brightness(by, want): assert brightness(100, by) == want
""",
    "max(0, min(255, level + by))",
    "level + by",
)
case(
    "missing_guard",
    """
def lengths(node):
    found = []
    while node is not None and node.next is not None:
        found.append(node.next.at - node.at)
        node = node.next
    return found


class Node:
    def __init__(self, at, next=None):
        self.at, self.next = at, next
""",
    """
from mod import Node, lengths
def test_three(): assert lengths(Node(1, Node(4, Node(9)))) == [3, 5]
def test_none(): assert lengths(None) == []
def test_one(): assert lengths(Node(2)) == []
""",
    "node is not None and node.next is not None",
    "node.next is not None",
)
case(
    "wrong_loop_bound",
    """
def windows(values, size):
    return [sum(values[at : at + size]) for at in range(len(values) - size + 1)]
""",
    """
from mod import windows
def test_pairs(): assert windows([1, 2, 3], 2) == [3, 5]
def test_whole(): assert windows([1, 2], 2) == [3]
""",
    "len(values) - size + 1",
    "len(values)",
)
case(
    "never_marked",
    """
def reachable(graph, start):
    seen = set()

    def visit(at):
        if at in seen:
            return
        seen.add(at)
        for other in graph[at]:
            visit(other)

    visit(start)
    return sorted(seen)
""",
    """
from mod import reachable
def test_ring(): assert reachable({1: [2], 2: [1, 3], 3: []}, 1) == [1, 2, 3]
def test_alone(): assert reachable({1: [], 2: [1]}, 1) == [1]
""",
    "        seen.add(at)\n",
    "",
)
case(
    "shared_default",
    """
def tagged(name, tags=None):
    if tags is None:
        tags = []
    tags.append(name)
    return tags
""",
    """
from mod import tagged
def test_first(): assert tagged("a") == ["a"]
def test_second(): assert tagged("b") == ["b"]
def test_given(): assert tagged("b", ["a"]) == ["a", "b"]
""",
    "tags=None):\n    if tags is None:\n        tags = []\n",
    "tags=[]):\n",
)
case(
    "late_closure",
    """
def adders(steps):
    return [lambda n, step=step: n + step for step in steps]
""",
    """
from mod import adders
def test_two(): assert [add(1) for add in adders([1, 10])] == [2, 11]
def test_one(): assert [add(1) for add in adders([5])] == [6]
""",
    "lambda n, step=step:",
    "lambda n:",
)
case(
    "result_dropped",
    """
def cleaned(names):
    out = []
    for name in names:
        name = name.strip()
        out.append(name)
    return out
""",
    """
from mod import cleaned
def test_two(): assert cleaned([" a", "b "]) == ["a", "b"]
def test_none(): assert cleaned([]) == []
""",
    "name = name.strip()",
    "name.strip()",
)
case(
    "zero_taken_for_nothing",
    """
def margin(width, default=4):
    return width if width is not None else default
""",
    """
from mod import margin
def test_zero(): assert margin(0) == 0
def test_none(): assert margin(None) == 4
def test_some(): assert margin(7) == 7
""",
    "width if width is not None else default",
    "width or default",
)
case(
    "wrong_exception",
    """
def first_number(fields):
    for field in fields:
        try:
            return float(field)
        except ValueError:
            continue
    return None
""",
    """
from mod import first_number
def test_found(): assert first_number(["a", "2"]) == 2.0
def test_none(): assert first_number(["a"]) is None
""",
    "except ValueError",
    "except TypeError",
)
case(
    "from_a_sibling_method",
    """
class Span:
    def __init__(self, first, last):
        self.first, self.last = first, last

    def size(self):
        return self.last - self.first + 1

    def middle(self):
        return self.first + (self.last - self.first + 1) // 2
""",
    """
from mod import Span
def test_size(): assert (Span(2, 4).size(), Span(1, 1).size()) == (3, 1)
def test_middle(): assert (Span(2, 9).middle(), Span(0, 0).middle()) == (6, 0)
""",
    "        return self.last - self.first + 1\n",
    "        return self.first\n",
)
case(
    "byte_order",
    """
def words(data):
    return np.frombuffer(data, dtype=">u2").astype(np.int32)
""",
    """
from mod import words
def test_one(): assert words(bytes([1, 2])).tolist() == [258]
def test_two(): assert words(bytes([0, 7, 1, 0])).tolist() == [7, 256]
""",
    '">u2"',
    '"<u2"',
)
case(
    "bit_order",
    """
def mask(flags):
    return np.packbits(flags, bitorder="little")
""",
    """
from mod import mask
def test_first(): assert mask(np.array([1, 0, 0, 0, 0, 0, 0, 0], np.uint8)).tolist() == [1]
def test_third(): assert mask(np.array([0, 0, 1, 1], np.uint8)).tolist() == [12]
""",
    ', bitorder="little"',
    "",
)
case(
    "tail_padded",
    """
def padded(x, block):
    return np.pad(x, (0, -len(x) % block))
""",
    """
from mod import padded
def test_tail(): assert padded(np.array([1, 2, 3, 4, 5]), 4).tolist() == [1, 2, 3, 4, 5, 0, 0, 0]
def test_even(): assert padded(np.array([1, 2]), 2).tolist() == [1, 2]
""",
    "-len(x) % block",
    "len(x) % block",
)
case(
    "nibble_sign",
    """
def low_nibbles(packed):
    return ((packed.astype(np.int32) & 15) ^ 8) - 8
""",
    """
from mod import low_nibbles
def test_signs(): assert low_nibbles(np.array([7, 8, 15, 31], np.uint8)).tolist() == [7, -8, -1, -1]
def test_zero(): assert low_nibbles(np.array([0, 16], np.uint8)).tolist() == [0, 0]
""",
    "((packed.astype(np.int32) & 15) ^ 8) - 8",
    "packed.astype(np.int32) & 15",
)
case(
    "broadcast",
    """
def scaled(q, scale):
    return np.multiply(q, scale[:, None])
""",
    """
from mod import scaled
def test_rows(): assert scaled(np.ones((2, 2)), np.array([1.0, 3.0])).tolist() == [[1, 1], [3, 3]]
def test_wide(): assert scaled(np.ones((2, 3)), np.array([0.0, 2.0])).tolist() == [[0, 0, 0], [2, 2, 2]]
""",
    "scale[:, None]",
    "scale",
)
