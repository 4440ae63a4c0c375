"""An edit after which no test runs the line that broke is no sure mend; what ran while importing is looked at, too."""

import pytest

from engine.providers.repair.attempt import Plausible
from engine.providers.repair.dodged import dodged
from engine.providers.repair.edits import Candidate
from engine.providers.repair.locate import while_importing
from engine.providers.repair.observe import Seen
from engine.providers.repair.source import Source
from engine.providers.repair.trial import Sign

TEXT = "def f(rows, more):\n    for row in rows:\n        row.append()\n    return more\n"
SOURCES = {"core.py": Source("core.py", TEXT)}


def seen(*lines, broke=0):
    frames = (("core.py", broke),) if broke else ()
    return Seen(Sign("f" if broke else "p", "", 0, -1), frames, "", {"core.py": frozenset(lines)}, 0.0, 0)


def edit(old, new):
    at = TEXT.index(old)
    line = TEXT.count("\n", 0, at) + 1
    candidate = Candidate("core.py", at, at + len(old), new, line, 1.0, "t", "", False, "f")
    return Plausible((candidate,), None, frozenset({0}), 0, whole=True, full=True)


@pytest.mark.parametrize(
    ("change", "after", "place"),
    [
        (("in rows", "in ()"), {0: seen(2, 4)}, "core.py:3"),
        (("in rows", "in ()"), {0: seen(2, 4), 1: seen(2, 3, 4)}, ""),  # another test goes on to it
        (("row.append()", "row.append(0)"), {0: seen(2, 4)}, ""),  # it was edited itself
        (("    for", "    if not rows:\n        return more\n    for"), {0: seen(2, 3), 1: seen(2, 4, 5, 6)}, ""),
        (("    for", "    if rows:\n        return more\n    for"), {0: seen(2, 3), 1: seen(2, 4, 6)}, "core.py:3"),
    ],
)
def test_the_line_that_broke_and_that_no_test_runs_now_is_named(change, after, place):
    assert dodged([edit(*change)], SOURCES, {0: seen(2, 3, broke=3)}, after) == place


def test_a_test_that_failed_by_its_own_assertion_broke_no_line():
    assert dodged([edit("in rows", "in ()")], SOURCES, {0: seen(2, 3)}, {0: seen(2, 4)}) == ""


def test_what_ran_while_importing_is_suspected_functions_first():
    text = "TABLE = [1]\n\ndef fill(table):\n    table.append(2)\n\ndef idle():\n    return 3\n\nfill(TABLE)\n"
    found = while_importing({"mod.py": Source("mod.py", text)}, {"mod.py": frozenset({1, 3, 4, 6, 9})})
    assert [(spot.first, spot.order) for spot in found] == [(4, 0), (1, 1)]
