"""Where a project's code lies: import roots of its layout, and the files its tests come from. Pure over path lists."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence


def import_roots(files: Sequence[str], prefix: str, extra: Iterable[str] = ()) -> tuple[str, ...]:
    """Folders that go first on the child's path, relative to the worktree.

    Parameters
    ----------
    files
        The tree's files, posix paths.
    prefix
        The project folder inside the repository, or an empty string.
    extra
        Named in the settings, or found in an editable install.

    Examples
    --------
    >>> import_roots(["src/pkg/__init__.py", "tests/test_a.py"], "")
    ('src', '.')
    """
    base = prefix + "/" if prefix else ""
    inside = [f[len(base) :] for f in files if f.startswith(base)]
    roots = [base + e if not e.startswith(base) else e for e in extra]
    packages = {f.rsplit("/", 1)[0] for f in inside if f.endswith("/__init__.py")}
    if any(f.startswith("src/") and f.endswith(".py") for f in inside) and "src" not in packages:
        roots.append(base + "src")
    for package in sorted(packages):
        parent, _, name = package.rpartition("/")
        top_level = parent and "/" not in parent and parent not in packages
        # A folder that would hide a standard module (say logging/) must not come first.
        if top_level and parent not in ("src", "tests", "test") and name not in sys.stdlib_module_names:
            roots.append(base + parent)
    roots.append(prefix or ".")
    return tuple(dict.fromkeys(r.rstrip("/") or "." for r in roots))


def witness_files(nodeids: Iterable[str], prefix: str) -> frozenset[str]:
    """Files the tests were collected from, doctests of production modules left out."""
    base = prefix + "/" if prefix else ""
    found = set()
    for nodeid in nodeids:
        path, _, inner = nodeid.partition("::")
        first = inner.split("[", 1)[0].split("::", 1)[0]
        stem = path.rsplit("/", 1)[-1].removesuffix(".py")
        tests = stem.startswith("test_") or stem.endswith("_test")
        if first and ("." in first or (first == stem and not tests)):
            continue  # a doctest is named after its module
        found.add(base + path)
    return frozenset(found)
