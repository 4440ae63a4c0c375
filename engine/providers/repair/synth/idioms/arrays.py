"""Idioms of NumPy arrays: norms, softmax, distances, blocks."""

from __future__ import annotations

from engine.providers.repair.synth.idiom import idiom

_ROWS = "axis=-1, keepdims=True"

IDIOMS = (
    idiom("softmax stable", "x:A", f"e = np.exp($x - $x.max({_ROWS}))\nreturn e / e.sum({_ROWS})", "A"),
    idiom(
        "softmax axis",
        "x:A axis:I",
        "e = np.exp($x - $x.max(axis=$axis, keepdims=True))\nreturn e / e.sum(axis=$axis, keepdims=True)",
        "A",
    ),
    idiom(
        "softmax temperature", "x:A t:N", f"y = $x / $t\ne = np.exp(y - y.max({_ROWS}))\nreturn e / e.sum({_ROWS})", "A"
    ),
    idiom("log softmax", "x:A", f"y = $x - $x.max({_ROWS})\nreturn y - np.log(np.exp(y).sum({_ROWS}))", "A"),
    idiom(
        "logsumexp log sum exp",
        "x:A",
        f"top = $x.max({_ROWS})\nreturn (top + np.log(np.exp($x - top).sum({_ROWS})))[..., 0]",
    ),
    idiom(
        "rms norm root mean square",
        "x:A weight:A eps:F",
        f"return $x / np.sqrt(($x * $x).mean({_ROWS}) + $eps) * $weight",
        "A",
    ),
    idiom("rms norm root mean square", "x:A eps:F", f"return $x / np.sqrt(($x * $x).mean({_ROWS}) + $eps)", "A"),
    idiom("rms norm root mean square", "x:A", f"return $x / np.sqrt(($x * $x).mean({_ROWS}))", "A"),
    idiom("rms root mean square", "x:A", "return np.sqrt(($x * $x).mean())", "N"),
    idiom(
        "layer norm normalise normalize",
        "x:A eps:F",
        f"mean = $x.mean({_ROWS})\nreturn ($x - mean) / np.sqrt($x.var({_ROWS}) + $eps)",
        "A",
    ),
    idiom(
        "layer norm normalise normalize weight bias",
        "x:A weight:A bias:A eps:F",
        f"mean = $x.mean({_ROWS})\nreturn ($x - mean) / np.sqrt($x.var({_ROWS}) + $eps) * $weight + $bias",
        "A",
    ),
    idiom("standardize standardise zscore normalise normalize", "x:A", "return ($x - $x.mean()) / $x.std()", "A"),
    idiom(
        "standardize standardise zscore columns normalise normalize",
        "x:A",
        "return ($x - $x.mean(axis=0)) / $x.std(axis=0)",
        "A",
    ),
    idiom(
        "minmax rescale normalise normalize unit range", "x:A", "return ($x - $x.min()) / ($x.max() - $x.min())", "A"
    ),
    idiom("unit length l2 normalise normalize rows", "x:A", f"return $x / np.sqrt(($x * $x).sum({_ROWS}))", "A"),
    idiom("sigmoid logistic", "x:X", "return 1 / (1 + np.exp(-$x))"),
    idiom("silu swish", "x:X", "return $x / (1 + np.exp(-$x))"),
    idiom("gelu tanh", "x:X", "return 0.5 * $x * (1 + np.tanh(np.sqrt(2 / np.pi) * ($x + 0.044715 * $x**3)))"),
    idiom("relu rectify", "x:A", "return np.maximum($x, 0)", "A"),
    idiom("relu squared", "x:A", "return np.maximum($x, 0) ** 2", "A"),
    idiom("relu leaky", "x:A slope:F", "return np.where($x > 0, $x, $slope * $x)", "A"),
    idiom("mean squared error mse", "a:A b:A", "return (($a - $b) ** 2).mean()", "N"),
    idiom("root mean squared error rmse", "a:A b:A", "return np.sqrt((($a - $b) ** 2).mean())", "N"),
    idiom("mean absolute error mae", "a:A b:A", "return np.abs($a - $b).mean()", "N"),
    idiom("max absolute error largest difference", "a:A b:A", "return np.abs($a - $b).max()", "N"),
    idiom("relative error", "a:A b:A", "return np.linalg.norm($a - $b) / np.linalg.norm($b)", "N"),
    idiom(
        "cosine similarity",
        "a:A b:A",
        "return ($a * $b).sum() / (np.sqrt(($a * $a).sum()) * np.sqrt(($b * $b).sum()))",
        "N",
    ),
    idiom("euclidean distance", "a:A b:A", "return np.sqrt((($a - $b) ** 2).sum())", "N"),
    idiom(
        "pairwise distances", "a:A b:A", "return np.sqrt((($a[:, None, :] - $b[None, :, :]) ** 2).sum(axis=-1))", "A"
    ),
    idiom(
        "snr sqnr signal noise ratio db decibel",
        "a:A b:A",
        "return 10 * np.log10(($a**2).sum() / (($a - $b) ** 2).sum())",
        "N",
    ),
    idiom("one hot encode", "labels:A count:I", "return np.eye($count)[$labels]", "A"),
    idiom("one hot encode int", "labels:A count:I", "return np.eye($count, dtype=int)[$labels]", "A"),
    idiom("accuracy share right", "a:A b:A", "return ($a == $b).mean()", "N"),
    idiom(
        "cross entropy loss labels",
        "logits:A labels:A",
        "y = $logits - $logits.max(axis=-1, keepdims=True)\np = y - np.log(np.exp(y).sum(axis=-1, keepdims=True))\n"
        "return -p[np.arange(len($labels)), $labels].mean()",
        "N",
    ),
    idiom("linear layer dense affine", "x:A weight:A bias:A", "return $x @ $weight + $bias", "A"),
    idiom("linear layer dense transposed", "x:A weight:A bias:A", "return $x @ $weight.T + $bias", "A"),
    idiom("matmul transposed linear", "x:A weight:A", "return $x @ $weight.T", "A"),
    idiom("causal mask lower triangular", "n:I", "return np.tril(np.ones(($n, $n), dtype=bool))", "A"),
    idiom(
        "attention scaled dot product",
        "q:A k:A v:A",
        f"scores = $q @ $k.swapaxes(-1, -2) / np.sqrt($q.shape[-1])\ne = np.exp(scores - scores.max({_ROWS}))\n"
        f"return e / e.sum({_ROWS}) @ $v",
        "A",
    ),
    idiom(
        "moving average smooth running mean",
        "x:A size:I",
        'return np.convolve($x, np.ones($size) / $size, mode="valid")',
        "A",
    ),
    idiom("cumulative running sum", "x:A", "return np.cumsum($x)", "A"),
    idiom("differences diff", "x:A", "return np.diff($x)", "A"),
    idiom("pad multiple zeros block tail", "x:A block:I", "return np.pad($x, (0, -len($x) % $block))", "A"),
    idiom(
        "pad multiple zeros block tail last axis columns",
        "x:A block:I",
        "return np.pad($x, [(0, 0)] * ($x.ndim - 1) + [(0, -$x.shape[-1] % $block)])",
        "A",
    ),
    idiom("blocks split reshape rows", "x:A block:I", "return $x.reshape(-1, $block)", "A"),
    idiom("top k indices largest", "x:A k:I", "return np.argsort(-$x)[:$k]", "A"),
    idiom("top k largest values", "x:A k:I", "return np.sort($x)[::-1][:$k]", "A"),
    idiom("clip norm gradient", "x:A most:F", "return $x * min(1.0, $most / np.sqrt(($x * $x).sum()))", "A"),
    idiom("outer product", "a:A b:A", "return $a[:, None] * $b[None, :]", "A"),
    idiom("flatten rows last axis", "x:A", "return $x.reshape(len($x), -1)", "A"),
    idiom("nan mean ignore", "x:A", "return np.nanmean($x)", "N"),
    idiom("histogram counts bins", "x:A count:I", "return np.bincount($x, minlength=$count)", "A"),
    idiom("entropy", "p:A", "q = $p[$p > 0]\nreturn -(q * np.log(q)).sum()", "N"),
    idiom("interleave lanes alternate", "a:A b:A", "return np.stack([$a, $b], axis=-1).reshape(-1)", "A"),
    idiom("sparsity zeros share", "x:A", "return ($x == 0).mean()", "N"),
)
