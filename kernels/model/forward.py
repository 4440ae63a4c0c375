"""The forward pass of BitNet b1.58, readable from top to bottom; all arithmetic is in `kernels.ops`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from kernels import ops
from kernels.backend import BackendReport, backend_report, is_strict, select_backend, why_not
from kernels.errors import BackendError, InputError
from kernels.gguf.bitnet import Sizes, sizes
from kernels.gguf.model import Layouts, ModelFile
from kernels.model import details, weights
from kernels.model.cache import Cache
from kernels.model.rope import tables
from kernels.model.rounding import NONE, Rounding
from kernels.ops import Kind
from kernels.ops.host import Floats
from kernels.ops.quirks import QuirkOps

Observe = Callable[[str, NDArray[np.float32]], object]
"""Called with the name of an intermediate, as the C++ programs name it, and its (T, …) numbers."""

See = Callable[[str, int, Floats], None]
"""The same with the layer apart, so that a name nobody wants is not made."""

ACTIVATIONS = ("relu2", "silu")


class Model:
    """A transformer ready to run.

    Parameters
    ----------
    file : whose tensors are used where they lie.
    backend : computes the ternary products, and by it the floats: "reference", "numpy", "fast", "gpu", or for "auto"
        the better of "numpy" and "fast".
    threads : of the backend "fast".
    head : the matrix of the logits as in the file, "f16", or rounded to "int8".
    layouts : how ternary bytes are laid out, where the file does not tell; see `kernels.gguf.Tensor.layout`.
    activation : of the gate, "relu2" or "silu"; the architecture decides where nothing is said.
    rounding : the rounding points of another program.

    Raises
    ------
    ModelFileError
        What the file says cannot be a model, or is not a BitNet.
    BackendError
        The backend cannot run here.
    InputError
        An option that is none, or that the backend has not.
    """

    def __init__(
        self,
        file: ModelFile,
        backend: str = "auto",
        *,
        threads: int | None = None,
        head: str = "f16",
        layouts: Layouts = None,
        activation: str | None = None,
        rounding: Rounding = NONE,
    ) -> None:
        self.sizes: Sizes = sizes(file)
        if activation is not None:
            if activation not in ACTIVATIONS:
                raise InputError(f"activation {activation!r}; want {' or '.join(ACTIVATIONS)}")
            self.sizes = replace(self.sizes, activation=activation)
        self.rounding = rounding
        used, passed_over = _whole(backend)
        if used == "gpu" and rounding != NONE:
            raise InputError("the rounding of other programs is not computed on a GPU", hint='take "numpy"')
        report = backend_report(used, threads=threads)
        self.report: BackendReport = replace(report, requested=backend, why=passed_over or report.why)
        products = select_backend(used, threads=threads)
        more = {"half": rounding.probabilities, "blocks": rounding.blocks}
        self.ops: ops.Ops = QuirkOps(products, **more) if any(more.values()) else ops.select(products)
        self._kind: Kind = "silu" if self.sizes.activation == "silu" else "relu2"
        self._scale = 1 / float(np.sqrt(np.float32(self.sizes.head)))
        prepare = getattr(products, "prepare", None)  # a layout of the backend's own
        self.weights = weights.read(file, self.sizes, self.ops, head, layouts, prepare)
        self._tables = tables(self.sizes)

    @classmethod
    def load(cls, path: str | os.PathLike[str], backend: str = "auto", **options: object) -> Model:
        """Open a file and make a model of it; options as above."""
        return cls(ModelFile(path), backend, **options)  # type: ignore[arg-type]

    def new_cache(self, capacity: int | None = None) -> Cache:
        """An empty cache for so many positions, by default as many as the model was made for."""
        each = self.sizes
        most = each.context if capacity is None else capacity
        return Cache.empty(each.layers, most, each.kv_heads, each.head, self.ops.room)

    def forward(
        self, tokens: Sequence[int] | NDArray[np.integer], cache: Cache, *, last_only: bool = False,
        observe: Observe | None = None,
    ) -> Floats:  # fmt: skip
        """Run tokens behind those the cache has seen, and put them into it.

        Parameters
        ----------
        tokens : (T,) numbers below the size of the vocabulary, T at least 1.
        last_only : give the logits of the last token alone.
        observe : sees every intermediate.

        Returns
        -------
        logits : (T, V) float32, or (1, V).

        Raises
        ------
        InputError
            A token is none, the cache is full or another backend's; nothing has changed then.
        """
        ids = self._checked(tokens)
        start = cache.claim(len(ids))
        see = self._watched(observe, cache, start + len(ids)) if observe else _look_away
        rows = self.weights.embedding[ids].astype(np.float32)
        work = partial(self._pass, cache.keys, cache.values, see, last_only)
        again = cache if observe is None and self.rounding == NONE else None
        logits = self.ops.run(work, (rows, start, *self._tables(start, start + len(ids))), again)
        cache.length += len(ids)
        return logits

    def _pass(
        self,
        keys: Floats,
        values: Floats,
        see: See,
        last_only: bool,
        do: ops.Ops,
        h: Floats,
        start: int,
        cos: Floats,
        sin: Floats,
    ) -> Floats:
        """From embeddings to logits."""
        see("inp_embd", 0, h)
        for number in range(self.sizes.layers):
            last = last_only and number == self.sizes.layers - 1
            h = self._layer(number, do, h, keys[number], values[number], start, cos, sin, see, last)
        h = do.rms_norm(h, self.weights.output_norm, self.sizes.epsilon)
        see("result_norm", 0, h)
        logits = do.dense(_rounded(h, self.rounding.head), self.weights.head)
        see("result_output", 0, logits)
        return logits

    def _layer(
        self,
        number: int,
        do: ops.Ops,
        h: Floats,
        keys: Floats,
        values: Floats,
        start: int,
        cos: Floats,
        sin: Floats,
        see: See,
        last: bool,
    ) -> Floats:
        layer, eps = self.weights.layers[number], self.sizes.epsilon

        x = do.rms_norm(h, layer.attn_norm, eps)
        see("attn_norm-{}", number, x)
        q, k, v = do.linears(x, (layer.attn_q, layer.attn_k, layer.attn_v))
        see("Qcur-{}", number, q)
        see("Kcur-{}", number, k)
        see("Vcur-{}", number, v)
        q = do.rope(q.reshape(len(h), -1, self.sizes.head), cos, sin)
        k = do.rope(k.reshape(len(h), -1, self.sizes.head), cos, sin)
        see("Qcur-{}#1", number, q)
        see("Kcur-{}#1", number, k)
        do.keep(_rounded(k, self.rounding.keys), keys, start)
        do.keep(_rounded(v, self.rounding.values).reshape(len(h), -1, self.sizes.head), values, start)
        x = do.attention(_rounded(q, self.rounding.keys), keys, values, start, self._scale)
        see("kqv_out-{}", number, x)
        if last:  # nobody asks any more what the other tokens are
            x, h = x[-1:], h[-1:]
        x = do.rms_norm(x, layer.attn_sub_norm, eps)
        see("attn_sub_norm-{}", number, x)
        (x,) = do.linears(x, (layer.attn_output,))
        see("attn_o_out-{}", number, x)
        h = do.add(x, h)
        see("ffn_inp-{}", number, h)

        x = do.rms_norm(h, layer.ffn_norm, eps)
        see("ffn_norm-{}", number, x)
        gate, up = do.linears(x, (layer.ffn_gate, layer.ffn_up))
        see("ffn_gate-{}", number, gate)
        see("ffn_up-{}", number, up)
        x = do.gate(gate, up, self._kind)
        see("ffn_out-{}", number, x)
        x = do.rms_norm(x, layer.ffn_sub_norm, eps)
        see("ffn_sub_norm-{}", number, x)
        (x,) = do.linears(x, (layer.ffn_down,))
        see("ffn_down-{}", number, x)
        h = do.add(x, h)
        see("l_out-{}", number, h)
        return h

    def _watched(self, observe: Observe, cache: Cache, filled: int) -> See:
        """Shows an observer what the pass has at hand, and what lies in between."""
        get, rounding, seen = self.ops.get, self.rounding, dict[str, Floats]()

        def see(name: str, layer: int, there: Floats) -> None:
            seen[name] = numbers = get(there)
            between: Iterable[tuple[str, Floats]] = ()
            if name == "kqv_out-{}":
                keys, values = (get(each[layer][:filled]) for each in (cache.keys, cache.values))
                q = _rounded(seen["Qcur-{}#1"], rounding.keys)
                between = details.attention(q, keys, values, self._scale, rounding.probabilities)
            elif name == "ffn_up-{}" and self._kind == "relu2":
                between = details.relu2(seen["ffn_gate-{}"])
            for inside, found in between:
                observe(f"{inside}-{layer}", found)
            observe(name.format(layer), numbers)

        return see

    def _checked(self, tokens: Sequence[int] | NDArray[np.integer]) -> NDArray[np.int64]:
        given = np.asarray(tokens)
        if given.ndim != 1 or not given.size or given.dtype.kind not in "iu":
            raise InputError(f"tokens are {given.dtype} of shape {given.shape}; want whole numbers (T,), at least one")
        ids = given.astype(np.int64)
        bad = ids[(ids < 0) | (ids >= self.sizes.vocabulary)]
        if bad.size:
            raise InputError(f"token {bad[0]}; the vocabulary is 0 to {self.sizes.vocabulary - 1}")
        return ids


def _whole(backend: str) -> tuple[str, str]:
    """What "auto" is here, and why nothing better: a GPU, whose memory may be small, is taken only if asked for."""
    reason = why_not("fast") if backend == "auto" else None
    if reason is None:
        return ("fast" if backend == "auto" else backend), ""
    passed_over = f"'fast' cannot run here: {reason}"
    if is_strict():
        raise BackendError(f"strict: {passed_over}", "name the backend you want, or do without strict")
    return "numpy", passed_over


def _rounded(x: Floats, half: bool) -> Floats:
    if not half:
        return x
    with np.errstate(over="ignore"):  # as the programs do that round here
        return x.astype(np.float16).astype(np.float32)


def _look_away(name: str, layer: int, numbers: Floats) -> None:
    """What nobody observes."""
