"""Asked of the target's interpreter once a run: versions, and where an editable install would import from.

Run as a script; prints one JSON object. Python 3.8 syntax, standard library only.
"""

import hashlib
import json
import os
import platform
import site
import sys


def _editable(checkout):
    """Folders under the checkout that an editable install puts on the path or maps a package to."""
    found = []
    for entry in sys.path:
        real = os.path.realpath(entry or ".")
        if real.startswith(checkout + os.sep) and os.path.isdir(real):
            found.append(real)
    for name, module in list(sys.modules.items()):
        mapping = getattr(module, "MAPPING", None)
        if name.startswith("__editable__") and isinstance(mapping, dict):
            for package, place in mapping.items():
                parent = os.path.realpath(place)
                for _ in package.split("."):
                    parent = os.path.dirname(parent)
                found.append(parent)
    prefix = os.path.realpath(sys.prefix) + os.sep
    return sorted({p for p in found if (p + os.sep).startswith(checkout + os.sep) and not p.startswith(prefix)})


def _path():
    """Where packages are imported from: the path, and what editable installs map packages to."""
    own = os.path.dirname(os.path.abspath(__file__))
    found = [os.path.abspath(p) for p in sys.path if p and os.path.abspath(p) != own]
    for name, module in list(sys.modules.items()):
        mapping = getattr(module, "MAPPING", None)
        if name.startswith("__editable__") and isinstance(mapping, dict):
            found += [str(place) for place in mapping.values()]
    return sorted({p for p in found if os.path.exists(p)})


def _packages():
    try:
        from importlib import metadata
    except ImportError:
        return []
    return sorted({"{}=={}".format(d.metadata["Name"], d.version) for d in metadata.distributions()})


def _pytest():
    """Version of pytest (empty: it is not there), and whether its byte code is.

    It is not imported where its metadata tell the version: it will be, confined, before any test runs.
    """
    import importlib.util

    found = importlib.util.find_spec("pytest")
    if found is None or not found.origin:
        return "", False
    try:
        from importlib import metadata

        version = metadata.version("pytest")
    except ImportError:  # metadata are missing, or so is the module that reads them
        try:
            import pytest
        except ImportError:
            return "", False
        version = pytest.__version__
    return version, os.path.exists(importlib.util.cache_from_source(found.origin))


def main():
    checkout = os.path.realpath(sys.argv[1])
    packages = _packages()
    answer = {
        "executable": sys.executable,
        "version": platform.python_version(),
        "prefix": sys.prefix,
        "base_prefix": sys.base_prefix,
        "userbase": site.getuserbase(),
        "platform": platform.platform(),
        "packages": packages,
        "packages_sha256": hashlib.sha256("\n".join(packages).encode()).hexdigest(),
        "editable": _editable(checkout),
        "path": _path(),
    }
    answer["pytest"], answer["compiled"] = _pytest()
    print(json.dumps(answer))


main()
