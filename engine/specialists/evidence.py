"""Which tool carries which specialist's evidence."""

from __future__ import annotations

from collections.abc import Mapping

from engine.specialists import (
    benchmark,
    contradiction,
    documentation,
    fixtures,
    issue,
    mutation,
    refine,
    review,
    security,
)
from engine.specialists.case import Look

LOOKS: Mapping[str, Look] = {
    "code-reviewer": review.look,
    "code-refiner": refine.look,
    "test-hardener": mutation.look,
    "spec-analyzer": contradiction.look,
    "issue-creator": issue.look,
    "generative-benchmark-runner": benchmark.look,
    "security-scanner": security.look,
    "doc-updater": documentation.look,
    "generative-fixture-builder": fixtures.look,
}
"""By the agent's name."""
