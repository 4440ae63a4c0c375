"""What the repairer is asked and what it answers: frozen nouns, no behaviour beyond small claims about themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from engine.suites.sandbox import Confinement

Phase = Literal["locating", "searching", "confirming", "done"]


@dataclass(frozen=True, slots=True)
class RepairTask:
    """A project with red tests, and what may be done about them.

    Attributes
    ----------
    root : a worktree holding the project as it is now; read, never written.
    cwd : where pytest runs: the root or a folder below it.
    python : the target's interpreter; it has pytest and nothing of ours.
    env : the complete environment of children.
    import_roots : folders relative to the root that come first on the child's path.
    pytest_args : extra arguments of the suite.
    failing : red node ids that should become green; a bare file path stands for a module that cannot be collected.
    passing : green node ids that must stay green.
    editable : posix paths, relative to the root, that may be edited.
    budget_s : wall-clock seconds for everything, the confirmation included.
    max_candidates : edits to try at most.
    seed : settles ties between equally ranked edits.
    workers : processes to use.
    test_timeout_s : seconds after which a single test counts as endless.
    scratch : folder for copies of the project; the system's temporary one if none is given.
    confinement : how the run confines children, for workers elsewhere that have to choose their own way.
    scheduler : empty: candidates are tried on this machine; ``local`` or the address of a Dask scheduler: there.
    confine : makes a command line confined: given it, the one folder it may write, and where it runs.
    """

    root: Path
    cwd: Path
    python: str
    env: Mapping[str, str]
    import_roots: tuple[str, ...]
    pytest_args: tuple[str, ...]
    failing: tuple[str, ...]
    passing: tuple[str, ...]
    editable: tuple[str, ...]
    budget_s: float = 60.0
    max_candidates: int = 20000
    seed: int = 0
    workers: int = 2
    test_timeout_s: float = 10.0
    scratch: Path | None = None
    confine: Callable[[Sequence[str], Path, Path], list[str]] | None = None
    confinement: Confinement | None = None
    scheduler: str = ""


@dataclass(frozen=True, slots=True)
class Edit:
    """One change to one file, by full lines.

    Attributes
    ----------
    path : the file, relative to the root.
    line : first line of the replaced span, counted from 1.
    before, after : full source lines, old and new.
    template : which kind of edit it is.
    note : one plain sentence saying what was changed.
    """

    path: str
    line: int
    before: str
    after: str
    template: str
    note: str


@dataclass(frozen=True, slots=True)
class RunnerUp:
    """Another change that passes the same tests in a quick look; nothing has confirmed it.

    Attributes
    ----------
    files : path and new full text of each changed file.
    note : what it changes, in plain words.
    differs : a call of which it makes something else than the change that was taken; empty: none was seen.
    """

    files: Mapping[str, str]
    note: str
    differs: str = ""


@dataclass(frozen=True, slots=True)
class RepairResult:
    """The confirmed outcome of a search.

    Attributes
    ----------
    files : path and new full text of each changed file, with its own newlines (write it with ``newline=""``; a byte
        order mark is kept as its first character); empty if nothing was found.
    edits : the smallest set of edits that was kept.
    fixed : ids of the task that are green now; tests inside a module that could not be collected count by their own id.
    remaining : ids of the task that are still red.
    tried : how many edits were run.
    seconds : wall-clock time.
    located : (path, line, suspiciousness), best first.
    alternatives : other plausible edits that were seen for those kept.
    note : what happened, in plain words.
    agreement : the share of plausible edits that behave alike beyond the tests; None: they were not compared.
    confidence : high, medium or low: how far the tests that pass now can be trusted; empty: nothing was found.
    doubt : a call on which plausible edits disagree, with what they make of it.
    runners_up : some of the alternatives.
    """

    files: Mapping[str, str]
    edits: tuple[Edit, ...]
    fixed: frozenset[str]
    remaining: frozenset[str]
    tried: int
    seconds: float
    located: tuple[tuple[str, int, float], ...]
    alternatives: int
    note: str
    agreement: float | None = None
    confidence: str = ""
    doubt: str = ""
    runners_up: tuple[RunnerUp, ...] = ()


@dataclass(frozen=True, slots=True)
class SearchProgress:
    """Where a search stands.

    Attributes
    ----------
    phase : locating, searching, confirming or done.
    message : one line for a person.
    tried : edits run so far.
    best : how many failing tests the best edit of this round mends.
    fixed : failing tests mended by the edits kept so far.
    budget_used : share of the time that is gone, 0 to 1.
    """

    phase: Phase
    message: str
    tried: int
    best: int
    fixed: int
    budget_used: float
