"""Names of the packages a project's files ask for. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

import tomli

_NAME = re.compile(r"^\s*([A-Za-z0-9][A-Za-z0-9._-]*)")


def normal(name: str) -> str:
    """A package's name as indexes compare it.

    Examples
    --------
    >>> normal("Foo_Bar")
    'foo-bar'
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(path: str, text: str) -> frozenset[str]:
    """Packages that a requirements file or pyproject.toml asks for; none for any other file.

    Examples
    --------
    >>> sorted(declared("requirements/dev.txt", "Foo_Bar>=1  # why\\n-r base.txt\\n"))
    ['foo-bar']
    """
    file = PurePosixPath(path)
    if file.name == "pyproject.toml":
        try:
            return frozenset(_of_project(tomli.loads(text)))
        except (ValueError, AttributeError, TypeError, RecursionError):  # a number may have too many digits
            return frozenset()
    if file.suffix in (".txt", ".in") and ("requirements" in str(file) or "constraints" in file.name):
        return frozenset(_names(text.splitlines()))
    return frozenset()


def _names(lines: list[Any]) -> Iterator[str]:
    for line in lines:
        found = _NAME.match(line) if isinstance(line, str) else None
        if found:
            yield normal(found[1])


def _of_project(data: dict[str, Any]) -> Iterator[str]:
    project = data.get("project", {})
    yield from _names(project.get("dependencies", []))
    for group in (*project.get("optional-dependencies", {}).values(), *data.get("dependency-groups", {}).values()):
        yield from _names(group)
    yield from _names(data.get("build-system", {}).get("requires", []))
    poetry = data.get("tool", {}).get("poetry", {})
    for table in (poetry, *poetry.get("group", {}).values()):
        yield from (normal(name) for name in table.get("dependencies", {}) if name.lower() != "python")
