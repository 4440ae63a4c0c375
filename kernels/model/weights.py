"""The tensors of a model file as a forward pass wants them: found, of the right shape, bytes still in the file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from kernels.errors import InputError
from kernels.gguf.bitnet import Sizes
from kernels.gguf.errors import Ambiguous, BadMetadata, BadTensor, BadWeights, plain
from kernels.gguf.model import Layouts, ModelFile, Tensor
from kernels.ops import Ops
from kernels.ops.head import Head
from kernels.ops.host import Floats
from kernels.packed import PackedMatrix
from kernels.product import LARGEST

HEADS = ("f16", "int8")
"""How the matrix of the logits is kept: as in the file, or rounded to int8."""

LIST = "python -m kernels verify lists what is wrong"

TILED = ("tl1", "tl2")
"""Formats whose bytes mean other weights with other tiles."""


Prepare = Callable[[PackedMatrix], object]


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """The weights of a layer, by the names of the file; (M, K) matrices and (D,) float32 norms, these put in place."""

    attn_norm: Floats
    attn_q: PackedMatrix
    attn_k: PackedMatrix
    attn_v: PackedMatrix
    attn_sub_norm: Floats
    attn_output: PackedMatrix
    ffn_norm: Floats
    ffn_gate: PackedMatrix
    ffn_up: PackedMatrix
    ffn_sub_norm: Floats
    ffn_down: PackedMatrix


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """All weights of a model.

    Parameters
    ----------
    embedding : (V, D) float32 or float16.
    head : the embedding again, where the file has no matrix ``output``.
    """

    embedding: NDArray[np.float32] | NDArray[np.float16]
    layers: tuple[Layer, ...]
    output_norm: Floats
    head: Head

    @property
    def matrices(self) -> tuple[PackedMatrix, ...]:
        """The ternary ones of all layers."""
        every = (getattr(layer, field.name) for layer in self.layers for field in fields(Layer))
        return tuple(each for each in every if isinstance(each, PackedMatrix))


def read(
    file: ModelFile, sizes: Sizes, ops: Ops, head: str = "f16", layouts: Layouts = None, prepare: Prepare | None = None
) -> Weights:
    """The weights of a model.

    Parameters
    ----------
    prepare : called with each matrix, while its bytes are at hand.

    Raises
    ------
    InputError
        ``head`` is none of `HEADS`.
    Ambiguous
        The file does not say how its bytes are laid out, and nor does the caller.
    BadTensor, BadWeights
        A tensor is missing, of another shape or type than the model needs, or holds what is no weight, or weights whose
        products float32 might not hold: no product of a model is looked at again.
    """
    if head not in HEADS:
        raise InputError(f"head {head!r}; want {' or '.join(HEADS)}")
    _complete(file, sizes)
    most = 0.0

    def part(layer: int, name: str) -> Floats | PackedMatrix:
        tensor = file.tensors[f"blk.{layer}.{name}.weight"]
        nonlocal most
        if name.endswith("norm"):
            norm = _norm(tensor)
            most = sqrt(norm.size) * float(np.abs(norm).max())  # the squares of what is normed have the mean 1
            return ops.put(norm)
        matrix = _matrix(tensor, layouts, _factor(file, layer, name))
        if 2 * most * matrix.shape[1] * max(1.0, abs(float(matrix.scale))) > LARGEST:
            said = f"times activations up to {most:.1e}, the scale {matrix.scale:.1e} could overflow float32"
            raise BadWeights(said, where=f"tensor {plain(tensor.name)}")
        if prepare is not None:
            prepare(matrix)
        file.release(matrix.packed)  # it was looked through, and is read again when it is wanted
        return matrix

    embedding = _dense(file.tensors["token_embd.weight"])
    output = embedding
    if "output.weight" in file.tensors:
        output = _dense(file.tensors["output.weight"])
    kept = Head(output)
    if head == "int8":  # before the layers take memory, as all of it is read
        kept = ops.to_int8(kept)
        file.release(output)
    names = [field.name for field in fields(Layer)]
    layers = [Layer(**{name: part(layer, name) for name in names}) for layer in range(sizes.layers)]  # type: ignore[arg-type]
    weights = Weights(embedding, tuple(layers), ops.put(_norm(file.tensors["output_norm.weight"])), kept)
    for matrix in weights.matrices:  # again, as reading one may bring parts of those beside it
        file.release(matrix.packed)
    return weights


def _complete(file: ModelFile, sizes: Sizes) -> None:
    """Refuse a file without one of the tensors a model needs, with one of another shape, or with one more.

    What is not known could be a bias, or a layer more: a model without it would be another one.
    """
    if sizes.layers > len(file.tensors):
        said = f"{sizes.layers} layers, with {len(file.tensors)} tensors in the file"
        raise BadMetadata(said, where=f"key {file.architecture}.block_count")
    wanted = dict(sizes.tensors())
    missing = [name for name in wanted if name not in file.tensors]
    if missing:
        raise BadTensor(f"missing{_more(missing)}", where=f"tensor {missing[0]}", hint=LIST)
    matrices = [name for name, shape in wanted.items() if len(shape) == 2 and name.startswith("blk.")]
    wanted |= {name.replace(".weight", ".scale"): (1,) for name in matrices}
    wanted["output.weight"] = sizes.vocabulary, sizes.hidden
    extra = [plain(name) for name in file.tensors if name not in wanted]
    if extra:
        raise BadTensor(f"not of this architecture{_more(extra)}", where=f"tensor {extra[0]}", hint=LIST)
    for name, tensor in file.tensors.items():
        if tensor.shape != wanted[name]:
            raise BadTensor(f"shape {tensor.shape}", where=f"tensor {name}", expected=str(wanted[name]))


def _more(names: list[str]) -> str:
    return f", and {len(names) - 1} more" if len(names) > 1 else ""


def _factor(file: ModelFile, layer: int, name: str) -> float:
    """The scale some converters keep beside a matrix; 1 without it."""
    beside = file.tensors.get(f"blk.{layer}.{name}.scale")
    if beside is None:
        return 1.0
    if beside.type.name not in ("f32", "f16"):
        raise BadTensor(beside.type.name, where=f"tensor {plain(beside.name)}", expected="f32 or f16")
    return float(_norm(beside)[0])


def _matrix(tensor: Tensor, layouts: Layouts, factor: float) -> PackedMatrix:
    if not tensor.type.ternary:
        hint = "quantize it with kernels.quantize_weights, and write it with kernels.gguf.write"
        raise BadTensor(tensor.type.name, where=f"tensor {plain(tensor.name)}", expected="ternary weights", hint=hint)
    layout = tensor.layout(layouts)
    if layout in TILED:
        hint = f"name the tile of the program that wrote it, as in {layout}:128,96"
        raise Ambiguous(f"{layout} in tiles the file does not tell", where=f"tensor {plain(tensor.name)}", hint=hint)
    return tensor.matrix(layouts, factor)


def _norm(tensor: Tensor) -> Floats:
    norm = np.array(_dense(tensor), np.float32)  # a copy: small, and calls take writable arrays faster
    if not np.isfinite(norm).all():
        raise BadWeights("it holds what is not finite", where=f"tensor {plain(tensor.name)}")
    return norm


def _dense(tensor: Tensor) -> NDArray[np.float32] | NDArray[np.float16]:
    """Floats, in the file where NumPy has the type."""
    array: NDArray[np.float32] | NDArray[np.float16] = tensor.array()
    if array.dtype not in (np.float32, np.float16):
        array = array.astype(np.float32)
    return array
