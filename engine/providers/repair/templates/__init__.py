"""The kinds of edits that are tried, as data: one table, each row a small generator over a view."""

from __future__ import annotations

from engine.providers.repair.templates import (
    arrays,
    calls,
    classics,
    conditions,
    constants,
    displays,
    forgotten,
    ingredients,
    layouts,
    loops,
    names,
    operators,
    quantised,
    reach,
    repeats,
    statements,
    targets,
    verdicts,
)
from engine.providers.repair.templates.base import Swap, Template

TEMPLATES: tuple[Template, ...] = (
    *operators.TEMPLATES,
    *constants.TEMPLATES,
    *names.TEMPLATES,
    *calls.TEMPLATES,
    *targets.TEMPLATES,
    *displays.TEMPLATES,
    *loops.TEMPLATES,
    *forgotten.TEMPLATES,
    *classics.TEMPLATES,
    *verdicts.TEMPLATES,
    *arrays.TEMPLATES,
    *quantised.TEMPLATES,
    *layouts.TEMPLATES,
    *reach.TEMPLATES,
    *repeats.TEMPLATES,
    *conditions.TEMPLATES,
    *statements.TEMPLATES,
    *ingredients.TEMPLATES,
)
TIERS = tuple(sorted({template.tier for template in TEMPLATES}))

__all__ = ["TEMPLATES", "TIERS", "Swap", "Template"]
