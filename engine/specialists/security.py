"""The security-scanner's evidence: secrets on added lines, bandit on the change, known vulnerabilities of packages.

Nothing of the repository is executed: bandit parses, pip-audit reads what is installed and asks for advisories.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.model import Gate, GateStatus
from engine.records.redact import Redactor
from engine.specialists.case import Case, Evidence, Fact
from engine.specialists.change import MOST, Edited, answer, bench, cut, edited, judging, rows
from engine.specialists.requirements import declared, normal

MOST_FACTS = 60
AUDIT_PATIENCE = 120.0
"""Seconds the audit may take: it asks for each installed package."""
_SHOWN = 3
_GRAVE = frozenset({"MEDIUM", "HIGH"})


@dataclass(frozen=True, slots=True)
class Part:
    """One of the three scans.

    Attributes
    ----------
    said : for the gate's evidence.
    ran : False: there was something to look at, and the tool for it is missing or said nothing.
    holds : False: it found something the change is to answer for.
    """

    said: str
    ran: bool = True
    holds: bool = True
    facts: tuple[Fact, ...] = ()


def look(case: Case) -> Evidence:
    """Three scans, each of which says by itself whether it ran; one finding the change brought fails the gate.

    Changed code that nobody looked at is no pass.
    """
    changes = edited(case)
    left = unread(case, changes)
    if not changes and not left:
        return Evidence(Gate("security", GateStatus.SKIPPED, "n/a-surface", "no changed text file"))
    parts = (secrets(changes), static(case, changes), audit(case, changes))
    facts = tuple(fact for part in parts for fact in part.facts) + tuple(Fact("not scanned", cut(p)) for p in left)
    said = "; ".join([*(part.said for part in parts), *_left_said(left)])
    judges = judging(case)
    code = [path for path in left if path.endswith(".py") and not judges(path)]
    return Evidence(Gate("security", *_status(parts, unseen=bool(code) or not changes), said), facts[:MOST_FACTS])


def _status(parts: tuple[Part, Part, Part], *, unseen: bool) -> tuple[GateStatus, str]:
    """The gate's word; ``unseen``: code of the change, or all of it, is in files that are not looked at."""
    _, code, _ = parts
    if any(not part.holds for part in parts):
        return GateStatus.FAIL, ""
    if not code.ran:
        return GateStatus.SKIPPED, "missing-tool"
    return (GateStatus.SKIPPED, "bounded-by-policy") if unseen else (GateStatus.PASS, "")


def unread(case: Case, changes: Sequence[Edited]) -> list[str]:
    """Files of the change that no scan looks at: they are no text, or too long."""
    have, looked = set(case.files), {c.path for c in changes}
    return sorted(path for path in case.changed if path in have and path not in looked)


def _left_said(left: Sequence[str]) -> list[str]:
    more = f" and {len(left) - _SHOWN} more" if len(left) > _SHOWN else ""
    named = ", ".join(cut(path, 80) for path in left[:_SHOWN])
    return [f"not scanned, no text or over {MOST // 1000} kB: {named}{more}"] if left else []


# -- secrets ----------------------------------------------------------------------------------------------------------


def secrets(changes: Sequence[Edited]) -> Part:
    """Keys by their shape on the lines of the change; what is found is named by kind and place, never shown."""
    redactor = Redactor()
    found: list[Fact] = []
    for change in changes:
        for line in sorted(change.added):
            for kind in redactor.kinds(change.added[line]):
                found.append(Fact("secret", f"{change.path}:{line}: a {kind}"))
    lines = sum(len(c.added) for c in changes)
    first = f" ({cut(found[0].text, 120)})" if found else ""
    return Part(f"secrets: {len(found)} in +{lines} lines{first}", holds=not found, facts=tuple(found))


# -- bandit -----------------------------------------------------------------------------------------------------------


def static(case: Case, changes: Sequence[Edited]) -> Part:
    """Bandit on the changed code; only what lies on lines of the change counts, from medium severity on."""
    judges = judging(case)
    code = [c for c in changes if c.python and c.after is not None and not judges(c.path)]
    if not code:
        return Part("bandit: no changed code")
    tools = bench(case, code)
    tool = tools.find("bandit")
    if not tool:
        return Part("bandit: skipped (missing-tool): bandit is not installed", ran=False)
    written = case.scratch / "bandit.json"
    written.unlink(missing_ok=True)
    # What a change silences by a comment of its own is shown all the same.
    argv = [
        tool,
        "--format",
        "json",
        "--output",
        str(written),
        "--quiet",
        "--exit-zero",
        "--ignore-nosec",
        *tools.files,
    ]
    status, lines = tools.confined(argv)
    report = answer(case.scratch, written.name)
    if not isinstance(report.get("results"), list):
        why = cut(lines[-1] if lines else f"exit {status}", 120)
        return Part(f"bandit: skipped (missing-tool): it gave no report: {why}", ran=False)
    grave, facts = 0, []
    for issue, change in _issues(report, code, case.place.worktree):
        line = _line(issue)
        severity = str(issue.get("issue_severity", "")).upper()
        silenced = "nosec" in change.added.get(line, "")
        counts = severity in _GRAVE and not silenced
        grave += counts
        note = " (silenced by a comment)" if silenced else ""
        what = cut(str(issue.get("issue_text", "")), 200)
        text = f"{change.path}:{line}: {issue.get('test_id', '')} {severity.lower()}: {what}{note}"
        facts.append(Fact("static finding" if counts else "static finding, for information", text))
    first = next((f" ({cut(f.text, 120)})" for f in facts if f.about == "static finding"), "")
    # What it cannot parse it lists apart, and has not looked at.
    missed = _missed(report, code, case.place.worktree)
    facts += [Fact("not scanned", f"{path}: bandit cannot read it") for path in missed]
    said = f"bandit: {grave} of medium severity or more in {len(code) - len(missed)} files{first}"
    if missed:
        said += f", {len(missed)} not read (missing-tool): {cut(missed[0], 80)}"
    return Part(said, ran=not missed, holds=not grave, facts=tuple(facts))


def _issues(
    report: Mapping[str, Any], code: Sequence[Edited], root: Path
) -> Iterator[tuple[Mapping[str, Any], Edited]]:
    """Findings that touch a line of the change, with the file they are in."""
    known = {str((root / c.path).resolve()): c for c in code}
    for issue in rows(report.get("results")):
        change = known.get(str(Path(str(issue.get("filename", ""))).resolve()))
        if change is None:
            continue
        spread = issue.get("line_range")
        lines = (
            {_line(issue), *(n for n in spread if isinstance(n, int))} if isinstance(spread, list) else {_line(issue)}
        )
        if lines & change.added.keys():
            yield issue, change


def _missed(report: Mapping[str, Any], code: Sequence[Edited], root: Path) -> list[str]:
    """Changed files that the report lists among its errors."""
    wrong = {str(Path(str(e.get("filename", ""))).resolve()) for e in rows(report.get("errors"))}
    return [c.path for c in code if str((root / c.path).resolve()) in wrong]


def _line(issue: Mapping[str, Any]) -> int:
    line = issue.get("line_number")
    return line if isinstance(line, int) else 0


# -- pip-audit --------------------------------------------------------------------------------------------------------


def audit(case: Case, changes: Sequence[Edited]) -> Part:
    """Known vulnerabilities of what the target has installed; those of packages the change asks for count."""
    tool = bench(case, ()).find("pip-audit")
    if not tool:
        return Part("pip-audit: skipped (missing-tool): pip-audit is not installed", ran=False)
    folders = [p for p in case.interpreter.path if Path(p).name in ("site-packages", "dist-packages")]
    if not folders:
        return Part("pip-audit: skipped (missing-tool): the interpreter has no packages", ran=False)
    written = case.scratch / "pip-audit.json"
    written.unlink(missing_ok=True)
    # Never with a requirements file or the project itself: resolving those may build, and so run, what they name.
    options = ["--format", "json", "--output", str(written), "--progress-spinner", "off", "--timeout", "5"]
    paths = [word for folder in folders for word in ("--path", folder)]
    _, lines = case.outside([tool, *options, *paths], AUDIT_PATIENCE)
    report = answer(case.scratch, written.name)
    if not report:
        why = "no network" if _offline(lines) else cut(lines[-1] if lines else "it gave no report", 120)
        return Part(f"pip-audit: skipped (missing-tool): {why}", ran=False)
    return audited(report, new_packages(changes))


def audited(report: Mapping[str, Any], new: frozenset[str]) -> Part:
    """What an audit's report says of a change that asks for the packages ``new``."""
    packages = rows(report.get("dependencies"))
    looked = [d for d in packages if "skip_reason" not in d]
    if packages and not looked:
        return Part("pip-audit: skipped (missing-tool): no package is known where it asks", ran=False)
    brought, facts = 0, []
    for package in looked:
        name = normal(str(package.get("name", "")))
        for hole in rows(package.get("vulns")):
            mine = name in new
            brought += mine
            mended = hole.get("fix_versions")
            fixes = ", ".join(map(str, mended if isinstance(mended, list) else ())) or "no version"
            text = f"{name} {package.get('version', '')}: {hole.get('id', '')}, fixed in {fixes}"
            facts.append(Fact("vulnerable package the change asks for" if mine else "vulnerable package", cut(text)))
    before = len(facts) - brought
    said = f"pip-audit: {brought} brought by the change, {before} there before, {len(looked)} packages"
    left = len(packages) - len(looked)
    return Part(said + (f", {left} unknown" if left else ""), holds=not brought, facts=tuple(facts))


def new_packages(changes: Sequence[Edited]) -> frozenset[str]:
    """Packages that the change asks for and that nothing in the same file asked for before."""
    found: set[str] = set()
    for change in changes:
        found |= declared(change.path, change.after or "") - declared(change.path, change.before or "")
    return frozenset(found)


def _offline(lines: Sequence[str]) -> bool:
    said = "\n".join(lines)
    signs = (
        "ConnectionError",
        "Max retries exceeded",
        "NameResolution",
        "Connection refused",
        "timed out",
        "ended after",
    )
    return any(sign in said for sign in signs)
