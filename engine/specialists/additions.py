"""What a test file says, so that one can see whether it was only added to. Pure."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

# What pytest and unittest call for every test around, and what marks all of a module.
_AROUND = (
    "setup",
    "teardown",
    "pytest_",
    "pytestmark",
    "asyncSetUp",
    "asyncTearDown",
    "addModuleCleanup",
    "load_tests",
)


@dataclass(slots=True)
class Tests:
    """The parts of a test file.

    Attributes
    ----------
    parts : functions, methods, heads of classes and plain statements, by name.
    bound : what imported names stand for.
    used : names that anything in the file reads, takes as an argument or gets as an attribute.
    odd : statements that are neither definitions nor imports nor values under a name.
    """

    parts: dict[str, list[str]] = field(default_factory=dict)
    bound: dict[str, str] = field(default_factory=dict)
    used: frozenset[str] = frozenset()
    odd: list[str] = field(default_factory=list)

    __test__ = False

    @classmethod
    def read(cls, text: str) -> Tests:
        """Take a file apart.

        Raises
        ------
        SyntaxError, ValueError, RecursionError
            It does not parse.
        """
        tree = ast.parse(text)
        tests = cls(used=frozenset(_used(tree)))
        tests._add(tree.body, "")
        return tests

    def _add(self, body: Sequence[ast.stmt], prefix: str) -> None:
        for number, node in enumerate(body):
            if isinstance(node, ast.Import | ast.ImportFrom):
                self.bound |= {f"{prefix}{name}": what for name, what in _imports(node)}
            elif isinstance(node, ast.ClassDef):
                head = [ast.dump(d) for d in (*node.bases, *node.decorator_list, *node.keywords)]
                self._note(f"class {prefix}{node.name}", repr(head))
                self._add(node.body, f"{prefix}{node.name}.")
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                self._note(prefix + node.name, ast.dump(node))
                if any("autouse" in ast.dump(d) for d in node.decorator_list):
                    self.odd.append(prefix + node.name)
            elif name := _named(node):
                self._note(prefix + name, ast.dump(node))
            elif number or not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Constant):
                self._note(ast.unparse(node)[:60], ast.dump(node))
                self.odd.append(ast.unparse(node)[:60])

    def _note(self, name: str, shape: str) -> None:
        self.parts.setdefault(name, []).append(shape)

    def changed(self, now: Tests) -> list[str]:
        """Names of what does not mean in ``now`` what it means here."""
        gone = [name for name, shapes in self.parts.items() if now.parts.get(name) != shapes]
        gone += [name for name, what in self.bound.items() if now.bound.get(name) != what]
        fresh = [*(n for n in now.parts if n not in self.parts), *(n for n in now.bound if n not in self.bound)]
        gone += [name for name in fresh if self._takes_over(name)]
        return gone + [name for name in now.odd if name not in self.odd and name not in gone]

    def _takes_over(self, name: str) -> bool:
        """Whether a new name is one that what was there reads, or that runs around it."""
        last = name.removeprefix("class ").rpartition(".")[2]
        return last in self.used or last.startswith(_AROUND)


def _imports(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
    origin = "." * node.level + (node.module or "") if isinstance(node, ast.ImportFrom) else ""
    for alias in node.names:
        name = alias.asname or (alias.name if origin else alias.name.partition(".")[0])
        # `import a.b` after `import a` binds the same name.
        yield name, f"{origin}:{alias.name}" if origin or alias.asname else name


def _named(node: ast.stmt) -> str:
    """The one name a statement gives a value, and nothing else it does."""
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return node.target.id
    return ""


def _used(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Attribute):
            yield node.attr
