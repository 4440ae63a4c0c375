"""The vocabulary of one file: names, numbers and functions that edits are made of. Pure; it proposes nothing."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import cached_property
from types import MappingProxyType

from engine.providers.repair.source import FUNCTIONS, Source


class Words:
    """Names, numbers and functions that a file uses; gathered once and shared by its views.

    Parameters
    ----------
    source : the file.
    elsewhere : names that each editable module defines, by the last part of the module's name.
    wanted : names that tests ask for in vain.
    expected : exceptions that tests wait for in vain.
    raised : exceptions that red tests end with.
    spelled : words in the tests' own strings.
    beside : the other editable files.
    """

    def __init__(
        self,
        source: Source,
        elsewhere: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
        wanted: tuple[str, ...] = (),
        expected: tuple[str, ...] = (),
        raised: tuple[str, ...] = (),
        spelled: tuple[str, ...] = (),
        beside: tuple[Source, ...] = (),
    ) -> None:
        self.source = source
        self.elsewhere = elsewhere
        self.wanted = wanted
        self.expected = expected
        self.raised = raised
        self.spelled = spelled
        self.beside = beside

    @cached_property
    def numpy(self) -> str:
        """The name NumPy goes by in this file, or empty."""
        for node in ast.walk(self.source.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    if alias.name in ("numpy", "cupy"):
                        return alias.asname or alias.name
        return ""

    @cached_property
    def numbers(self) -> tuple[int | float, ...]:
        """Numbers written in the file, most frequent first."""
        seen: dict[tuple[str, int | float], int] = {}
        for node in ast.walk(self.source.tree):
            if isinstance(node, ast.Constant) and type(node.value) in (int, float):
                value: int | float = node.value  # type: ignore[assignment]
                seen[(type(value).__name__, value)] = seen.get((type(value).__name__, value), 0) + 1
        return tuple(value for _, value in sorted(seen, key=lambda k: -seen[k]))

    @cached_property
    def strings(self) -> tuple[str, ...]:
        """Short strings of the file that are not documentation."""
        found = [
            node.value
            for node in ast.walk(self.source.tree)
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and len(node.value) <= 40
            and not isinstance(self.source.parents.get(node), (ast.Expr, ast.JoinedStr))
        ]
        return tuple(dict.fromkeys(found))

    @cached_property
    def constants(self) -> tuple[str, ...]:
        """Names assigned at module level."""
        found = []
        for node in self.source.tree.body:
            targets = node.targets if isinstance(node, ast.Assign) else []
            if isinstance(node, ast.AnnAssign):
                targets = [node.target]
            found += [target.id for target in targets if isinstance(target, ast.Name)]
        return tuple(dict.fromkeys(found))

    @cached_property
    def functions(self) -> dict[str, int]:
        """Module-level functions and their number of parameters."""
        return {node.name: len(node.args.args) for node in self.source.tree.body if isinstance(node, FUNCTIONS)}

    @cached_property
    def parameters(self) -> dict[str, tuple[str, ...]]:
        """Names that the functions, methods and classes of the project take, by what is called."""
        found: dict[str, tuple[str, ...]] = {}
        for source in (*self.beside, self.source):
            for node in ast.walk(source.tree):
                if isinstance(node, FUNCTIONS):
                    spec = node.args
                    names = tuple(arg.arg for arg in (*spec.posonlyargs, *spec.args, *spec.kwonlyargs))
                    holder = source.parents.get(node)
                    if isinstance(holder, ast.ClassDef):
                        names = names[1:]
                    found[
                        holder.name if isinstance(holder, ast.ClassDef) and node.name == "__init__" else node.name
                    ] = names
                elif isinstance(node, ast.ClassDef):
                    fields = [n.target.id for n in node.body if _is_field(n)]  # type: ignore[attr-defined]
                    found.setdefault(node.name, tuple(fields))
        return found

    @cached_property
    def imported(self) -> tuple[str, ...]:
        found = []
        for node in ast.walk(self.source.tree):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                found += [(alias.asname or alias.name).split(".")[0] for alias in node.names if alias.name != "*"]
        return tuple(dict.fromkeys(found))

    @cached_property
    def attributes(self) -> dict[str, tuple[str, ...]]:
        """For each name something is read from: the attributes that are read from it anywhere in the file."""
        found: dict[str, dict[str, None]] = {}
        for node in ast.walk(self.source.tree):
            if isinstance(node, ast.Attribute):
                base = node.value.id if isinstance(node.value, ast.Name) else "."
                found.setdefault(base, {})[node.attr] = None
            elif isinstance(node, ast.ClassDef):
                for part in node.body:
                    if isinstance(part, FUNCTIONS):
                        found.setdefault("self", {})[part.name] = None
                    elif isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
                        found.setdefault("self", {})[part.target.id] = None
        return {base: tuple(names) for base, names in found.items()}


def _is_field(node: ast.stmt) -> bool:
    return isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
