"""The four tools a provider may call.

Every write is checked against the scope; a refusal is an answer, never an end.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from engine.advisories.desk import Desk
from engine.advisories.hooks import Edit
from engine.cancel import CancelToken
from engine.errors import no_room
from engine.events import EditApplied, Event, ToolCalled
from engine.model import Advisory, Ended, Outcome, TestReport, TestResult
from engine.patterns import extended
from engine.plain import whole
from engine.providers import ToolResult
from engine.quoting import unforged
from engine.tracebacks import clipped, shortened
from engine.workspace.area import Area, Refused, Text
from engine.workspace.changes import line_counts
from engine.workspace.repository import Repository
from engine.workspace.scope import Writable

EDITOR = "str_replace_based_edit_tool"
NAMES = (EDITOR, "search", "run_tests", "finish")
VIEW_LINES, VIEW_CHARS = 400, 15_000
SEARCH_LINES, SEARCH_S = 120, 20.0
DETAIL_CHARS = 1800
DETAILED, LISTED = 6, 40  # red tests shown with their traceback, and at all
LINE_CHARS = 1000  # of a line that is viewed
FOUND_CHARS = 300  # of a line that is found
NAME_CHARS = 200  # of a tool that a model made up
FALSE_CLAIMS = 2  # how often `finish done` is turned back before it is taken as more-work, and as a false claim

_PLACE = re.compile(r".*?:\d+:")  # of a line that git found
_GLOB = re.compile(r"[*?\[]")  # git takes a path with one of these for a pattern
KEY_FILES = (".env", ".env.local", ".env.production", ".netrc", ".pypirc", ".npmrc", ".git-credentials", "id_rsa")

RunTests = Callable[[str | None, Sequence[str] | None], list[TestReport]]


@dataclass(slots=True)
class Toolbox:
    """Tools of one attempt.

    Parameters
    ----------
    area
        The worktree of the run.
    scope
        What may be written.
    run_tests
        Runs a suite, or some tests of it (node ids); None means all.
    tools
        Names of those that are lent.
    claim
        Asked when a provider says it is done: whether every suite agrees, and what it showed.
    before
        Called before each tool: a safe point, where a person may be asked something.
    told
        Takes out of an answer what depends on where the run is made.
    desk
        Where advisories on edits are raised; None: a plain one.
    """

    repository: Repository
    area: Area
    scope: Writable
    run_tests: RunTests
    claim: Callable[[], tuple[bool, str]]
    suites: tuple[str, ...]
    report: Callable[[Event], None]
    cancel: CancelToken
    tools: tuple[str, ...] = NAMES
    before: Callable[[], None] = lambda: None
    told: Callable[[str], str] = lambda text: text
    desk: Desk | None = None
    claim_holds: bool = False
    refused_claims: int = 0
    finished: Mapping[str, Any] | None = None
    _desk: Desk = field(init=False)

    def __post_init__(self) -> None:
        self._desk = self.desk or Desk(self.report)

    @property
    def insisted(self) -> bool:
        """Done was said again and again, though the tests it was shown say otherwise."""
        return self.refused_claims > FALSE_CLAIMS

    def call(self, name: str, arguments: object) -> ToolResult:
        """Run one tool; what the caller did wrong comes back as an error result."""
        self.cancel.check()
        self.before()
        started = time.monotonic()
        given: Mapping[str, Any] = arguments if isinstance(arguments, Mapping) else {}
        try:
            result = self._dispatch(name, given)
        except Refused as refusal:
            result = ToolResult(unforged(str(refusal)), is_error=True)  # it may repeat what it was given
        except OSError as error:
            if no_room(error):
                raise
            result = ToolResult(unforged(f"{error.filename or name}: {error.strerror or error}"), is_error=True)
        except UnicodeEncodeError as error:
            half = ascii(error.object[error.start : error.end])[:40]
            result = ToolResult(f"{half} is half of a character: write the character itself", is_error=True)
        except ValueError as error:
            result = ToolResult(unforged(f"{name}: {error}"), is_error=True)
        result = replace(result, text=whole(self.told(result.text)))
        first = (result.text.splitlines() or [""])[0][:160]
        seconds = round(time.monotonic() - started, 3)
        self.report(
            ToolCalled(whole(name)[:NAME_CHARS], whole(_summary(name, given)), not result.is_error, seconds, first)
        )
        return result

    def _dispatch(self, name: str, arguments: Mapping[str, Any]) -> ToolResult:
        if name in NAMES and name not in self.tools:
            raise Refused(f"this agent has no {name}; its tools are {', '.join(self.tools)}")
        match name:
            case "str_replace_based_edit_tool":
                return self._editor(arguments)
            case "search":
                return self._search(_text(arguments, "pattern"), str(arguments.get("path") or ""))
            case "run_tests":
                return self._run_tests(arguments.get("suite"), arguments.get("tests"))
            case "finish":
                return self._finish(arguments)
        raise Refused(f"there is no tool {name[:NAME_CHARS]!r}; the tools are {EDITOR}, search, run_tests, finish")

    # -- the editor ---------------------------------------------------------------------------------------------------

    def _editor(self, arguments: Mapping[str, Any]) -> ToolResult:
        command = _text(arguments, "command")
        path = self.area.locate(_text(arguments, "path"))
        if _holds_keys(path):
            raise Refused(f"{path} is not shown or changed: files of that name hold keys")
        if command == "view":
            return self._view(path, arguments.get("view_range"))
        if command not in ("create", "str_replace", "insert"):
            raise Refused(f"unknown command {command!r}; the commands are view, create, str_replace, insert")
        if refusal := self.scope.refusal(path):
            self._desk.raise_(Advisory("SCOPE", f"a write was refused: {refusal}", path))
            raise Refused(f"{refusal}. Scope: {self.scope.words}")
        if command == "create":
            return self._create(path, _text(arguments, "file_text", empty=True))
        text = self.area.read(path)
        if command == "str_replace":
            old, put = _text(arguments, "old_str"), str(arguments.get("new_str") or "")
            new = _replaced(path, text.content, old, put)
        else:
            old, put = "", _insertion(arguments)
            new = _inserted(path, text.content, arguments.get("insert_line"), put)
        edit = Edit("Edit", path, {"old_string": old, "new_string": put, "replace_all": False})
        return self._save(edit, text, new)

    def _view(self, path: str, view_range: object) -> ToolResult:
        if self.area.kind(path) == "folder":
            return ToolResult(unforged(self._listing(path)))
        lines = self.area.read(path).content.split("\n")
        first, last = _range(view_range, len(lines))
        shown: list[str] = []
        size = 0
        for number in range(first, last + 1):
            line = f"{number:6}\t{clipped(lines[number - 1], LINE_CHARS)}"
            size += len(line)
            if len(shown) >= VIEW_LINES or size > VIEW_CHARS:
                shown.append(f"… {last - number + 1} more lines; view_range [{number}, {last}] shows them")
                break
            shown.append(line)
        return ToolResult("\n".join(shown))

    def _listing(self, path: str) -> str:
        base = self.area.root if path == "." else self.area.root / path
        names = []
        for entry in sorted(base.iterdir()):
            if entry.name in (".git", "__pycache__"):
                continue
            names.append(entry.name + ("/" if entry.is_dir() else ""))
            if entry.is_dir() and not entry.is_symlink():
                inner = [e for e in sorted(entry.iterdir()) if e.name != "__pycache__"]
                names += [f"{entry.name}/{e.name}" + ("/" if e.is_dir() else "") for e in inner[:60]]
        return "\n".join(names[:400]) or "(empty folder)"

    def _create(self, path: str, content: str) -> ToolResult:
        text = self.area.read(path) if self.area.kind(path) else Text("", "utf-8", "\n")
        return self._save(Edit("Write", path, {"content": content}), text, content)

    def _save(self, edit: Edit, text: Text, new: str) -> ToolResult:
        path = edit.path
        if new == text.content:
            return ToolResult(f"{path} is unchanged: the new text equals the old", is_error=True)
        try:
            data = text.encode(new)
        except UnicodeEncodeError as error:
            raise Refused(f"{path} is {text.encoding}; it cannot hold {new[error.start : error.end]!r}") from error
        self.area.write(path, data)
        added, removed = line_counts(text.content, new)
        self.report(EditApplied(path, added, removed))
        notes = self._desk.edited(edit, text.content, new)
        return ToolResult("\n".join([f"{path} written: +{added} -{removed} lines", *notes]))

    # -- search -------------------------------------------------------------------------------------------------------

    def _search(self, pattern: str, path: str) -> ToolResult:
        where = self.area.locate(path) if path else "."
        if _holds_keys(where):
            raise Refused(f"{where} is not searched: files of that name hold keys")
        if not self.area.kind(where) and not _GLOB.search(where):  # git would find nothing, and say no more
            raise Refused(f"no such file or folder: {where}; leave path out to search everywhere")
        # `git grep` has no catastrophic patterns and knows what is ignored.
        inside = Repository(self.area.root)
        inside.run_id = self.repository.run_id
        args = (
            "grep",
            "-n",
            "-I",
            "-E",
            "--untracked",
            "--no-color",
            "--no-column",
            "--no-recurse-submodules",
            "-e",
            extended(pattern),
            "--",
            where,
            *(f":(exclude,icase,glob)**/{name}" for name in KEY_FILES),
        )
        found, done = inside.first_lines(*args, most=SEARCH_LINES + 1, cancel=self.cancel, deadline_s=SEARCH_S)
        if not done.killed and done.code not in (0, 1):
            why = unforged("; ".join(done.tail[-2:])) or f"status {done.code}"
            raise Refused(f"search failed: {why} (this is grep -E: a bracket itself is written \\( or [(])")
        cut = [clipped(_hit(line), FOUND_CHARS) for line in found[:SEARCH_LINES]]
        if len(found) > SEARCH_LINES:
            cut.append("… more matches; give a path or a narrower pattern")
        elif done.killed:
            cut.append(f"… not all of {where} was searched in {SEARCH_S:g} s; give a path or a simpler pattern")
        return ToolResult("\n".join(cut) or f"no match for {unforged(repr(pattern))} in {where}")

    # -- tests --------------------------------------------------------------------------------------------------------

    def _run_tests(self, suite: object, tests: object) -> ToolResult:
        if suite not in (None, "", *self.suites):
            raise Refused(f"there is no suite {suite!r}; the suites are {', '.join(self.suites)}")
        if isinstance(tests, str):
            tests = [tests]
        if tests is not None and not (isinstance(tests, Sequence) and all(isinstance(t, str) for t in tests)):
            raise Refused("tests must be a list of pytest node ids")
        chosen = [self._nodeid(t) for t in tests] if tests else None
        reports = self.run_tests(str(suite) if suite else None, chosen)
        said = summarise(reports)
        if chosen and not any(r.results or r.problem for r in reports):
            said += "\nnone of these node ids is a test there; they look like tests/test_x.py::TestY::test_z[case]"
        return ToolResult(said)

    def _nodeid(self, given: str) -> str:
        """A node id whose file is there, as pytest spells it; it becomes an argument of a command line."""
        path, *inner = given.split("::")
        # Relative to the project, as pytest prints it, or to the repository, as files are named elsewhere.
        places = [os.path.join(self.area.root, self.scope.prefix, path), os.path.join(self.area.root, path)]
        found = next((f for f in map(self.area.locate, places) if self.area.kind(f) in ("file", "folder")), "")
        if not found:
            raise Refused(f"{given}: no such test file; node ids look like tests/test_x.py::test_name")
        return "::".join([Path(os.path.relpath(found, self.scope.prefix or ".")).as_posix(), *inner])

    # -- finish -------------------------------------------------------------------------------------------------------

    def _finish(self, arguments: Mapping[str, Any]) -> ToolResult:
        given = _text(arguments, "outcome")
        try:
            outcome = Outcome(given)
        except ValueError:
            raise Refused(f"outcome {given!r} is unknown; it is one of {', '.join(Outcome)}") from None
        summary = whole(str(arguments.get("summary") or ""))[:2000]
        if outcome is Outcome.DONE:
            self.claim_holds, said = self.claim()
            if not self.claim_holds:
                self.refused_claims += 1
                if not self.insisted:
                    return ToolResult(f"not done: {said}\nGo on, or finish with another outcome.", is_error=True)
                outcome = Outcome.MORE_WORK
        self.finished = {
            "outcome": str(outcome),
            "summary": summary,
            "evidence": whole(str(arguments.get("evidence") or ""))[:4000],
        }
        return ToolResult(f"finished: {outcome}", finished=True)


def summarise(reports: Sequence[TestReport]) -> str:
    """What a run of tests showed, failures first, within a budget; what was shown of a test is not shown again."""
    lines: list[str] = []
    shown: set[tuple[str, str]] = set()
    for report in reports:
        if report.ended is Ended.SKIPPED and not report.results:
            lines.append(f"suite {report.suite}: skipped ({report.reason})")
            continue
        red = [r for r in report.results if r.outcome.red]
        passed = sum(r.outcome.passed for r in report.results)
        other = len(report.results) - len(red) - passed
        note = f" ({report.note})" if report.note else ""
        lines.append(f"suite {report.suite}{note}: {passed} passed, {len(red)} failed, {other} other")
        if report.problem:
            lines.append(f"  {report.problem}")
        for result in red[:DETAILED]:
            lines.append(f"FAILED {result.nodeid} ({result.outcome}): {result.message}")
            lines.append("  as above" if (key := (result.nodeid, result.detail)) in shown else _told(result))
            shown.add(key)
        lines += [f"FAILED {r.nodeid}: {clipped(r.message, 120)}" for r in red[DETAILED:LISTED]]
        if len(red) > LISTED:
            lines.append(f"… {len(red) - LISTED} more failures; run single tests to see them")
        if not report.results and not report.problem:
            lines.append("  no test was collected")
    return unforged("\n".join(lines)) or "no suite ran"


def _told(result: TestResult) -> str:
    return shortened(result.detail, DETAIL_CHARS)


def _hit(line: str) -> str:
    """A line that was found: no name of a file can make it one of ours, and what the file says is left as it is."""
    place = _PLACE.match(line)
    end = place.end() if place else len(line)
    return unforged(line[:end]) + line[end:].replace("\r", "\\r")


def _holds_keys(path: str) -> bool:
    return path.rpartition("/")[2].casefold() in KEY_FILES


def _text(arguments: Mapping[str, Any], key: str, *, empty: bool = False) -> str:
    value = arguments.get(key)
    if not isinstance(value, str) or (not value and not empty):
        raise Refused(f"{key} is missing or not a string")
    return value


def _range(value: object, count: int) -> tuple[int, int]:
    if value is None:
        return 1, count
    if not (isinstance(value, Sequence) and len(value) == 2 and all(isinstance(v, int) for v in value)):
        raise Refused("view_range must be two line numbers, as in [1, 40]; -1 means the last line")
    first, last = int(value[0]), int(value[1])
    last = count if last == -1 else last
    if not 1 <= first <= count or last < first:
        raise Refused(f"view_range [{first}, {last}] is not within lines 1 to {count}")
    return first, min(last, count)


def _replaced(path: str, content: str, old: str, new: str) -> str:
    found = content.count(old)
    if found == 0:
        raise Refused(_missing(path, content, old, new))
    if found > 1:
        places = [content.count("\n", 0, m.start()) + 1 for m in re.finditer(re.escape(old), content)]
        raise Refused(f"old_str occurs {found} times in {path} (lines {', '.join(map(str, places[:10]))}); add context")
    return content.replace(old, new, 1)


def _missing(path: str, content: str, old: str, new: str) -> str:
    """Why a text to replace is not there, as far as it can be told: replaced before, indented otherwise, or near."""
    lines = content.split("\n")
    if len(new.strip()) > 3 and new in content:
        line = content.count("\n", 0, content.index(new)) + 1
        return f"old_str does not occur in {path}, but new_str does, at line {line}: this change was made before"
    wanted = [line.strip() for line in old.strip("\n").split("\n")]
    stripped = [line.strip() for line in lines]
    for at in range(len(lines) - len(wanted) + 1) if any(wanted) else ():
        if stripped[at : at + len(wanted)] == wanted:
            last = at + len(wanted)
            return f"old_str does not occur in {path}; lines {at + 1} to {last} differ from it in white space only"
    said = f"old_str does not occur in {path}; view the file and copy it exactly, with its indentation"
    # A line of its own that is still there tells where to look: the rest may have been changed by an earlier call.
    known = next((w for w in wanted if len(w) > 3 and stripped.count(w) == 1), "")
    return said + (f"; line {stripped.index(known) + 1} still equals a line of it" if known else "")


def _insertion(arguments: Mapping[str, Any]) -> str:
    added = arguments.get("insert_text", arguments.get("new_str"))
    if not isinstance(added, str) or not added:
        raise Refused("insert_text is missing or not a string")
    return added


def _inserted(path: str, content: str, at: object, added: str) -> str:
    lines = content.split("\n")
    count = len(lines) - (1 if content.endswith("\n") else 0)
    if not isinstance(at, int) or isinstance(at, bool) or not 0 <= at <= count:
        raise Refused(f"insert_line must be between 0 and {count} in {path}")
    return "\n".join([*lines[:at], *added.removesuffix("\n").split("\n"), *lines[at:]])


def _summary(name: str, arguments: Mapping[str, Any]) -> str:
    if name == EDITOR:
        return f"{arguments.get('command', '')} {arguments.get('path', '')}"[:200]
    if name == "run_tests":
        tests = arguments.get("tests")
        chosen = f"{len(tests)} tests" if isinstance(tests, list) else "all"
        return f"{arguments.get('suite') or 'every suite'}, {chosen}"
    keys = ("pattern", "path", "outcome")
    return " ".join(str(arguments[k]) for k in keys if arguments.get(k))[:200]
