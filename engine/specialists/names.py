"""The public names of a module, with their parameters and what their docstrings say of those. Pure."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import PurePosixPath

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef

_OF_VALUE = re.compile(r"property$|\.(setter|deleter|getter)$|overload$")
# Texts of a repository: none of these may take longer than the text is long, whatever is in it.
_HEADING = re.compile(r"^([ \t]*)(?:(?:Other )?Parameters|Attributes)[ \t]*\n[ \t]*-{3,}[ \t]*\n", re.MULTILINE)
_NUMPY = re.compile(r"^([*\w]+(?:\s*,\s*[*\w]+)*)\s*(?::.*)?$")
_GOOGLE = re.compile(r"^([ \t]*)(?:Args|Arguments|Parameters|Keyword Args):\s*\n", re.MULTILINE)
_GOOGLE_ROW = re.compile(r"^\*{0,2}(\w+)[ \t]*(?:\([^)]*\)[ \t]*)?:")
_SPHINX = re.compile(r"^[ \t]*:param(?:eter)?[ \t]([^:\n]+):", re.MULTILINE)
MOST_DOCSTRING = 50_000
"""Characters of a docstring that are read."""
MOST_HEADINGS = 20


@dataclass(frozen=True, slots=True)
class Public:
    """A public name.

    Attributes
    ----------
    parameters : of a function, or of a class's ``__init__``; without ``self``.
    signature : parameters with annotations and defaults, and what is returned, as text.
    body : its code without the docstring, to know it again under another name.
    speaks : its name may say enough: a property, a method of a protocol, ``main``.
    """

    name: str
    line: int
    kind: str  # function, class or value
    parameters: tuple[str, ...] = ()
    signature: str = ""
    docstring: str = ""
    body: str = ""
    speaks: bool = False


def public(text: str, path: str = "") -> dict[str, Public]:
    """The public names of a module by name, methods as ``Class.method``; none of a private module.

    Examples
    --------
    >>> list(public("def f(a): ...\\ndef _g(): ...\\nclass C:\\n    def m(self): ...\\n"))
    ['f', 'C', 'C.m']
    """
    parts = PurePosixPath(path.removesuffix(".py")).parts
    if any(part.startswith("_") and part != "__init__" for part in parts):
        return {}
    try:
        tree = ast.parse(text)
        exported = _exported(tree)
        return {name.name: name for name in _names(tree) if _shown(name.name, exported)}
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}


def _shown(name: str, exported: frozenset[str] | None) -> bool:
    first, *rest = name.split(".")
    if exported is not None and first not in exported:
        return False
    return not (exported is None and first.startswith("_")) and not any(r.startswith("_") for r in rest)


def _exported(tree: ast.Module) -> frozenset[str] | None:
    """What ``__all__`` lists; None if there is none that can be read."""
    for node in tree.body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        if any(isinstance(t, ast.Name) and t.id == "__all__" for t in targets):
            value = getattr(node, "value", None)
            if isinstance(value, ast.List | ast.Tuple):
                names = [e.value for e in value.elts if isinstance(e, ast.Constant)]
                return frozenset(str(n) for n in names)
    return None


def _names(tree: ast.Module) -> Iterator[Public]:
    for node in tree.body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield _function(node, node.name, bound=False)
            case ast.ClassDef():
                yield from _class(node)
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name != "__all__":
                yield Public(name, node.lineno, "value", body=ast.dump(value))
            case ast.AnnAssign(target=ast.Name(id=name), value=value) if value is not None:
                yield Public(name, node.lineno, "value", body=ast.dump(value))


def _class(node: ast.ClassDef) -> Iterator[Public]:
    start = next((n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"), None)
    own = _function(start, node.name, bound=True) if start is not None else Public(node.name, node.lineno, "class")
    said = ast.get_docstring(node) or own.docstring
    bases = ", ".join(map(ast.unparse, node.bases))
    body = "\n".join(ast.dump(n) for n in _code(node))
    yield Public(node.name, node.lineno, "class", own.parameters, f"({bases}){own.signature}", said, body)
    for inner in node.body:
        if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
            static = any(ast.unparse(d) == "staticmethod" for d in inner.decorator_list)
            yield _function(inner, f"{node.name}.{inner.name}", bound=not static, speaks="Protocol" in bases)


def _function(node: ast.FunctionDef | ast.AsyncFunctionDef, name: str, *, bound: bool, speaks: bool = False) -> Public:
    given = node.args
    plain = [a.arg for a in (*given.posonlyargs, *given.args)][1 if bound else 0 :]
    stars = [a.arg for a in (given.vararg, given.kwarg) if a is not None]
    parameters = (*plain, *(a.arg for a in given.kwonlyargs), *stars)
    returns = f" -> {ast.unparse(node.returns)}" if node.returns is not None else ""
    body = "\n".join(ast.dump(n) for n in _code(node))
    said = ast.get_docstring(node) or ""
    signature = f"({ast.unparse(given)}){returns}"
    speaks = speaks or name == "main" or any(_OF_VALUE.search(ast.unparse(d)) for d in node.decorator_list)
    return Public(name, node.lineno, "function", parameters, signature, said, body, speaks)


def _code(node: Definition) -> list[ast.stmt]:
    match node.body:
        case [ast.Expr(value=ast.Constant(value=str())), *rest]:
            return rest
    return node.body


@dataclass(frozen=True, slots=True)
class Moved:
    """How the public names of a module differ between two states."""

    added: tuple[Public, ...] = ()
    removed: tuple[Public, ...] = ()
    renamed: tuple[tuple[Public, Public], ...] = ()
    changed: tuple[tuple[Public, Public], ...] = ()  # another signature

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.renamed or self.changed)


def moved(before: Mapping[str, Public], after: Mapping[str, Public]) -> Moved:
    """Which names came, went, or take something else now; one with the same code under another name was renamed."""
    came = [after[n] for n in after if n not in before]
    gone = [before[n] for n in before if n not in after]
    renamed = []
    for old in list(gone):
        new = next((n for n in came if n.kind == old.kind and n.body == old.body and n.body), None)
        if new is not None:
            renamed.append((old, new))
            gone.remove(old)
            came.remove(new)
    both = [(before[n], after[n]) for n in after if n in before]
    changed = [(old, new) for old, new in both if old.signature != new.signature]
    return Moved(tuple(came), tuple(gone), tuple(renamed), tuple(changed))


def described(docstring: str) -> frozenset[str] | None:
    """The parameters a docstring describes; None if it describes none (in numpydoc's, Google's or Sphinx's way).

    Examples
    --------
    >>> sorted(described("Add.\\n\\nParameters\\n----------\\na, b : int\\n    Numbers.\\n") or ())
    ['a', 'b']
    >>> described("Add two numbers.") is None
    True
    """
    docstring = docstring[:MOST_DOCSTRING]
    # The type may stand before the name.
    found = {words.split()[-1].lstrip("*\\") for words in _SPHINX.findall(docstring) if words.strip()}
    for heading in islice(_HEADING.finditer(docstring), MOST_HEADINGS):
        found |= set(_rows(docstring[heading.end() :], len(heading[1]), _NUMPY, dashed=True))
    for heading in islice(_GOOGLE.finditer(docstring), MOST_HEADINGS):
        found |= set(_rows(docstring[heading.end() :], None, _GOOGLE_ROW, dashed=False))
    return frozenset(found) if found else None


def _rows(text: str, indent: int | None, row: re.Pattern[str], *, dashed: bool) -> Iterator[str]:
    """Names at the section's own level, until it ends."""
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if not line.strip():
            continue
        level = len(line) - len(line.lstrip())
        indent = level if indent is None else indent
        following = lines[number + 1].strip() if number + 1 < len(lines) else ""
        if level < indent or (dashed and set(following) == {"-"} and len(following) >= 3):
            return
        if level == indent:
            found = row.match(line.strip())
            if found is None:
                if not dashed:
                    return
                continue
            yield from (n.strip().lstrip("*") for n in found[1].split(","))
