"""The detail pane: what is known of the one thing that is selected, as lines no wider than the pane."""

from __future__ import annotations

from textual.content import Content

from engine.model import Advisory, Label, TestResult
from engine.state import AttemptRow, RunState, SuiteRow, TestRow
from tui.format import tests
from tui.format.closing import closing, field
from tui.format.status import running, under_way
from tui.format.text import clean, clean_lines, count, line, money, took, wrapped
from tui.theme import ALIVE, BAD, GOOD, MUTED, STRONG, WANTS
from tui.view import View

Lines = list[Content]
BLANK = Content("")
TRACE_LINES = 400


def subject(view: View, chosen: str, width: int) -> Lines:
    """The lines for ``chosen``: ``test:…``, ``suite:…``, ``attempt:…``, ``gate:…``, ``hop:…``; empty: what matters now."""
    kind, _, name = chosen.partition(":")
    state = view.state
    if kind == "test" and name in state.tests:
        return test(state.tests[name], view, width)
    if kind == "suite" and name in state.suites:
        return suite(state.suites[name], view, width)
    if kind == "gate":
        return gate(name, view, width)
    if kind == "attempt" and name.isdigit():
        return next((attempt(a, view, width) for a in state.attempts if a.number == int(name)), [])
    if kind == "hop" and name.isdigit() and int(name) < len(state.hops):
        return hop(int(name), view, width)
    return now(view, width)


def title(view: View, chosen: str) -> str:
    """What the pane's lower edge names."""
    kind, _, name = chosen.partition(":")
    if kind == "test" and name in view.state.tests:
        row = view.state.tests[name]
        return tests.short_name(row.suite, row.nodeid)
    if kind in ("suite", "gate", "attempt"):
        return clean(f"{kind} {name}")
    if kind == "hop" and name.isdigit():
        return f"hop {int(name) + 1}"
    return "how it ended" if view.ended else "now"


def now(view: View, width: int) -> Lines:
    """With nothing chosen: the ending, what the provider does, the worst test, or what is under way."""
    state = view.state
    if view.ended:
        return closing(view, width)
    busy = running(state)
    if state.activity and state.step in ("edit", None) and not state.deciding:
        return activity(view, width)
    if busy is None and state.failing:
        return test(state.failing[0], view, width)
    return [*wrapped(under_way(view), width, ALIVE), BLANK, *_facts(state, width)]


def _facts(state: RunState, width: int) -> Lines:
    """What was found out so far, while there is nothing better to show."""
    lines: Lines = []
    if state.started is not None:
        lines += field("project", clean(state.started.root), width)
        lines += field("providers", clean(", ".join(state.started.providers)), width)
        if state.started.why_provider:
            lines += field("", clean(state.started.why_provider), width, MUTED)
        lines += field("settings", clean(state.started.config or "defaults"), width)
    if state.environment is not None:
        env = state.environment
        lines += field("python", clean(f"{env.python_version}, pytest {env.pytest_version}"), width)
        lines += field("protection", clean(", ".join(env.protections) or "none"), width)
    if state.snapshot is not None:
        snap = state.snapshot
        what = f"{clean(snap.branch or 'detached')} at {snap.head[:9]}"
        lines += field("snapshot", f"{what}, {snap.dirty} changed, {snap.untracked} untracked", width)
    if state.audit is not None:
        lines += field("targets", f"{count(len(state.audit.targets), 'test')} to mend", width)
    return [*lines, *advisories(state.advisories, width)]


def activity(view: View, width: int) -> Lines:
    """What the provider does, newest last."""
    state = view.state
    attempt_ = state.attempt
    head = f"attempt {attempt_.number} · {clean(attempt_.provider)}" if attempt_ else "the provider"
    lines = [line((head, STRONG), (f"  {clean(state.model)}", MUTED))]
    if attempt_ is not None and attempt_.hint:
        lines += field("your hint", clean(attempt_.hint), width)
    lines.append(BLANK)
    for text in state.activity:
        for part in clean_lines(text):
            style = {"✓": GOOD, "✗": BAD}.get(part[:1], "")
            body = line((part[:1], style), part[1:]) if style else Content(part)
            lines += body.wrap(max(8, width))
    return lines


def test(row: TestRow, view: View, width: int) -> Lines:
    """Where it failed, why, and its history."""
    result, state = row.latest, view.state
    if result is None:
        return wrapped(f"{clean(row.nodeid)} has not run yet.", width)
    where = f"{clean(result.path)}:{result.line}" if result.path else clean(row.nodeid.partition("::")[0])
    name = clean(row.nodeid.partition("::")[2] or row.nodeid)
    word = str(result.outcome) + (f" in {result.phase}" if result.phase != "call" and result.outcome.red else "")
    lines = [
        *wrapped(where, width, ALIVE),
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
    return [*lines, *advisories(tuple(near), width)]


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
            lines += wrapped(f"  {text}", width, BAD)
        elif mark.startswith((">", "▶")):
            lines += wrapped(
                f"{view.glyphs.here} {text[1:].lstrip(' ') if text[1:2] != ' ' else text[2:]}", width, STRONG
            )
        else:
            lines += wrapped(f"  {text}", width)
    return lines


def _past(row: TestRow, view: View, width: int) -> Lines:
    state, g = view.state, view.glyphs
    columns = tests.stages(state)
    names = ["audit", *(f"#{c.removeprefix('verify')}" for c in columns[1:])]
    parts = [f"{n} {g.outcome(row.outcomes.get(c))}" for n, c in zip(names, columns, strict=True)]
    lines = field("history", "   ".join(parts), width)
    if row.label is not None:
        words = {
            Label.RED: "red in every round of the audit" + (", a target of this run" if row.target else ""),
            Label.FLAKY: "flaky: the audit's rounds disagree, so it decides nothing",
            Label.GREEN: "green in every round of the audit, so it must stay green",
            Label.SKIPPED: "skipped in the audit",
            Label.UNCOLLECTABLE: "could not be collected in the audit",
        }
        lines += field("audit says", words[row.label], width)
    edits = [
        (a, f) for a in state.attempts if a.finished for f in a.finished.files if row.latest and f == row.latest.path
    ]
    if edits:
        lines += field("last touched", f"{clean(edits[-1][1])} by attempt {edits[-1][0].number}", width)
    return lines


def advisories(given: tuple[Advisory, ...], width: int) -> Lines:
    lines: Lines = []
    for a in given:
        where = f"{clean(a.path)}:{a.line}" if a.path and a.line else clean(a.path)
        lines += [BLANK, line(("▲ advisory  ", WANTS), where or clean(a.code))]
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
        lines += [BLANK, *wrapped(f"{view.glyphs.fails} {clean(error.nodeid)}", width, BAD)]
        lines += wrapped(clean(error.message), width)
        for text in clean_lines(error.detail) if error.detail else []:
            lines += wrapped(f"  {text}", width, MUTED)
    for used, wanted in last.foreign:
        lines += field("foreign", f"{clean(used)} was used, {clean(wanted)} should have been", width, BAD)
    return lines


def gate(name: str, view: View, width: int) -> Lines:
    known = view.state.gates.get(name)
    head = line((f"gate {clean(name)}", STRONG))
    if known is None:
        return [head, BLANK, *wrapped("No receipt yet: this gate has not been looked at.", width, MUTED)]
    mark = {"pass": GOOD, "fail": BAD}.get(known.status, MUTED)
    lines = [head, BLANK, *field("status", f"{view.glyphs.gate(known.status)} {known.word}", width, mark)]
    for number, text in enumerate(clean_lines(known.evidence) if known.evidence else ["none was given"]):
        lines += field("evidence" if not number else "", text, width)
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
        lines += field("changed", f"{row.diff} in {clean(', '.join(done.files)) or 'no file'}", width)
        if done.transient:
            lines += field("cut short", clean(done.transient), width)
        for number, text in enumerate(clean_lines(done.evidence) if done.evidence else []):
            lines += field("" if number else "evidence", text, width)
    if row.diet is not None:
        minimal = "no smaller patch passes" if row.diet.minimal else "not shown to be minimal"
        lines += field("diet", f"{row.diet.dropped} dropped in {row.diet.runs} runs, {minimal}", width)
    u = row.usage
    lines += field(
        "used", f"{count(u.calls, 'call')}, {u.tokens_in + u.cached:,} in, {u.tokens_out:,} out, {money(u.usd)}", width
    )
    for word, keys in (
        ("fixed", row.progress.fixed),
        ("broken", row.progress.broken),
        ("still red", row.progress.still),
    ):
        for number, key in enumerate(keys):
            lines += field(word if not number else "", clean(key), width, BAD if word == "broken" else "")
    return lines


def hop(index: int, view: View, width: int) -> Lines:
    known = view.state.hops[index]
    lines = [line((f"hop {index + 1}", STRONG)), BLANK]
    lines += field("agent", clean(known.agent), width)
    lines += field("route", clean(str(known.route)), width)
    return [*lines, *field("because", clean(known.text), width)]
