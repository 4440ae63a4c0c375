"""Compare a model with a reference, rung by rung: tokens, embeddings, every intermediate, logits, greedy tokens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.crossval.reference import LOGITS, Reference
from kernels.crossval.steps import alone
from kernels.errors import KernelError
from kernels.model import Model
from kernels.model.details import HEADS_FIRST
from kernels.model.rounding import Rounding
from kernels.ops.quirks import BLOCK
from kernels.ternary import ABSMAX_FLOOR

EDGE = 0.05
"""How far the logits of a token may be, where an activation of it or before it became another integer."""

NEAR = 2e-5
"""How near to halfway between two integers another order of sums may still take an activation to the other one."""

ROUNDED = ("attn_norm", "attn_sub_norm", "ffn_norm", "ffn_sub_norm")
"""What is rounded to integers, by the names of the ladder without their layer."""

TOLERANCE = 1e-5
"""Root mean square of the difference over that of the reference: float32 in another order stays below."""


@dataclass(frozen=True, slots=True)
class Rung:
    """One comparison.

    Parameters
    ----------
    distance : relative root mean square of the difference; 0 only for equal bits.
    largest : largest difference.
    """

    name: str
    equal: bool
    distance: float = 0.0
    largest: float = 0.0
    said: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """How far up the ladder two programs are the same.

    Parameters
    ----------
    status : ``pass``, ``fail`` or ``skipped``.
    reason : why not, naming the first rung that differs.
    mode : ``exact`` (every operation alone, on the reference's own input) or ``chain``.
    """

    status: str
    reason: str
    reference: str = ""
    mode: str = "chain"
    rounding: str = "none"
    tolerance: float = TOLERANCE
    rungs: tuple[Rung, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def climb(model: Model, reference: Reference, *, exact: bool = False, tolerance: float = TOLERANCE) -> Report:
    """Compare up to the first difference.

    Parameters
    ----------
    exact : each operation by itself, from the reference's intermediates: products, norms, gates and sums must give the
        same bits. Otherwise a whole forward pass from the tokens, each rung within the tolerance.

    Examples
    --------
    >>> from pathlib import Path
    >>> from kernels.crossval.reference import stored
    >>> from kernels.model import Rounding
    >>> data = Path("tests/data")
    >>> model = Model.load(data / "tiny-i2_s.gguf", "numpy", rounding=Rounding.named("bitnet.cpp-batch-k32"))
    >>> report = climb(model, stored(data / "intermediates_tiny_i2s_batch8.npz"))
    >>> report.status, len(report.rungs)
    ('pass', 48)
    """
    mode = "exact" if exact else "chain"
    if reference.faults:
        return Report("fail", "; ".join(reference.faults), reference.name, mode, tolerance=tolerance)
    rungs: list[Rung] = []
    try:
        for rung in alone(model, reference.tensors, Rung) if exact else _chain(model, reference, tolerance):
            rungs.append(rung)
            if not rung.equal:
                break
    except KernelError as error:
        rungs.append(Rung("the forward pass", False, said=str(error)))
    worst = next((rung for rung in rungs if not rung.equal), None)
    if worst is not None:
        reason = f"{worst.name}: {worst.said or f'{worst.distance:.1e} away, by {worst.largest:.1e} at most'}"
    else:
        reason = "" if rungs else "no rung of the ladder is in the reference"
    status = "pass" if rungs and worst is None else "fail"
    return Report(status, reason, reference.name, mode, tolerance=tolerance, rungs=tuple(rungs))


def _chain(model: Model, reference: Reference, tolerance: float) -> Iterator[Rung]:
    seen: dict[str, list[NDArray[np.float32]]] = {}
    cache = model.new_cache(len(reference.tokens) + len(reference.greedy))
    for start in range(0, len(reference.tokens), reference.pieces):
        part = reference.tokens[start : start + reference.pieces]
        model.forward(part, cache, observe=lambda name, x: seen.setdefault(name, []).append(x.copy()))
    for name, parts in seen.items():
        if name in reference.tensors and name != LOGITS:
            yield compare(name, _joined(name, parts, reference.tensors[name]), reference.tensors[name], tolerance)
    ours = np.concatenate(seen[LOGITS])
    if LOGITS in reference.tensors:
        theirs = reference.tensors[LOGITS]
        rung, sure = compare(LOGITS, ours, theirs, tolerance), np.ones(len(ours), bool)
        if theirs.size == ours.size:
            theirs = theirs.reshape(ours.shape)
            if reference.edges and not rung.equal:
                rung, sure = _but_for_edges(rung, ours, theirs, tolerance, _near_edges(model.rounding, seen))
        yield rung
        yield _tokens("likeliest tokens", ours[sure].argmax(axis=1), theirs[sure].argmax(axis=1))
    if reference.greedy:
        said = [int(ours[-1].argmax())]
        while len(said) < len(reference.greedy):
            said.append(int(model.forward(said[-1:], cache)[-1].argmax()))
        yield _tokens("greedy tokens", np.array(said), np.array(reference.greedy))


def _joined(name: str, parts: list[NDArray[np.float32]], expected: NDArray[np.float32]) -> NDArray[np.float32]:
    """The pieces of a prompt as one; where a reference has more positions than are filled, with zeros for them."""
    if name.rpartition("-")[0] not in HEADS_FIRST:
        return np.concatenate(parts)
    most, tokens = max(part.shape[-1] for part in parts), sum(part.shape[1] for part in parts)
    if expected.ndim == 3 and expected.shape[:2] == (len(parts[0]), tokens):
        most = max(most, expected.shape[-1])
    wide = [np.pad(part, ((0, 0), (0, 0), (0, most - part.shape[-1]))) for part in parts]
    return np.concatenate(wide, axis=1)


def compare(name: str, got: NDArray[np.float32], expected: NDArray[np.float32], tolerance: float) -> Rung:
    """Two arrays of one size.

    Examples
    --------
    >>> compare("x", np.ones(2, np.float32), np.full(2, 1.5, np.float32), 0.1)
    Rung(name='x', equal=False, distance=0.3333333333333333, largest=0.5, said='')
    """
    if got.size != expected.size:
        return Rung(name, False, said=f"shape {got.shape}; the reference has {expected.shape}")
    difference = got.reshape(-1).astype(np.float64) - expected.reshape(-1)
    scale = float(np.sqrt(np.mean(expected.astype(np.float64) ** 2)))
    distance = float(np.sqrt(np.mean(difference**2))) / scale
    return Rung(name, distance <= tolerance, distance, float(np.abs(difference).max()))  # not a number: not equal


def _near_edges(rounding: Rounding, seen: Mapping[str, list[NDArray[np.float32]]]) -> NDArray[np.bool_]:
    """Tokens in which, or in one they attend to, an activation lies about halfway between two it may become."""
    near = np.zeros(sum(map(len, seen[LOGITS])), bool)
    for name, parts in seen.items():
        if name.rpartition("-")[0] in ROUNDED:
            x = np.concatenate(parts)
            x = x.reshape(len(x), -1, BLOCK if rounding.blocks else x.shape[1])
            x = x * (127 / np.abs(x).max(axis=2, keepdims=True, initial=ABSMAX_FLOOR))
            near |= (np.rint(x - NEAR) != np.rint(x + NEAR)).any(axis=(1, 2))
    near = np.logical_or.accumulate(near)
    if rounding.head:
        x = np.concatenate(seen["result_norm"])
        near |= ((x * (1 - NEAR / 16)).astype(np.float16) != (x * (1 + NEAR / 16)).astype(np.float16)).any(axis=1)
    return near


def _but_for_edges(
    rung: Rung,
    got: NDArray[np.float32],
    expected: NDArray[np.float32],
    tolerance: float,
    near: NDArray[np.bool_],
) -> tuple[Rung, NDArray[np.bool_]]:
    """The rung again, if all tokens that differ lie near an edge, and differ a little; and which ones do not."""
    size = np.sqrt(np.mean(expected.astype(np.float64) ** 2, axis=1))
    away = np.sqrt(np.mean((got.astype(np.float64) - expected) ** 2, axis=1)) / size
    sure, worst = away <= tolerance, float(away.max())
    if not sure[~near].all() or not sure.any() or not worst <= EDGE:
        return rung, np.ones(len(away), bool)
    few = f"{(~sure).sum()} of {len(away)} tokens differ, by up to {worst:.1e}"
    said = f"{few}: an activation lies where two roundings meet"
    return replace(rung, equal=True, said=said), sure


def _tokens(name: str, got: NDArray[np.integer], expected: NDArray[np.integer]) -> Rung:
    differ = np.flatnonzero(got != expected)
    if not differ.size:
        return Rung(name, True)
    at = int(differ[0])
    return Rung(name, False, said=f"number {at} is {got[at]}; the reference has {expected[at]}")
