"""Goldens as fixtures; skips what this machine lacks the tools for, and says which."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kernels.backend import why_not

HERE = Path(__file__).parent
DATA = HERE.parent / "data"

# The bodies that the CPU and the GPU tests share live beside them, in a folder that is no package.
sys.path.insert(0, str(HERE))
pytest.register_assert_rewrite("matmul_checks", "fast_tiers", "ops_checks")


@pytest.fixture(scope="session")
def golden() -> dict[str, np.ndarray]:
    """128 x 256 weights, four rows of activations, and what the C++ programs make of them."""
    with np.load(DATA / "gemv_128x256_s1.npz") as arrays:
        return dict(arrays)


@pytest.fixture(scope="session")
def edges() -> dict[str, np.ndarray]:
    """Rows that are hard to round, matrices that are not ternary or all zero."""
    with np.load(DATA / "edge_cases.npz") as arrays:
        return dict(arrays)


@pytest.fixture(scope="session")
def model_path() -> Callable[[str], Path]:
    """Where a tiny model that the C++ programs wrote lies, by name."""

    def place(name: str) -> Path:
        path = DATA / f"{name}.gguf"
        if not path.exists():
            pytest.skip(f"missing-data: {path} (see tests/data/README.md)")
        return path

    return place


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    wanted = [item for item in items if item.get_closest_marker("gpu") and HERE in item.path.parents]
    reason = why_not("gpu") if wanted else None
    if reason is not None:
        for item in wanted:
            item.add_marker(pytest.mark.skip(reason=f"missing-tool: no CUDA device ({reason})"))
