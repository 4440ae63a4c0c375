"""A benchmark as its child would tell it, line by line, and a child that tells it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tests.tui.story import START
from tui.bench.bench import Bench
from tui.bench.sheet import Sheet, fold, said

ABOUT = {
    "type": "about",
    "machine": {"processor": "x86_64", "python": "3.11.7", "numpy": "2.4.6"},
    "backends": [{"used": "numpy", "tier": ""}, {"used": "fast", "tier": "avx2"}],
    "kinds": 9,
}
ABSENT = {"type": "absent", "backend": "gpu", "why": "no CUDA device: CuPy is not installed"}
READ, MULTIPLY = 14.0, 240.0


def kind(op: str, backend: str, batch: int = 0, name: str = "i2_s", side: int = 2560) -> dict[str, Any]:
    cold = op == "matmul" and batch <= 8
    return {
        "op": op, "format": name, "backend": backend, "rows": side, "cols": side, "batch": batch, "threads": 1,
        "cold": cold,
    }  # fmt: skip


def result(
    us: float, op: str, backend: str, batch: int = 0, name: str = "i2_s", spread: float = 0.02
) -> dict[str, Any]:
    moved = 2560 * 2560 / 4 if op == "matmul" else 2560 * 2560 * 5 / 4
    times = {"median_us": us, "p10_us": us * (1 - spread), "p90_us": us * (1 + spread)}
    rates = {"packed_gb_s": moved / us / 1e3, "giga_macs_s": 2560 * 2560 * batch / us / 1e3}
    machine = {"read": READ} | ({"multiply": MULTIPLY, "multiply_best": MULTIPLY} if op == "matmul" else {})
    return {"type": "result", **kind(op, backend, batch, name), **times, **rates, "machine": machine, "calls": 45}


def lines(*, faster: float = 1.0) -> list[dict[str, Any]]:
    """Nine kinds; the fast backend is wrong for 32 tokens."""
    told: list[dict[str, Any]] = [ABOUT, ABSENT]
    for batch, slow, fast in ((1, 9_140.0, 212.0), (8, 11_300.0, 640.0), (32, 16_800.0, 0.0), (128, 41_200.0, 6_330.0)):
        told += [{"type": "begins", **kind("matmul", "numpy", batch)}, result(slow, "matmul", "numpy", batch)]
        told.append({"type": "begins", **kind("matmul", "fast", batch)})
        if fast:
            told.append(result(fast / faster, "matmul", "fast", batch, spread=0.031))
        else:
            why = "max |Δ| 3, 12 of 81920 sums"
            told.append({"type": "wrong", **kind("matmul", "fast", batch), "why": why})
    told += [result(38_500.0, "pack", "numpy", name="tq2_0", spread=0.3), {"type": "end", "kinds": 9, "wrong": 1}]
    return told


def sheet(*, at: float = START, until: int | None = None, faster: float = 1.0) -> Sheet:
    """The sheet of so many lines."""
    found = Sheet(at=at)
    for line in lines(faster=faster)[:until]:
        what = said(json.dumps(line).encode())
        assert what is not None, line
        found = fold(found, what)
    return found


def telling(told: list[dict[str, Any]], then: str = "") -> tuple[str, ...]:
    """A child that says these lines, and then does something."""
    text = "".join(json.dumps(line) + "\n" for line in told)
    code = f"import os, sys, time, signal\nsys.stdout.write({text!r})\nsys.stdout.flush()\n{then}"
    return (sys.executable, "-c", code)


def bench(app: Any, told: list[dict[str, Any]], then: str = "") -> Bench:
    """The app's benchmark with a child that tells this."""
    app.bench = Bench(app.changed, base=telling(told, then), clock=lambda: START + 300)
    return app.bench  # type: ignore[no-any-return]


def run_folder(tmp_path: Path) -> Path:
    folder = tmp_path / ".bitnet-tui" / "runs" / "4f1c"
    folder.mkdir(parents=True)
    return folder
