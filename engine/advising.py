"""Sets up the advisories of an attempt: which hooks there are, whether they may run, and what the tests give away."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from engine import events as ev
from engine.advisories.desk import Desk
from engine.advisories.found import CLAUDE, MOST, Found, find
from engine.advisories.hooks import Hooks
from engine.advisories.literals import asserted
from engine.advisories.module import Standards, Value
from engine.launch import Plan
from engine.model import Advisory
from engine.state import ABOUT_HOOKS
from engine.suites.runner import Place

if TYPE_CHECKING:
    from engine.loop import Loop

UNCONFINED = "nothing here keeps them from writing (bubblewrap or Landlock would)"
TEST_FILES = 200
"""Files of targets that are read for their literals."""


def desk(loop: Loop, place: Place, targets: Sequence[str]) -> Desk:
    """The desk of an attempt, its hooks ready.

    Parameters
    ----------
    targets
        Node ids of the tests it is to mend.
    """
    settings = loop.plan.config.advisories
    redact = loop.recorder.redact.text
    made = Desk(loop.emit, redact=redact, log=loop.recorder.line, lines=settings.lines, chars=settings.chars)
    made.standards = Standards(_literals(loop, targets, made), settings.tolerance)
    found = find(settings, _in_snapshot(loop))
    said = list(found.left_out)
    if settings.budget_s and found.hooks and loop.plan.confinement.seals:
        hooks = Hooks(found.hooks, loop.runner, place, settings.hook_timeout_s, settings.budget_s, redact)
        made.hooks = hooks.after
    elif settings.budget_s and found.hooks:
        said.append(f"{_count(found)} not run: {UNCONFINED}")
    told = {a.key for a in loop.state.advisories}
    for text in said:
        advisory = Advisory(ABOUT_HOOKS, redact(text))
        if advisory.key not in told:
            loop.emit(ev.AdvisoryRaised(advisory))
    return made


def _literals(loop: Loop, targets: Sequence[str], desk: Desk) -> frozenset[Value]:
    tests = _tests(loop, targets)
    try:
        return asserted(tests, targets)
    except Exception as error:  # noqa: BLE001  # tests of a stranger; without their literals there are fewer hints
        desk.failed(error)
        return frozenset()


def words(plan: Plan) -> list[str]:
    """For a person: the hooks of a project, and whether they would run; one line each."""
    settings = plan.config.advisories
    found = find(settings, _on_disk(plan.repository.root, plan.prefix))
    lines = [f"{h.name}  ({h.source}" + (f", after {h.matcher})" if h.matcher else ")") for h in found.hooks]
    if not settings.claude_settings:
        lines.append(f"those of {CLAUDE} are off ([advisories] claude_settings)")
    if found.hooks and not settings.budget_s:
        lines.append("they would not run: [advisories] budget_s = 0")
    elif found.hooks and not plan.confinement.seals:
        lines.append(f"they would not run: {UNCONFINED}")
    elif found.hooks:
        net = "" if plan.confinement.bwrap else "; the network is open to them"
        lines.append(f"they would run after edits, confined as tests are, the worktree read-only{net}")
    return [*lines, *found.left_out] or ["none"]


def _count(found: Found) -> str:
    number = len(found.hooks)
    return f"{number} hook is" if number == 1 else f"{number} hooks are"


def _places(prefix: str) -> list[str]:
    """Where Claude settings may lie, the project's own first."""
    return list(dict.fromkeys((f"{prefix}/{CLAUDE}".lstrip("/"), CLAUDE)))


def _read(places: Sequence[str], read: Callable[[str], bytes | None]) -> dict[str, str]:
    found = ((path, read(path)) for path in places)
    return {path: data[: 4 * MOST].decode("utf-8", "replace") for path, data in found if data is not None}


def _in_snapshot(loop: Loop) -> dict[str, str]:
    """As the run began: an attempt cannot give itself other hooks."""
    repository, tree = loop.plan.repository, loop.workshop.snapshot.tree
    there = [p for p in _places(loop.plan.prefix) if p in set(loop.files)]
    return _read(there, lambda path: repository.blob(tree, path))


def _on_disk(root: Path, prefix: str) -> dict[str, str]:
    def read(path: str) -> bytes | None:
        file = root / path
        try:
            if file.is_symlink() or not file.is_file():
                return None
            with file.open("rb") as opened:
                return opened.read(4 * MOST)
        except OSError:
            return None

    return _read(_places(prefix), read)


def _tests(loop: Loop, targets: Sequence[str]) -> Mapping[str, str]:
    """Texts of the files the targets are in, by path as node ids have it."""
    known, prefix = set(loop.files), loop.plan.prefix
    names = list(dict.fromkeys(t.split("::", 1)[0] for t in targets))[:TEST_FILES]

    def texts() -> Iterator[tuple[str, str]]:
        for name in names:
            path = f"{prefix}/{name}".lstrip("/")
            if path in known:
                data = loop.plan.repository.blob(loop.workshop.snapshot.tree, path)
                yield name, data.decode("utf-8", "replace")

    return dict(texts())
