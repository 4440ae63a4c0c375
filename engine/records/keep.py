"""Writes what a run leaves behind: ledger, patch, receipt, commit. Reads trees for those who judge."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from engine import events as ev
from engine.cancel import CancelToken
from engine.errors import EnvironmentFailure
from engine.gates.tools import PATIENCE, ToolBench
from engine.github.comment import quiet
from engine.launch import Plan
from engine.model import GateStatus, Route
from engine.policy import impl_passes
from engine.recorder import Recorder
from engine.records import intoto, ledger, receipt, trace
from engine.state import AttemptRow
from engine.suites.runner import Place, SuiteRunner
from engine.workspace.repository import Snapshot
from engine.workspace.scope import OBEYED, Scope

_EXACT = ("base", "snapshot", "head", "prefix", "protected", "tests", "targets", "flaky", "unfit")


@dataclass(slots=True)
class Keeper:
    """The records of one run."""

    run: str
    plan: Plan
    recorder: Recorder
    cancel: CancelToken
    runner: SuiteRunner
    seen: Callable[[str], Mapping[str, Collection[str]] | None] = lambda _key: None  # functions a test ran, by file

    @property
    def folder(self) -> Path:
        return self.plan.home.run(self.run)

    @property
    def ledger_path(self) -> Path:
        return self.folder / "ledger.md"

    @property
    def patch_path(self) -> Path:
        return self.folder / "patch.diff"

    @property
    def removed_path(self) -> Path:
        return self.folder / "removed.diff"

    @property
    def receipt_path(self) -> Path:
        return self.folder / "receipts" / "impl.json"

    @property
    def statement_path(self) -> Path:
        return self.folder / "receipts" / "impl.intoto.json"

    # -- reading trees ------------------------------------------------------------------------------------------------

    def watch(self, worktree: Path, scope: Scope, files: Sequence[str]) -> Callable[[], tuple[str, ...]]:
        """Remember the files that judge the work; the answer tells which of them are no longer as they were."""
        before = _witnesses(worktree, scope, files)

        def changed() -> tuple[str, ...]:
            after = _witnesses(worktree, scope, files)
            return tuple(sorted(p for p in before.keys() | after.keys() if before.get(p) != after.get(p)))

        return changed

    def texts(self, before: str, after: str) -> tuple[dict[str, str], dict[str, str]] | None:
        """The changed files of two trees as text; None if one is not text, or is gone."""
        repository = self.plan.repository
        old: dict[str, str] = {}
        new: dict[str, str] = {}
        have = {e.path for e in repository.entries(before)}
        left = {e.path for e in repository.entries(after)}
        for path, _, _ in repository.numstat(before, after):
            if path not in left:
                return None
            for tree, texts, known in ((before, old, have), (after, new, left)):
                if path in known:
                    data = repository.blob(tree, path)
                    if b"\0" in data:
                        return None
                    texts[path] = data.decode("utf-8", "surrogateescape")
        return old, new

    def bench(self, place: Place, runner: SuiteRunner, before: str, after: str) -> ToolBench:
        """Tools on the files that differ between two trees, in a worktree of the second."""
        changed = [p for p, _, _ in self.plan.repository.numstat(before, after)]
        return self.bench_of(place, runner, before, changed)

    def bench_of(self, place: Place, runner: SuiteRunner, before: str, changed: Sequence[str]) -> ToolBench:
        repository = self.plan.repository
        have = {e.path for e in repository.entries(before)}
        contents = {p: repository.blob(before, p) if p in have else None for p in changed}
        return ToolBench(
            place.cwd,
            place.worktree,
            contents,
            self.plan.interpreter.executable,
            lambda argv: runner.command(argv, place, PATIENCE),
        )

    # -- writing ------------------------------------------------------------------------------------------------------

    def write_patch(self, before: str, attempt: AttemptRow) -> None:
        """The change so far as a patch against the snapshot, and beside it what the diet took away from it.

        The second, applied after the first, gives the whole change back. Where one is empty there is no file.
        """
        after = attempt.tree
        whole = attempt.finished.tree if attempt.finished is not None else after
        for path, old, new in ((self.patch_path, before, after), (self.removed_path, after, whole)):
            patch = self.plan.repository.patch(old, new) if after and old != new else ""
            if patch:
                receipt.write_atomically(path, patch.encode("utf-8", "surrogateescape"))
            else:
                path.unlink(missing_ok=True)

    def write_ledger(self, route: Route | None) -> str:
        """Renew the ledger from the state; its digest."""
        now = self._ledger(route)
        try:
            # As bytes: line ends and whatever else a person put there stay as they are.
            there = self.ledger_path.read_bytes() if self.ledger_path.is_file() else b""
            text = ledger.update(there.decode("utf-8", "surrogateescape"), now)
        except ledger.LedgerError as error:
            text = self._set_aside(there, str(error)) + "\n\n" + ledger.render(now)
        return receipt.write_atomically(self.ledger_path, _encoded(self.recorder.redact.text(text)))

    def _set_aside(self, there: bytes, why: str) -> str:
        """Keep a ledger that somebody has broken beside the new one; the sentence that says so."""
        number, aside = 1, self.folder / "ledger.kept-1.md"
        while aside.exists() and aside.read_bytes() != there:
            number += 1
            aside = self.folder / f"ledger.kept-{number}.md"
        receipt.write_atomically(aside, there)
        said = f"the ledger that stood here could not be edited ({why}); it is kept as {aside.name}"
        self.recorder.emit(ev.ActivityReported("note", f"{said}; `bitnet-tui ledger lint` says what is wrong with it"))
        return ledger.escape(said[0].upper() + said[1:] + ".")

    def _ledger(self, route: Route | None) -> ledger.Ledger:
        state = self.recorder.state
        passes = impl_passes(state)
        followed = [r.finished.gate for r in state.specialists if r.finished is not None]
        passes = passes and not any(g.status is GateStatus.FAIL for g in followed)
        status = "ready" if passes or route is None else "in-progress" if route.retry else "needs-rework"
        why = state.gates["impl"].evidence if "impl" in state.gates else ""
        after = state.hops[-1].route if state.hops else None
        decision = ledger.Decision(status, why, after)
        return ledger.Ledger(tuple(state.gates.values()), self._trace(), state.hops, decision)

    def _trace(self) -> tuple[ledger.Trace, ...]:
        """Which tests led to which code."""
        state, repository = self.recorder.state, self.plan.repository
        attempt = state.attempt
        if attempt is None or attempt.finished is None or not attempt.progress.fixed or state.snapshot is None:
            return ()
        fixed, tree = attempt.progress.fixed, state.snapshot.tree
        before, after = self.texts(tree, attempt.tree) or ({}, dict.fromkeys(attempt.files, ""))
        have = {e.path for e in repository.entries(tree)}
        prefix = f"{self.plan.prefix}/" if self.plan.prefix else ""
        files = dict.fromkeys(key.split(" ", 1)[1].split("::", 1)[0] for key in fixed)
        wanted = [f for f in files if prefix + f in have][: trace.ROWS]
        tests = {f: repository.blob(tree, prefix + f).decode("utf-8", "replace") for f in wanted}
        seen = {key: ran for key in fixed if (ran := self.seen(key)) is not None}
        return trace.rows(fixed, trace.Sources(before, after, tests, seen))

    def commit(self, snapshot: Snapshot, attempt: AttemptRow) -> ev.CommitCreated:
        """One commit on a branch of its own; nothing the user has checked out moves."""
        fixed = len(attempt.progress.fixed)
        subject = f"fix({_part(attempt.files)}): make {_tests(fixed)} pass"
        summary = quiet(attempt.finished.summary.strip()) if attempt.finished else ""
        trailers = [f"Bitnet-Tui-Run: {self.run}", f"Tests-Fixed: {fixed}", "Receipt: receipts/impl.json"]
        message = "\n\n".join(p for p in (subject, summary[:600], "\n".join(trailers)) if p) + "\n"
        repository = self.plan.repository
        # Where a branch is called bitnet-tui, none can lie below it.
        taken = repository.succeeds("show-ref", "--verify", "--quiet", "refs/heads/bitnet-tui")
        branch = f"bitnet-tui-{self.run}" if taken else f"bitnet-tui/{self.run}"
        sha = repository.first_commit(branch, snapshot.commit, attempt.tree)
        if not sha:
            sha = repository.commit(attempt.tree, snapshot.commit, message)
            repository.set_branch(branch, sha)
        return ev.CommitCreated(branch, sha, subject)

    def compare(self, snapshot: Snapshot) -> None:
        """Show that the user's checkout is as it was when the run began."""
        if self.recorder.state.checkout is not None or self.plan.past is not None:
            return
        now = self.plan.repository.snapshot(self.plan.home.scratch(self.run))
        same = (now.tree, now.head) == (snapshot.tree, snapshot.head)
        note = "" if same else "files of the checkout changed during the run, not by it: apply merges or refuses"
        self.recorder.emit(ev.CheckoutCompared(same, note))

    def write(self, route: Route | None) -> None:
        """Ledger and receipt, each once."""
        state = self.recorder.state
        attempt = state.attempt
        if state.snapshot is not None and attempt is not None:
            self.write_patch(state.snapshot.tree, attempt)
        if state.ledger is None:
            digest = self.write_ledger(route)
            self.recorder.emit(ev.LedgerWritten(str(self.ledger_path), digest))
        if state.receipt is None:
            from engine.github.publish import Publishing  # at the end only: a run starts fast

            # First, so that the receipt names what was written; what is not is no reason to wait for longer.
            check = Publishing(self.run, self.plan, self.recorder, self.cancel).go(self._ledger(route))
            built = self._receipt()
            digest = receipt.write_atomically(self.receipt_path, receipt.dumps(built))
            receipt.write_atomically(self.statement_path, receipt.dumps(intoto.statement(built, digest)))
            self.recorder.emit(ev.ReceiptWritten(str(self.receipt_path), digest, check))

    def _receipt(self) -> dict[str, Any]:
        state, plan = self.recorder.state, self.plan
        tree = state.snapshot.tree if state.snapshot else ""
        scope = Scope(plan.config.scope.allow, plan.config.scope.deny, plan.config.scope.protect, plan.prefix)
        protected = {e.path: e.sha for e in plan.repository.entries(tree) if scope.refusal(e.path)}
        facts = receipt.Facts(
            journal_sha256=receipt.sha256(self.recorder.journal.path),
            journal_bytes=self.recorder.journal.path.stat().st_size,
            patch_sha256=receipt.sha256(self.patch_path),
            protected=protected,
            environment_names=sorted(plan.environ),
            commands={n: self.runner.argv(plan.config.suites[n]) for n in plan.suites},
            suites={n: asdict(plan.config.suites[n]) for n in plan.suites},
        )
        built = receipt.build(state, facts)
        # What it names by path and sha is compared with the repository; all else is for reading.
        exact = {name: built[name] for name in _EXACT}
        return {name: exact[name] if name in exact else self.recorder.redact.data(part) for name, part in built.items()}

    def apply(self) -> None:
        """Bring the verified change into the user's files: all of it, or nothing.

        Raises
        ------
        EnvironmentFailure
            Their files changed meanwhile where the patch wants to.
        """
        if not self.patch_path.is_file():
            raise EnvironmentFailure("there is no change to apply")
        self.plan.repository.apply(self.patch_path)


def _witnesses(worktree: Path, scope: Scope, files: Sequence[str]) -> dict[str, str]:
    """Digest of every protected file, and of every file, listed or new, that Python or pytest obey by its name."""
    paths = {p for p in files if scope.refusal(p)}
    for folder, folders, names in os.walk(worktree):
        folders[:] = [f for f in folders if f not in (".git", "__pycache__")]
        inner = os.path.relpath(folder, worktree)
        paths |= {os.path.normpath(os.path.join(inner, n)) for n in names if n in OBEYED}
    found = {}
    for path in paths:
        try:
            found[path] = _digest(worktree / path)
        except OSError:
            found[path] = "missing"
    return found


def _digest(file: Path) -> str:
    """Of what is behind a name, links followed; a child may have put a pipe there, and nobody waits for its end."""
    with open(os.open(file, os.O_RDONLY | os.O_NONBLOCK), "rb") as opened:
        if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
            return "no file"
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _encoded(text: str) -> bytes:
    """UTF-8; bytes of a person's that are none as they were, and halves of a pair as question marks."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return re.sub("[\ud800-\udc7f\udd00-\udfff]", "?", text).encode("utf-8", "surrogateescape")


def _part(files: Sequence[str]) -> str:
    """The scope of a commit subject: the file, or the folder the files share."""
    if not files:
        return "code"
    if len(files) == 1:
        path = PurePosixPath(files[0])
        return path.stem if path.stem != "__init__" else path.parent.name or "code"
    parents = {str(PurePosixPath(f).parent) for f in files}
    shared = PurePosixPath(min(parents, key=len)).name if len(parents) == 1 else files[0].split("/")[0]
    return shared or "code"


def _tests(count: int) -> str:
    return "1 failing test" if count == 1 else f"{count} failing tests"
