"""Edits of names: another variable of the function, another attribute, the right spelling."""

from __future__ import annotations

import ast
import builtins
import difflib
from collections.abc import Iterator

from engine.providers.repair.source import FUNCTIONS
from engine.providers.repair.templates.base import Swap, Template, brief, replaced
from engine.providers.repair.view import View

_BUILTINS = tuple(name for name in dir(builtins) if not name.startswith("_"))


def _is_called(view: View, node: ast.expr) -> bool:
    holder = view.parent(node)
    return isinstance(holder, ast.Call) and holder.func is node


def variables(view: View) -> Iterator[Swap]:
    for node in view.expressions(ast.Name):
        assert isinstance(node, ast.Name)
        if node.id in view.words.imported or (_is_called(view, node) and node.id not in view.locals):
            continue
        alike = set(difflib.get_close_matches(node.id, view.locals, 3, 0.6))
        for name in view.locals:
            if name != node.id:
                yield replaced(view, node, name, 1.1 if name in alike else 1.3)
        for name in view.words.constants:
            if name != node.id:
                yield replaced(view, node, name, 1.8 if node.id not in view.words.constants else 1.4)


def spelling(view: View) -> Iterator[Swap]:
    """Names that mean nothing here, and functions with a similar name."""
    known = {*view.locals, *view.words.constants, *view.words.functions, *view.words.imported}
    known |= {node.name for node in view.source.tree.body if isinstance(node, ast.ClassDef)}
    for node in view.expressions(ast.Name):
        assert isinstance(node, ast.Name)
        if node.id in known or node.id in _BUILTINS:
            continue
        if "self" in view.locals and node.id in view.words.attributes.get("self", ()):
            yield replaced(view, node, f"self.{node.id}", 0.8)
        for name in difflib.get_close_matches(node.id, [*sorted(known), *_BUILTINS], 5, 0.5):
            yield replaced(view, node, name, 0.8)


def owners(view: View) -> Iterator[Swap]:
    """A local name where the object's own is meant, and the other way round."""
    own = view.words.attributes.get("self", ())
    for node in view.expressions(ast.Name, ast.Attribute):
        if isinstance(node, ast.Name):
            if "self" in view.locals and node.id in own and not _is_called(view, node):
                yield replaced(view, node, f"self.{node.id}", 1.2)
        elif isinstance(node, ast.Attribute) and view.text(node.value) == "self" and node.attr in view.locals:
            yield replaced(view, node, node.attr, 1.2)


def functions(view: View) -> Iterator[Swap]:
    """Another function of the same module."""
    for node in view.expressions(ast.Name):
        assert isinstance(node, ast.Name)
        if not _is_called(view, node):
            continue
        own = view.function.name if view.function is not None else ""
        for name in view.words.functions:
            if name not in (node.id, own):
                same = view.words.functions[name] == view.words.functions.get(node.id)
                yield replaced(view, node, name, 1.6 if same else 2.2)


def attributes(view: View) -> Iterator[Swap]:
    for node in view.expressions(ast.Attribute):
        assert isinstance(node, ast.Attribute)
        base = node.value.id if isinstance(node.value, ast.Name) else "."
        if base in view.words.imported:
            pool: tuple[str, ...] = ()
        else:
            pool = (*view.words.attributes.get(base, ()), *view.words.attributes.get("self", ()))
        everywhere = [name for names in view.words.attributes.values() for name in names]
        alike = difflib.get_close_matches(node.attr, [n for n in everywhere if n != node.attr], 4, 0.6)
        end = view.span(node)[1]
        for name in dict.fromkeys([*alike, *pool]):
            if name != node.attr:
                cost = 1.2 if name in alike else 1.5
                old = view.text(node)
                note = f"`{brief(old)}` became `{brief(old[: len(old) - len(node.attr)] + name)}`"
                yield Swap((end - len(node.attr), end), name, cost, note)


def imports(view: View) -> Iterator[Swap]:
    """A misnamed thing in a ``from`` import, corrected from the module it should come from."""
    node = view.statement
    if not isinstance(node, ast.ImportFrom):
        return
    here = view.words.elsewhere.get((node.module or "").rpartition(".")[2], ())
    for alias in node.names:
        start = view.span(alias)[0]
        pool = [name for name in here if name != alias.name]
        if alias.name in here:
            continue
        for name in difflib.get_close_matches(alias.name, pool, 4, 0.4):
            text = name if alias.asname else f"{name} as {alias.name}"
            for form in dict.fromkeys((name, text)):
                cost = 0.8 if form == name else 1.0
                yield Swap(
                    (start, start + len(alias.name)), form, cost, f"the import of `{alias.name}` became `{form}`"
                )
    if node.module:
        start = view.source.text.find(node.module, view.span(node)[0])
        last = node.module.rpartition(".")[2]
        for name in difflib.get_close_matches(last, [n for n in view.words.elsewhere if n != last], 3, 0.5):
            module = node.module[: len(node.module) - len(last)] + name
            yield Swap((start, start + len(node.module)), module, 1, f"the import comes from `{module}`")


def defined(view: View) -> Iterator[Swap]:
    """A definition whose name others ask for in another spelling."""
    node = view.statement
    if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
        wanted = [name for name in view.words.wanted if name != node.name]
        at = view.source.text.find(node.name, view.span(node)[0])
        for name in difflib.get_close_matches(node.name, wanted, 3, 0.5):
            yield Swap((at, at + len(node.name)), name, 1, f"`{node.name}` is now called `{name}`")


TEMPLATES = (
    Template("spelling", 1, spelling),
    Template("import", 1, imports),
    Template("definition", 2, defined),
    Template("variable", 1, variables),
    Template("owner", 1, owners),
    Template("attribute", 2, attributes),
    Template("function", 2, functions),
)
