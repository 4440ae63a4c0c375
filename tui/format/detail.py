"""The detail pane: what is known of the one thing that is selected, as lines no wider than the pane."""

from __future__ import annotations

from textual.content import Content

from engine.state import RunState
from tui.format import evidence, tests
from tui.format.closing import closing, field
from tui.format.evidence import advisories, attempt, suite, test
from tui.format.status import running, under_way
from tui.format.text import clean, clean_lines, count, line, wrapped
from tui.theme import ALIVE, BAD, GOOD, MUTED, STRONG
from tui.view import View

Lines = list[Content]
BLANK = Content("")


def subject(view: View, chosen: str, width: int) -> Lines:
    """The lines for ``chosen``, a kind and a name such as ``gate:impl``; for an empty one, what matters now."""
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


def rerun(view: View, chosen: str) -> str:
    """The command that runs the shown test again; empty if the subject is something else."""
    kind, _, name = chosen.partition(":")
    if not kind and not view.ended and _shows_failing(view):
        return evidence.rerun(view.state.failing[0], view)
    return evidence.rerun(view.state.tests[name], view) if kind == "test" and name in view.state.tests else ""


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
    if not view.ended and _shows_failing(view):
        return title(view, f"test:{view.state.failing[0].key}")
    if view.ended:
        return "how it ended"
    if view.state.attempt is not None and running(view.state) is None:
        return f"attempt {view.state.attempt.number}"
    return "now"


def now(view: View, width: int) -> Lines:
    """With nothing chosen: the ending, what the provider does, the worst test, or what is under way."""
    state = view.state
    if view.ended:
        return closing(view, width)
    if editing(state):
        return activity(view, width)
    if _shows_failing(view):
        return test(state.failing[0], view, width)
    if state.attempt is not None and running(state) is None:
        return attempt(state.attempt, view, width)
    return [*wrapped(under_way(view), width, ALIVE), BLANK, *_facts(state, width)]


def editing(state: RunState) -> bool:
    """The provider is at work, so what it does is what matters."""
    return bool(state.activity) and state.step == "edit" and not state.deciding


def _shows_failing(view: View) -> bool:
    return not editing(view.state) and running(view.state) is None and bool(view.state.failing)


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
        for number, u in enumerate(state.audit.unfit):
            text = f"{tests.short_name(u.suite, u.nodeid)}: {clean(u.why)}"
            lines += field("" if number else "no targets", text, width)
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


def hop(index: int, view: View, width: int) -> Lines:
    known = view.state.hops[index]
    lines = [line((f"hop {index + 1}", STRONG)), BLANK]
    lines += field("agent", clean(known.agent), width)
    lines += field("route", clean(str(known.route)), width)
    return [*lines, *field("because", clean(known.text), width)]
