"""The float arithmetic by hand: one loop an index, one rounding a line; what all must equal to the bit."""

import numpy as np

from kernels.ops.order import EXP_BOUNDS, EXP_TERMS, LN2_HIGH, LN2_LOW, LOG2_E

f32 = np.float32

NASTY = np.array([0, -0.0, 1, -1, 1e-38, -1e-45, 3e38, -3e38, 1e-20, 65504, 88.8, -103.9], np.float32)


def some(seed: int, *shape: int, nasty: float = 0.1, broken: bool = False) -> np.ndarray:
    """Normal numbers, and among them such as are hard to add or, if broken, no numbers."""
    random = np.random.default_rng([seed, *shape])
    values = random.normal(size=shape).astype(np.float32)
    hard = np.append(NASTY, [np.nan, np.inf, -np.inf]).astype(np.float32) if broken else NASTY
    return np.where(random.random(shape) < nasty, random.choice(hard, shape), values).astype(np.float32)


def normal(seed: int, *shape: int) -> np.ndarray:
    """Normal numbers alone: where one is huge, a mean hides what becomes of the others."""
    return some(seed, *shape, nasty=0)


def equal(got: np.ndarray, expected: np.ndarray) -> None:
    """The same bits, but for which NaN a NaN is."""
    assert got.dtype == expected.dtype == np.float32
    assert got.shape == expected.shape
    assert got.flags.c_contiguous
    np.testing.assert_array_equal(np.isnan(got), np.isnan(expected))
    known = ~np.isnan(expected)
    np.testing.assert_array_equal(got[known].view(np.uint32), expected[known].view(np.uint32))


def in_pieces(model, tokens, pieces, cache=None):
    """The logits of tokens that are run so many at a time."""
    cache, start, parts = cache or model.new_cache(len(tokens)), 0, []
    for size in pieces:
        parts.append(model.forward(tokens[start : start + size], cache))
        start += size
    return np.concatenate(parts)


def lanes_sum(values, kind=f32):
    lanes = [kind(0)] * 16
    for n, value in enumerate(values):
        lanes[n % 16] = lanes[n % 16] + kind(value)
    for half in (8, 4, 2, 1):
        lanes = [lanes[n] + lanes[n + half] for n in range(half)]
    return lanes[0]


def dot(a, b):
    return lanes_sum([f32(x) * f32(y) for x, y in zip(a, b, strict=True)])


def exp(x):
    low, high = map(f32, EXP_BOUNDS)
    x = low if x < low else high if x > high else x
    if np.isnan(x):
        return x
    n = f32(np.rint(x * f32(LOG2_E)))
    r = x - n * f32(LN2_HIGH) - n * f32(LN2_LOW)
    result = f32(EXP_TERMS[0])
    for term in EXP_TERMS[1:]:
        result = result * r + f32(term)
    half = int(n) // 2
    return result * f32(2.0**half) * f32(2.0 ** (int(n) - half))


def rms_norm(x, weight, eps):
    out = np.empty_like(x)
    for t, row in enumerate(x):
        mean = f32(lanes_sum([value * value for value in row], np.float64) / len(row))
        factor = f32(1) / np.sqrt(mean + f32(eps))
        out[t] = [value * factor * scale for value, scale in zip(row, weight, strict=True)]
    return out


def rope(x, cos, sin):
    out = np.empty_like(x)
    half = x.shape[2] // 2
    for t, h, i in np.ndindex(*x.shape[:2], half):
        one, other, c, s = x[t, h, i], x[t, h, i + half], cos[t, i], sin[t, i]
        out[t, h, i] = one * c - other * s
        out[t, h, i + half] = one * s + other * c
    return out


def attention(q, k, v, start, scale):
    tokens, heads, size = q.shape
    out = np.empty((tokens, heads, size), f32)
    for t, h in np.ndindex(tokens, heads):
        served = h // (heads // k.shape[1])
        scores = [dot(q[t, h], k[n, served]) * f32(scale) for n in range(start + t + 1)]
        largest = max(scores)
        powers = [exp(score - largest) for score in scores]
        factor = f32(1) / lanes_sum(powers)
        for i in range(size):
            total = f32(0)
            for n, power in enumerate(powers):
                total = total + power * factor * v[n, served, i]
            out[t, h, i] = total
    return out.reshape(tokens, heads * size)


def gate(gate, up, kind):
    out = np.empty_like(gate)
    for at in np.ndindex(*gate.shape):
        g = gate[at]
        if kind == "relu2":
            g = f32(0) if g < 0 else g
            out[at] = g * g * up[at]
        else:
            out[at] = g / (f32(1) + exp(-g)) * up[at]
    return out


def dense(x, weights):
    return np.array([[dot(row, weight.astype(f32)) for weight in weights] for row in x], f32).reshape(
        len(x), len(weights)
    )


def dense_int8(q, factor, weights, scale):
    out = np.empty((len(q), len(weights)), f32)
    for t, r in np.ndindex(*out.shape):
        total = sum(int(a) * int(b) for a, b in zip(q[t], weights[r], strict=True))
        out[t, r] = f32(total) / factor[t] * scale[r]
    return out
