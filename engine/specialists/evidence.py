"""Which tool carries which specialist's evidence."""

from __future__ import annotations

from collections.abc import Mapping

from engine.specialists.case import Look

LOOKS: Mapping[str, Look] = {}
"""By the agent's name."""
