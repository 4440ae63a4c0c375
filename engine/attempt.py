"""One attempt: a brief for the providers, the guarded toolbox in their hands, and the tree they leave."""

from __future__ import annotations

import difflib
import importlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace as struct_replace

from engine import advising
from engine import events as ev
from engine.advisories.desk import Desk
from engine.errors import AttemptEnded, ProviderError
from engine.gates.tools import tidy
from engine.launch import Cut
from engine.model import Outcome, Purpose, Step, TestReport, TestResult
from engine.providers import Brief, Finish, Provider, Sandbox, SuiteBrief
from engine.specialists.bounds import narrowed
from engine.state import ABOUT_HOOKS, TestRow
from engine.suites.runner import Place
from engine.toolbox import NAMES, Toolbox, summarise
from engine.verify import acceptance
from engine.verify.acceptance import Baseline
from engine.workspace.area import Area

if TYPE_CHECKING:
    from engine.loop import Loop

RUNNERS_UP = 5
SHOWN_LINES, SHOWN_CELLS = 8, 400
"""Of a runner-up, as a person chooses by them."""


@dataclass(slots=True)
class Attempting:
    """Makes attempt ``number`` of a loop."""

    loop: Loop
    number: int
    _called: int = 0  # tools, where a run is made again

    def make(self) -> None:
        """Run the providers in order until one is done; record what they leave."""
        loop = self.loop
        base = loop.earlier_tree(self.number)
        place = self.place(base)
        area = Area(place.worktree)
        desk = advising.desk(loop, place, [t.nodeid for t in self._targets()])
        toolbox = self.toolbox(place, area, desk)
        lessons: list[str] = []
        finish, name = Finish(Outcome.MORE_WORK, "no provider ran"), self._providers[0]
        hint = loop.state.decision.hint if loop.state.decision else ""
        loop.allowance.part = f"attempt {self.number}"
        loop.emit(ev.AttemptStarted(self.number, name, hint))
        for name in self._providers:
            loop.emit(ev.StepStarted(Step.EDIT, self.number, f"{name} works on it"))
            finish = self._ask(name, place, toolbox, hint, lessons)
            if loop.state.settled is not None:  # by a person: nobody else is to go on
                break
            if finish.outcome is Outcome.DONE and toolbox.claim_holds:
                break
            if finish.lessons:
                lessons.append(f"{name} found: {finish.lessons}")
        self.finish(base, place, area, toolbox, name, finish)

    def place(self, base: str) -> Place:
        loop = self.loop
        snapshot = loop.workshop.snapshot
        commit = snapshot.commit
        if base != snapshot.tree:
            commit = loop.plan.repository.scratch_commit(base, commit)
        # After the audit of this very process the worktree is still as the snapshot was.
        return loop.workshop.place("work", commit, fresh=self.number > 1)

    def toolbox(self, place: Place, area: Area, desk: Desk | None = None) -> Toolbox:
        loop = self.loop

        def one(name: str, tests: Sequence[str] | None) -> TestReport:
            skipped = loop.state.suites[name].finished.get("audit1") if name in self._skipped() else None
            return loop.rounds.run(name, place, Purpose.ATTEMPT, self.number, only=tests, skipped=skipped)

        def run_tests(suite: str | None, tests: Sequence[str] | None) -> list[TestReport]:
            if suite is None and tests is None:
                return selected()[1]
            return [one(name, tests) for name in ([suite] if suite else self._suites_of(tests))]

        def selected() -> tuple[Baseline, list[TestReport]]:
            before, after = self._texts(area)
            return loop.selecting.run(self.number, loop.selecting.select(before, after), one)

        def claim() -> tuple[bool, str]:
            judged_by, reports = selected()
            verdict = acceptance.judge(judged_by, reports)
            return verdict.holds, "; ".join(verdict.reasons) + "\n" + summarise(reports)

        return Toolbox(
            repository=loop.plan.repository,
            area=area,
            scope=narrowed(loop.plan.agent.scope, loop.scope),
            tools=loop.plan.agent.tools,
            run_tests=run_tests,
            claim=claim,
            suites=loop.plan.suites,
            report=loop.emit,
            cancel=loop.steering.cancel,
            before=self._safe_point,
            told=self.told,
            desk=desk,
        )

    def told(self, text: str) -> str:
        """What a provider is told does not depend on where and when the run is made: it can be replayed."""
        for name in ("work", "verify"):
            folder = str(self.loop.plan.home.scratch(self.loop.run) / name)
            text = text.replace(f"{folder}/", "").replace(folder, ".")
        return text.replace(self.loop.run, "run")

    def _texts(self, area: Area) -> tuple[dict[str, str], dict[str, str]]:
        """The files that differ from the snapshot now: as they were, and as they are."""
        loop = self.loop
        repository, tree = loop.plan.repository, loop.workshop.snapshot.tree
        known = set(loop.files)
        changed = dict.fromkeys([*(p for p, _, _ in repository.numstat(tree, loop.earlier_tree(self.number)))])
        before, after = dict[str, str](), dict[str, str]()
        for path in {**changed, **dict.fromkeys(area.touched)}:
            if path in known:
                before[path] = repository.blob(tree, path).decode("utf-8", "surrogateescape")
            if area.kind(path) == "file":
                after[path] = area.read_bytes(path).decode("utf-8", "surrogateescape")
        return before, after

    def _skipped(self) -> frozenset[str]:
        return self.loop.baseline.skipped_suites

    def _suites_of(self, tests: Sequence[str] | None) -> list[str]:
        """The suites some node ids belong to; every suite that can run where none holds them."""
        running = [n for n in self.loop.plan.suites if n not in self._skipped()]
        rows = self.loop.state.tests.values()
        asked = {n for n in running for t in tests or () for r in rows if r.suite == n and r.nodeid.startswith(t)}
        return [n for n in running if n in asked] or running

    def _ask(self, name: str, place: Place, toolbox: Toolbox, hint: str, lessons: Sequence[str]) -> Finish:
        provider = self.provider(name)
        # The repairer writes what it found when it has ended: asked in between, a person would throw it away.
        toolbox.before = self._safe_point if name != "repair" else self._count
        try:
            self.loop.check_time()
            finish = provider.attempt(
                self._brief(place, hint, lessons), toolbox, self.loop.emit, self.loop.steering.cancel
            )
        except AttemptEnded as ended:
            if (cut := self._cut) is not None:
                self.loop.emit(cut.settled)
            return Finish(Outcome.MORE_WORK, f"ended at a limit: {ended.message}")
        except ProviderError as error:
            # With no retry left the attempt stays open: a resumed run makes it again.
            if not error.transient or (self._last() and not toolbox.area.touched):
                raise
            return Finish(Outcome.MORE_WORK, error.message, transient=error.message)
        if finish.refusal and name == self._providers[-1] and not toolbox.area.touched:
            # Nothing to judge: the attempt stays open for another model or another day.
            raise ProviderError(
                f"the model refused: {finish.refusal}",
                hint="resume with another --provider, or after changing the agent",
            )
        # A claim the toolbox turned down is not a claim, whatever the provider makes of it.
        taken = toolbox.finished or {}
        return replace(finish, outcome=Outcome(taken["outcome"])) if "outcome" in taken else finish

    @property
    def _providers(self) -> tuple[str, ...]:
        plan = self.loop.plan
        return (plan.past.providers.get(self.number) if plan.past is not None else None) or plan.providers

    @property
    def _cut(self) -> Cut | None:
        """Where a person ended this attempt, in a run that is made again."""
        past = self.loop.plan.past
        return past.cuts.get(f"attempt {self.number}") if past is not None else None

    def _count(self) -> None:
        self._called += 1

    def _safe_point(self) -> None:
        cut = self._cut
        if cut is not None and self._called >= cut.tools:
            raise AttemptEnded("as a person ended it when it was recorded")
        self._count()
        self.loop.check_time()

    def _last(self) -> bool:
        return self.number > self.loop.plan.config.retries.limit

    def provider(self, name: str, part: str = "") -> Provider:
        """A provider by its name, with the run's settings."""
        plan = self.loop.plan
        made: Provider
        if name == "anthropic":
            module = importlib.import_module("engine.providers.anthropic")
            settings = plan.config.anthropic
            if plan.past is not None:  # as often as then, and without waiting
                settings = replace(settings, retry_cap_s=0.0)
            made = module.AnthropicProvider(
                settings,
                self.loop.allowance,
                plan.environ,
                transcript=self._transcript(),
                spent=self.loop.state.usage,
                prices=plan.config.prices,
                floor=plan.floor,
                tape=plan.past.tape if plan.past is not None else self._recording(),
                part=part or f"attempt {self.number}",
            )
        elif name == "repair":
            module = importlib.import_module("engine.providers.repair.provider")
            made = module.RepairProvider(plan.config.repair)
        else:
            module = importlib.import_module("engine.providers.scripted")
            made = module.ScriptedProvider(Path(plan.config.scripted.file))
        return made

    def _recording(self) -> Any:
        from engine.providers.anthropic.recording import NAME, Recording

        return Recording(self.loop.keeper.folder / NAME, self.loop.recorder.redact.data)

    def _transcript(self) -> Any:
        path = self.loop.keeper.folder / "transcript.jsonl"
        redact = self.loop.recorder.redact

        def write(entry: dict[str, Any]) -> None:
            with path.open("a", encoding="utf-8", errors="replace") as file:
                text = json.dumps(redact.data(entry), ensure_ascii=False, default=lambda o: redact.text(str(o)))
                file.write(text + "\n")

        return write

    def _brief(self, place: Place, hint: str, lessons: Sequence[str]) -> Brief:
        loop = self.loop
        config = loop.plan.config
        scope = narrowed(loop.plan.agent.scope, loop.scope)
        earlier = [
            f"attempt {a.number} ({a.provider}): {a.failing_before} → {a.failing_after} failing, {a.verdict}; "
            + f"changed {', '.join(a.finished.files[:20]) or 'nothing'}; {'; '.join(a.reasons[:3])}"
            for a in loop.state.attempts
            if a.finished is not None and a.number < self.number
        ]
        return Brief(
            run=loop.run,
            attempt=self.number,
            attempts=config.retries.limit + 1,
            agent=loop.plan.agent.name,
            prompt=loop.plan.agent.body,
            model=config.anthropic.model or loop.plan.agent.model,
            worktree=place.worktree,
            targets=self._targets(),
            green=tuple(loop.runner.names.real(k.split(" ", 1)[1]) for k in sorted(loop.baseline.green)),
            suites=tuple(SuiteBrief(n, self.command(n), config.suites[n].args) for n in loop.plan.suites),
            scope=scope.editable(loop.files_of(loop.earlier_tree(self.number))),
            scope_rules=scope.words,
            tools=loop.plan.agent.tools if loop.plan.agent.tools != NAMES else (),
            earlier=(*earlier, *lessons),
            advisories=tuple(a for a in loop.state.advisories if a.code != ABOUT_HOOKS),
            hint=hint,
            ran=self._ran(),
            sandbox=Sandbox(
                loop.plan.interpreter.executable,
                loop.runner.environment(place),
                place.import_roots,
                place.cwd,
                place.scratch,
                loop.runner.without,
                self._confined,
                loop.plan.confinement,
            ),
        )

    def _confined(self, argv: Sequence[str], writable: Path, cwd: Path) -> list[str]:
        return self.loop.plan.confinement.wrap(argv, writable=(writable,), cwd=cwd)

    def command(self, suite: str) -> str:
        """What runs a suite, for people."""
        settings = self.loop.plan.config.suites[suite]
        words = ["pytest", *settings.args] + (["-m", repr(settings.marker)] if settings.marker else [])
        return " ".join(words)

    def _targets(self) -> tuple[TestResult, ...]:
        """Targets that are still red, as the last full round showed them."""
        earlier = self.loop.find_row(self.number - 1)
        done = set(earlier.progress.fixed) if earlier is not None else set()
        left = [r for t in self.loop.state.targets if t.key not in done for r in self._red_of(t)]
        real, told = self.loop.runner.names.real, self.told
        return tuple(
            struct_replace(t, nodeid=real(t.nodeid), message=told(t.message), detail=told(t.detail)) for t in left
        )

    def _red_of(self, target: TestRow) -> list[TestResult]:
        """A target as it is red now: of a file that can be collected by now, the tests in it that are."""
        rows = self.loop.state.tests.values()
        inside = [r.latest for r in rows if target.opened and r.key.startswith(f"{target.key}::") and r.latest]
        return [r for r in inside if r.outcome.red] or ([target.latest] if target.latest else [])

    def _ran(self) -> dict[str, tuple[str, ...]]:
        """Functions of the write scope the targets were seen to run, by file."""
        found: dict[str, set[str]] = {}
        for target in self.loop.state.targets:
            for path, names in (self.loop.selecting.seen(target.key) or {}).items():
                found.setdefault(path, set()).update(names)
        return {path: tuple(sorted(names)) for path, names in sorted(found.items())}

    def finish(self, base: str, place: Place, area: Area, toolbox: Toolbox, name: str, finish: Finish) -> None:
        loop = self.loop
        repository, snapshot = loop.plan.repository, loop.workshop.snapshot
        bench = loop.keeper.bench_of(place, loop.runner, snapshot.tree, sorted(area.touched))
        if area.touched and tidy(loop.plan.config.gates.format, bench):
            loop.emit(ev.ActivityReported("note", f"formatted {', '.join(sorted(area.touched))}, as before"))
        changes = {p: c for p, c in area.changes().items() if not loop.scope.refusal(p)}
        tree = repository.tree_with(base, changes, loop.plan.home.scratch(loop.run)) if changes else base
        stat = repository.numstat(snapshot.tree, tree)
        loop.emit(
            ev.AttemptFinished(
                number=self.number,
                provider=name,
                outcome=str(finish.outcome),
                summary=finish.summary,
                tree=tree,
                files=tuple(p for p, _, _ in stat),
                added=sum(a for _, a, _ in stat),
                removed=sum(r for _, _, r in stat),
                claimed=toolbox.insisted or (finish.outcome is Outcome.DONE and toolbox.claim_holds),
                transient=finish.transient,
                refusal=finish.refusal,
                alternatives=finish.alternatives,
                evidence=finish.evidence,
                confidence=finish.confidence,
                doubt=finish.doubt,
                runners_up=tuple(self._runners_up(base, tree, finish)),
            )
        )
        if toolbox.desk is not None:
            before, after = self._texts(area)
            loop.emit(toolbox.desk.settle(self.number, loop.state.advised, before, after))
        loop.emit(ev.StepFinished(Step.EDIT, self.number))

    def _runners_up(self, base: str, chosen: str, finish: Finish) -> Iterator[ev.RunnerUp]:
        """Changes that may be taken in place of the chosen one, each as a tree."""
        loop = self.loop
        repository, snapshot = loop.plan.repository, loop.workshop.snapshot
        given = {chosen}
        for other in finish.runners_up[:RUNNERS_UP]:
            if any(loop.scope.refusal(path) for path in other.files):
                continue
            changes = {path: text.encode("utf-8", "surrogateescape") for path, text in other.files.items()}
            tree = repository.tree_with(base, changes, loop.plan.home.scratch(loop.run))
            if tree in given:
                continue
            given.add(tree)
            stat = repository.numstat(snapshot.tree, tree)
            added, removed = sum(a for _, a, _ in stat), sum(r for _, _, r in stat)
            files = tuple(p for p, _, _ in stat)
            yield ev.RunnerUp(other.note, tree, files, added, removed, self._lines(tree), other.differs)

    def _lines(self, tree: str) -> tuple[str, ...]:
        """The first lines of a change, with their signs; a part of a key is told by what stands around it."""
        before, after = self.loop.keeper.texts(self.loop.workshop.snapshot.tree, tree) or ({}, {})
        found: list[str] = []
        for path, text in after.items():
            old = before.get(path, "")
            hidden = self.loop.recorder.redact.hidden(old) | self.loop.recorder.redact.hidden(text)
            for line in list(difflib.unified_diff(old.splitlines(), text.splitlines(), n=0, lineterm=""))[2:]:
                if not line.startswith("@@"):
                    found.append(line[0] + hidden.get(line[1:], line[1:]).rstrip()[:SHOWN_CELLS])
        return tuple(found[:SHOWN_LINES])
