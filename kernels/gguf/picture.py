"""A report for a person, in lines of a given width, or as one JSON object. Text from the file is shown, not obeyed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any
from unicodedata import combining, east_asian_width

from kernels.gguf.errors import plain
from kernels.gguf.model import Tensor
from kernels.gguf.statistics import Codes, Numbers
from kernels.gguf.verify import SEVERITIES, Report

LEAST_WIDTH = 40
SHOWN = 20
"""Findings of a severity that are printed; the JSON has up to a thousand."""
_IN_JSON = 1000
_ROWS = 60
_LAYER = re.compile(r"^blk\.(\d{1,6})\.")


@dataclass(frozen=True, slots=True)
class Style:
    """What the screen can show.

    Parameters
    ----------
    width : in columns.
    colour : whether escapes for colour are understood, and wanted.
    unicode : whether blocks and signs can be encoded.
    """

    width: int = 80
    colour: bool = False
    unicode: bool = True

    def paint(self, text: str, colour: int) -> str:
        """The text, coloured where that is wanted."""
        return f"\x1b[{colour}m{text}\x1b[0m" if self.colour else text

    def bar(self, share: float, width: int) -> str:
        """A bar of this share of the width.

        Examples
        --------
        >>> Style().bar(0.55, 4), Style(unicode=False).bar(0.55, 4)
        ('██▎ ', '##  ')
        """
        eighths = round(min(1.0, max(0.0, share)) * width * 8)
        if not self.unicode:
            return ("#" * round(eighths / 8)).ljust(width)
        return ("█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()).ljust(width)

    def fit(self, text: str, width: int) -> str:
        """The text in exactly so many columns; of a longer one the start and the end, which tell names apart."""
        if _columns(text) > width:
            text = "".join(one for one in text if _columns(one) == 1)
            keep = max(1, width - 1)
            end = keep // 2
            text = text[: keep - end] + "~" + text[len(text) - end :] if len(text) > width else text
        return text + " " * (width - _columns(text))


def lines(report: Report, style: Style, every: bool = False) -> Iterator[str]:
    """The report, line by line; ``every`` tensor, or one line for layers that are alike."""
    width = max(LEAST_WIDTH, style.width)
    style = Style(width, style.colour, style.unicode)
    dot = " · " if style.unicode else ", "
    yield style.paint(plain(report.path.name, width), 1)
    if report.model is not None:
        header = report.model.header
        facts = [f"GGUF {header.version}", size(report.size), plain(report.model.architecture) or "no architecture"]
        facts += [f"{len(header.entries)} tensors", f"{len(header.metadata)} keys", f"aligned to {header.alignment}"]
        yield from _wrapped(dot, facts, width)
        if report.sizes is not None:
            yield from _wrapped(dot, _facts(report, style), width)
        yield ""
        yield from _types(report, style)
        yield ""
        yield from _tensors(report, style, every)
        yield ""
    yield from _findings(report, style)
    counts = [f"{report.count(one)} {one}{'' if report.count(one) == 1 else 's'}" for one in SEVERITIES]
    verdict = style.paint("good", 32) if report.good() else style.paint("not good", 31)
    read = "weights read" if report.deep else "header only; --deep reads the weights"
    facts = [
        f"{verdict}: {', '.join(counts)}",
        *([read] if report.model is not None else []),
        f"{report.seconds:.2f} s",
    ]
    yield from _wrapped(dot, facts, width)


def as_json(report: Report, strict: bool) -> dict[str, Any]:
    """The report as one object: ``ok``, ``findings``, ``tensors``, ``metadata``, …; arrays as their length."""
    model = report.model
    findings = [
        {"severity": severity, "code": one.code, "where": one.where, "message": one.what, "expected": one.expected,
         "hint": one.hint}
        for severity, one in report.findings[:_IN_JSON]
    ]  # fmt: skip
    return {
        "file": str(report.path),
        "bytes": report.size,
        "ok": report.good(strict),
        "strict": strict,
        "deep": report.deep,
        **{one + "s": report.count(one) for one in SEVERITIES},
        "findings": findings,
        "findings_left_out": max(0, len(report.findings) - _IN_JSON),
        "version": model.header.version if model else None,
        "architecture": plain(model.architecture) if model else None,
        "alignment": model.header.alignment if model else None,
        "sizes": asdict(report.sizes) if report.sizes else None,
        "metadata": {plain(key, 400): _value(value.data) for key, value in model.metadata.items()} if model else {},
        "tensors": [_tensor(report, tensor) for tensor in model.tensors.values()] if model else [],
        "seconds": round(report.seconds, 3),
    }


def size(count: int) -> str:
    """Bytes as a person reads them.

    Examples
    --------
    >>> size(999), size(582560), size(2**30)
    ('999 B', '568.9 KiB', '1.0 GiB')
    """
    amount, units = float(count), ["B", "KiB", "MiB", "GiB", "TiB"]
    while amount >= 1024 and len(units) > 1:
        amount, units = amount / 1024, units[1:]
    return f"{amount:.0f} B" if units[0] == "B" else f"{amount:.1f} {units[0]}"


def _facts(report: Report, style: Style) -> list[str]:
    found = report.sizes
    assert found is not None
    gate = {"relu2": "ReLU²" if style.unicode else "ReLU^2", "silu": "SiLU"}[found.activation]
    return [
        f"{found.layers} layers", f"hidden {found.hidden}", f"ffn {found.feed_forward}",
        f"{found.heads} heads, {found.kv_heads} kv", f"vocabulary {found.vocabulary}", f"context {found.context}",
        f"rope {found.rope_base:g}", gate,
    ]  # fmt: skip


def _types(report: Report, style: Style) -> Iterator[str]:
    assert report.model is not None
    by_type: dict[str, list[Tensor]] = {}
    for tensor in report.model.tensors.values():
        by_type.setdefault(tensor.type.name, []).append(tensor)
    whole = max(1, report.size)
    for name, those in sorted(by_type.items(), key=lambda item: -sum(tensor.nbytes for tensor in item[1])):
        taken = sum(tensor.nbytes for tensor in those)
        bits = 8 * taken / sum(tensor.elements for tensor in those)
        row = f"{name:8} {len(those):5} x {size(taken):>10} {taken / whole:6.1%}"
        room = style.width - len(row) - 12
        bar = " " + style.bar(taken / whole, min(20, room)) if room >= 4 else ""
        yield row + style.paint(bar, 36) + (f" {bits:5.2f} bits" if room >= 0 else "")


def _tensors(report: Report, style: Style, every: bool) -> Iterator[str]:
    """One line a tensor, or one for the same tensor of layers that are alike."""
    assert report.model is not None
    groups: dict[tuple[str, tuple[int, ...], str], list[Tensor]] = {}
    for tensor in report.model.tensors.values():
        name = tensor.name if every else _LAYER.sub("blk.*.", tensor.name)
        groups.setdefault((name, tensor.shape, tensor.type.name), []).append(tensor)
    names = [_span(name, those) for (name, _, _), those in groups.items()]
    tail = 14 + 1 + 8 + 1 + 10 + (1 + 29 if report.deep and style.width >= 90 else 0)
    wide = min(max([12, *map(_columns, names[:_ROWS])]), style.width - tail - 1)
    apart = wide < 24  # on a narrow screen a name has a line of its own
    front = "tensor" if apart else "tensor".ljust(wide) + f" {'shape':14} {'type':8} {'bytes':>10}"
    yield style.paint(front + (" values" if report.deep and style.width >= 90 else ""), 2)
    for ((_, shape, kind), those), name in list(zip(groups.items(), names, strict=True))[: None if every else _ROWS]:
        taken = sum(tensor.nbytes for tensor in those)
        dims = style.fit(" x ".join(map(str, shape)), 14)
        row = f"{style.fit(name, wide)} {dims} {style.fit(kind, 8)} {size(taken):>10}"
        if apart:
            yield style.fit(name, style.width).rstrip()
            row = f"  {dims} {style.fit(kind, 8)} {size(taken):>10}"
        seen = [report.statistics[tensor.name] for tensor in those if tensor.name in report.statistics]
        told = _told(seen, style)
        if not told:
            yield row
        elif style.width >= 90:
            yield f"{row} {told}"
        else:
            yield row
            yield "  " + told
    if not every and len(groups) > _ROWS:
        yield f"and {len(groups) - _ROWS} more (--tensors shows every one)"


def _told(seen: list[Codes | Numbers], style: Style) -> str:
    """What the values of these tensors are, in at most 38 columns."""
    codes, numbers = [one for one in seen if isinstance(one, Codes)], [one for one in seen if isinstance(one, Numbers)]
    if codes:
        whole = Codes(
            sum(one.minus for one in codes),
            sum(one.zero for one in codes),
            sum(one.plus for one in codes),
            sum(one.strange for one in codes),
            (min(one.scales[0] for one in codes), max(one.scales[1] for one in codes)),
        )
        bars = " ".join(
            f"{sign}{style.paint(style.bar(share, 4), 36)}"
            for sign, share in zip(("−" if style.unicode else "-", "0", "+"), whole.shares, strict=True)
        )
        odd = style.paint(f" ?{1 - whole.score:.1%}", 31) if whole.strange else ""
        return f"{bars} x {whole.scales[1]:.3g}{odd}"
    if numbers:
        low, high = min(one.low for one in numbers), max(one.high for one in numbers)
        odd = style.paint(" NaN", 31) if any(one.not_finite for one in numbers) else ""
        return f"{low:.3g} to {high:.3g}, rms {max(one.rms for one in numbers):.3g}{odd}"
    return ""


def _span(name: str, those: list[Tensor]) -> str:
    """``blk.0-29.attn_q.weight`` for thirty tensors that are alike."""
    if not name.startswith("blk.*."):
        return plain(name)
    layers = sorted(int(found[1]) for tensor in those if (found := _LAYER.match(tensor.name)))
    span = str(layers[0]) if len(layers) == 1 else f"{layers[0]}-{layers[-1]}"
    gap = "" if layers[-1] - layers[0] + 1 == len(layers) else f" ({len(layers)} of them)"
    return plain(name.replace("*", span, 1)) + gap


def _findings(report: Report, style: Style) -> Iterator[str]:
    colours = {"error": 31, "warning": 33, "note": 2}
    for severity in SEVERITIES:
        those = [error for one, error in report.findings if one == severity]
        for error in those[:SHOWN]:
            label = f"{severity}[{error.code}]" if severity != "note" else severity
            first, *more = _folded(f"{label} {error}", style.width)
            yield style.paint(label, colours[severity]) + first.removeprefix(label)
            yield from more
        if len(those) > SHOWN:
            yield f"and {len(those) - SHOWN} more {severity}s (--json tells them)"


def _folded(text: str, width: int) -> list[str]:
    """The text in lines, those after the first indented."""
    rows, row = [], ""
    for word in text.split(" "):
        while True:
            room = width - _columns(row) - bool(row.strip())
            if _columns(word) <= room:
                row += (" " if row.strip() else "") + word
                break
            if row.strip():
                rows.append(row)
                row = "  "
            else:  # a word longer than a line
                keep = max(1, room // 2)
                rows.append(row + word[:keep])
                row, word = "  ", word[keep:]
    return [*rows, row] if row.strip() or not rows else rows


def _wrapped(dot: str, facts: Iterable[str], width: int) -> Iterator[str]:
    """Facts in lines, a separator between them, none broken."""
    row = ""
    for fact in facts:
        bare = re.sub(r"\x1b\[\d+m", "", row + dot + fact)
        if row and _columns(bare) > width:
            yield row
            row = fact
        else:
            row = row + dot + fact if row else fact
    yield row


def _columns(text: str) -> int:
    """Columns of a screen that a text takes."""
    if text.isascii():
        return len(text)
    return sum(0 if combining(one) else 2 if east_asian_width(one) in "WF" else 1 for one in text)


def _value(data: Any) -> Any:
    if isinstance(data, bool | int):
        return data
    if isinstance(data, float):
        return data if isfinite(data) else str(data)
    if isinstance(data, str):
        return plain(data, 400)
    return {"items": len(data)}


def _tensor(report: Report, tensor: Tensor) -> dict[str, Any]:
    whole: dict[str, Any] = {
        "name": plain(tensor.name), "shape": list(tensor.shape), "type": tensor.type.name, "type_id": tensor.type.id,
        "offset": tensor.offset, "bytes": tensor.nbytes,
    }  # fmt: skip
    found = report.statistics.get(tensor.name)
    if isinstance(found, Codes):
        counts = {name: getattr(found, name) for name in ("minus", "zero", "plus", "strange", "score")}
        whole["codes"] = counts | {"scales": [_value(one) for one in found.scales]}
    elif found is not None:
        whole["numbers"] = {name: _value(value) for name, value in asdict(found).items()}
    return whole
