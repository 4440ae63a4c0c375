"""Skip the `gpu` tests where there is nothing to run them on, and say why."""

import pytest


def why_no_gpu() -> str | None:
    """The reason the `gpu` tests cannot run here, or None."""
    try:
        import cupy
    except ImportError:
        return "missing-tool: CuPy is not installed"
    if not cupy.cuda.is_available():
        return "missing-tool: no CUDA device"
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    wanted = [item for item in items if item.get_closest_marker("gpu")]
    reason = why_no_gpu() if wanted else None
    if reason is not None:
        for item in wanted:
            item.add_marker(pytest.mark.skip(reason=reason))
