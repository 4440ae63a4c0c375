"""Every operation alone, on the input the reference had for it: what is arithmetic of integers and single floats."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from kernels.model import Model
from kernels.ops import Kind
from kernels.ops.host import Floats
from kernels.packed import PackedMatrix

if TYPE_CHECKING:
    from kernels.crossval.ladder import Rung

Tensors = Mapping[str, Floats]
Step = tuple[str, tuple[str, ...], Callable[..., Floats]]
"""What comes out, what goes in, and how."""


def alone(model: Model, tensors: Tensors, rung: Callable[..., Rung]) -> Iterator[Rung]:
    """Compare the operations whose input and output the reference has; bits must be equal."""
    for name, sources, step in _steps(model):
        if name not in tensors or not all(source in tensors for source in sources):
            continue
        rows = tensors[sources[0]].shape[0]
        given = (np.ascontiguousarray(tensors[source].reshape(rows, -1)) for source in sources)
        got = model.ops.get(step(*map(model.ops.put, given)))
        expected = tensors[name].reshape(got.shape) if got.size == tensors[name].size else tensors[name]
        if got.shape != expected.shape:
            yield rung(name, False, said=f"shape {got.shape}; the reference has {expected.shape}")
            return
        wrong = int((got != expected).sum())
        largest = float(np.abs(got.astype(np.float64) - expected).max())
        said = f"{wrong} of {got.size} numbers differ, by {largest:.1e} at most" if wrong else ""
        yield rung(name, not wrong, largest=largest, said=said)


def _steps(model: Model) -> Iterator[Step]:
    do, eps = model.ops, model.sizes.epsilon
    kind = cast(Kind, model.sizes.activation)

    def norm(weight: Floats) -> Callable[..., Floats]:
        return lambda x: do.rms_norm(x, weight, eps)

    def linear(matrix: PackedMatrix) -> Callable[..., Floats]:
        return lambda x: do.linears(x, (matrix,))[0]

    before = "inp_embd"
    for n, layer in enumerate(model.weights.layers):
        parts: list[tuple[str, tuple[Any, ...], Callable[..., Floats]]] = [
            ("attn_norm", (before,), norm(layer.attn_norm)),
            ("Qcur", (f"attn_norm-{n}",), linear(layer.attn_q)),
            ("Kcur", (f"attn_norm-{n}",), linear(layer.attn_k)),
            ("Vcur", (f"attn_norm-{n}",), linear(layer.attn_v)),
            ("attn_sub_norm", (f"kqv_out-{n}",), norm(layer.attn_sub_norm)),
            ("attn_o_out", (f"attn_sub_norm-{n}",), linear(layer.attn_output)),
            ("ffn_inp", (f"attn_o_out-{n}", before), do.add),
            ("ffn_norm", (f"ffn_inp-{n}",), norm(layer.ffn_norm)),
            ("ffn_gate", (f"ffn_norm-{n}",), linear(layer.ffn_gate)),
            ("ffn_up", (f"ffn_norm-{n}",), linear(layer.ffn_up)),
            ("ffn_out", (f"ffn_gate-{n}", f"ffn_up-{n}"), lambda gate, up: do.gate(gate, up, kind)),
            ("ffn_sub_norm", (f"ffn_out-{n}",), norm(layer.ffn_sub_norm)),
            ("ffn_down", (f"ffn_sub_norm-{n}",), linear(layer.ffn_down)),
            ("l_out", (f"ffn_down-{n}", f"ffn_inp-{n}"), do.add),
        ]
        yield from ((f"{name}-{n}", sources, step) for name, sources, step in parts)
        before = f"l_out-{n}"
    yield "result_norm", (before,), norm(model.weights.output_norm)
