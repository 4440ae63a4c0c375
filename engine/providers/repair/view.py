"""What a template may look at: one statement, its function, and the words of its file. Pure; it proposes nothing."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import cached_property
from types import MappingProxyType

from engine.providers.repair.source import FUNCTIONS, Source, Span

_ATOMS = (
    ast.Name,
    ast.Attribute,
    ast.Call,
    ast.Subscript,
    ast.List,
    ast.Dict,
    ast.Set,
    ast.ListComp,
    ast.SetComp,
    ast.DictComp,
    ast.JoinedStr,
)
_LOOSE = (
    ast.BinOp,
    ast.UnaryOp,
    ast.Compare,
    ast.BoolOp,
    ast.Attribute,
    ast.Subscript,
    ast.Call,
    ast.Await,
    ast.Starred,
    ast.IfExp,
    ast.comprehension,
)


class Words:
    """Names, numbers and functions that a file uses; gathered once and shared by its views.

    Parameters
    ----------
    source : the file.
    elsewhere : names that each editable module defines, by the last part of the module's name.
    wanted : names that tests ask for in vain.
    expected : exceptions that tests wait for in vain.
    """

    def __init__(
        self,
        source: Source,
        elsewhere: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
        wanted: tuple[str, ...] = (),
        expected: tuple[str, ...] = (),
    ) -> None:
        self.source = source
        self.elsewhere = elsewhere
        self.wanted = wanted
        self.expected = expected

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


class View:
    """One statement and its surroundings.

    Parameters
    ----------
    words : vocabulary of the file.
    statement : the statement whose edits are wanted; of a compound one, only the header.
    """

    def __init__(self, words: Words, statement: ast.stmt) -> None:
        self.words = words
        self.source = words.source
        self.statement = statement
        holder = [n for n in self.source.above(statement) if isinstance(n, (*FUNCTIONS, ast.Lambda))]
        self.function = next((n for n in holder if isinstance(n, FUNCTIONS)), None)

    def text(self, node: ast.AST) -> str:
        return self.source.segment(node)

    def span(self, node: ast.AST) -> Span:
        return self.source.span(node)

    def parent(self, node: ast.AST) -> ast.AST | None:
        return self.source.parents.get(node)

    def atom(self, node: ast.expr) -> str:
        """The text of an expression, in parentheses where it needs them to be an operand."""
        text = self.text(node)
        if isinstance(node, _ATOMS) or (isinstance(node, ast.Constant) and type(node.value) is not int):
            return text
        if isinstance(node, ast.Constant) and text.isalnum():
            return text
        if isinstance(node, (ast.Tuple, ast.GeneratorExp)) and text.startswith("("):
            return text
        return f"({text})"

    def fit(self, node: ast.expr, text: str) -> str:
        """``text`` as a replacement of ``node``, in parentheses where its surroundings could pull it apart."""
        start, end = self.span(node)
        whole = self.source.text
        if whole[:start].rstrip(" ").endswith("(") and whole[end:].lstrip(" ").startswith(")"):
            return text
        return f"({text})" if isinstance(self.parent(node), _LOOSE) else text

    @cached_property
    def header(self) -> tuple[ast.AST, ...]:
        """Expressions of the statement, without those of the statements below it."""
        found: list[ast.AST] = []
        queue: list[ast.AST] = [self.statement]
        while queue:
            node = queue.pop(0)
            for child in ast.iter_child_nodes(node):
                if isinstance(child, (ast.stmt, ast.ExceptHandler)) or type(child).__name__ == "match_case":
                    continue
                if not isinstance(child, (ast.expr_context, ast.operator, ast.cmpop, ast.boolop, ast.unaryop)):
                    found.append(child)
                queue.append(child)
        return tuple(found)

    def expressions(self, *kinds: type[ast.AST]) -> Iterator[ast.expr]:
        """Expressions of the header that are read, annotations left out."""
        for node in self.header:
            if not isinstance(node, ast.expr) or (kinds and not isinstance(node, kinds)):
                continue
            if isinstance(getattr(node, "ctx", None), (ast.Store, ast.Del)) or self._is_annotation(node):
                continue
            yield node

    def _is_annotation(self, node: ast.expr) -> bool:
        below: ast.AST = node
        for holder in self.source.above(node):
            if isinstance(holder, ast.arg) or (isinstance(holder, ast.AnnAssign) and below is holder.annotation):
                return True
            if isinstance(holder, FUNCTIONS):
                return below is holder.returns
            if isinstance(holder, ast.stmt):
                return False
            below = holder
        return False

    @cached_property
    def locals(self) -> tuple[str, ...]:
        """Names bound in the enclosing functions, parameters first."""
        found: dict[str, None] = {}
        holders = [n for n in self.source.above(self.statement) if isinstance(n, FUNCTIONS)]
        if isinstance(self.statement, FUNCTIONS):
            holders.insert(0, self.statement)
        for holder in holders:
            spec = holder.args
            for arg in (*spec.posonlyargs, *spec.args, *spec.kwonlyargs, spec.vararg, spec.kwarg):
                if arg is not None:
                    found[arg.arg] = None
            for node in ast.walk(holder):
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                    found[node.id] = None
        return tuple(found)

    @cached_property
    def ingredients(self) -> tuple[str, ...]:
        """Other expressions of the same function, shortest first."""
        if self.function is None:
            return ()
        found: dict[str, None] = {}
        for node in ast.walk(self.function):
            if isinstance(node, ast.expr) and not isinstance(getattr(node, "ctx", None), ast.Store):
                text = self.text(node)
                if 1 < len(text) <= 60 and "\n" not in text:
                    found[text] = None
        return tuple(sorted(found, key=len))
