"""What a BitNet b1.58 model is made of: its sizes, from the keys of its file, and the tensors they ask for.

Two traditions name the architecture: ``bitnet-b1.58`` (first ``bitnet-25``) of Microsoft's fork, and ``bitnet`` of
ggml. Keys begin with that name and are the same behind it. The graphs are not: the gate is ReLU² in the first, SiLU
in the second.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite

from kernels.gguf.errors import BadMetadata, plain
from kernels.gguf.model import ModelFile
from kernels.gguf.types import MICROSOFT
from kernels.gguf.values import ValueType

ARCHITECTURES = (*MICROSOFT, "bitnet")

ROPE_NEUTRAL: dict[str, tuple[object, ...]] = {
    "scaling.type": ("none", "linear"),
    "scaling.factor": (1.0, 0.0),
    "scale_linear": (1.0, 0.0),
    "scaling.attn_factor": (1.0,),
}
"""Values that scale no position. Converters write them: ``linear``, by 1; a factor of 0 stands for none."""

ROPE_OTHERS = ("dimension_count", "freq_base", "scaling.original_context_length", "scaling.finetuned")
"""Keys that are read, or mean something beside a scaling alone."""

_INTEGERS = tuple(kind for kind in ValueType if "INT" in kind.name)
_FLOATS = (ValueType.FLOAT32, ValueType.FLOAT64)


@dataclass(frozen=True, slots=True)
class Sizes:
    """The sizes of a model; counts are at least 1.

    Parameters
    ----------
    activation : of the gate, ``relu2`` or ``silu``; the architecture decides.
    rope_dimensions : of a head, that are turned; even.
    """

    layers: int
    hidden: int
    feed_forward: int
    heads: int
    kv_heads: int
    vocabulary: int
    context: int
    rope_dimensions: int
    rope_base: float
    epsilon: float
    activation: str

    @property
    def head(self) -> int:
        """Dimensions of a head."""
        return self.hidden // self.heads

    def tensors(self, layers: int | None = None) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Names and shapes of the tensors such a model has; ``output.weight`` may be there too.

        Examples
        --------
        >>> small = Sizes(1, 256, 512, 4, 2, 512, 512, 64, 1e4, 1e-5, "relu2")
        >>> dict(small.tensors())["blk.0.attn_k.weight"]
        (128, 256)
        """
        yield "token_embd.weight", (self.vocabulary, self.hidden)
        yield "output_norm.weight", (self.hidden,)
        kv = self.kv_heads * self.head
        for layer in range(self.layers if layers is None else layers):
            for name, shape in (
                ("attn_norm", (self.hidden,)),
                ("attn_q", (self.hidden, self.hidden)),
                ("attn_k", (kv, self.hidden)),
                ("attn_v", (kv, self.hidden)),
                ("attn_sub_norm", (self.hidden,)),
                ("attn_output", (self.hidden, self.hidden)),
                ("ffn_norm", (self.hidden,)),
                ("ffn_gate", (self.feed_forward, self.hidden)),
                ("ffn_up", (self.feed_forward, self.hidden)),
                ("ffn_sub_norm", (self.feed_forward,)),
                ("ffn_down", (self.hidden, self.feed_forward)),
            ):
                yield f"blk.{layer}.{name}.weight", shape


def sizes(model: ModelFile) -> Sizes:
    """The sizes a file declares.

    Raises
    ------
    BadMetadata
        A key is missing, of another type, or out of range; two contradict each other; or one asks for a scaling of
        positions, which these models do not have.
    """
    name = model.architecture
    if name not in ARCHITECTURES:
        raise BadMetadata(
            f"architecture {plain(name)!r}", where="key general.architecture", expected=" or ".join(ARCHITECTURES)
        )

    def count(key: str, most: int, default: int | None = None) -> int:
        value = model.value(f"{name}.{key}", _INTEGERS)
        if value is None and default is not None:
            return default
        if value is None:
            raise BadMetadata(
                "the key is missing", where=f"key {name}.{key}", expected=f"a whole number from 1 to {most}"
            )
        if not 1 <= value <= most:
            raise BadMetadata(str(value), where=f"key {name}.{key}", expected=f"1 to {most}")
        return int(value)

    def number(key: str, default: float) -> float:
        value = model.value(f"{name}.{key}", _FLOATS)
        if value is not None and not (isfinite(value) and value > 0):
            raise BadMetadata(str(value), where=f"key {name}.{key}", expected="a positive number")
        return default if value is None else float(value)

    hidden, heads = count("embedding_length", 2**20), count("attention.head_count", 2**16)
    kv_heads = count("attention.head_count_kv", 2**16, heads)
    if hidden % heads:
        _contradict(name, "attention.head_count", f"{heads} heads share {hidden} dimensions", "a divisor of them")
    if heads % kv_heads:
        _contradict(name, "attention.head_count_kv", f"{kv_heads} for {heads} heads", "a divisor of them")
    for key in ("attention.key_length", "attention.value_length"):
        if (size := count(key, 2**20, hidden // heads)) != hidden // heads:
            _contradict(name, key, str(size), f"{hidden // heads}, as {heads} heads share {hidden} dimensions")
    for key in ("attention.key_length", "attention.value_length"):
        if (size := count(key, 2**20, hidden // heads)) != hidden // heads:
            _contradict(name, key, str(size), f"{hidden // heads}, as {heads} heads share {hidden} dimensions")
    _refuse_scaling(model, f"{name}.rope.")
    turned = count("rope.dimension_count", 2**20, hidden // heads)
    if turned % 2 or turned > hidden // heads:
        _contradict(name, "rope.dimension_count", f"{turned} of {hidden // heads} in a head", "an even number, no more")
    tokens = model.metadata.get("tokenizer.ggml.tokens")
    known = len(tokens.data) if tokens is not None and tokens.type is ValueType.ARRAY else 0
    return Sizes(
        layers=count("block_count", 2**16),
        hidden=hidden,
        feed_forward=count("feed_forward_length", 2**24),
        heads=heads,
        kv_heads=kv_heads,
        vocabulary=count("vocab_size", 2**24, known or None),
        context=count("context_length", 2**31 - 1),
        rope_dimensions=turned,
        rope_base=number("rope.freq_base", 10000.0),
        epsilon=number("attention.layer_norm_rms_epsilon", 1e-5),
        activation="relu2" if name in MICROSOFT else "silu",
    )


def _contradict(name: str, key: str, what: str, expected: str) -> None:
    raise BadMetadata(what, where=f"key {name}.{key}", expected=expected)


def _refuse_scaling(model: ModelFile, prefix: str) -> None:
    for key, value in model.metadata.items():
        name = key.removeprefix(prefix)
        if name == key or name in ROPE_OTHERS:
            continue
        if value.type is ValueType.ARRAY or value.data not in ROPE_NEUTRAL.get(name, ()):
            raise BadMetadata(plain(repr(value)), where=f"key {plain(key)}", expected="positions that are not scaled")
