"""The evidence behind a row: a test, a suite, an attempt, each as lines no wider than the pane."""

from __future__ import annotations

import shlex
from pathlib import PurePath
from string import ascii_lowercase

from textual.content import Content

from engine.events import DietFinished
from engine.model import Advisory, Label, TestResult
from engine.state import AttemptRow, SuiteRow, TestRow
from tui.format import others, removed, tests
from tui.format.closing import field
from tui.format.places import marked
from tui.format.text import clean, clean_lines, count, line, money, took, wrapped
from tui.theme import ALIVE, BAD, GOOD, MUTED, STRONG, WANTS
from tui.view import View

Lines = list[Content]
BLANK = Content("")
TRACE_LINES = 400
PIECES = 6
_SAYS = {
    Label.FLAKY: "flaky: the audit's rounds disagree, so it decides nothing",
    Label.ORDER: "order-dependent",
    Label.ENVIRONMENT: "environment-broken",
    Label.GREEN: "green in every round of the audit, so it must stay green",
    Label.SKIPPED: "skipped in the audit",
    Label.UNCOLLECTABLE: "could not be collected in the audit",
}


def test(row: TestRow, view: View, width: int) -> Lines:
    """Where it failed, why, and its history."""
    result, state = row.latest, view.state
    if result is None:
        return wrapped(f"{clean(row.nodeid)} has not run yet.", width)
    where = f"{clean(result.path)}:{result.line}" if result.path else clean(row.nodeid.partition("::")[0])
    name = clean(row.nodeid.partition("::")[2] or row.nodeid)
    word = str(result.outcome) + (f" in {result.phase}" if result.phase != "call" and result.outcome.red else "")
    lines = [
        *(marked(part, result.path, result.line) for part in wrapped(where, width, ALIVE)),
        *wrapped(name, width, STRONG),
        line(
            (f"{view.glyphs.outcome(result.outcome)} {word}", tests.outcome_style(result.outcome)),
            (f"    suite {clean(row.suite)}    {took(result.seconds)}", MUTED),
        ),
        BLANK,
    ]
    for text in clean_lines(result.message) if result.message else []:
        lines += wrapped(text, width, BAD if result.outcome.red else "")
    lines += _trace(result, view, width)
    lines += [BLANK, *_past(row, view, width)]
    near = [a for a in state.advisories if not a.path or not result.path or a.path == result.path]
    touched = {f for a in state.attempts if a.finished for f in a.finished.files}
    near += [a for a in state.advisories if a not in near and a.path in touched]
    lines += advisories(tuple(near), width)
    command = rerun(row, view)
    return [*lines, BLANK, *field("rerun", clean(command), width)] if command else lines


def _trace(result: TestResult, view: View, width: int) -> Lines:
    if not result.detail:
        return []
    texts = clean_lines(result.detail.rstrip("\n"))
    left_out = len(texts) - TRACE_LINES
    lines: Lines = [BLANK]
    if left_out > 0:
        lines.append(line((f"  {count(left_out, 'earlier line')} in the log", MUTED)))
    for text in texts[-TRACE_LINES:]:
        mark = text[:2]
        if mark.startswith("E "):
            lines += wrapped(text, width, BAD)
        elif mark.startswith((">", "▶")):
            lines += wrapped(f"{view.glyphs.here}{text[1:]}", width, STRONG)
        else:
            lines += wrapped(text, width)
    return lines


def _past(row: TestRow, view: View, width: int) -> Lines:
    state, g = view.state, view.glyphs
    columns = tests.stages(state)
    names = ["audit", *(f"#{c.lstrip(ascii_lowercase)}" for c in columns[1:])]
    parts = [f"{n} {g.outcome(row.outcomes.get(c))}" for n, c in zip(names, columns, strict=True)]
    lines = field("history", "   ".join(parts), width)
    if row.label is not None:
        target = ", a target of this run" if row.target else ""
        says = _SAYS.get(row.label, f"red in every round of the audit{target}")
        lines += field("audit says", f"{says}: {clean(row.why)}" if row.why else says, width)
    _, bracket, parameters = row.nodeid.partition("[")
    if bracket:
        lines += field("parameters", clean(parameters.removesuffix("]")), width)
    path = row.latest.path if row.latest else ""
    edits = [a.number for a in state.attempts if path and a.finished and path in a.finished.files]
    if edits:
        lines += field("last touched", f"{clean(path)} by attempt {edits[-1]}", width)
    return lines


def rerun(row: TestRow, view: View) -> str:
    """What a person types to run this test alone in their own files."""
    state = view.state
    if state.started is None:
        return ""
    # A key in the parameters was replaced where the id was written down: the function runs with all of them then.
    nodeid = row.nodeid if "‹redacted" not in row.nodeid else row.nodeid.partition("[")[0]
    folder = str(PurePath(state.started.root, state.started.prefix))
    python = state.environment.python if state.environment is not None else "python"
    return f"cd {shlex.quote(folder)} && {shlex.quote(python)} -m pytest {shlex.quote(nodeid)}"


def _advised(row: AttemptRow) -> str:
    """What became of advisories: those open when it began count, too."""
    settled = len(row.followed) + len(row.ignored)
    if settled:
        return f"{len(row.followed)} of {settled} followed"
    return f"{len(row.advisories)} so far" if row.advisories and row.finished is None else ""


def _diet(row: AttemptRow, diet: DietFinished, width: int) -> Lines:
    """What was taken away, by the diet and by a person, and what a person brought back."""
    minimal = "no smaller patch passes" if diet.minimal else "not shown to be minimal"
    note = f"; {clean(diet.note)}" if diet.note else ""
    lines = field("diet", f"{diet.dropped} dropped in {diet.runs} runs, {minimal}{note}", width)
    mine = [p for p in diet.removed_pieces if p.index in row.reverted]
    gone = [p for p in diet.removed_pieces if p.index not in row.reverted]
    back = [p for p in row.removed if p.index in row.restored]
    for word, pieces in (("taken away", gone), ("by hand", mine), ("brought back", back)):
        for number, piece in enumerate(pieces[:PIECES]):
            lines += field("" if number else word, removed.place(piece), width)
        if len(pieces) > PIECES:
            lines += field("", f"and {count(len(pieces) - PIECES, 'more piece')}", width, MUTED)
    return lines


def advisories(given: tuple[Advisory, ...], width: int) -> Lines:
    lines: Lines = []
    for a in given:
        where = f"{clean(a.path)}:{a.line}" if a.path and a.line else clean(a.path)
        lines += [BLANK, marked(line(("▲ advisory  ", WANTS), where or clean(a.code)), a.path, a.line)]
        lines += wrapped(clean(a.text), width)
        lines += wrapped("never blocks a run", width, MUTED)
    return lines


def suite(row: SuiteRow, view: View, width: int) -> Lines:
    lines = [line((f"suite {clean(row.name)}", STRONG)), BLANK]
    if row.last is None:
        return [*lines, *wrapped("It has not ended yet." if row.running else "It has not run yet.", width)]
    last = row.last
    lines += field("ended", str(last.ended) + (f" ({clean(last.reason)})" if last.reason else ""), width)
    lines += field("exit code", str(last.exit_code), width)
    lines += field("tests", f"{last.total} in {took(last.seconds)}", width)
    if last.left_out:
        lines += field("left out", count(last.left_out, "test"), width)
    if last.problem:
        lines += field("problem", clean(last.problem), width, BAD)
    for error in last.collect_errors:
        found = wrapped(f"{view.glyphs.fails} {clean(error.nodeid)}", width, BAD)
        lines += [BLANK, *(marked(part, error.nodeid.partition("::")[0]) for part in found)]
        lines += wrapped(clean(error.message), width)
        for text in clean_lines(error.detail) if error.detail else []:
            lines += wrapped(f"  {text}", width, MUTED)
    for used, wanted in last.foreign:
        lines += field("foreign", f"{clean(used)} was used, {clean(wanted)} should have been", width, BAD)
    return lines


def attempt(row: AttemptRow, view: View, width: int) -> Lines:
    lines = [line((f"attempt {row.number}", STRONG), (f"  {clean(row.provider)}", MUTED)), BLANK]
    after = "?" if row.failing_after is None else str(row.failing_after)
    lines += field("failing", f"{row.failing_before} → {after}", width)
    if row.verdict is not None:
        lines += field("verdict", str(row.verdict), width, GOOD if row.verdict == "verified" else BAD)
    for number, reason in enumerate(row.reasons):
        lines += field("" if number else "because", clean(reason), width)
    if row.hint:
        lines += field("your hint", clean(row.hint), width)
    if row.finished is not None:
        done = row.finished
        lines += field("it said", f"{clean(done.outcome)}: {clean(done.summary)}", width)
        lines += field("changed", f"{row.slimmed} in {clean(', '.join(row.files)) or 'no file'}", width)
        if done.transient:
            lines += field("cut short", clean(done.transient), width)
        for number, text in enumerate(clean_lines(done.evidence) if done.evidence else []):
            lines += field("" if number else "evidence", text, width)
        if done.doubt:
            lines += field("doubt", clean(done.doubt), width)
        for number, other in enumerate(done.runners_up):
            lines += field("" if number else "or", others.title(other), width)
        if refused := others.refused(row):
            lines += field("", refused, width, MUTED)
    if row.first_ran:
        lines += field("tests", clean(row.first_ran), width)
        if not row.whole:
            lines += field("", "the rest of the suites did not run", width)
    if row.diet is not None:
        lines += _diet(row, row.diet, width)
    if told := _advised(row):
        lines += field("advisories", told, width)
    u = row.usage
    tokens = f"{u.tokens_in + u.cached:,} in, {u.tokens_out:,} out"
    lines += field("used", f"{count(u.calls, 'call')}, {tokens}, {money(u.usd)}", width)
    p = row.progress
    for word, keys in (("fixed", p.fixed), ("broken", p.broken), ("still red", p.still), ("gone", p.gone)):
        for number, key in enumerate(keys):
            text = tests.short_name(*key.split(" ", 1)) if " " in key else clean(key)
            lines += field("" if number else word, text, width, BAD if word == "broken" else "")
    return lines
