"""Find accepted edits without which as much passes. A quick look in warm processes; a plain run has the last word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine.providers.repair.pool import Pool
from engine.providers.repair.replay import Displaced, Step, changed_units, replayed
from engine.providers.repair.source import Source
from engine.providers.repair.trial import Trial


def needless(
    steps: Sequence[Step],
    original: Mapping[str, str],
    sources: Mapping[str, Source],
    mended: tuple[int, ...],
    pool: Pool,
) -> list[Step]:
    """Edits that may be left out, each on its own.

    Parameters
    ----------
    original, sources : files before the first edit, and as the processes have them now.
    mended : tests that pass now and did not before.
    """
    doubtful: list[Step] = []
    touched = {step.candidate.path for step in steps}
    for step in steps if len(steps) > 1 else ():
        try:
            texts = replayed(original, steps, [other for other in steps if other is not step])
        except Displaced:
            continue  # a later edit stands on this one: it is needed
        now = {path: texts.get(path, original[path]) for path in touched}
        patches = changed_units(sources, now)
        early = step.candidate.early or patches is None
        verdict = pool.one(Trial(tuple(patches or ()), now, early, mended, factor=3.0, alone=True))
        if verdict.ends and all(sign.passed for sign in verdict.ends.values()):
            doubtful.append(step)
    return doubtful
