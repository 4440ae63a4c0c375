"""A second set, written after the templates were finished and not used to improve them. Data only."""

CASES = {}


def case(name, source, test, right, wrong):
    source, test = source.lstrip(), test.lstrip()
    if "np." in source:
        source, test = "import numpy as np\n\n\n" + source, "import numpy as np\n" + test
    assert source.count(right) == 1, (name, right)
    CASES[name] = (source, test, source.replace(right, wrong))


case(
    "round_robin",
    """
def schedule(jobs, machines):
    slots = [[] for _ in range(machines)]
    for nth, job in enumerate(jobs):
        slots[nth % machines].append(job)
    return slots
""",
    """
from mod import schedule
def test_two(): assert schedule("abcde", 2) == [["a", "c", "e"], ["b", "d"]]
def test_one(): assert schedule("ab", 1) == [["a", "b"]]
""",
    "nth % machines",
    "nth // machines",
)
case(
    "binary_search",
    """
def position(values, wanted):
    low, high = 0, len(values) - 1
    while low <= high:
        middle = (low + high) // 2
        if values[middle] == wanted:
            return middle
        if values[middle] < wanted:
            low = middle + 1
        else:
            high = middle - 1
    return -1
""",
    """
import pytest
from mod import position
@pytest.mark.parametrize("wanted, at", [(1, 0), (4, 1), (9, 2), (5, -1), (10, -1)])
def test_position(wanted, at): assert position([1, 4, 9], wanted) == at
""",
    "low = middle + 1",
    "low = middle",
)
case(
    "interval_merge",
    """
def merged(spans):
    out = []
    for start, end in sorted(spans):
        if out and start <= out[-1][1]:
            out[-1] = (out[-1][0], max(out[-1][1], end))
        else:
            out.append((start, end))
    return out
""",
    """
from mod import merged
def test_apart(): assert merged([(5, 6), (1, 2)]) == [(1, 2), (5, 6)]
def test_touching(): assert merged([(1, 3), (3, 4)]) == [(1, 4)]
def test_inside(): assert merged([(1, 9), (2, 3)]) == [(1, 9)]
""",
    "max(out[-1][1], end)",
    "end",
)
case(
    "missing_check",
    """
def withdraw(balance, amount):
    if amount < 0:
        raise ValueError("negative")
    return balance - amount
""",
    """
import pytest
from mod import withdraw
def test_some(): assert withdraw(5, 2) == 3
def test_negative():
    with pytest.raises(ValueError): withdraw(5, -1)
""",
    '    if amount < 0:\n        raise ValueError("negative")\n',
    "",
)
case(
    "cache_key",
    """
class Table:
    def __init__(self):
        self._rows = {}

    def put(self, key, value):
        self._rows[key.lower()] = value

    def get(self, key, default=None):
        return self._rows.get(key.lower(), default)
""",
    """
from mod import Table
def test_case():
    table = Table()
    table.put("Ab", 1)
    assert table.get("aB") == 1
def test_default(): assert Table().get("x", 3) == 3
""",
    "get(key.lower(), default)",
    "get(key, default)",
)
case(
    "accumulate_outside",
    """
def running(values):
    total, out = 0, []
    for value in values:
        total += value
        out.append(total)
    return out
""",
    """
from mod import running
def test_three(): assert running([1, 2, 3]) == [1, 3, 6]
def test_none(): assert running([]) == []
""",
    "        total += value\n        out.append(total)\n",
    "        out.append(total)\n        total += value\n",
)
case(
    "wrong_type_of_scale",
    """
def scales(blocks):
    out = np.zeros(len(blocks), dtype=np.float32)
    for at, block in enumerate(blocks):
        out[at] = np.abs(block).max()
    return out
""",
    """
from mod import scales
def test_fractions(): assert scales([np.array([0.5, -0.25]), np.array([1.5])]).tolist() == [0.5, 1.5]
def test_whole(): assert scales([np.array([2.0])]).tolist() == [2.0]
""",
    "np.float32",
    "np.int32",
)
case(
    "zero_point",
    """
def asymmetric(x, scale, zero):
    return np.clip(np.rint(x / scale) + zero, 0, 255).astype(np.uint8)


def back(q, scale, zero):
    return (q.astype(np.int32) - zero) * scale
""",
    """
from mod import asymmetric, back
def test_forth(): assert asymmetric(np.array([0.0, 1.0]), 0.5, 10).tolist() == [10, 12]
def test_back(): assert back(np.array([10, 12], np.uint8), 0.5, 10).tolist() == [0.0, 1.0]
def test_below(): assert back(np.array([8], np.uint8), 0.5, 10).tolist() == [-1.0]
""",
    "q.astype(np.int32) - zero",
    "q.astype(np.int32) + zero",
)
case(
    "unsigned_wrap",
    """
def difference(a, b):
    return a.astype(np.int16) - b.astype(np.int16)
""",
    """
from mod import difference
def test_up(): assert difference(np.array([5], np.uint8), np.array([3], np.uint8)).tolist() == [2]
def test_down(): assert difference(np.array([3], np.uint8), np.array([5], np.uint8)).tolist() == [-2]
""",
    "a.astype(np.int16) - b.astype(np.int16)",
    "a - b",
)
case(
    "block_shape",
    """
def block_max(x, size):
    return np.abs(x.reshape(-1, size)).max(axis=1)
""",
    """
from mod import block_max
def test_two(): assert block_max(np.array([1, -4, 2, 3, 0, 5]), 3).tolist() == [4, 5]
def test_one(): assert block_max(np.array([1, -4]), 2).tolist() == [4]
""",
    "reshape(-1, size)",
    "reshape(size, -1)",
)
case(
    "five_trits",
    """
def pack5(trits):
    byte = 0
    for trit in reversed(trits):
        byte = byte * 3 + (trit + 1)
    return byte
""",
    """
from mod import pack5
def test_low(): assert pack5([-1, -1, -1, -1, -1]) == 0
def test_first(): assert pack5([0, -1, -1, -1, -1]) == 1
def test_high(): assert pack5([1, 1, 1, 1, 1]) == 242
""",
    "reversed(trits)",
    "trits",
)
case(
    "softmax_shift",
    """
def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)
""",
    """
from mod import softmax
def test_rows(): np.testing.assert_allclose(softmax(np.array([[0.0, 0.0], [1.0, 1.0]])), 0.5)
def test_large(): np.testing.assert_allclose(softmax(np.array([[1000.0, 1000.0]])), 0.5)
def test_sum(): np.testing.assert_allclose(softmax(np.array([[1.0, 2.0], [3.0, 5.0]])).sum(axis=1), 1.0)
""",
    "x - x.max(axis=-1, keepdims=True)",
    "x",
)
case(
    "popcount_dot",
    """
def binary_dot(a, b, bits):
    same = np.array([bin(~(int(x) ^ int(y)) & ((1 << bits) - 1)).count("1") for x, y in zip(a, b)])
    return 2 * same - bits
""",
    """
from mod import binary_dot
def test_equal(): assert binary_dot([0b1010], [0b1010], 4).tolist() == [4]
def test_opposite(): assert binary_dot([0b1010], [0b0101], 4).tolist() == [-4]
def test_half(): assert binary_dot([0b1010], [0b1001], 4).tolist() == [0]
""",
    "2 * same - bits",
    "same - bits",
)
case(
    "mean_without_zero",
    """
def mean_scale(w, eps=1e-5):
    return np.maximum(np.abs(w).mean(axis=1), eps)
""",
    """
from mod import mean_scale
def test_rows(): np.testing.assert_allclose(mean_scale(np.array([[1.0, -3.0], [2.0, 2.0]])), [2.0, 2.0])
def test_zero(): np.testing.assert_allclose(mean_scale(np.zeros((2, 2))), [1e-5, 1e-5])
def test_mixed(): np.testing.assert_allclose(mean_scale(np.array([[0.5, 0.5], [0.0, 0.0]])), [0.5, 1e-5])
""",
    "np.maximum(",
    "np.minimum(",
)
