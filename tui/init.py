"""``bitnet-tui init``: a settings file for a project, filled in with what is found there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import click

from engine.errors import ConfigError
from engine.launch import locate
from engine.plain import safe
from engine.suites.layout import import_roots

NAME = "bitnet-tui.toml"
_TESTS = ("tests", "test", "testing")
_HEAD = (
    "# Settings of bitnet-tui for this project. What is not here has its default: config.toml of bitnet-tui lists all."
)


def write(target: Path, *, show: bool) -> int:
    """Write the file, or only print it; 0.

    Raises
    ------
    ConfigError
        There is one already.
    EnvironmentFailure
        There is no git repository.
    """
    repository, prefix = locate(target)
    base = f"{prefix}/" if prefix else ""
    listed = repository.run("ls-files", "-z", "--", prefix or ".").split("\0")
    files = [f.removeprefix(base) for f in listed if f.startswith(base) and f]
    marked = repository.succeeds("grep", "-q", "-F", "-e", "mark.gpu", "--", f"{base}*.py")
    text = settings(files, gpu=marked)
    path = repository.root / prefix / NAME
    if show:
        click.echo(safe(text), nl=False)
        return 0
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise ConfigError(
            f"{path} is there already", hint="edit it, or see what init would write with --print"
        ) from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}", hint="init --print shows the text") from error
    click.echo(safe(f"wrote {path}\n`bitnet-tui doctor` says what a run here would use"))
    return 0


def settings(files: Sequence[str], *, gpu: bool) -> str:
    """The text of a settings file.

    Parameters
    ----------
    files
        The project's files, posix paths relative to it.
    gpu
        Whether tests are marked for a GPU.

    Examples
    --------
    >>> 'allow = ["calc/**/*.py"]' in settings(["calc/__init__.py", "tests/test_a.py"], gpu=False)
    True
    """
    tests = [t for t in _TESTS if any(f.startswith(f"{t}/") for f in files)]
    lines = [_HEAD, "", "[scope]", f"allow = {_listed(_production(files))}", "", "[suites.cpu]"]
    lines += [f"args = {_listed(tests)}"] if tests else []
    lines += ['marker = "not gpu"'] if gpu else []
    if gpu:
        lines += ["", "[suites.gpu]", *([f"args = {_listed(tests)}"] if tests else []), 'marker = "gpu"']
        lines += ['requires = ["cupy", "cuda"]', "optional = true"]
    return "\n".join([*lines, ""])


def _production(files: Sequence[str]) -> list[str]:
    """Patterns of the production code: its packages, and modules beside them."""
    code = [f for f in files if f.endswith(".py") and PurePosixPath(f).parts[0] not in (*_TESTS, "docs", "examples")]
    if "src" in import_roots(files, ""):
        return ["src/**/*.py"]
    tops = sorted({PurePosixPath(f).parts[0] for f in code if "/" in f and f"{f.split('/')[0]}/__init__.py" in files})
    loose = sorted(f for f in code if "/" not in f and not f.startswith(("test_", "conftest", "setup", "noxfile")))
    return [*(f"{top}/**/*.py" for top in tops), *loose] or ["**/*.py"]


def _listed(words: Sequence[str]) -> str:
    return "[" + ", ".join('"' + w.replace("\\", "\\\\").replace('"', '\\"') + '"' for w in words) + "]"
