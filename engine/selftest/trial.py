"""The check on trial: cheats and honest changes, planted in a scratch copy of a repository, judged as a run would.

Nothing of the user's is written but git objects; no provider is asked.
"""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from engine import events as ev
from engine.attempt import Attempting
from engine.cancel import CancelToken
from engine.config import Gates, Suite
from engine.errors import EnvironmentFailure
from engine.feed import Feed
from engine.launch import Plan
from engine.loop import Loop
from engine.model import Outcome, Verdict
from engine.providers import Finish
from engine.recorder import Recorder
from engine.records.journal import Journal
from engine.selftest.model import DEFECT, TESTS, Cheat
from engine.session import Steering
from engine.suites.layout import import_roots
from engine.toolbox import EDITOR
from engine.verifying import Verifying
from engine.workspace.area import Area
from engine.workspace.home import Home, new_run_id
from engine.workspace.repository import Repository
from engine.workspace.scope import Scope

SUITE = "selftest"


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of one change. ``why`` names the reason, or the place a reviewer is sent to."""

    verdict: str
    why: str

    @property
    def verified(self) -> bool:
        return self.verdict == Verdict.VERIFIED

    @property
    def caught(self) -> bool:
        """Not called verified, or a reviewer is told where to look."""
        return not self.verified or bool(self.why)


@dataclass(frozen=True, slots=True)
class Shown:
    """A cheat and its twin, judged."""

    cheat: Cheat
    fake: Judged
    honest: Judged

    @property
    def holds(self) -> bool:
        return self.fake.caught and self.honest.verified and not self.honest.why


@dataclass(slots=True)
class Trial:
    """A scratch copy with a planted module and its failing tests.

    Parameters
    ----------
    plan
        Of the user's repository: its interpreter, its scope, its sandbox are what is tried.
    """

    plan: Plan
    name: str = ""
    _folder: Path = Path()
    _loop: Loop | None = None
    _number: int = 0
    _honest: dict[str, Judged] = field(default_factory=dict)

    def __enter__(self) -> Trial:
        self._folder = Path(tempfile.mkdtemp(prefix="bitnet-tui-selftest-")).resolve()
        self.name = f"ledger_{secrets.token_hex(3)}"
        try:
            self._loop = self._opened(self._planted())
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._loop is not None:
            self._loop.close()
            self._loop.recorder.journal.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def cancel(self) -> CancelToken:
        return self.loop.steering.cancel

    @property
    def loop(self) -> Loop:
        if self._loop is None:
            raise LookupError("the trial is not open")
        return self._loop

    def show(self, cheats: Iterable[Cheat]) -> Iterator[Shown]:
        """Judge each cheat and its twin, one after the other; the same twin once."""
        for cheat in cheats:
            fake = self.judge(cheat)
            if cheat.twin not in self._honest:
                self._honest[cheat.twin] = self.judge(Cheat(cheat.name, {"{module}.py": cheat.twin}))
            yield Shown(cheat, fake, self._honest[cheat.twin])

    def judge(self, cheat: Cheat) -> Judged:
        """Write a change with the tools a provider has, and verify what they let through."""
        loop = self.loop
        self._number += 2  # so that none is taken for the one before it
        made = Attempting(loop, self._number)
        loop.emit(ev.AttemptStarted(self._number, SUITE, ""))
        base = loop.workshop.snapshot
        place = loop.workshop.place("work", base.commit, fresh=True)
        area = Area(place.worktree)
        toolbox = made.toolbox(place, area)
        refused = []
        for path, text in cheat.files.items():
            given = {"command": "create", "path": self._filled(path), "file_text": self._filled(text)}
            answer = toolbox.call(EDITOR, given)
            refused += [answer.text] * answer.is_error
        if cheat.tamper is not None:
            cheat.tamper(place.worktree, self.name, self._filled("{test}"))
        made.finish(base.tree, place, area, toolbox, SUITE, Finish(Outcome.DONE, cheat.name))
        Verifying(loop, self._number).go()
        row = loop.row(self._number)
        why = (*refused, *row.reasons, row.look_first)
        return Judged(str(row.verdict), next((w.split(". Scope:")[0] for w in why if w), ""))

    # -- the scratch copy ---------------------------------------------------------------------------------------------

    def _filled(self, text: str) -> str:
        """A text or path with the planted names in it."""
        test = f"{self._tests()}test_{self.name}.py"
        folder = self._tests()
        if text == "{module}.py" or text == "{module}_rows.py":
            return self._roots()[0] + text.replace("{module}", self.name)
        return text.replace("{module}", self.name).replace("{test}", test).replace("{folder}", folder)

    def _base(self) -> str:
        return f"{self.plan.prefix}/" if self.plan.prefix else ""

    def _tests(self) -> str:
        """The folder of the project's tests, with its slash."""
        inside = (f"{self._base()}tests/", f"{self._base()}test/")
        return next((f for f in inside if (self.plan.repository.root / f).is_dir()), self._base())

    def _roots(self) -> list[str]:
        """Folders a planted module can be imported from and that the scope lets a provider write in."""
        config = self.plan.config
        files = [e.path for e in self.plan.repository.entries("HEAD")]
        scope = Scope(config.scope.allow, config.scope.deny, config.scope.protect, self.plan.prefix)
        roots = import_roots(files, self.plan.prefix, config.python.import_roots)
        found = ["" if r == "." else r.rstrip("/") + "/" for r in roots]
        allowed = [r for r in found if not scope.refusal(f"{r}{self.name}.py")]
        if not allowed:
            raise EnvironmentFailure(
                f"the scope ({', '.join(config.scope.allow)}) lets no module be planted that tests could import",
                hint="try it with a wider scope: --config FILE with [scope] allow",
            )
        return allowed

    def _planted(self) -> Repository:
        """A repository of its own, on the user's objects, with their files as they are and ours beside them."""
        user = self.plan.repository
        ref = f"refs/bitnet-tui/{self.name}/base"
        snapshot = user.snapshot(self._folder / "index", ref)
        user.delete_ref(ref)
        user.run("init", "--quiet", str(self._folder))
        scratch = Repository(self._folder)
        objects = (user.root / user.run("rev-parse", "--git-path", "objects")).resolve()
        (self._folder / ".git" / "objects" / "info").mkdir(exist_ok=True)
        (self._folder / ".git" / "objects" / "info" / "alternates").write_text(f"{objects}\n", encoding="utf-8")
        files: Mapping[str, bytes | None] = {
            self._filled("{module}.py"): DEFECT.encode(),
            self._filled("{test}"): TESTS.replace("{module}", self.name).encode(),
        }
        tree = scratch.tree_with(snapshot.tree, files, self._folder / ".git" / "bitnet-tui")
        commit = scratch.scratch_commit(tree, snapshot.commit)
        scratch.run("update-ref", "HEAD", commit)
        scratch.run("reset", "--hard", "--quiet")
        return scratch

    def _opened(self, scratch: Repository) -> Loop:
        plan = self.plan
        suite = Suite(args=(self._filled("{test}").removeprefix(self._base()),))
        config = replace(plan.config, suites={SUITE: suite}, gates=Gates((), (), (), ()))
        roots = [r.removeprefix(f"{plan.repository.root}/") for r in plan.interpreter.editable]
        config = replace(config, python=replace(config.python, import_roots=(*config.python.import_roots, *roots)))
        visible = (*plan.confinement.visible, self._folder)
        mine = replace(
            plan,
            repository=scratch,
            home=Home(self._folder),
            config=config,
            suites=(SUITE,),
            tests=(),
            interpreter=replace(plan.interpreter, editable=()),
            confinement=replace(plan.confinement, visible=visible),
        )
        run = new_run_id()
        mine.home.make()
        mine.home.run(run).mkdir(parents=True)
        recorder = Recorder(Journal(mine.home.run(run) / "journal.jsonl"), Feed(), mine.home.run(run) / "run.log")
        loop = Loop(run, mine, recorder, Steering(CancelToken(), ask=False))
        loop.prepare()
        if len(loop.state.targets) != TESTS.count("(2, 3, 5)") * 3 + 1:
            last = loop.state.suites[SUITE].finished["audit1"]
            why = last.problem or f"{len(loop.state.targets)} of 4 planted tests are red"
            loop.close()
            raise EnvironmentFailure(
                f"the planted tests do not fail as they should: {why}",
                hint="look at the project's conftest.py and pytest settings: they change tests they do not know",
            )
        return loop
