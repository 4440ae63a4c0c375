"""Everything a model file can be checked for, as a list of findings. Knows nothing of screens."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import numpy as np

from kernels.errors import KernelError
from kernels.gguf import tokenizer as tokenizers
from kernels.gguf.bitnet import ARCHITECTURES, Sizes, sizes
from kernels.gguf.errors import (
    BadMetadata,
    BadTensor,
    BadWeights,
    ModelFileError,
    NotReadable,
    plain,
)
from kernels.gguf.model import Layouts, ModelFile, Tensor
from kernels.gguf.statistics import Codes, Numbers, statistics
from kernels.gguf.write import FILE_TYPES

Found = Iterator[tuple[str, ModelFileError]]

SEVERITIES = ("error", "warning", "note")
_SMALL = ("f32", "f16", "bf16")
_LEAN = 0.2
_RARE = 0.02


@dataclass(slots=True)
class Report:
    """What was found in a file.

    Parameters
    ----------
    model : None where the header cannot be read.
    sizes : None where the architecture is another one, or its keys are wrong.
    findings : (severity, error) pairs; severities are ``error``, ``warning`` and ``note``.
    statistics : by tensor; empty unless the weights were read.
    """

    path: Path
    size: int = 0
    model: ModelFile | None = None
    sizes: Sizes | None = None
    findings: list[tuple[str, ModelFileError]] = field(default_factory=list)
    statistics: dict[str, Codes | Numbers] = field(default_factory=dict)
    deep: bool = False
    seconds: float = 0.0

    def count(self, severity: str) -> int:
        """How many findings are that severe."""
        return sum(one == severity for one, _ in self.findings)

    def good(self, strict: bool = False) -> bool:
        """No error; with ``strict``, no warning either."""
        return not self.count("error") and not (strict and self.count("warning"))


def verify(
    path: str | os.PathLike[str],
    *,
    tokenizer: str | os.PathLike[str] | None = None,
    deep: bool = False,
    layouts: Layouts = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Report:
    """Check a model file; what is wrong with it is in the report.

    Parameters
    ----------
    tokenizer : a tokenizer.json or another GGUF file whose tokens must be the model's.
    deep : read the weights too, not the header alone.
    layouts : how ternary matrices are read, where it is not the default.
    progress : told the tensor's name, bytes done and bytes in all.

    Raises
    ------
    NotReadable
        There is no such file, or none that can be read.
    """
    began = time.monotonic()
    report = Report(Path(path), deep=deep)
    try:
        report.model = ModelFile(path, tolerate=True)
    except NotReadable:
        raise
    except ModelFileError as error:
        report.findings.append(("error", error))
        report.seconds = time.monotonic() - began
        return report
    model = report.model
    report.size = model.size
    report.findings += [("error", fault) for fault in model.faults]
    report.findings += _spaces(model)
    report.findings += _model(report, model)
    embedding = next((entry for entry in model.entries if entry.name == "token_embd.weight"), None)
    rows = report.sizes.vocabulary if report.sizes else embedding.shape[0] if embedding else None
    report.findings += tokenizers.faults(model, rows)
    if tokenizer is not None:
        report.findings += tokenizers.differences(model, Path(tokenizer))
    if deep:
        report.findings += _weights(report, model, layouts, progress)
    report.findings.sort(key=lambda finding: SEVERITIES.index(finding[0]))
    report.seconds = time.monotonic() - began
    return report


def _spaces(model: ModelFile) -> Found:
    """Bytes that belong to no tensor."""
    end = model.header.data_start
    for tensor in sorted(model.tensors.values(), key=lambda tensor: tensor.offset):
        lost = tensor.offset - model.padded(end - model.header.data_start) - model.header.data_start
        if lost > 0 and not model.faults:
            yield (
                "warning",
                BadTensor(f"{lost} bytes before it belong to no tensor", where=f"tensor {plain(tensor.name)}"),
            )
        end = max(end, tensor.offset + tensor.nbytes)
    behind = model.size - model.header.data_start - model.padded(end - model.header.data_start)
    if behind > 0 and not model.faults:
        yield "warning", BadTensor(f"{behind} bytes belong to no tensor", where="the end of the file")


def _model(report: Report, model: ModelFile) -> Found:
    """Keys against each other, tensors against keys."""
    name = model.architecture
    if not name:
        found = repr(model.metadata["general.architecture"]) if "general.architecture" in model.metadata else "missing"
        yield "error", BadMetadata(found, where="key general.architecture", expected="a STRING")
    elif name not in ARCHITECTURES:
        said = f"{plain(name)} is not BitNet; its shapes are not checked"
        yield "note", BadMetadata(said, where="key general.architecture")
    else:
        try:
            report.sizes = sizes(model)
        except BadMetadata as error:
            yield "error", error
        else:
            yield from _shapes(model, report.sizes)
        if name == "bitnet":
            said = "llama.cpp computes SiLU for this name; Microsoft's models have ReLU²"
            yield "note", BadMetadata(said, where="key general.architecture")
    families = {tensor.type.name for tensor in model.tensors.values() if tensor.type.ternary}
    if len(families) > 1:
        yield "warning", BadTensor(f"{' and '.join(sorted(families))} in one file", where="the ternary tensors")
    declared = model.metadata.get("general.file_type")
    if declared is not None and len(families) == 1 and declared.data != FILE_TYPES[next(iter(families))]:
        expected = f"{FILE_TYPES[next(iter(families))]}, as the tensors are {next(iter(families))}"
        yield "warning", BadMetadata(f"{declared!r}", where="key general.file_type", expected=expected)
    if name in ARCHITECTURES and not families and model.tensors and not model.faults:
        yield "warning", BadTensor("none is ternary", where="the tensors", expected="a BitNet model's matrices to be")


def _shapes(model: ModelFile, wanted: Sizes) -> Found:
    entries = {entry.name: entry for entry in model.entries}
    if wanted.layers > len(entries):
        said = f"{wanted.layers} layers, with {len(entries)} tensors in the file"
        yield "error", BadMetadata(said, where=f"key {model.architecture}.block_count")
    layers = min(wanted.layers, len(entries))
    expected = dict(wanted.tensors(layers)) | {"output.weight": (wanted.vocabulary, wanted.hidden)}
    missing = [name for name in expected if name not in entries and name != "output.weight"]
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        yield "error", BadTensor(f"missing: {', '.join(missing[:3])}{more}", where="the tensors")
    for name, entry in entries.items():
        where = f"tensor {plain(name)}"
        if name in expected and entry.shape != expected[name]:
            yield "error", BadTensor(_by(entry.shape), where=where, expected=_by(expected[name]))
        elif name not in expected and not (name.endswith(".scale") and entry.shape == (1,)):
            yield "error", BadTensor("not a tensor of this architecture", where=where)
        tensor = model.tensors.get(name)
        if tensor is not None and name in expected and len(entry.shape) == 1 and tensor.type.name not in _SMALL:
            yield "error", BadTensor(tensor.type.name, where=where, expected="a norm in f32, f16 or bf16")


def _weights(
    report: Report, model: ModelFile, layouts: Layouts, progress: Callable[[str, int, int], None] | None
) -> Found:
    total, done = sum(tensor.nbytes for tensor in model.tensors.values()), 0
    for tensor in model.tensors.values():

        def tick(count: int, name: str = tensor.name) -> None:
            nonlocal done
            done += count
            if progress is not None:
                progress(name, done, total)

        try:
            found = statistics(tensor, layouts, tick)
        except BadWeights as error:
            yield "error", error
            continue
        except BadTensor as error:
            yield "note", error
            continue
        report.statistics[tensor.name] = found
        yield from _codes(tensor, found, layouts) if isinstance(found, Codes) else _numbers(tensor, found)
    codes = {name: one for name, one in report.statistics.items() if isinstance(one, Codes)}
    usual = median([abs(one.scales[1]) for one in codes.values() if np.isfinite(one.scales).all()] or [0.0])
    for name, one in codes.items():
        if usual > 0 and np.isfinite(one.scales[1]) and abs(one.scales[1]) > 100 * usual:
            said = f"scale {one.scales[1]:g}, a hundred times the usual {usual:g}"
            yield "warning", BadWeights(said, where=f"tensor {plain(name)}")
    read = {tensor.layout(layouts) for tensor in model.tensors.values() if tensor.type.name in ("i2_s", "tl1", "tl2")}
    if read:
        said = f"read as {', '.join(sorted(read))}; no file tells in which order its codes lie"
        yield "note", BadWeights(said, where="the ternary tensors", hint="--layout NAME reads another")


def _codes(tensor: Tensor, codes: Codes, layouts: Layouts) -> Found:
    where = f"tensor {plain(tensor.name)}"
    if codes.strange:
        said = f"{codes.strange} codes stand for no weight (score {codes.score:.3f})"
        yield "error", BadWeights(said, where=where, hint="the bytes are of another type or layout, or damaged")
    if not np.isfinite(codes.scales).all():
        yield "error", BadWeights(f"a scale is {codes.scales[0]}", where=where, expected="finite numbers")
        return
    weights = codes.minus + codes.plus
    if weights and codes.scales[1] == 0:
        yield "warning", BadWeights("the scale is 0, the weights are not", where=where)
    if codes.scales[0] < 0:
        yield "warning", BadWeights(f"the scale is {codes.scales[0]:g}", where=where, expected="a positive one")
    if not weights:
        yield "warning", BadWeights("every weight is 0", where=where)
    elif tensor.elements >= 4096:
        minus, zero, plus = codes.shares
        if zero < _RARE or abs(minus - plus) > _LEAN:
            said = f"{minus:.0%} are −1, {zero:.0%} 0, {plus:.0%} +1"
            yield "warning", BadWeights(said, where=where, expected="about as many −1 as +1, and some 0")
    if not codes.strange and tensor.type.name in ("tq1_0", "tq2_0") and codes.scales[0] != codes.scales[1]:
        try:
            tensor.matrix(layouts)
        except KernelError as error:
            yield "warning", BadWeights(str(error), where="")


def _numbers(tensor: Tensor, numbers: Numbers) -> Found:
    where = f"tensor {plain(tensor.name)}"
    if numbers.not_finite:
        yield "error", BadWeights(f"{numbers.not_finite} numbers are NaN or infinite", where=where)
    elif numbers.low == numbers.high == 0:
        yield "warning", BadWeights("every number is 0", where=where)


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


__all__ = ["Report", "verify"]
