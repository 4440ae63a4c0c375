"""Which flow this process was started for; ours runs, any other is left alone."""

from __future__ import annotations

from collections.abc import Mapping


def guard(environ: Mapping[str, str]) -> tuple[str, bool]:
    """The flow's name, and whether it is ours; unset counts as ours.

    Examples
    --------
    >>> guard({"CURRENT_FLOW": "review"})
    ('review', False)
    """
    flow = environ.get("CURRENT_FLOW", "") or "generative"
    return flow, flow == "generative"
