"""Small correct NumPy programs in the manner of quantised kernels, their tests, and one slip for each. Data only."""

CASES = {}


def case(name, source, test, right, wrong):
    source = "import numpy as np\n" + source
    assert source.count(right) == 1, (name, right)
    CASES[name] = (source, "import numpy as np\nimport pytest\n" + test.lstrip(), source.replace(right, wrong))


case(
    "ties_away_from_zero",
    """
def quantise(x, scale):
    y = x / scale
    return (np.sign(y) * np.floor(np.abs(y) + 0.5)).astype(np.int32)
""",
    """
from mod import quantise
def test_ties(): assert quantise(np.array([0.5, -0.5, 1.5, 2.5]), 1.0).tolist() == [1, -1, 2, 3]
def test_plain(): assert quantise(np.array([1.2, -3.7]), 1.0).tolist() == [1, -4]
""",
    "(np.sign(y) * np.floor(np.abs(y) + 0.5))",
    "np.rint(y)",
)
case(
    "missing_clip",
    """
def to_int8(x, scale):
    q = np.rint(x * scale)
    return np.clip(q, -127, 127).astype(np.int8)
""",
    """
from mod import to_int8
def test_inside(): assert to_int8(np.array([0.5, -1.0]), 100.0).tolist() == [50, -100]
def test_saturates(): assert to_int8(np.array([3.0, -3.0]), 100.0).tolist() == [127, -127]
""",
    "np.clip(q, -127, 127)",
    "q",
)
case(
    "narrow_accumulator",
    """
def dot_rows(a, b):
    return np.sum(a * b, axis=1, dtype=np.int32)

def prepared(a):
    return a.astype(np.int16)
""",
    """
from mod import dot_rows, prepared
def test_small(): assert dot_rows(np.ones((2, 4), np.int16), np.ones((2, 4), np.int16)).tolist() == [4, 4]
def test_large():
    a = prepared(np.full((2, 4), 100, np.int8))
    assert dot_rows(a, a).tolist() == [40000, 40000]
""",
    "dtype=np.int32",
    "dtype=np.int16",
)
case(
    "int8_matmul",
    """
def gemm(a, b):
    return a.astype(np.int32) @ b.astype(np.int32)
""",
    """
from mod import gemm
def test_small(): assert gemm(np.eye(2, dtype=np.int8), np.eye(2, dtype=np.int8)).tolist() == [[1, 0], [0, 1]]
def test_large(): assert gemm(np.full((1, 3), 100, np.int8), np.full((3, 1), 100, np.int8)).tolist() == [[30000]]
""",
    "a.astype(np.int32) @ b.astype(np.int32)",
    "a @ b",
)
case(
    "wrong_axis",
    """
def row_scale(x):
    return np.max(np.abs(x), axis=1)
""",
    """
from mod import row_scale
def test_rows(): assert row_scale(np.array([[1, -5, 2], [3, 0, 1]])).tolist() == [5, 3]
def test_shape(): assert row_scale(np.zeros((4, 2))).shape == (4,)
""",
    "axis=1",
    "axis=0",
)
case(
    "missing_keepdims",
    """
def normalised(x):
    scale = np.abs(x).max(axis=1, keepdims=True)
    return x / scale
""",
    """
from mod import normalised
def test_rows():
    x = np.array([[2.0, 4.0], [1.0, -1.0], [3.0, 6.0]])
    assert normalised(x).tolist() == [[0.5, 1], [1, -1], [0.5, 1]]
""",
    ", keepdims=True",
    "",
)
case(
    "inverted_scale",
    """
def dequantise(q, scale):
    return q.astype(np.float32) * scale

def quantise(x, scale):
    return np.rint(x / scale).astype(np.int8)
""",
    """
from mod import dequantise, quantise
def test_q(): assert quantise(np.array([1.0, 2.0]), 0.5).tolist() == [2, 4]
def test_d(): assert dequantise(np.array([2, 4], np.int8), 0.5).tolist() == [1.0, 2.0]
""",
    "* scale",
    "/ scale",
)
case(
    "packed_tail",
    """
def pack(codes):
    rows = -(-len(codes) // 4)
    padded = np.zeros(rows * 4, np.uint8)
    padded[: len(codes)] = codes
    out = np.zeros(rows, np.uint8)
    for lane in range(4):
        out |= padded[lane::4] << (2 * lane)
    return out
""",
    """
from mod import pack
def test_whole(): assert pack(np.array([1, 2, 0, 3], np.uint8)).tolist() == [1 | 2 << 2 | 3 << 6]
def test_tail(): assert pack(np.array([1, 2, 0, 3, 2], np.uint8)).tolist() == [1 | 2 << 2 | 3 << 6, 2]
""",
    "-(-len(codes) // 4)",
    "len(codes) // 4",
)
case(
    "shift_order",
    """
def unpack(byte):
    return np.array([(byte >> (6 - 2 * lane)) & 3 for lane in range(4)])
""",
    """
from mod import unpack
def test_first(): assert unpack(0b11000000).tolist() == [3, 0, 0, 0]
def test_all(): assert unpack(0b00011011).tolist() == [0, 1, 2, 3]
""",
    "(6 - 2 * lane)",
    "(2 * lane)",
)
case(
    "nibble_mask",
    """
def nibbles(packed):
    low = packed & 0x0F
    high = packed >> 4
    return np.stack([low, high], axis=1).ravel()
""",
    """
from mod import nibbles
def test_two(): assert nibbles(np.array([0x21, 0xFC], np.uint8)).tolist() == [1, 2, 12, 15]
""",
    "0x0F",
    "0x07",
)
case(
    "ternary_sign",
    """
def decode(codes):
    return codes.astype(np.int8) - 1
""",
    """
from mod import decode
def test_codes(): assert decode(np.array([0, 1, 2], np.uint8)).tolist() == [-1, 0, 1]
def test_type(): assert decode(np.array([0], np.uint8)).dtype == np.int8
""",
    "codes.astype(np.int8) - 1",
    "1 - codes.astype(np.int8)",
)
case(
    "threshold",
    """
def ternary(w):
    scale = np.mean(np.abs(w))
    return np.where(np.abs(w) > 0.5 * scale, np.sign(w), 0).astype(np.int8)
""",
    """
from mod import ternary
def test_signs(): assert ternary(np.array([1.0, -1.0, 0.1, -0.1])).tolist() == [1, -1, 0, 0]
def test_middle(): assert ternary(np.array([1.0, 0.6, -0.4, 0.2])).tolist() == [1, 1, -1, 0]
""",
    "np.mean(np.abs(w))",
    "np.mean(w)",
)
case(
    "zero_scale",
    """
def absmax(x):
    scale = np.max(np.abs(x)) / 127
    return np.rint(x / np.maximum(scale, 1e-8)).astype(np.int8)
""",
    """
from mod import absmax
def test_full(): assert absmax(np.array([1.0, -1.0])).tolist() == [127, -127]
def test_zero():
    with np.errstate(all="raise"): assert absmax(np.zeros(3)).tolist() == [0, 0, 0]
""",
    "np.maximum(scale, 1e-8)",
    "scale",
)
case(
    "block_stride",
    """
def blocks(x, size):
    return [x[at : at + size].sum() for at in range(0, len(x), size)]
""",
    """
from mod import blocks
def test_even(): assert blocks(np.arange(6), 3) == [3, 12]
def test_tail(): assert blocks(np.arange(7), 3) == [3, 12, 6]
""",
    "x[at : at + size]",
    "x[at : size]",
)
case(
    "transposed_weight",
    """
def linear(x, weight, bias):
    return x @ weight.T + bias
""",
    """
from mod import linear
def test_shape(): assert linear(np.ones((2, 3)), np.ones((4, 3)), np.zeros(4)).shape == (2, 4)
def test_values():
    weight = np.array([[1.0, 0.0], [3.0, 1.0]])
    assert linear(np.array([[1.0, 2.0]]), weight, np.array([0.0, 1.0])).tolist() == [[1.0, 6.0]]
""",
    "weight.T",
    "weight",
)
case(
    "rms",
    """
def rms_norm(x, gain, eps=1e-6):
    variance = np.mean(np.square(x), axis=-1, keepdims=True)
    return x / np.sqrt(variance + eps) * gain
""",
    """
from mod import rms_norm
def test_unit(): np.testing.assert_allclose(rms_norm(np.array([[3.0, 3.0]]), 1.0), [[1.0, 1.0]], rtol=1e-4)
def test_gain():
    x = np.array([[3.0, -4.0], [1.0, 1.0]])
    np.testing.assert_allclose(rms_norm(x, 2.0), [[1.6970, -2.2627], [2, 2]], rtol=1e-3)
""",
    "np.mean(np.square(x)",
    "np.sum(np.square(x)",
)
