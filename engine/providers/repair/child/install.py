"""Put an edited function in place of the one that is loaded, in memory, and take it out again.

The live function objects keep their identity and get new code: whoever imported, stored, wrapped or inherited them
sees the edit. It must refuse (`Unfit`) whatever cannot be expressed that way; such edits need a new import.
"""

from __future__ import annotations
import __future__

import ast
import functools
import gc
import importlib.machinery
import os
from collections import Counter
from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any

from .steps import count_steps

Where = tuple[str, ...]
_Cached = type(functools.lru_cache(maxsize=1)(int))
Undo = list[tuple[FunctionType, CodeType]]


class Unfit(Exception):
    """The edit cannot be installed by exchanging code."""


def functions_in(code: CodeType, inside: Where = ()) -> Iterator[tuple[Where, CodeType]]:
    """Every function of a compiled module, with a name path that does not depend on lines.

    Of several with one name the last has that name alone: it is the one that counts, after overloads say.
    """
    parts = [const for const in code.co_consts if isinstance(const, CodeType)]
    left = Counter(part.co_name for part in parts)
    for part in parts:
        left[part.co_name] -= 1
        after = left[part.co_name]
        here = (*inside, f"{part.co_name}#{after}" if after else part.co_name)
        yield here, part
        yield from functions_in(part, here)


class Images:
    """The live functions of the editable files.

    Parameters
    ----------
    files : absolute path of each editable file, and its short name.
    """

    def __init__(self, files: dict[str, str]) -> None:
        self._path = {name: path for path, name in files.items()}
        self._live: dict[tuple[str, Where], list[FunctionType]] = {}
        self._flags: dict[str, int] = {}
        self._caches: list[Any] = []
        self._index({os.path.realpath(path): name for path, name in files.items()})

    def _index(self, names: dict[str, str]) -> None:
        paths: dict[str, dict[tuple[str, int], Where]] = {}
        for real, name in names.items():
            source = _read(real)
            if source is None:
                continue
            self._flags[name] = _future_flags(source)
            try:
                code = compile(source, real, "exec", dont_inherit=True)
            except (SyntaxError, ValueError):
                continue
            table: dict[tuple[str, int], Where] = {}
            for where, part in functions_in(code):
                spot = (part.co_name, part.co_firstlineno)
                # Two lambdas on one line cannot be told apart: neither is exchanged.
                table[spot] = () if spot in table else where
            paths[real] = table
        real_of: dict[str, str] = {}
        for thing in gc.get_objects():
            if type(thing) is not FunctionType:
                inside = getattr(thing, "__wrapped__", None) if type(thing) is _Cached else None
                if type(inside) is FunctionType and os.path.realpath(inside.__code__.co_filename) in paths:
                    self._caches.append(thing)
                continue
            code = thing.__code__
            real = real_of.setdefault(code.co_filename, os.path.realpath(code.co_filename))
            found = paths.get(real, {}).get((code.co_name, code.co_firstlineno))
            if found:
                self._live.setdefault((names[real], found), []).append(thing)

    def functions(self) -> list[FunctionType]:
        """Every live function."""
        return [function for alike in self._live.values() for function in alike]

    def load(self, name: str, source: str) -> Undo:
        """Give every function of a file the code it has in ``source``."""
        return self._exchange(name, source, 1)

    def swap(self, name: str, line: int, source: str) -> Undo:
        """Install one top-level ``def`` or ``class``.

        Parameters
        ----------
        name : short name of the file.
        line : the line of the file on which ``source`` starts.
        source : the text of the statement, decorators included.

        Returns
        -------
        What `undo` needs to take it out again.

        Raises
        ------
        Unfit
            No live function takes the edited code, or its closure differs.
        SyntaxError
            The edit is not Python.
        """
        done = self._exchange(name, source, line)
        if not done:
            raise Unfit(f"no loaded function of {name} takes this edit")
        return done

    def _exchange(self, name: str, source: str, line: int) -> Undo:
        tree = ast.parse("\n" * (line - 1) + source)
        code = compile(count_steps(tree), self._path[name], "exec", flags=self._flags.get(name, 0), dont_inherit=True)
        done: Undo = []
        for where, part in functions_in(code):
            for live in self._live.get((name, where), ()):
                old = live.__code__
                if len(old.co_freevars) != len(part.co_freevars):
                    undo(done)
                    raise Unfit("the edit changes what the function closes over")
                done.append((live, old))
                live.__code__ = part
        return done

    def clear_caches(self) -> None:
        """Forget memoised results of the editable functions."""
        for cache in self._caches:
            cache.cache_clear()


def undo(done: Undo) -> None:
    """Put the former code back, latest first."""
    for live, old in reversed(done):
        live.__code__ = old


class Overlay:
    """Let imports see edited sources that are not on disk."""

    def __init__(self) -> None:
        self._sources: dict[str, str] = {}
        self._plain = importlib.machinery.SourceFileLoader.get_code

    def show(self, sources: dict[str, str]) -> None:
        """From now on, importing one of these absolute paths compiles the given text."""
        self._sources = {os.path.realpath(path): text for path, text in sources.items()}
        overlay = self

        def get_code(loader: Any, fullname: str) -> CodeType | None:
            path = os.path.realpath(loader.get_filename(fullname))
            text = overlay._sources.get(path)
            if text is None:
                return overlay._plain(loader, fullname)
            tree = ast.parse(text, path)
            return compile(count_steps(tree), path, "exec", dont_inherit=True)

        importlib.machinery.SourceFileLoader.get_code = get_code  # type: ignore[method-assign,assignment]


def _read(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return None


def _future_flags(source: bytes) -> int:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return 0
    flags = 0
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            for alias in node.names:
                flags |= getattr(getattr(__future__, alias.name, None), "compiler_flag", 0)
    return flags
