"""Quantisation in NumPy as many programs have it, all of it right: what slips are planted in. Data of the benchmark."""

import numpy as np


def absmax_rows(x):
    """Each row as int8 with a scale of its own."""
    limit = np.abs(x).max(axis=1, keepdims=True)
    scale = np.maximum(limit, 1e-8) / 127
    q = np.clip(np.rint(x / scale), -127, 127).astype(np.int8)
    return q, scale[:, 0]


def affine(x, bits=8):
    """Unsigned codes with a zero point."""
    low = min(float(x.min()), 0.0)
    high = max(float(x.max()), 0.0)
    levels = (1 << bits) - 1
    scale = (high - low) / levels
    if scale == 0:
        return np.zeros(x.shape, np.uint8), 1.0, 0
    zero = round(-low / scale)
    codes = np.clip(np.round(x / scale) + zero, 0, levels)
    return codes.astype(np.uint8), scale, zero


def affine_back(codes, scale, zero):
    """Floats from codes with a zero point."""
    return (codes.astype(np.int32) - zero).astype(np.float32) * np.float32(scale)


def pack_nibbles(codes):
    """Two 4-bit codes a byte, the first one low; an odd one out gets a zero beside it."""
    flat = codes.ravel().astype(np.uint8)
    if len(flat) % 2:
        flat = np.append(flat, np.uint8(0))
    return flat[0::2] | (flat[1::2] << 4)


def unpack_nibbles(packed, count):
    """The first so many signed 4-bit codes."""
    low = packed & 0x0F
    high = packed >> 4
    codes = np.stack([low, high], axis=1).reshape(-1)[:count].astype(np.int8)
    return np.where(codes > 7, codes - 16, codes).astype(np.int8)


def pack_ternary(weights):
    """Four weights of -1, 0 and 1 a byte, the first in the low bits; the tail is filled up."""
    rows, cols = weights.shape
    wide = -(-cols // 4)
    codes = np.ones((rows, wide * 4), np.uint8)
    codes[:, :cols] = weights + 1
    lanes = codes.reshape(rows, wide, 4)
    packed = np.zeros((rows, wide), np.uint8)
    for lane in range(4):
        packed |= lanes[:, :, lane] << (2 * lane)
    return packed


def unpack_ternary(packed, cols):
    """The weights that were packed, without what filled them up."""
    shifts = np.arange(0, 8, 2, dtype=np.uint8)
    codes = (packed[:, :, None] >> shifts) & 3
    return codes.reshape(packed.shape[0], -1)[:, :cols].astype(np.int8) - 1


def blocks(x, size=8):
    """Blocks of one row, each with the scale of its largest value; the last block is filled with zeros."""
    count = (len(x) + size - 1) // size
    padded = np.zeros(count * size, np.float32)
    padded[: len(x)] = x
    rows = padded.reshape(count, size)
    scales = np.abs(rows).max(axis=1) / 7
    inverse = np.divide(1, scales, out=np.zeros_like(scales), where=scales > 0)
    codes = np.rint(rows * inverse[:, None]).astype(np.int8)
    return codes, scales.astype(np.float16)


def blocks_back(codes, scales, length):
    """The row that was cut into blocks."""
    return (codes * scales.astype(np.float32)[:, None]).reshape(-1)[:length]


def matmul(weights, q, w_scale, q_scale):
    """Rows of int8 activations times a matrix of int8 weights, summed exactly."""
    total = q.astype(np.int32) @ weights.astype(np.int32).T
    return total.astype(np.float32) * w_scale / q_scale[:, None]


def row_sums(codes, group):
    """Sums over groups of columns, wide enough for any of them."""
    rows, cols = codes.shape
    whole = cols // group * group
    sums = codes[:, :whole].reshape(rows, -1, group).sum(axis=2, dtype=np.int32)
    if whole < cols:
        rest = codes[:, whole:].sum(axis=1, dtype=np.int32)
        sums = np.concatenate([sums, rest[:, None]], axis=1)
    return sums


def bfloat16(x):
    """The upper half of float32, rounded to nearest, halves to even."""
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    odd = (bits >> 16) & 1
    return ((bits + 0x7FFF + odd) >> 16).astype(np.uint16)


def header(rows, cols, scale):
    """Shape and scale in front of the codes, little-endian."""
    shape = np.array([rows, cols], "<u4").tobytes()
    return shape + np.array([scale], "<f4").tobytes()


def read_header(data):
    """What `header` wrote."""
    if len(data) < 12:
        raise ValueError("the header is cut off")
    rows, cols = np.frombuffer(data[:8], "<u4").tolist()
    return rows, cols, float(np.frombuffer(data[8:12], "<f4")[0])


def rms_norm(x, gain, eps=1e-5):
    """Rows with a mean square of one, times a gain for each column."""
    square = np.mean(x.astype(np.float64) ** 2, axis=-1, keepdims=True)
    return (x / np.sqrt(square + eps) * gain).astype(np.float32)


def softmax(x):
    """Shares of each row that add up to one."""
    shifted = np.exp(x - x.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)


def base_three(trits):
    """Five ternary digits a byte, the first the most significant, spread over all 256 values."""
    digits = trits.reshape(-1, 5).astype(np.uint16) + 1
    value = np.zeros(len(digits), np.uint16)
    for column in range(5):
        value = value * 3 + digits[:, column]
    return ((value * 256 + 242) // 243).astype(np.uint8)


def outliers(x, limit):
    """Columns with a value beyond the limit, and the matrix without them."""
    columns = np.flatnonzero((np.abs(x) > limit).any(axis=0))
    rest = x.copy()
    rest[:, columns] = 0
    return columns, rest
