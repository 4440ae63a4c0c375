"""Take away what the targets do not need, before the whole suite runs once over what is left.

The oracle runs the targets, and where they pass, the tests that the change can reach. What the targets run answers for
it where it can: a test that runs only one of the changed functions needs that change, whatever else is there. Several
subsets are tried in forks of one child first; one that fails there is not asked for again, one that passes is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pathspec
from msgspec.structs import replace

from engine import events as ev
from engine.gates import tools
from engine.model import GateStatus, Outcome, TestReport, TestResult
from engine.selecting import Seen
from engine.state import AttemptRow
from engine.suites import worlds
from engine.suites.impact import functions, named, owners
from engine.suites.runner import Manner, Place
from engine.verify import acceptance
from engine.workspace import diet, leftover
from engine.workspace.area import Area
from engine.workspace.changes import Hunk, hunks

if TYPE_CHECKING:
    from engine.loop import Loop

SHOWN_LINES = 6
"""Lines of a removed piece that are shown."""

MOST_PIECES = 2000
"""A change of more is not offered piece by piece."""

EARLY = Manner(stop_early=True)


@dataclass(slots=True)
class Dieting:
    """The diet of what attempt ``number`` left."""

    loop: Loop
    number: int
    runs: int = 0
    _before: Mapping[str, str] = field(default_factory=dict)
    _after: Mapping[str, str] = field(default_factory=dict)
    _place: Place | None = None
    _around: Mapping[str, list[str]] | None = None
    _deadline: float = 0.0
    _forks: bool = True  # whether the target's process has shown that it can be forked, or was not asked yet

    def slim(self, finished: ev.AttemptFinished) -> ev.DietFinished | None:
        """What is left of a change; None where its targets do not even pass with all of it."""
        loop = self.loop
        settings = loop.plan.config.diet
        same = ev.DietFinished(self.number, finished.tree, finished.added, finished.removed, False)
        cut = self._cut(finished)
        if cut is None:
            return replace(same, note="a changed file is not text")
        whole, parts = [h for h, _ in cut], [p for _, some in cut for p in some]
        row = loop.row(self.number)
        if row.touched:
            gone = ({p.index for p in row.removed} - {*row.restored}) | {*row.reverted}
            return self._without(same, parts, gone, _said(row)) if row.by_hand else row.slim
        if not settings.enabled and len(whole) > 1:
            return replace(same, note="[diet] enabled = false")
        if finished.outcome != Outcome.DONE and not self._passes(whole):
            return None
        self._deadline = time.monotonic() + settings.budget_s
        kept, minimal = self._reduced(cut, lambda: time.monotonic() > self._deadline)
        gone = {n for n, p in enumerate(parts) if not any(p is k for k in kept)}
        if gone and finished.outcome == Outcome.DONE and not self._passes(whole, at_once=True):
            # The claim was for all of it: what is left may be honest, the change was not.
            return replace(same, runs=self.runs, note="with all of it the targets do not pass in a fresh worktree")
        brought = self._brought_back(cut, parts, gone) if gone else set()
        gone -= brought
        minimal = minimal and (not brought or self._no_piece_can_go(parts, gone))
        pinned = sum(self._pinned(p.path) for p in parts)
        note = f"[diet] pin keeps {pinned} {'piece' if pinned == 1 else 'pieces'}" if pinned else ""
        if brought:
            stay = f"{len(brought)} {'piece stays' if len(brought) == 1 else 'pieces stay'} for formatter and linter"
            note = f"{note}; {stay}" if note else stay
        return replace(self._without(same, parts, gone, note), minimal=minimal, runs=self.runs, pinned=pinned)

    def left(self) -> tuple[ev.Piece, ...]:
        """Pieces that are in the change as it is now, for a person who may take some away; none of one too large.

        Their lines are in the patch.
        """
        row = self.loop.row(self.number)
        cut = self._cut(row.finished) if row.finished is not None else None
        parts = [p for _, some in cut or () for p in some]
        gone = {p.index for p in row.diet.removed_pieces} if row.diet is not None else set()
        if len(parts) > MOST_PIECES or (row.diet is not None and row.diet.dropped != len(gone)):
            return ()
        there = [(n, p) for n, p in enumerate(parts) if n not in gone]
        return tuple(ev.Piece(n, p.path, p.start + 1, len(p.new), p.stop - p.start) for n, p in there)

    def _cut(self, finished: ev.AttemptFinished) -> list[tuple[Hunk, list[Hunk]]] | None:
        """The hunks of all that was changed, each with its pieces; None where that is not text.

        The pieces in this order are what the indices of a journal stand for.
        """
        texts = self.loop.keeper.texts(self.loop.workshop.snapshot.tree, finished.tree)
        if texts is None:
            return None
        self._before, self._after = texts
        return [(h, diet.finer(h)) for h in diet.pieces(*texts)]

    def _without(
        self, same: ev.DietFinished, parts: Sequence[Hunk], gone: Collection[int], note: str = ""
    ) -> ev.DietFinished:
        """The change without some of its pieces."""
        if not gone:
            return replace(same, note=note)
        loop = self.loop
        repository, base = loop.plan.repository, loop.workshop.snapshot.tree
        texts = diet.assemble(self._before, [p for n, p in enumerate(parts) if n not in gone], self._after)
        changes = {p: t.encode("utf-8", "surrogateescape") for p, t in texts.items() if t is not None}
        tree = repository.tree_with(base, changes, loop.plan.home.scratch(loop.run))
        stat = repository.numstat(base, tree)
        return replace(
            same,
            tree=tree,
            added=sum(a for _, a, _ in stat),
            removed=sum(r for _, _, r in stat),
            dropped=len(gone),
            note=note,
            files=tuple(p for p, _, _ in stat),
            removed_pieces=tuple(self._shown([(n, parts[n]) for n in sorted(gone)])),
        )

    def _shown(self, pieces: Iterable[tuple[int, Hunk]]) -> Iterator[ev.Piece]:
        """Pieces as they are recorded: a part of a key is told by what stands around it only."""
        hidden: dict[str, str] = {}
        for text in (*self._before.values(), *self._after.values()):
            hidden |= self.loop.recorder.redact.hidden(text)
        for index, piece in pieces:
            old = self._before.get(piece.path, "").splitlines()[piece.start : piece.stop]
            signed = [*(("-", t) for t in old), *(("+", t) for t in "".join(piece.new).splitlines())]
            lines = tuple(sign + hidden.get(t, t).rstrip() for sign, t in signed[:SHOWN_LINES])
            yield ev.Piece(index, piece.path, piece.start + 1, len(piece.new), len(old), lines)

    # -- the search ---------------------------------------------------------------------------------------------------

    def _reduced(
        self, cut: Sequence[tuple[Hunk, Sequence[Hunk]]], spent: Callable[[], bool]
    ) -> tuple[list[Hunk], bool]:
        """Hunks first, then the statements and lines of those that are needed; whether no piece can go."""
        whole = [h for h, _ in cut]

        def program(kept: Sequence[Hunk]) -> object:
            return diet.programs(self._texts(kept))

        pinned = [h for h in whole if self._pinned(h.path)]
        kept = diet.idle(whole, program)
        kept = [h for h in whole if any(h is k for k in (*kept, *pinned))]
        parses = program(whole) is not None
        before, after = leftover.Names.of(self._before), leftover.Names.of(self._texts(whole))

        def sound(some: Sequence[Hunk]) -> bool:
            """Whether it is worth a child: it is a program, and leaves nothing behind that the change cleaned up."""
            if parses and program(some) is None:
                return False
            return not leftover.left_behind(before, after, leftover.Names.of(self._texts(some)))

        def holds(some: Sequence[Hunk]) -> bool:
            return sound(some) and self._passes(some)

        def foresee(several: Sequence[Sequence[Hunk]]) -> list[bool | None]:
            worth = [sound(some) for some in several]
            told = iter(self._foreseen([some for some, good in zip(several, worth, strict=True) if good]))
            return [next(told) if good else False for good in worth]

        needed, spare = self._needed(kept, pinned) if len(kept) > 1 and not spent() else ([], [])
        slim = diet.reduce(kept, holds, spent, [*pinned, *needed], spare, foresee)
        fine = [f for h, parts in cut if any(h is k for k in slim.kept) for f in parts]
        if slim.minimal and len(fine) > len(slim.kept):
            slim = diet.reduce(fine, holds, spent, [f for f in fine if self._pinned(f.path)], foresee=foresee)
            return list(slim.kept), slim.minimal
        return fine, slim.minimal

    def _brought_back(
        self, cut: Sequence[tuple[Hunk, Sequence[Hunk]]], parts: Sequence[Hunk], gone: set[int]
    ) -> set[int]:
        """Pieces that formatter or linter want back: what is left must not look worse than the whole change does.

        One of them if one will do, else those of one hunk, else those of one file, else all.
        """
        said = self._complaints(parts, gone)
        if not said or not said - self._complaints(parts, set()):
            return set()
        hunk = [n for n, (_, some) in enumerate(cut) for _ in some]
        groups = [{n} for n in sorted(gone)] if len(gone) <= diet.FEW else []
        groups += [{n for n in gone if hunk[n] == h} for h in sorted({hunk[n] for n in gone})]
        groups += [{n for n in gone if parts[n].path == path} for path in sorted({parts[n].path for n in gone})]
        for group in groups:
            if time.monotonic() > self._deadline:
                break
            left = [p for n, p in enumerate(parts) if n not in gone - group]
            if not self._complaints(parts, gone - group) & said and self._passes(left):
                return group
        return set(gone)

    def _complaints(self, parts: Sequence[Hunk], gone: Collection[int]) -> frozenset[str]:
        """Names of the gates of formatter and linter that fail with the change without some pieces."""
        loop = self.loop
        place, settings = self._put([p for n, p in enumerate(parts) if n not in gone]), loop.plan.config.gates
        bench = loop.keeper.bench_of(place, loop.runner, loop.workshop.snapshot.tree, sorted(self._after))
        found = (tools.format_gate(settings.format, bench), tools.clippy_gate(settings.clippy, bench))
        return frozenset(gate.name for gate in found if gate.status is GateStatus.FAIL)

    def _no_piece_can_go(self, parts: Sequence[Hunk], gone: Collection[int]) -> bool:
        """Whether each piece that is left is missed: by a target, as forks tell, or by formatter or linter."""
        left = [n for n in range(len(parts)) if n not in gone]
        told = self._foreseen([[parts[m] for m in left if m != n] for n in left])
        known = self._complaints(parts, gone)
        return all(
            held is False or (held and bool(self._complaints(parts, {*gone, n}) - known))
            for n, held in zip(left, told, strict=True)
        )

    def _needed(self, pieces: Sequence[Hunk], pinned: Sequence[Hunk]) -> tuple[list[Hunk], list[Hunk]]:
        """Pieces without which a target fails whatever else is there, and pieces that no target was seen to run.

        The first are all that a failing target runs of what can go. A cache that outlives a test could make another
        test's piece count; decorated functions therefore do not.
        """
        owner = self._owners(pieces)
        free = [h for h in pieces if owner[id(h)] and not any(h is p for p in pinned)]
        needed: dict[int, Hunk] = {}
        seen: set[int] = set()
        for names in self._seen_without([h for h in pieces if not any(h is f for f in free)]):
            met = [h for h in free if owner[id(h)] in names.get(h.path, ())]
            seen |= {id(h) for h in met}
            if len(met) == 1:
                needed[id(met[0])] = met[0]
        return list(needed.values()), [h for h in free if id(h) not in seen] if seen else []

    def _owners(self, pieces: Sequence[Hunk]) -> dict[int, str]:
        """The function each piece lies in; empty where it is of the module, or of what is decorated."""
        found: dict[int, str] = {}
        for path in {h.path for h in pieces}:
            before, after = self._before.get(path, ""), self._after[path]
            whole = hunks(path, before, after)
            plain = {f.name for f in functions(before) if not f.decorated}
            names = dict(zip(whole, owners(whole, before, after), strict=True))
            found |= {id(h): names[h] if names[h] in plain else "" for h in pieces if h.path == path}
        return found

    def _seen_without(self, stay: Sequence[Hunk]) -> list[Seen]:
        """Functions that each target runs which fails with no other pieces than these."""
        selecting = self.loop.selecting
        if not stay:  # as the audit found it
            return [s for t in self.loop.state.targets if (s := selecting.seen(t.key, shared=True)) is not None]
        if diet.programs(self._texts(stay)) is None:
            return []
        texts = {p: functions(t or "") for p, t in self._texts(stay).items()}
        found: list[Seen] = []
        for report in self._reports(stay, self._targets(), Manner(record=True)):
            red = {r.nodeid for r in report.results if r.outcome.red}
            shared = [r.set_up for r in report.ran.values()]
            for nodeid in red & report.ran.keys():
                parts = [report.ran[nodeid].body, *shared]
                found.append(
                    {p: frozenset().union(*(named(x.get(p, ()), known) for x in parts)) for p, known in texts.items()}
                )
        return found

    # -- the oracle ---------------------------------------------------------------------------------------------------

    def _pinned(self, path: str) -> bool:
        pins = self.loop.plan.config.diet.pin
        prefix = self.loop.plan.prefix
        inner = path.removeprefix(f"{prefix}/") if prefix else path
        return bool(pins) and pathspec.PathSpec.from_lines("gitignore", pins).match_file(inner)

    def _texts(self, kept: Sequence[Hunk]) -> dict[str, str | None]:
        return diet.assemble(self._before, kept, self._after)

    def _targets(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for row in self.loop.state.targets:
            found.setdefault(row.suite, []).append(row.nodeid)
        return found

    def _passes(self, kept: Sequence[Hunk], *, at_once: bool = False) -> bool:
        """Whether the targets pass with these pieces, and then whether nothing is lost that they can reach.

        Parameters
        ----------
        at_once
            It is expected to pass: one child a suite runs both.
        """
        around, tests = self._reach(), self._targets()
        if at_once:
            tests = {n: [*tests.get(n, ()), *around.get(n, ())] for n in {**tests, **around}}
        found = [r for report in self._reports(kept, tests, EARLY) for r in report.results]
        moved = acceptance.progress(self.loop.baseline, found)
        if moved.still or moved.gone:
            return False
        if around and not at_once:
            found += [r for report in self._reports(kept, around, EARLY) for r in report.results]
        passed = {r.key for r in found if not r.outcome.red}
        return all(f"{suite} {nodeid}" in passed for suite, nodeids in around.items() for nodeid in nodeids)

    def _foreseen(self, several: Sequence[Sequence[Hunk]]) -> list[bool | None]:
        """Whether the targets pass with each of several subsets, as forks of one child a suite tell; None: unknown.

        It takes half of the time that is left at most: what may go has to be tried, too.
        """
        if len(several) < 2:
            return [None] * len(several)
        parts = [several[n : n + worlds.MOST] for n in range(0, len(several), worlds.MOST)]
        return [told for some in parts for told in self._foretold(some)]

    def _foretold(self, several: Sequence[Sequence[Hunk]]) -> list[bool | None]:
        loop = self.loop
        there = [self._texts(kept) for kept in several]
        shown: list[list[TestResult]] = [[] for _ in several]
        whole = [True] * len(several)
        for name, nodeids in self._targets().items():
            suite = loop.plan.config.suites[name]
            seconds = min(suite.timeout_s, (self._deadline - time.monotonic()) / 2)
            if not self._forks or seconds <= 0 or not worlds.able(name, suite, there):
                whole = [False] * len(several)
                continue
            loop.checkpoint()
            self.runs += 1
            told = worlds.tried(loop.runner, name, suite, self._fresh(), nodeids, there, seconds)
            self._forks = any(results is not None for results in told)
            for n, results in enumerate(told):
                shown[n] += results or ()
                whole[n] = whole[n] and results is not None
        return [self._told(results, whole=known) for results, known in zip(shown, whole, strict=True)]

    def _told(self, results: Sequence[TestResult], *, whole: bool) -> bool | None:
        if any(r.outcome.red for r in results):
            return False
        moved = acceptance.progress(self.loop.baseline, results)
        return True if whole and not moved.still and not moved.gone else None  # what did not run does not fail

    def _reach(self) -> Mapping[str, list[str]]:
        """Tests that passed before and that the change can reach, where they are quickly through."""
        if self._around is None:
            loop = self.loop
            rows = [loop.state.tests[k] for k in loop.baseline.green]
            keys = dict(loop.selecting.reach(self._before, self._after, rows))
            mine = [r for r in rows if r.key in keys]
            quick = sum(r.latest.seconds for r in mine if r.latest is not None) <= loop.plan.config.diet.budget_s / 4
            around: dict[str, list[str]] = {}
            for row in mine if quick else ():
                around.setdefault(row.suite, []).append(row.nodeid)
            self._around = around
        return self._around

    def _fresh(self) -> Place:
        if self._place is None:
            self._place = self.loop.workshop.place("verify", self.loop.workshop.snapshot.commit, fresh=True)
        return self._place

    def _put(self, kept: Sequence[Hunk]) -> Place:
        """The place with only these pieces in it."""
        place = self._fresh()
        area = Area(place.worktree)
        for path, text in self._texts(kept).items():
            if text is None:
                (place.worktree / path).unlink(missing_ok=True)
            else:
                area.write(path, text.encode("utf-8", "surrogateescape"))
        return place

    def _reports(
        self, kept: Sequence[Hunk], tests: Mapping[str, Sequence[str]], manner: Manner
    ) -> Iterator[TestReport]:
        """Run some tests with only these pieces in place, suite by suite."""
        loop = self.loop
        place = self._put(kept)
        for suite, nodeids in tests.items():
            loop.checkpoint()
            self.runs += 1
            yield loop.runner.report(suite, loop.plan.config.suites[suite], place, only=nodeids, manner=manner)


def _said(row: AttemptRow) -> str:
    """What a person made of it."""
    done = [word for word, pieces in (("brought back", row.restored), ("took away", row.reverted)) if pieces]
    return f"with what a person {' and '.join(done)}"
