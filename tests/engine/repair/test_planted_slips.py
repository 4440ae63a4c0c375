"""The benchmark's slips: each is a program of its own that differs from the right one where it says."""

import ast

from benchmarks.repair.slips import KINDS, slips

RIGHT = '''import numpy as np


def scaled(x, bits, out=None):
    """Codes of -3 to 3: never a place for a slip."""
    if not len(x):
        return np.zeros(0, np.int8)
    wide = -(-len(x) // 4)
    scale = np.abs(x).max(axis=1, keepdims=True)
    codes = np.clip(np.rint(x / scale), -3, 3).astype(np.int8)
    for lane in range(1, bits):
        codes[: wide] |= codes[0] << (2 * lane)
    return codes[:, None] if bits > 1 and x.size else codes.copy()
'''


def test_each_slip_is_a_program_that_differs_in_one_place():
    (function,) = (node for node in ast.parse(RIGHT).body if isinstance(node, ast.FunctionDef))
    seen = {}
    for slip in slips(function):
        text = slip.made(RIGHT)
        if text:
            seen.setdefault(slip.kind, set()).add(text)
            assert "never a place for a slip" in text
            changed = [row for row in text.splitlines() if row not in RIGHT.splitlines()]
            assert len(changed) <= 2, slip.kind
    assert seen.keys() <= KINDS.keys()
    assert len(seen) >= 20
    assert any("axis=0" in text for text in seen["axis"])
    assert RIGHT.replace(", keepdims=True", "") in seen["keepdims"]
    assert RIGHT.replace("<< (2 * lane)", ">> 2 * lane") in seen["bitwise"]
    assert RIGHT.replace("-(-len(x) // 4)", "(len(x) // 4)") in seen["tail"]
    assert any("    pass\n    wide" in text for text in seen["base_case"])
