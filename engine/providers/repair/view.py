"""What a template may look at: one statement and its surroundings. Pure; it proposes nothing."""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Iterator
from functools import cached_property, lru_cache

from engine.providers.repair.source import FUNCTIONS, Span
from engine.providers.repair.words import Words

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
# How tightly each kind of expression holds together; what is not listed binds loosest.
_STRENGTH: tuple[tuple[type[ast.AST], int], ...] = (
    (ast.Or, 2),
    (ast.And, 3),
    (ast.Not, 4),
    (ast.Compare, 5),
    (ast.BitOr, 6),
    (ast.BitXor, 7),
    (ast.BitAnd, 8),
    (ast.LShift, 9),
    (ast.RShift, 9),
    (ast.Add, 10),
    (ast.Sub, 10),
    (ast.Mult, 11),
    (ast.Div, 11),
    (ast.FloorDiv, 11),
    (ast.Mod, 11),
    (ast.MatMult, 11),
    (ast.USub, 12),
    (ast.UAdd, 12),
    (ast.Invert, 12),
    (ast.Pow, 13),
)
_TIGHTEST = 15


def strength(node: ast.AST) -> int:
    """The binding strength of an expression's outermost operator."""
    if isinstance(node, (*_ATOMS, ast.Constant)):
        return _TIGHTEST
    kind = getattr(node, "op", node)
    return next((level for known, level in _STRENGTH if isinstance(kind, known)), 0)


@lru_cache(maxsize=20_000)
def _strength_of(text: str) -> int:
    try:
        return strength(ast.parse(text, mode="eval").body)
    except (SyntaxError, ValueError):
        return 0


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
        holder = self.parent(node)
        needed = self._needed(holder, node)
        if not needed or text.isidentifier():
            return text
        start, end = self.span(node)
        whole = self.source.text
        if whole[:start].rstrip(" ").endswith("(") and whole[end:].lstrip(" ").startswith(")"):
            return text
        has = _strength_of(text)
        return text if has >= needed else f"({text})"

    def _needed(self, holder: ast.AST | None, node: ast.expr) -> int:
        """The strength an expression needs at this place."""
        if isinstance(holder, ast.BinOp):
            tied = node is holder.right or isinstance(holder.op, ast.Pow)
            return strength(holder) + tied
        if isinstance(holder, (ast.UnaryOp, ast.BoolOp)):
            return strength(holder) + 1
        if isinstance(holder, ast.Compare):
            return strength(holder) + 1
        if isinstance(holder, ast.Call):
            return _TIGHTEST if node is holder.func else 0
        if isinstance(holder, ast.Subscript):
            return _TIGHTEST if node is holder.value else 0
        if isinstance(holder, (ast.Attribute, ast.Await)):
            return _TIGHTEST
        return 1 if isinstance(holder, (ast.IfExp, ast.comprehension, ast.Starred)) else 0

    @cached_property
    def header(self) -> tuple[ast.AST, ...]:
        """Expressions of the statement, without those of the statements below it and without annotations."""
        found: list[ast.AST] = []
        queue: list[ast.AST] = [self.statement]
        while queue:
            node = queue.pop(0)
            said = (getattr(node, "annotation", None), getattr(node, "returns", None))
            for child in ast.iter_child_nodes(node):
                if child in said:
                    continue
                if isinstance(child, (ast.stmt, ast.ExceptHandler)) or type(child).__name__ == "match_case":
                    continue
                if not isinstance(child, (ast.expr_context, ast.operator, ast.cmpop, ast.boolop, ast.unaryop)):
                    found.append(child)
                queue.append(child)
        return tuple(node for node in found if not self._misplaced(node))

    def _misplaced(self, node: ast.AST) -> bool:
        """Before Python 3.12 the places of what stands in an f-string are not always right."""
        if sys.version_info >= (3, 12) or not isinstance(node, ast.expr):
            return False
        if not any(isinstance(holder, ast.JoinedStr) for holder in self.source.above(node)):
            return False
        try:
            return ast.dump(ast.parse(self.text(node), mode="eval").body) != ast.dump(node)
        except (SyntaxError, ValueError):
            return True

    def expressions(self, *kinds: type[ast.AST]) -> Iterator[ast.expr]:
        """Expressions of the header that are read."""
        for node in self.header:
            if not isinstance(node, ast.expr) or (kinds and not isinstance(node, kinds)):
                continue
            if isinstance(getattr(node, "ctx", None), (ast.Store, ast.Del)):
                continue
            yield node

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
        for part in self.header:
            if isinstance(part, ast.Lambda):
                found.update(dict.fromkeys(arg.arg for arg in part.args.args))
        return tuple(found)

    @cached_property
    def nearest(self) -> tuple[str, ...]:
        """The same names, the one bound last before the statement first."""
        at = dict.fromkeys(self.locals, 0)
        for holder in self.source.above(self.statement):
            for node in ast.walk(holder) if isinstance(holder, FUNCTIONS) else ():
                name = node.arg if isinstance(node, ast.arg) else node.id if isinstance(node, ast.Name) else ""
                bound = isinstance(node, ast.arg) or isinstance(getattr(node, "ctx", None), ast.Store)
                if bound and name in at and node.lineno < self.statement.lineno:  # type: ignore[attr-defined]
                    at[name] = max(at[name], node.lineno)  # type: ignore[attr-defined]
        return tuple(sorted(at, key=lambda name: -at[name]))

    @cached_property
    def foreign(self) -> tuple[str, ...]:
        """Expressions of other functions whose names all mean something here: of the class, the file, the project."""
        words = self.words
        known = {*self.locals, *words.constants, *words.functions, *words.imported, *dir(builtins)}
        own = set(self.ingredients)
        found: dict[str, None] = {}
        near = next((n for n in self.source.above(self.statement) if isinstance(n, ast.ClassDef)), None)
        for source, tree in [
            *([(self.source, near)] if near is not None else []),
            (self.source, self.source.tree),
            *((source, source.tree) for source in words.beside),
        ]:
            for text, names in source.expressions(tree):
                if text not in own and known.issuperset(names):
                    found[text] = None
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
