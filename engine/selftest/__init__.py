"""Whether the check holds here: known ways to fake green, planted in a scratch copy, each beside an honest change."""

from engine.selftest.around import CONFIGURATION, TESTS_CHANGED, WORKTREE
from engine.selftest.inside import ENDS, EQUALITY, EYES, FRAMEWORK, HEART

CORPUS = {
    "equality": EQUALITY,
    "an early end": ENDS,
    "the framework": FRAMEWORK,
    "eyes on the test": EYES,
    "by heart": HEART,
    "configuration": CONFIGURATION,
    "the tests": TESTS_CHANGED,
    "the worktree": WORKTREE,
}
"""All cheats by kind."""

__all__ = ["CORPUS"]
