"""The environment of a child: a scrubbed set of names, our path entries first, private home and temp folders."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

# What a child may inherit. Everything else stays here: keys, tokens, PYTEST_*, GIT_*.
_NAMES = """
PATH LANG LANGUAGE TZ USER LOGNAME SHELL CI VIRTUAL_ENV CONDA_PREFIX LD_LIBRARY_PATH DYLD_LIBRARY_PATH
SYSTEMROOT SSL_CERT_FILE SSL_CERT_DIR PYTHONHASHSEED PYTHONUTF8
"""
PASSED = frozenset(_NAMES.split())
PASSED_PREFIXES = ("LC_", "CUDA_", "NVIDIA_", "OMP_", "OPENBLAS_", "MKL_", "NVPL_", "BLIS_", "NUMEXPR_", "VECLIB_")


def scrubbed(environ: Mapping[str, str], extra: Iterable[str] = ()) -> dict[str, str]:
    """The part of ``environ`` a child may see; ``extra`` names more, from the settings."""
    names = PASSED | set(extra)
    return {k: v for k, v in environ.items() if k in names or k.startswith(PASSED_PREFIXES)}


def child_environment(
    environ: Mapping[str, str],
    *,
    run: str,
    path: Iterable[Path],
    scratch: Path,
    userbase: str = "",
    pycache: Path | None = None,
    extra: Iterable[str] = (),
) -> dict[str, str]:
    """The complete environment of a child of this run.

    Parameters
    ----------
    path
        Entries for ``PYTHONPATH``, first wins.
    scratch
        Gets a private home and temp folder.
    userbase
        The real user site folder, so that moving the home does not hide packages installed there.
    pycache
        Where byte code may be cached; None: nowhere. Never beside the sources: an edit of equal
        size in the same second would be hidden by it.
    """
    home, temp = scratch / "home", scratch / "tmp"
    home.mkdir(parents=True, exist_ok=True)
    temp.mkdir(parents=True, exist_ok=True)
    env = scrubbed(environ, extra)
    env |= {
        "PYTHONPATH": os.pathsep.join(str(p) for p in path),
        "HOME": str(home),
        "TMPDIR": str(temp),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "TERM": "dumb",
        "NO_COLOR": "1",
        "PYTHONUNBUFFERED": "1",
        "PYTHONIOENCODING": "utf-8",
        "BITNET_TUI_RUN": run,
    }
    if userbase:
        env["PYTHONUSERBASE"] = userbase
    if pycache is None:
        env["PYTHONDONTWRITEBYTECODE"] = "1"
    else:
        env["PYTHONPYCACHEPREFIX"] = str(pycache)
    return env
