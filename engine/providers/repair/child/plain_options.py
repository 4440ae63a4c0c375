"""Options of the project's own that would have its tests run elsewhere, or stop early, turned off."""

from __future__ import annotations

from typing import Any


def run_here(config: Any) -> None:
    """Every chosen test runs, in this very process: no worker of xdist would know the plug-ins."""
    config.option.stepwise = config.option.stepwise_skip = False
    if hasattr(config.option, "numprocesses"):
        config.option.numprocesses, config.option.dist, config.option.tx = 0, "no", []
