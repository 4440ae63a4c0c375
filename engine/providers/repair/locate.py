"""Rank statements by how much the red tests point at them: Ochiai, per group of tests, and tracebacks. Pure.

Each group of red tests ranks on its own, so that of several independent defects none hides behind the others; all of
them together rank once more.
"""

from __future__ import annotations

import ast
import difflib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from engine.providers.repair.observe import Seen
from engine.providers.repair.source import FUNCTIONS, Source

Place = tuple[str, int, int, int]  # path, first and last line, column
_IN_TRACE, _DEEPEST, _ORIGIN = 0.2, 0.4, 0.3
_EARLY = 0.1


@dataclass(frozen=True, slots=True)
class Spot:
    """A statement under suspicion.

    Attributes
    ----------
    first, last : the lines of the statement; of a compound one, of its header.
    score : how suspicious it is, for showing.
    order : its best place in any group's ranking.
    tests : the red tests that an edit here may mend, or None for any.
    """

    path: str
    node: ast.stmt
    first: int
    last: int
    score: float
    order: int
    tests: frozenset[int] | None


def header_lines(node: ast.stmt) -> tuple[int, int]:
    """First and last line of what a statement says itself."""
    first = min([node.lineno, *(mark.lineno for mark in getattr(node, "decorator_list", ()))])
    body = getattr(node, "body", None)
    if isinstance(body, list) and body:
        return first, max(node.lineno, body[0].lineno - 1)
    return first, node.end_lineno or node.lineno


def statements(source: Source) -> Iterator[ast.stmt]:
    """Every statement in which something may be wrong."""
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.stmt) or isinstance(node, (ast.Pass, ast.Global, ast.Nonlocal, ast.Assert)):
            continue
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue
        yield node


def spots(
    sources: Mapping[str, Source],
    seen: Mapping[int, Seen],
    grouped: Sequence[Sequence[int]],
    errors: Iterable[tuple[str, int]],
    wanted: Sequence[str],
) -> list[Spot]:
    """Suspicious statements, most suspicious first.

    Parameters
    ----------
    seen : every traced test, by number.
    grouped : red tests, by group.
    errors : (path, line) that failed imports passed through.
    wanted : names that are asked for in vain.
    """
    red = {at for group in grouped for at in group}
    green = [view for at, view in seen.items() if at not in red]
    places: dict[Place, ast.stmt] = {}
    for path in sorted(sources):
        for node in statements(sources[path]):
            places[(path, *header_lines(node), node.col_offset)] = node
    covered = {place: frozenset(at for at in red if at in seen and seen[at].runs(*place[:3])) for place in places}
    calm = {place: sum(view.runs(*place[:3]) for view in green) for place in places if covered[place]}
    best: dict[Place, float] = {}
    order: dict[Place, int] = {}
    # Most often all red tests have one cause, and then what only they have in common says most.
    for group in [*grouped, sorted(red)] if len(grouped) > 1 else grouped:
        scores = _scores([seen[at] for at in group if at in seen], group, covered, calm)
        for place in _origins([seen[at] for at in group if at in seen], places, covered):
            scores[place] = scores.get(place, 0.0) + _ORIGIN
        _spread(scores, places, sources)
        ranked = sorted(scores, key=lambda place: (-scores[place], -place[1], place))
        for nth, place in enumerate(ranked):
            best[place] = max(best.get(place, 0.0), scores[place])
            order[place] = min(order.get(place, nth), nth)
    for nth, place in enumerate(_named(places, errors, wanted)):
        best[place] = max(best.get(place, 0.0), 0.9)
        order[place] = min(order.get(place, nth), nth)
    found = [
        Spot(place[0], places[place], place[1], place[2], best[place], order[place], covered[place] or None)
        for place in best
    ]
    return sorted(found, key=lambda spot: (spot.order, -spot.score, spot.path, spot.first))


def while_importing(sources: Mapping[str, Source], imported: Mapping[str, frozenset[int]]) -> list[Spot]:
    """Where no red test runs a line: what ran before any test did, in functions first, files by name.

    Parameters
    ----------
    imported : lines that ran while the project was imported, by path.
    """
    found: list[tuple[bool, Spot]] = []
    for path in sorted(sources):
        ran = imported.get(path, frozenset())
        for node in statements(sources[path]):
            first, last = header_lines(node)
            inside = sources[path].outermost(node) not in (None, node)
            if (inside or isinstance(node, (ast.Assign, ast.AnnAssign))) and any(
                n in ran for n in range(first, last + 1)
            ):
                found.append((not inside, Spot(path, node, first, last, _EARLY, 0, None)))
    ranked = [spot for _, spot in sorted(found, key=lambda row: row[0])]
    return [replace(spot, order=nth) for nth, spot in enumerate(ranked)]


def _scores(
    views: Sequence[Seen],
    group: Sequence[int],
    covered: Mapping[Place, frozenset[int]],
    calm: Mapping[Place, int],
) -> dict[Place, float]:
    members = frozenset(group)
    deepest = {view.frames[-1] for view in views if view.frames}
    passed = {frame for view in views for frame in view.frames}
    scores: dict[Place, float] = {}
    for place, tests in covered.items():
        path, first, last, _ = place
        hits = len(tests & members)
        score = hits / math.sqrt(len(members) * (hits + calm.get(place, 0))) if hits else 0.0
        lines = [(path, line) for line in range(first, last + 1)]
        if any(line in deepest for line in lines):
            score += _DEEPEST
        elif any(line in passed for line in lines):
            score += _IN_TRACE
        if score > 0:
            scores[place] = score
    return scores


def _origins(
    views: Sequence[Seen], places: Mapping[Place, ast.stmt], covered: Mapping[Place, frozenset[int]]
) -> Iterator[Place]:
    """Statements that gave a name the None which an operation then could do nothing with."""
    lost: set[tuple[str, str]] = set()
    for view in views:
        if view.frames and view.sign.kind in ("TypeError", "AttributeError"):
            lost |= {(view.frames[-1][0], name) for name, value in view.values if value == "None"}
    for place, node in places.items() if lost else ():
        if isinstance(node, ast.Assign) and covered.get(place):
            names = {n.id for target in node.targets for n in ast.walk(target) if isinstance(n, ast.Name)}
            if any((place[0], name) in lost for name in names):
                yield place


def _spread(scores: dict[Place, float], places: Mapping[Place, ast.stmt], sources: Mapping[str, Source]) -> None:
    """Suspect what suspicious statements use: constants of the module or class, and default arguments."""
    uses: dict[tuple[str, str], float] = {}
    for place, score in scores.items():
        for node in ast.walk(places[place]) if not isinstance(places[place], (*FUNCTIONS, ast.ClassDef)) else ():
            name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
            if name:
                key = (place[0], name)
                uses[key] = max(uses.get(key, 0.0), score)
    loose = {name: max(s for (_, n), s in uses.items() if n == name) for _, name in uses}
    for place, node in places.items():
        if place in scores:
            continue
        holder = sources[place[0]].parents.get(node)
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and isinstance(holder, (ast.Module, ast.ClassDef)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found = [loose[t.id] for t in targets if isinstance(t, ast.Name) and t.id in loose]
            if found:
                scores[place] = 0.7 * max(found)
        elif isinstance(node, FUNCTIONS):
            inner = [
                s
                for (path, first, _, _), s in scores.items()
                if path == place[0] and place[1] <= first <= (node.end_lineno or 0)
            ]
            if inner and (node.args.defaults or node.args.kw_defaults or node.decorator_list):
                scores[place] = 0.6 * max(inner)


def _named(places: Mapping[Place, ast.stmt], errors: Iterable[tuple[str, int]], wanted: Sequence[str]) -> list[Place]:
    """Where failed imports went through, deepest first, and definitions whose names resemble a missing one."""
    found: list[Place] = []
    for path, line in reversed(list(errors)):
        found += [place for place in places if place[0] == path and place[1] <= line <= place[2]]
    for place, node in places.items():
        name = getattr(node, "name", None)
        if isinstance(name, str) and difflib.get_close_matches(name, wanted, 1, 0.5):
            found.append(place)
    return list(dict.fromkeys(found))
