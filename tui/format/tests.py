"""The tests pane: which rows there are, cheaply and in a stable order, and how one row reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from itertools import chain
from operator import attrgetter
from typing import NamedTuple

from rich.cells import cell_len
from textual.content import Content

from engine.model import RED, Ended, Label, TestOutcome, TestResult
from engine.state import RunState, SuiteRow, TestRow
from tui.format.status import round_words, suite_progress
from tui.format.text import clean, cut, fit, line, took
from tui.glyphs import Glyphs
from tui.keymap import Keymap
from tui.theme import ALIVE, BAD, GOOD, MUTED, STRONG, WANTS

SKIPPED_SHOWN = 2
FIXED_SHOWN = 6
NAME_CELLS = 48
SKIPPED_CELLS = 16
SUBJECT_CELLS = 6  # what is left of a file's name, at least
TAIL_CELLS = 8
_DECIDES_NOTHING: Mapping[Label | None, str] = {
    Label.FLAKY: "flaky",
    Label.ORDER: "order",
    Label.ENVIRONMENT: "missing",
}


class Item(NamedTuple):
    """One row of the pane; ``key`` is empty where the cursor does not rest."""

    kind: str  # suite, running, test, more, heading, blank, sentence
    key: str
    row: TestRow | None = None
    suite: SuiteRow | None = None
    text: str = ""
    counts: tuple[int, int, int] = (0, 0, 0)  # red, holding, skipped
    result: TestResult | None = None


def tally(rows: Collection[TestRow]) -> tuple[int, int, int]:
    """How many are red, hold, were skipped."""
    red = held = skipped = 0
    for row in rows:
        latest = row.latest
        if latest is None or (row.label is Label.UNCOLLECTABLE and row.opened):
            continue
        if latest.outcome in RED:
            red += 1
        elif latest.outcome is TestOutcome.SKIPPED:
            skipped += 1
        else:
            held += 1
    return red, held, skipped


def totals(rows: Iterable[Item]) -> tuple[int, int, int]:
    """The same of all suites that are listed."""
    red, held, skipped = zip(*((0, 0, 0), *(i.counts for i in rows)), strict=True)
    return sum(red), sum(held), sum(skipped)


def _fold_away(
    key: str, rows: list[TestRow], shown: int, word: str, expanded: Collection[str], fold: str
) -> list[Item]:
    """``rows``, all but the first ``shown`` behind one line that opens them; ``fold``: the key that does."""
    if len(rows) <= shown:
        more, said = len(rows), ""
    elif key in expanded:
        more, said = len(rows), f"all {len(rows)} {word}, {fold} folds"
    else:
        more, said = shown, f"+{len(rows) - shown} {word}"
    items = [Item("test", r.key, r) for r in rows[:more]]
    return [*items, Item("more", key, text=said)] if said else items


def items(
    state: RunState,
    latest: Mapping[str, TestResult] | None = None,
    expanded: Collection[str] = (),
    needle: str = "",
    keymap: Keymap | None = None,
) -> list[Item]:
    """The rows of the pane, suite by suite, each group in the order its tests were first met."""
    if not state.tests:
        return [*_suite_heads(state), Item("sentence", "", text=empty(state))]
    red: dict[str, list[TestRow]] = {}
    skipped: dict[str, list[TestRow]] = {}
    fixed: list[TestRow] = []
    holding: list[TestRow] = []
    keymap = keymap or Keymap()
    fold = keymap.written("item.open")
    needle, audited = needle.casefold(), state.audit is not None
    passed, hidden, mended = TestOutcome.PASSED, Label.UNCOLLECTABLE, Label.RED
    for row in state.tests.values():  # of a flood of results, this is what costs: nothing is looked up twice
        shown, label = row.latest, row.label
        if shown is None or (label is hidden and row.opened):
            continue
        if needle and needle not in row.nodeid.casefold():
            continue
        outcome = shown.outcome
        if outcome is not passed and outcome in RED:  # a set asks an outcome for its hash, which is slow
            red.setdefault(row.suite, []).append(row)
        elif outcome is TestOutcome.SKIPPED:
            skipped.setdefault(row.suite, []).append(row)
        elif label is mended or (label is None and audited):
            fixed.append(row)
        else:
            holding.append(row)
    held = Counter(map(attrgetter("suite"), chain(fixed, holding)))
    rows: list[Item] = []
    for name in dict.fromkeys([*state.suites, *red, *skipped, *held]):
        suite = state.suites.get(name, SuiteRow(name))
        bad, off = red.get(name, []), skipped.get(name, [])
        rows.append(Item("suite", f"suite:{name}", suite=suite, counts=(len(bad), held.get(name, 0), len(off))))
        if suite.running and not needle:
            rows.append(Item("running", "", suite=suite, result=(latest or {}).get(name)))
        rows += [Item("test", r.key, r) for r in bad]
        rows += _fold_away(f"skipped:{name}", off, SKIPPED_SHOWN, "more skipped", expanded, fold)
    if fixed:
        rows += [Item("blank", ""), Item("heading", "", text="newly passing since the audit")]
        rows += _fold_away("fixed", fixed, FIXED_SHOWN, "more newly passing", expanded, fold)
    if holding:
        rows.append(Item("blank", ""))
        rows += _fold_away("passing", holding, len(holding) if needle else 0, "passing", expanded, fold)
    if needle and not (red or skipped or held):
        rows.append(
            Item("sentence", "", text=f"No test has “{needle}” in its name. {keymap.written('back')} shows all.")
        )
    return rows


def _suite_heads(state: RunState) -> list[Item]:
    return [Item("suite", f"suite:{n}", suite=r) for n, r in state.suites.items() if r.running or r.last is not None]


def empty(state: RunState) -> str:
    """Why there is no test to see."""
    if state.ended is not None:
        return "No test was run."
    if state.started is None:
        return "No tests yet. The engine is starting."
    if not state.started.suites:
        return "No tests: no suite is set up."
    names = " and ".join(clean(n) for n in state.started.suites)
    plural = "suites" if len(state.started.suites) > 1 else "suite"
    return f"No tests yet. The audit runs {plural} {names} first, to see what fails every time."


@lru_cache(4096)
def short_name(suite: str, nodeid: str) -> str:
    """A node id as people say it: the file's subject, a dot, the test.

    Examples
    --------
    >>> short_name("cpu", "tests/kernels/test_cpu_i2s.py::test_cpu_i2s_round_trip[width=33]")
    'i2s · round_trip[width=33]'
    """
    path, _, rest = clean(nodeid).partition("::")
    stem = path.rsplit("/", 1)[-1].removesuffix(".py").removeprefix("test_")
    if not rest:
        return path
    stem = stem.removeprefix(f"{suite}_") or stem
    head, bracket, parameters = rest.partition("[")
    *classes, name = head.split("::")
    name = name.removeprefix("test_").removeprefix(f"{suite}_") or name
    name = name.removeprefix(f"{stem}_") or name
    return f"{stem} · {'.'.join([*classes, name])}{bracket}{parameters}"


def name_in(row: TestRow, width: int) -> str:
    """The short name in at most ``width`` cells: the file gives way first, the parameters last."""
    name = short_name(row.suite, row.nodeid)
    subject, dot, rest = name.partition(" · ")
    room = width - cell_len(rest) - len(dot)
    if cell_len(name) > width and rest and room < cell_len(subject):
        name = f"{cut(subject, max(SUBJECT_CELLS, room))}{dot}{rest}"
    head, bracket, parameters = name.partition("[")
    if cell_len(name) > width and bracket and cell_len(parameters) < width // 3:
        return f"{cut(head, width - cell_len(parameters) - 1)}[{parameters}"
    return cut(name, width)


def stages(state: RunState) -> list[str]:
    """The columns of a test's history: the audit, then each attempt with a verdict, of every suite or of a part."""
    return ["audit1", *(a.stage for a in state.attempts if a.verdict is not None)]


def history(row: TestRow, columns: list[str], glyphs: Glyphs) -> str:
    """One glyph a column; a dot where the test did not run."""
    return "".join(glyphs.outcome(row.outcomes.get(c)) for c in columns)


def outcome_style(outcome: TestOutcome | None) -> str:
    if outcome is None or outcome is TestOutcome.SKIPPED:
        return MUTED
    return BAD if outcome.red else GOOD


def _tail(row: TestRow) -> tuple[str, str]:
    """The last column: a word where a word says more than the seconds."""
    result = row.latest
    if result is None:
        return "", ""
    if result.outcome.red and row.label is Label.GREEN:
        return "broken", BAD
    if row.label in _DECIDES_NOTHING:
        return _DECIDES_NOTHING[row.label], WANTS
    if result.outcome.red and result.outcome is not TestOutcome.FAILED:
        return str(result.outcome), BAD
    return took(result.seconds), MUTED


def _test(row: TestRow, state: RunState, glyphs: Glyphs, width: int) -> Content:
    outcome = row.outcome
    mark = (f"{glyphs.outcome(outcome)} ", outcome_style(outcome))
    if outcome is TestOutcome.SKIPPED:
        reason = clean(row.latest.message).removeprefix("Skipped: ") if row.latest else ""
        text = f"  skipped ({reason})" if reason else "  skipped"
        name = name_in(row, max(SKIPPED_CELLS, width - 2 - min(len(text), 24)))
        name = fit(name, max(SKIPPED_CELLS, cell_len(name)))
        return line(mark, name, (text, MUTED)).truncate(width, ellipsis=True)
    columns = stages(state)
    seen = max(3, state.retries.limit + 2)
    room = min(NAME_CELLS, width - 2 - 1 - seen - TAIL_CELLS)
    past = fit(history(row, columns, glyphs), seen)
    tail, tail_style = _tail(row)
    return line(mark, fit(name_in(row, room), room), " ", (past, MUTED), (f"{tail:>{TAIL_CELLS}}", tail_style))


def counts_text(counts: tuple[int, int, int], glyphs: Glyphs, cells: int = 1) -> list[tuple[str, str]]:
    """``3 ✗  37 ✓  4 –``; what there is none of is left out."""
    red, held, skipped = counts
    parts = [(f"{red:>{cells}} {glyphs.fails}  ", BAD)] if red else []
    parts += [(f"{held:>{cells}} {glyphs.holds}  ", GOOD)] if held else []
    parts += [(f"{skipped:>{cells}} {glyphs.skipped}  ", MUTED)] if skipped else []
    return parts


def _suite(item: Item, glyphs: Glyphs) -> Content:
    suite = item.suite or SuiteRow("")
    parts: list[str | tuple[str, str]] = [(f"{clean(suite.name):<5} ", STRONG)]
    if suite.skipped and suite.last is not None:
        left = f", {suite.last.left_out} tests left out" if suite.last.left_out else ""
        return line(*parts, (f"{glyphs.skipped} skipped ({clean(suite.last.reason)}){left}", MUTED))
    if not any(item.counts):
        return line(*parts, ("" if suite.running or suite.last else "not run yet", MUTED))
    parts += counts_text(item.counts, glyphs, cells=2)
    if suite.last is not None and not suite.running:
        if suite.last.problem:
            parts.append((f"{glyphs.fails} {clean(suite.last.problem)}", BAD))
        elif suite.last.collect_errors:
            parts.append((f"{glyphs.fails} {len(suite.last.collect_errors)} not collectable", BAD))
        elif suite.last.ended is not Ended.FINISHED:
            parts.append((f"{glyphs.fails} {suite.last.ended}", BAD))
    return line(*parts)


def _running(item: Item, glyphs: Glyphs) -> Content:
    suite = item.suite or SuiteRow("")
    parts: list[str | tuple[str, str]] = [(f"{glyphs.alive} {round_words(suite.running)} · ", ALIVE)]
    parts.append((suite_progress(suite), ALIVE))
    if item.result is not None:
        done = item.result
        parts += [(f"  {glyphs.outcome(done.outcome)} ", outcome_style(done.outcome))]
        parts += [(short_name(done.suite, done.nodeid), MUTED)]
    return line(*parts)


def draw(item: Item, state: RunState, glyphs: Glyphs, width: int) -> Content:
    """One row at a width."""
    if item.kind == "test" and item.row is not None:
        return _test(item.row, state, glyphs, width)
    if item.kind == "suite":
        return _suite(item, glyphs)
    if item.kind == "running":
        return _running(item, glyphs)
    return line((item.text, MUTED))


__all__ = ["Item", "draw", "empty", "history", "items", "short_name", "stages", "tally"]
