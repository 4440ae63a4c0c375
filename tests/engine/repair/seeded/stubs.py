"""Functions that are still to be written, their tests, and a right body nobody sees but the judge. Data only.

Each case is (head, body, left, test, inputs, held): the file is the head followed by what is left of the body; inputs
is an expression over `r`, a Random, and `np` that gives a tuple of arguments. Cases that are held out were not run
while the synthesis was written.
"""

CASES = {}
NUMPY = "import numpy as np\n\n\n"


def case(name, head, body, test, inputs, *, left="raise NotImplementedError", held=False):
    head = head.lstrip("\n")
    function = head.split("def ")[-1].partition("(")[0]
    imports = "import math\nimport pytest\nimport numpy as np\n" if "np." in test else "import math\nimport pytest\n"
    CASES[name] = (head, body.strip("\n"), left, f"{imports}from mod import {function}\n{test.lstrip()}", inputs, held)


case(
    "blocks_needed",
    '''
def blocks_needed(elements, block):
    """How many blocks hold all elements; the last one may be partly filled."""
''',
    "    return -(-elements // block)",
    """
def test_even(): assert blocks_needed(8, 4) == 2
def test_rest(): assert blocks_needed(9, 4) == 3
def test_none(): assert blocks_needed(0, 4) == 0
def test_one(): assert blocks_needed(1, 32) == 1
""",
    "(r.randint(0, 500), r.randint(1, 64))",
)
case(
    "aligned",
    '''
def align_up(offset, alignment):
    """The next multiple of the alignment, or the offset itself if it is one."""
''',
    "    return -(-offset // alignment) * alignment",
    """
@pytest.mark.parametrize("offset, alignment, wanted", [(0, 8, 0), (1, 8, 8), (8, 8, 8), (13, 4, 16), (100, 32, 128)])
def test_align(offset, alignment, wanted): assert align_up(offset, alignment) == wanted
""",
    "(r.randint(0, 5000), r.randint(1, 128))",
    left="...",
)
case(
    "clamped",
    """
def clamp(value, low, high):
""",
    "    return max(low, min(high, value))",
    """
def test_inside(): assert clamp(5, 0, 10) == 5
def test_below(): assert clamp(-3, 0, 10) == 0
def test_above(): assert clamp(99, 0, 10) == 10
""",
    "(r.randint(-50, 50), r.randint(-20, 0), r.randint(1, 20))",
    left="pass",
)
case(
    "int8_of",
    NUMPY
    + '''
def quantize_int8(x, scale):
    """Round to nearest, saturate at -127 and 127."""
''',
    "    return np.clip(np.round(x / scale), -127, 127).astype(np.int8)",
    """
def test_plain():
    q = quantize_int8(np.array([0.0, 1.0, -2.0], np.float32), 0.5)
    assert q.dtype == np.int8
    assert q.tolist() == [0, 2, -4]
def test_saturates(): assert quantize_int8(np.array([100.0, -100.0]), 0.5).tolist() == [127, -127]
def test_rounds(): np.testing.assert_array_equal(quantize_int8(np.array([1.26, -1.26, 2.4]), 1.0), [1, -1, 2])
""",
    "(np.array([r.uniform(-300, 300) for _ in range(r.randint(0, 9))]), r.choice([0.5, 1.0, 2.0, 0.1]))",
)
case(
    "back_to_float",
    NUMPY
    + """
def dequantize(q, scale, zero_point):
""",
    "    return (q.astype(np.float32) - zero_point) * scale",
    """
def test_zero(): np.testing.assert_allclose(dequantize(np.array([3, 4], np.uint8), 0.5, 3), [0.0, 0.5])
def test_below():
    np.testing.assert_allclose(dequantize(np.array([1, 200], np.uint8), 2.0, 10), [-18.0, 380.0])
    assert dequantize(np.array([1, 200], np.uint8), 2.0, 10).dtype == np.float32
def test_int8(): np.testing.assert_allclose(dequantize(np.array([-128, 127], np.int8), 1.0, 0), [-128.0, 127.0])
""",
    "(np.array([r.randint(0, 255) for _ in range(r.randint(1, 9))], np.uint8), "
    "r.choice([0.5, 2.0, 0.25]), r.randint(0, 255))",
)
case(
    "scale_of_rows",
    NUMPY
    + '''
def row_scales(w):
    """One scale a row, so that the largest magnitude becomes 127; shape (rows, 1)."""
''',
    "    return np.abs(w).max(axis=1, keepdims=True) / 127",
    """
def test_rows():
    s = row_scales(np.array([[127.0, -254.0], [12.7, 0.0]]))
    assert s.shape == (2, 1)
    np.testing.assert_allclose(s, [[2.0], [0.1]])
def test_one(): np.testing.assert_allclose(row_scales(np.array([[-63.5]])), [[0.5]])
def test_more(): np.testing.assert_allclose(row_scales(np.array([[0.0, 25.4, -12.7]])), [[0.2]])
""",
    "(np.array([[r.uniform(-9, 9) for _ in range(4)] for _ in range(r.randint(1, 5))]),)",
)
case(
    "ternary_of",
    NUMPY
    + '''
def ternarize(w):
    """Divide by the mean magnitude, round, and clip to -1, 0, 1; returns the values as int8 and the scale."""
''',
    "    scale = np.abs(w).mean()\n    return np.clip(np.round(w / scale), -1, 1).astype(np.int8), scale",
    """
def test_values():
    q, scale = ternarize(np.array([2.0, -2.0, 0.1, -0.1], np.float32))
    assert q.tolist() == [1, -1, 0, 0]
    assert math.isclose(scale, 1.05, rel_tol=1e-5)
def test_type(): assert ternarize(np.array([1.0, -1.0]))[0].dtype == np.int8
def test_all_alike():
    q, scale = ternarize(np.array([[3.0, 3.0], [-3.0, 3.0]]))
    np.testing.assert_array_equal(q, [[1, 1], [-1, 1]])
    assert scale == pytest.approx(3.0)
""",
    "(np.array([r.uniform(-3, 3) for _ in range(r.randint(1, 12))]),)",
)
case(
    "two_bits_packed",
    NUMPY
    + '''
def pack2(codes):
    """Pack values 0 to 3, four to a byte, the first in the lowest bits. The length is a multiple of four."""
''',
    "    c = codes.reshape(-1, 4).astype(np.uint8)\n"
    "    return c[:, 0] | (c[:, 1] << 2) | (c[:, 2] << 4) | (c[:, 3] << 6)",
    """
def test_first(): assert pack2(np.array([1, 0, 0, 0], np.uint8)).tolist() == [1]
def test_order(): assert pack2(np.array([0, 1, 2, 3], np.uint8)).tolist() == [228]
def test_two():
    p = pack2(np.array([3, 3, 3, 3, 2, 0, 0, 1], np.uint8))
    assert p.dtype == np.uint8
    assert p.tolist() == [255, 66]
""",
    "(np.array([r.randint(0, 3) for _ in range(4 * r.randint(1, 6))], np.uint8),)",
)
case(
    "nibbles_unpacked",
    NUMPY
    + '''
def unpack_nibbles(packed):
    """Two values a byte, low nibble first."""
''',
    "    return np.stack([packed & 15, packed >> 4], axis=-1).reshape(-1)",
    """
def test_one(): assert unpack_nibbles(np.array([0x21], np.uint8)).tolist() == [1, 2]
def test_high(): assert unpack_nibbles(np.array([0xF0, 0x0F], np.uint8)).tolist() == [0, 15, 15, 0]
def test_three(): assert unpack_nibbles(np.array([0x00, 0xAB, 0x7E], np.uint8)).tolist() == [0, 0, 11, 10, 14, 7]
""",
    "(np.array([r.randint(0, 255) for _ in range(r.randint(1, 9))], np.uint8),)",
    left="pass",
)
case(
    "ones_counted",
    """
def count_ones(n):
""",
    "    return bin(n).count('1')",
    """
def test_zero(): assert count_ones(0) == 0
def test_some(): assert count_ones(0b1011) == 3
def test_byte(): assert count_ones(255) == 8
def test_power(): assert count_ones(1024) == 1
""",
    "(r.randint(0, 10**6),)",
)
case(
    "sign_of",
    """
def sign(x):
""",
    "    return (x > 0) - (x < 0)",
    """
def test_up(): assert sign(17) == 1
def test_down(): assert sign(-4) == -1
def test_zero(): assert sign(0) == 0
""",
    "(r.randint(-5, 5),)",
    left="...",
)
case(
    "softmax_stable",
    NUMPY
    + '''
def softmax(logits):
    """Along the last axis; large logits do not overflow."""
''',
    "    e = np.exp(logits - logits.max(axis=-1, keepdims=True))\n    return e / e.sum(axis=-1, keepdims=True)",
    """
def test_even(): np.testing.assert_allclose(softmax(np.array([2.0, 2.0])), [0.5, 0.5])
def test_large(): np.testing.assert_allclose(softmax(np.array([1000.0, 1000.0])), [0.5, 0.5])
def test_ratio(): np.testing.assert_allclose(softmax(np.array([0.0, np.log(3.0)])), [0.25, 0.75])
def test_rows(): np.testing.assert_allclose(softmax(np.array([[0.0, 0.0], [1.0, 1.0]])).sum(axis=-1), [1.0, 1.0])
""",
    "(np.array([[r.uniform(-9, 9) for _ in range(5)] for _ in range(r.randint(1, 4))]),)",
)
case(
    "root_mean_square",
    NUMPY
    + """
def rms_norm(x, weight, eps=1e-6):
""",
    "    return x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + eps) * weight",
    """
def test_ones(): np.testing.assert_allclose(rms_norm(np.ones((1, 4)), np.ones(4)), np.ones((1, 4)), rtol=1e-5)
def test_weight():
    out = rms_norm(np.array([[3.0, 3.0]]), np.array([1.0, 2.0]))
    np.testing.assert_allclose(out, [[1.0, 2.0]], rtol=1e-5)
def test_rows():
    out = rms_norm(np.array([[1.0, 7.0], [2.0, 2.0]]), np.ones(2), eps=0.0)
    np.testing.assert_allclose(out, [[0.2, 1.4], [1.0, 1.0]])
""",
    "(np.array([[r.uniform(-3, 3) for _ in range(4)] for _ in range(r.randint(1, 4))]), "
    "np.array([r.uniform(-2, 2) for _ in range(4)]))",
)
case(
    "pieces",
    '''
def chunked(items, size):
    """Consecutive slices of at most `size` items."""
''',
    "    return [items[i : i + size] for i in range(0, len(items), size)]",
    """
def test_even(): assert chunked([1, 2, 3, 4], 2) == [[1, 2], [3, 4]]
def test_rest(): assert chunked([1, 2, 3, 4, 5], 2) == [[1, 2], [3, 4], [5]]
def test_empty(): assert chunked([], 3) == []
""",
    "([r.randint(0, 9) for _ in range(r.randint(0, 12))], r.randint(1, 5))",
    left="",
)
case(
    "one_level",
    """
def flatten_once(rows):
""",
    "    return [v for row in rows for v in row]",
    """
def test_rows(): assert flatten_once([[1, 2], [3]]) == [1, 2, 3]
def test_holes(): assert flatten_once([[], [4], []]) == [4]
def test_none(): assert flatten_once([]) == []
""",
    "([[r.randint(0, 9) for _ in range(r.randint(0, 4))] for _ in range(r.randint(0, 4))],)",
)
case(
    "so_far",
    '''
def prefix_sums(values):
    """The sum up to and with each value."""
''',
    "    return [sum(values[: i + 1]) for i in range(len(values))]",
    """
def test_some(): assert prefix_sums([1, 2, 3]) == [1, 3, 6]
def test_signs(): assert prefix_sums([5, -5, 2]) == [5, 0, 2]
def test_none(): assert list(prefix_sums([])) == []
""",
    "([r.randint(-9, 9) for _ in range(r.randint(0, 9))],)",
)
case(
    "middle_point",
    """
def midpoint(a, b):
""",
    "    return (a + b) / 2",
    """
def test_ints(): assert midpoint(2, 6) == 4
def test_half(): assert midpoint(1, 2) == 1.5
def test_signs(): assert midpoint(-3, 3) == 0
def test_floats(): assert midpoint(0.5, 1.5) == 1.0
""",
    "(r.randint(-50, 50), r.randint(-50, 50))",
)
case(
    "area_of_frame",
    '''
def frame_area(width, height, border):
    """The area of the frame around a picture of this size."""
''',
    "    return (width + 2 * border) * (height + 2 * border) - width * height",
    """
@pytest.mark.parametrize("w, h, b, wanted", [(1, 1, 1, 8), (2, 3, 1, 14), (5, 5, 0, 0), (4, 2, 3, 72), (10, 1, 2, 60)])
def test_area(w, h, b, wanted): assert frame_area(w, h, b) == wanted
""",
    "(r.randint(0, 30), r.randint(0, 30), r.randint(0, 9))",
)
case(
    "fee",
    '''
def shipping(total):
    """Free from 50 on, else 5."""
''',
    "    return 0 if total >= 50 else 5",
    """
def test_small(): assert shipping(10) == 5
def test_large(): assert shipping(80) == 0
def test_edge(): assert shipping(50) == 0
def test_just_below(): assert shipping(49) == 5
""",
    "(r.randint(0, 120),)",
)
case(
    "longer_word",
    """
def longest(words):
""",
    "    return max(words, key=len)",
    """
def test_two(): assert longest(["a", "bbb", "cc"]) == "bbb"
def test_first_of_equals(): assert longest(["ab", "cd"]) == "ab"
def test_one(): assert longest(["x"]) == "x"
""",
    "([''.join(r.choice('abc') for _ in range(r.randint(1, 7))) for _ in range(r.randint(1, 6))],)",
)
case(
    "evens",
    """
def even_squares(numbers):
""",
    "    return [n * n for n in numbers if n % 2 == 0]",
    """
def test_mixed(): assert even_squares([1, 2, 3, 4]) == [4, 16]
def test_odd(): assert even_squares([1, 3]) == []
def test_signs(): assert even_squares([-2, 0, 5]) == [4, 0]
def test_order(): assert even_squares([6, 2]) == [36, 4]
""",
    "([r.randint(-9, 9) for _ in range(r.randint(0, 9))],)",
)
case(
    "initials",
    '''
def initials(name):
    """The first letter of each word, upper case."""
''',
    "    return ''.join(word[0] for word in name.split()).upper()",
    """
def test_two(): assert initials("ada lovelace") == "AL"
def test_three(): assert initials("Jean Luc picard") == "JLP"
def test_none(): assert initials("") == ""
""",
    "(' '.join(''.join(r.choice('abcdeF') for _ in range(r.randint(1, 5))) for _ in range(r.randint(0, 4))),)",
)
case(
    "leap",
    """
def is_leap(year):
""",
    "    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)",
    """
@pytest.mark.parametrize("year", [2000, 2004, 2024, 1996])
def test_leap(year): assert is_leap(year) is True
@pytest.mark.parametrize("year", [1900, 2023, 2100, 1999])
def test_common(year): assert not is_leap(year)
""",
    "(r.randint(1500, 2600),)",
)
case(
    "palindrome",
    """
def reads_both_ways(text):
""",
    "    return text == text[::-1]",
    """
def test_yes(): assert reads_both_ways("level")
def test_no(): assert not reads_both_ways("levels")
def test_empty(): assert reads_both_ways("") is True
def test_pair(): assert reads_both_ways("ab") is False
""",
    "(''.join(r.choice('ab') for _ in range(r.randint(0, 6))),)",
)
case(
    "counted",
    """
def tally(words):
""",
    "    return {word: words.count(word) for word in words}",
    """
def test_some(): assert tally(["a", "b", "a"]) == {"a": 2, "b": 1}
def test_none(): assert tally([]) == {}
def test_one(): assert tally(["x"])["x"] == 1
""",
    "([r.choice('abcd') for _ in range(r.randint(0, 9))],)",
)
case(
    "error_of",
    NUMPY
    + """
def mean_squared_error(a, b):
""",
    "    return ((a - b) ** 2).mean()",
    """
def test_same(): assert mean_squared_error(np.array([1.0, 2.0]), np.array([1.0, 2.0])) == 0
def test_one(): assert mean_squared_error(np.array([1.0, 2.0]), np.array([1.0, 4.0])) == pytest.approx(2.0)
def test_signs(): assert abs(mean_squared_error(np.array([-1.0, 1.0]), np.array([1.0, -1.0])) - 4.0) < 1e-9
""",
    "(np.array([r.uniform(-3, 3) for _ in range(5)]), np.array([r.uniform(-3, 3) for _ in range(5)]))",
)
case(
    "guarded_share",
    '''
def share(part, whole):
    """The part of the whole; 0 where there is nothing."""
''',
    "    return part / whole if whole else 0",
    """
def test_half(): assert share(1, 2) == 0.5
def test_all(): assert share(3, 3) == 1
def test_nothing(): assert share(0, 0) == 0
def test_quarter(): assert share(2, 8) == 0.25
""",
    "(r.randint(0, 9), r.randint(0, 9))",
)
# Held out from here on.
case(
    "tail_of_block",
    '''
def padding(length, block):
    """Elements that are missing to fill the last block."""
''',
    "    return -length % block",
    """
def test_full(): assert padding(8, 4) == 0
def test_one_over(): assert padding(9, 4) == 3
def test_empty(): assert padding(0, 16) == 0
def test_nearly(): assert padding(31, 32) == 1
""",
    "(r.randint(0, 500), r.randint(1, 64))",
    held=True,
)
case(
    "asymmetric",
    NUMPY
    + '''
def quantize_uint8(x, scale, zero_point):
    """Affine quantization to 0..255, rounding to nearest."""
''',
    "    return np.clip(np.round(x / scale) + zero_point, 0, 255).astype(np.uint8)",
    """
def test_shift(): assert quantize_uint8(np.array([0.0, 1.0]), 0.5, 10).tolist() == [10, 12]
def test_low(): assert quantize_uint8(np.array([-100.0]), 0.5, 10).tolist() == [0]
def test_high():
    q = quantize_uint8(np.array([1000.0, 0.3]), 0.5, 128)
    assert q.dtype == np.uint8
    np.testing.assert_array_equal(q, [255, 129])
""",
    "(np.array([r.uniform(-200, 200) for _ in range(r.randint(0, 9))]), r.choice([0.5, 1.0, 0.1]), r.randint(0, 255))",
    held=True,
)
case(
    "four_bits_packed",
    NUMPY
    + '''
def pack_int4(values):
    """Two 4-bit codes a byte; the even element goes to the low nibble."""
''',
    "    v = values.astype(np.uint8)\n    return (v[0::2] & 15) | ((v[1::2] & 15) << 4)",
    """
def test_pair(): assert pack_int4(np.array([1, 2], np.uint8)).tolist() == [0x21]
def test_edges(): assert pack_int4(np.array([15, 0, 0, 15], np.uint8)).tolist() == [0x0F, 0xF0]
def test_more(): assert pack_int4(np.array([10, 11, 7, 8], np.uint8)).tolist() == [0xBA, 0x87]
""",
    "(np.array([r.randint(0, 15) for _ in range(2 * r.randint(1, 8))], np.uint8),)",
    held=True,
)
case(
    "power_of_two",
    """
def is_power_of_two(n):
""",
    "    return n > 0 and n & (n - 1) == 0",
    """
@pytest.mark.parametrize("n", [1, 2, 64, 1024])
def test_yes(n): assert is_power_of_two(n)
@pytest.mark.parametrize("n", [0, 3, 6, 1023])
def test_no(n): assert not is_power_of_two(n)
""",
    "(r.choice([r.randint(-4, 300), 2 ** r.randint(0, 12)]),)",
    held=True,
)
case(
    "without_doubles",
    '''
def unique_in_order(items):
    """Each item once, where it came first."""
''',
    "    return list(dict.fromkeys(items))",
    """
def test_some(): assert unique_in_order([3, 1, 3, 2, 1]) == [3, 1, 2]
def test_none(): assert unique_in_order([]) == []
def test_words(): assert unique_in_order(["b", "a", "b"]) == ["b", "a"]
""",
    "([r.randint(0, 5) for _ in range(r.randint(0, 9))],)",
    held=True,
)
case(
    "to_celsius",
    """
def celsius(fahrenheit):
""",
    "    return (fahrenheit - 32) * 5 / 9",
    """
def test_ice(): assert celsius(32) == 0
def test_steam(): assert celsius(212) == pytest.approx(100)
def test_alike(): assert celsius(-40) == -40
def test_body(): assert celsius(98.6) == pytest.approx(37.0)
""",
    "(r.uniform(-100, 300),)",
    held=True,
)
case(
    "differences",
    """
def steps_between(values):
""",
    "    return [b - a for a, b in zip(values, values[1:])]",
    """
def test_some(): assert steps_between([1, 4, 9]) == [3, 5]
def test_down(): assert steps_between([5, 3, 3]) == [-2, 0]
def test_short(): assert steps_between([7]) == []
""",
    "([r.randint(-9, 9) for _ in range(r.randint(1, 9))],)",
    held=True,
)
case(
    "slug",
    '''
def slug(title):
    """Lower case, words joined by hyphens."""
''',
    "    return '-'.join(title.lower().split())",
    """
def test_two(): assert slug("Hello World") == "hello-world"
def test_spaces(): assert slug("  A  b C ") == "a-b-c"
def test_one(): assert slug("One") == "one"
""",
    "(' '.join(''.join(r.choice('abC') for _ in range(r.randint(0, 4))) for _ in range(r.randint(1, 5))),)",
    held=True,
)
