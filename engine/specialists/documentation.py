"""The doc-updater's evidence: public names whose documentation did not follow, and whether the examples still run."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from engine.model import Gate, GateStatus
from engine.specialists.case import Case, Evidence, Fact
from engine.specialists.change import PATIENCE, Edited, bench, cut, edited, inside, judging, read
from engine.specialists.names import Moved, Public, described, moved, public

MOST_FACTS = 40
MOST_PAGES = 20
"""Pages whose examples are run."""
LONGEST = 10_000
"""Characters of a line that are looked at."""
_PAGE = (".md", ".rst")
_HISTORY = re.compile(r"(^|/)(change(s|log)|history|news|releases?)\b[^/]*$", re.IGNORECASE)
_NO_TESTS = 5
"""Pytest's exit code where it finds nothing to run."""
_FENCE = re.compile(r"^\s*(```+|~~~+)\s*([\w+-]*)")
_EXAMPLES = frozenset({"", "python", "py", "py3", "python3", "pycon", "doctest", "pycon3"})
_COUNT = re.compile(r"(?<!\d)(\d{1,9}) (passed|failed|error)")
_IMPORT = re.compile(r"\bimport\b")


def look(case: Case) -> Evidence:
    """The gate holds when every changed public name is documented as it is, and no example fails that ran before."""
    judges = judging(case)
    changes = [c for c in edited(case) if not judges(c.path)]
    code = [c for c in changes if c.python]
    pages = dict(_pages(case))
    if not code and not any(c.path in pages for c in changes):
        return Evidence(Gate("docs", GateStatus.SKIPPED, "n/a-surface", "no changed module and no changed page"))
    moves = {c.path: moved(public(c.before or "", c.path), public(c.after or "", c.path)) for c in code}
    names = sum(len(m.added) + len(m.removed) + len(m.renamed) + len(m.changed) for m in moves.values())
    gaps = [gap for c in code for gap in gaps_of(c, moves[c.path])]
    gaps += stale(moves, pages, still=_elsewhere(case, code))
    mentioned = _mentioning(moves, pages)
    chosen = [p for p in pages if p in mentioned or any(c.path == p for c in changes)][:MOST_PAGES]
    good, total, said = examples(case, code, {p: pages[p] for p in chosen})
    facts = [Fact("documentation gap", cut(gap)) for gap in gaps] + [Fact("example fails", line) for line in said]
    words = _names_said(names, gaps)
    ran = f"examples {good}/{total}" if total else "no examples"
    failed = bool(gaps) or bool(said)
    gate = Gate("docs", GateStatus.FAIL if failed else GateStatus.PASS, "", f"docs: {words}; {ran}")
    return Evidence(gate, tuple(facts[:MOST_FACTS]))


def _names_said(names: int, gaps: Sequence[str]) -> str:
    if gaps:
        more = f" and {len(gaps) - 1} more" if len(gaps) > 1 else ""
        return cut(f"{gaps[0]}{more}", 240)
    if not names:
        return "no public name changed"
    return "1 public name changed, documented" if names == 1 else f"{names} public names changed, documented"


def gaps_of(change: Edited, move: Moved) -> Iterator[str]:
    """What the docstrings of a changed module lack."""
    known = [p for p in public(change.before or "", change.path).values() if p.kind != "value" and not p.speaks]
    # In a module that documents next to nothing one more name without a word is no gap of this change.
    used_to = not known or sum(bool(p.docstring) for p in known) * 2 >= len(known)
    for name in (*move.added, *(new for _, new in move.renamed)):
        if name.kind != "value" and not (name.docstring or name.speaks) and used_to:
            yield f"{change.path}:{name.line}: {name.name} has no docstring"
        yield from _parameters(change.path, name)
    for old, new in move.changed:
        if old.docstring and not new.docstring:
            yield f"{change.path}:{new.line}: {new.name} lost its docstring"
        yield from _parameters(change.path, new)


def _parameters(path: str, name: Public) -> Iterator[str]:
    told = described(name.docstring)
    if told is None or name.kind == "value":
        return
    # Attributes of a class may be described beside its parameters, so what is too much there is no gap.
    if name.kind == "function":
        for extra in sorted(told - set(name.parameters)):
            yield f"{path}:{name.line}: {name.name} describes {extra}, which is no parameter of it"
    for lacking in (p for p in name.parameters if p not in told):
        yield f"{path}:{name.line}: {name.name} does not describe {lacking}"


def stale(moves: Mapping[str, Moved], pages: Mapping[str, str], still: frozenset[str]) -> list[str]:
    """Pages that mention a name as code that is there no more. What a changelog tells is history."""
    found = []
    gone = {p.name.split(".")[-1]: p for m in moves.values() for p in (*m.removed, *(old for old, _ in m.renamed))}
    for name in gone.keys() - still:
        for path, text in pages.items():
            if not _HISTORY.search(path) and (line := _mention(name, text)):
                found.append(f"{path}:{line}: mentions {name}, which is gone")
    return sorted(found)


def _mention(name: str, text: str) -> int:
    """The first line that has a name as code; 0: none."""
    if name not in text:
        return 0
    word = re.compile(rf"\b{re.escape(name)}\b")
    shape = re.compile(rf"\b{re.escape(name)}\(|\.{re.escape(name)}\b(?!\.(?:md|py))")
    lines = (line[:LONGEST] for line in text.split("\n"))
    return next((n for n, line in enumerate(lines, 1) if name in line and _shows(line, word, shape)), 0)


def _shows(line: str, word: re.Pattern[str], shape: re.Pattern[str]) -> bool:
    """Whether a line has the word as code: called, after a dot, between backticks, or imported."""
    quoted = line.split("`")[1:-1]
    imported = _IMPORT.search(line)
    return (
        shape.search(line) is not None
        or any(word.search(part) for part in quoted)
        or (imported is not None and word.search(line, imported.end()) is not None)
    )


def _mentioning(moves: Mapping[str, Moved], pages: Mapping[str, str]) -> set[str]:
    """Pages that mention a name that changed."""
    names = {
        p.name.split(".")[-1]
        for m in moves.values()
        for p in (*m.added, *m.removed, *(x for pair in (*m.renamed, *m.changed) for x in pair))
    }
    return {path for path, text in pages.items() if any(_mention(name, text) for name in names)}


def _elsewhere(case: Case, code: Sequence[Edited]) -> frozenset[str]:
    """Last parts of the public names that the project has now: what one module lost another may have."""
    found: set[str] = set()
    texts = {c.path: c.after for c in code if c.after is not None}
    for path in case.files:
        if path.endswith(".py") and path not in texts:
            texts[path] = read(case, path)
    for path, text in texts.items():
        found |= {name.split(".")[-1] for name in public(text, path)}
    return frozenset(found)


def _pages(case: Case) -> Iterator[tuple[str, str]]:
    """README and pages of documentation inside the project."""
    for path in case.files:
        ours = not case.prefix or path.startswith(f"{case.prefix}/")
        if ours and path.endswith(_PAGE) and (text := read(case, path)):
            yield path, text


# -- examples ---------------------------------------------------------------------------------------------------------


def examples(case: Case, code: Sequence[Edited], pages: Mapping[str, str]) -> tuple[int, int, list[str]]:
    """Run the examples of the changed modules and of some pages.

    Returns
    -------
    good, total : examples that hold, of how many.
    said : which fail now and did not before; each a line.
    """
    modules = [c.path for c in code if c.after is not None and ">>>" in c.after]
    failing, good, total = _run(case, modules, pages)
    if not failing:
        return good, total, []
    changed = {c.path: c.before for c in edited(case)}
    older = {p: was for p, text in pages.items() if (was := changed.get(p, text)) is not None}
    with bench(case, code).as_before():
        before, _, _ = _run(case, [m for m in modules if (case.place.worktree / m).is_file()], older)
    return good, total, [cut(line) for line in failing if line not in before]


def _run(case: Case, modules: Iterable[str], pages: Mapping[str, str]) -> tuple[list[str], int, int]:
    """Failing examples by name, good ones and all of them, as pytest counts them."""
    # A folder that nothing which ran before could know of.
    written = _write(Path(tempfile.mkdtemp(prefix="examples-", dir=case.scratch)), pages)
    files = [*(f"./{inside(case, m)}" for m in modules), *map(str, written)]
    if not files:
        return [], 0, 0
    argv = [case.interpreter.executable, "-m", "pytest", "-q", "--color=no", "--no-header", "-p", "no:cacheprovider"]
    argv += ["-o", "addopts=", "--tb=no", "-rfE", "--continue-on-collection-errors"]
    status, lines = case.confined([*argv, "--doctest-modules", "--doctest-glob=*.txt", *files], PATIENCE)
    failing = []
    for line in lines:
        if line.startswith(("FAILED ", "ERROR ")):
            name = line.split(" ", 1)[1].split(" - ", 1)[0]
            # A page is run from a copy; a reader looks for the page.
            failing.append(next((page for file, page in written.items() if file.name in name), name))
    counts: dict[str, int] = {}
    for number, word in _COUNT.findall(lines[-1] if lines else ""):
        counts[word] = counts.get(word, 0) + int(number)
    good = counts.get("passed", 0)
    total = good + counts.get("failed", 0) + counts.get("error", 0)
    if status not in (0, _NO_TESTS) and not failing:
        failing.append(f"the examples could not be run: {lines[-1] if lines else f'exit {status}'}")
    return failing, good, total


def _write(folder: Path, pages: Mapping[str, str]) -> dict[Path, str]:
    """Pages with examples as files that doctest reads, and which page each is."""
    written: dict[Path, str] = {}
    for number, (path, text) in enumerate(pages.items()):
        shown = prompted(text, path)
        if ">>>" in shown:
            file = folder / f"{number}_{PurePosixPath(path).stem}.txt"
            file.write_text(shown, encoding="utf-8")
            written[file] = path
    return written


def prompted(text: str, path: str) -> str:
    """A page with its examples where they are and without what doctest would take for output: fences, other code.

    Examples
    --------
    >>> prompted("```python\\n>>> 1 + 1\\n2\\n```\\n", "a.md")
    '\\n>>> 1 + 1\\n2\\n\\n'
    """
    if not path.endswith(".md"):
        return text
    lines, fence, keep = [], "", True
    for line in text.split("\n"):
        found = _FENCE.match(line)
        if found and not fence:
            fence, keep = found[1], found[2].lower() in _EXAMPLES
            lines.append("")
        elif found and found[1].startswith(fence) and not found[2]:
            fence, keep = "", True
            lines.append("")
        else:
            lines.append(line if keep else "")
    return "\n".join(lines)
