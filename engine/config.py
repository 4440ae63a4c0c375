"""Every setting: its type, its default, where it is read from, and what is said when it is wrong."""

from __future__ import annotations

import dataclasses
import difflib
import math
import os
import re
import shlex
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Flow:
    agent: str = "impl-creator"
    agents: tuple[str, ...] = ()  # agent files in the place of ours, by the name in them
    decide: str = "ask"  # ask (in the dashboard) or auto
    follow: str = "hand-over"  # hand-over or auto: run the agents a route names
    max_hops: int = 3  # of those, in one run


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    order: tuple[str, ...] = ()  # empty: anthropic if a key or base_url is set, else repair


@dataclass(frozen=True, slots=True)
class Anthropic:
    model: str = ""  # empty: the agent file's
    base_url: str = ""
    auth: str = "auto"  # auto, bearer or x-api-key
    version: str = ""  # of the protocol; empty: the library's own
    profile: str = "auto"  # auto, claude or plain
    max_tokens: int = 32000
    effort: str = ""
    thinking: bool = True
    timeout_s: float = 120.0
    retries: int = 4
    retry_cap_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Repair:
    budget_s: float = 120.0
    max_candidates: int = 20000
    workers: int = 0  # 0: one a core
    seed: int = 0
    scheduler: str = ""  # a Dask cluster that tries candidates


@dataclass(frozen=True, slots=True)
class Scripted:
    file: str = ""


@dataclass(frozen=True, slots=True)
class Retries:
    limit: int = 2


@dataclass(frozen=True, slots=True)
class Budget:
    usd: float = 2.0
    minutes: float = 60.0
    turns: int = 80
    tokens: int = 3_000_000


@dataclass(frozen=True, slots=True)
class Price:
    """Dollars a million tokens of a model; -1: as in the program's own table."""

    input: float = -1.0
    output: float = -1.0
    cache_read: float = -1.0
    cache_write: float = -1.0


@dataclass(frozen=True, slots=True)
class Scope:
    allow: tuple[str, ...] = ("**/*.py",)
    deny: tuple[str, ...] = ()
    protect: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Suite:
    args: tuple[str, ...] = ()
    marker: str = ""
    requires: tuple[str, ...] = ()
    optional: bool = False
    timeout_s: float = 1800.0
    test_timeout_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Python:
    interpreter: str = ""
    import_roots: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SandboxSettings:
    mode: str = "auto"  # auto, on, off
    pass_env: tuple[str, ...] = ()
    show: tuple[str, ...] = ()
    memory_mb: int = -1  # three quarters of the machine's
    processes: int = 1024
    disk_mb: int = 16384
    file_mb: int = 4096


@dataclass(frozen=True, slots=True)
class Audit:
    rounds: int = 2


@dataclass(frozen=True, slots=True)
class Verify:
    require_sandbox: bool = False
    impacted_after_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Diet:
    enabled: bool = True
    budget_s: float = 60.0
    pin: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Advisories:
    hooks: tuple[str, ...] = ()
    claude_settings: bool = True
    hook_timeout_s: float = 10.0
    budget_s: float = 60.0
    lines: int = 8
    chars: int = 1200
    tolerance: float = 1e-5


@dataclass(frozen=True, slots=True)
class Features:
    optional: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Gates:
    format: tuple[str, ...] = ("ruff", "format", "--check")
    clippy: tuple[str, ...] = ("ruff", "check")
    crossval: tuple[str, ...] = ()
    benchmarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GitHubSettings:
    publish: str = "auto"  # auto (in GitHub Actions), on or off


@dataclass(frozen=True, slots=True)
class Workspace:
    carry: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tui:
    theme: str = "bitnet-dark"
    glyphs: str = "auto"
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # an action's own keys; its table is the tui's


def _suites() -> dict[str, Suite]:
    return {"cpu": Suite(marker="not gpu"), "gpu": Suite(marker="gpu", optional=True)}


@dataclass(frozen=True, slots=True)
class Config:
    """All settings of a run, merged: defaults, file, command line."""

    flow: Flow = Flow()
    provider: ProviderSettings = ProviderSettings()
    anthropic: Anthropic = Anthropic()
    repair: Repair = Repair()
    scripted: Scripted = Scripted()
    retries: Retries = Retries()
    budget: Budget = Budget()
    prices: Mapping[str, Price] = field(default_factory=dict)  # by a part of the model's id
    scope: Scope = Scope()
    suites: Mapping[str, Suite] = field(default_factory=_suites)
    python: Python = Python()
    sandbox: SandboxSettings = SandboxSettings()
    audit: Audit = Audit()
    verify: Verify = Verify()
    diet: Diet = Diet()
    advisories: Advisories = Advisories()
    features: Features = Features()
    gates: Gates = Gates()
    github: GitHubSettings = GitHubSettings()
    workspace: Workspace = Workspace()
    tui: Tui = Tui()


def _words(line: str) -> list[str]:
    """The words of a command line; none if its quotes do not match."""
    try:
        return shlex.split(line)
    except ValueError:
        return []


# Bounds and choices a type cannot say: (section, key) → (what is wanted, test).
_RULES: dict[tuple[str, str], tuple[str, Any]] = {
    ("retries", "limit"): ("an integer from 0 to 2", lambda v: 0 <= v <= 2),
    ("audit", "rounds"): ("an integer from 2 to 9", lambda v: 2 <= v <= 9),
    ("flow", "decide"): ('"ask" or "auto"', lambda v: v in ("ask", "auto")),
    ("flow", "follow"): ('"hand-over" or "auto"', lambda v: v in ("hand-over", "auto")),
    ("flow", "max_hops"): ("an integer, 0 or more", lambda v: v >= 0),
    ("sandbox", "mode"): ('"auto", "on" or "off"', lambda v: v in ("auto", "on", "off")),
    ("github", "publish"): ('"auto", "on" or "off"', lambda v: v in ("auto", "on", "off")),
    ("anthropic", "auth"): ('"auto", "bearer" or "x-api-key"', lambda v: v in ("auto", "bearer", "x-api-key")),
    ("anthropic", "version"): ("a date such as 2023-06-01", lambda v: re.fullmatch(r"(\d{4}-\d\d-\d\d)?", v)),
    ("anthropic", "retries"): ("an integer from 0 to 20", lambda v: 0 <= v <= 20),
    ("anthropic", "retry_cap_s"): ("a number from 0 to 600", lambda v: 0 <= v <= 600),
    ("anthropic", "max_tokens"): ("an integer above 0", lambda v: v > 0),
    ("anthropic", "profile"): ('"auto", "claude" or "plain"', lambda v: v in ("auto", "claude", "plain")),
    ("tui", "glyphs"): ('"auto", "unicode" or "ascii"', lambda v: v in ("auto", "unicode", "ascii")),
    ("budget", "usd"): ("a number, 0 or more", lambda v: v >= 0),
    ("budget", "minutes"): ("a number above 0", lambda v: v > 0),
    ("budget", "turns"): ("an integer above 0", lambda v: v > 0),
    ("budget", "tokens"): ("an integer above 0", lambda v: v > 0),
    **{("prices", key): ("a number, 0 or more", lambda v: v >= 0) for key in Price.__slots__},
    ("repair", "budget_s"): ("a number above 0", lambda v: v > 0),
    ("repair", "workers"): ("an integer, 0 or more", lambda v: v >= 0),
    ("repair", "scheduler"): (
        '"", "local" or the address of a Dask scheduler such as "tcp://host:8786"',
        lambda v: re.fullmatch(r"(local|(tcp|tls)://[\w.\-\[\]:]+:\d+)?", v),
    ),
    ("suites", "timeout_s"): ("a number above 0", lambda v: v > 0),
    ("suites", "test_timeout_s"): ("a number above 0", lambda v: v > 0),
    ("anthropic", "timeout_s"): ("a number above 0", lambda v: v > 0),
    ("verify", "impacted_after_s"): ("a number, 0 or more", lambda v: v >= 0),
    ("diet", "budget_s"): ("a number, 0 or more", lambda v: v >= 0),
    ("advisories", "hooks"): ("a list of command lines", lambda v: all(map(_words, v))),
    ("advisories", "hook_timeout_s"): ("a number above 0", lambda v: v > 0),
    ("advisories", "budget_s"): ("a number, 0 or more", lambda v: v >= 0),
    ("advisories", "lines"): ("an integer, 0 or more", lambda v: v >= 0),
    ("advisories", "chars"): ("an integer, 0 or more", lambda v: v >= 0),
    ("advisories", "tolerance"): ("a number, 0 or more", lambda v: v >= 0),
    ("sandbox", "memory_mb"): ("an integer, 0 or more, or -1", lambda v: v >= -1),
    ("sandbox", "processes"): ("an integer, 0 or more", lambda v: v >= 0),
    ("sandbox", "disk_mb"): ("an integer, 0 or more", lambda v: v >= 0),
    ("sandbox", "file_mb"): ("an integer, 0 or more", lambda v: v >= 0),
}
_FLAGS = {
    ("retries", "limit"): "--max-retries",
    ("budget", "usd"): "--max-usd",
    ("budget", "minutes"): "--max-minutes",
    ("budget", "turns"): "--max-turns",
}


def _wanted(kind: Any) -> str:
    if kind is tuple or typing.get_origin(kind) is tuple:
        return "a list of strings"
    if typing.get_origin(kind) is Mapping:
        return "a table of actions, each with a key or a list of keys"
    return {int: "an integer", float: "a number", str: "a string", bool: "true or false"}.get(kind, str(kind))


def _value(kind: Any, value: Any) -> Any:
    """``value`` as ``kind``, or raise TypeError."""
    if typing.get_origin(kind) is tuple:
        if isinstance(value, list | tuple) and all(isinstance(v, str) for v in value):
            return tuple(value)
    elif typing.get_origin(kind) is Mapping:
        return _keys(value)
    elif kind is float:
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            return float(value)
    elif kind is int:
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    elif isinstance(value, kind):
        return value
    raise TypeError


def _keys(value: Any) -> dict[str, tuple[str, ...]]:
    """A table of actions; ``run.retry = "R"`` is a table in a table to TOML, and one name here."""
    if not isinstance(value, Mapping):
        raise TypeError
    found: dict[str, tuple[str, ...]] = {}
    for name, keys in value.items():
        if isinstance(keys, Mapping):
            found |= {f"{name}.{rest}": each for rest, each in _keys(keys).items()}
        else:
            found[name] = _value(tuple[str, ...], [keys] if isinstance(keys, str) else keys)
    return found


def _section(cls: type[Any], name: str, data: Any, source: str) -> Any:
    if not isinstance(data, dict):
        raise ConfigError(f"{source}: [{name}] = {data!r}; want a table", hint=f"write [{name}] and its keys below it")
    kinds = typing.get_type_hints(cls)
    values: dict[str, Any] = {}
    for key, value in data.items():
        if key not in kinds:
            raise _unknown(source, f"[{name}] {key}", key, list(kinds))
        values[key] = _checked(cls, name, key, value, f"{source}: [{name}] {key} =")
    return cls(**values)


def _checked(cls: type[Any], name: str, key: str, value: Any, where: str) -> Any:
    """One value of a section, of the right type and within its bounds; ``where`` it was said, for the message."""
    kind = typing.get_type_hints(cls)[key]
    wanted, holds = _RULES.get((name.split(".")[0], key), (_wanted(kind), None))
    try:
        known = _value(kind, value)
    except TypeError:
        wanted, holds = _wanted(kind), lambda _: False
        known = value
    if holds is not None and not holds(known):
        raise ConfigError(f"{where} {value!r}; want {wanted}", hint=f"try {_toml(getattr(cls(), key))}")
    return known


def _unknown(source: str, where: str, key: str, known: list[str]) -> ConfigError:
    near = difflib.get_close_matches(key, known, 1, 0.5)
    hint = f"did you mean {near[0]!r}?" if near else "known here: " + ", ".join(known)
    return ConfigError(f"{source}: unknown key {where}", hint=hint)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return '{ "run.retry" = "R" }'
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(v) for v in value) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)


def parse(data: Mapping[str, Any], source: str) -> Config:
    """Check a table of settings and fill in the defaults.

    Parameters
    ----------
    data
        As TOML gives it.
    source
        The file's name, for messages.

    Raises
    ------
    ConfigError
        An unknown key or a wrong value; names file, key, what was found, what is wanted.

    Examples
    --------
    >>> parse({"retries": {"limit": 1}}, "config.toml").retries.limit
    1
    """
    hints = typing.get_type_hints(Config)
    values: dict[str, Any] = {}
    for name, table in data.items():
        if name not in hints:
            raise _unknown(source, f"[{name}]", name, list(hints))
        if name == "suites":
            values[name] = _suite_tables(table, source)
        elif name == "prices":
            values[name] = _price_tables(table, source)
        else:
            values[name] = _section(hints[name], name, table, source)
    return Config(**values)


def _suite_tables(table: Any, source: str) -> dict[str, Suite]:
    if not isinstance(table, dict) or not table:
        raise ConfigError(f"{source}: [suites] names no suite", hint="write [suites.cpu] and its keys below it")
    for name in table:
        if not name.replace("-", "").replace("_", "").isalnum():
            raise ConfigError(f"{source}: [suites.{name}] is no name", hint="use letters, digits, - and _")
    return {name: _section(Suite, f"suites.{name}", value, source) for name, value in table.items()}


def _price_tables(table: Any, source: str) -> dict[str, Price]:
    if not isinstance(table, dict) or not all(isinstance(row, dict) for row in table.values()):
        raise ConfigError(
            f"{source}: [prices] wants a table for each model",
            hint='write [prices."claude-sonnet-5-5"] and input = 2.0',
        )
    return {name: _section(Price, f"prices.{name}", row, source) for name, row in table.items()}


def _read(path: Path) -> dict[str, Any]:
    import tomli

    try:
        return tomli.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", hint="name an existing file with --config") from error
    except (tomli.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path}: not TOML: {error}", hint="see config.toml of bitnet-tui for every setting"
        ) from error


def discover(project: Path, explicit: Path | None = None) -> tuple[Config, str]:
    """The settings for a project and where they came from.

    Order: ``explicit``, ``bitnet-tui.toml``, ``[tool.bitnet-tui]`` in pyproject.toml,
    ``config.toml`` with a ``[flow]`` table; else the defaults. How the screen looks and which keys it has
    a person may settle for all projects, in :func:`personal`.
    """
    config, source = _of_project(project, explicit)
    path = personal()
    if path is None or not path.is_file():
        return config, source
    data = _read(path)
    if other := [name for name in data if name != "tui"]:
        raise ConfigError(
            f"{path}: [{other[0]}] has no place here",
            hint="this file settles [tui] for all projects; the rest stands in a project's own bitnet-tui.toml",
        )
    mine, shown = parse(data, str(path)).tui, data.get("tui", {})
    given: dict[str, Any] = {k: getattr(mine, k) for k in shown}
    keys = {**config.tui.keys, **mine.keys}
    return dataclasses.replace(config, tui=dataclasses.replace(config.tui, **{**given, "keys": keys})), source


def personal() -> Path | None:
    """A person's own file: ``bitnet-tui/config.toml`` in the folder for settings; None without a home."""
    base = os.environ.get("XDG_CONFIG_HOME", "")
    if base.startswith("/"):
        return Path(base) / "bitnet-tui" / "config.toml"
    home = os.environ.get("HOME", "")
    return Path(home) / ".config" / "bitnet-tui" / "config.toml" if home.startswith("/") else None


def of_the_screen(source: str) -> str:
    """Where settings of the screen come from, for messages: ``source``, or a person's own file."""
    path = personal()
    return f"{source} or {path}" if path is not None and path.is_file() else source


def _of_project(project: Path, explicit: Path | None) -> tuple[Config, str]:
    if explicit is not None:
        return parse(_read(explicit), str(explicit)), str(explicit)
    own = project / "bitnet-tui.toml"
    if own.is_file():
        return parse(_read(own), own.name), own.name
    pyproject = project / "pyproject.toml"
    if pyproject.is_file():
        tool = _read(pyproject).get("tool", {})
        if isinstance(tool, dict) and "bitnet-tui" in tool:
            return parse(tool["bitnet-tui"], "pyproject.toml [tool.bitnet-tui]"), "pyproject.toml"
    shared = project / "config.toml"
    if shared.is_file():
        try:
            data = _read(shared)
        except ConfigError:
            return Config(), "defaults"  # somebody else's config.toml
        if isinstance(data.get("flow"), dict):
            return parse(data, shared.name), shared.name
    return Config(), "defaults"


def override(config: Config, **sections: Mapping[str, Any]) -> Config:
    """``config`` with some keys of some sections replaced; what is None stays."""
    for name, change in sections.items():
        given = {k: v for k, v in change.items() if v is not None}
        if given:
            section = getattr(config, name)
            for key, value in given.items():
                _checked(type(section), name, key, value, _FLAGS.get((name, key), f"[{name}] {key} ="))
            part = dataclasses.replace(section, **given)
            config = dataclasses.replace(config, **{name: part})
    return config


__all__ = ["Config", "Suite", "discover", "override", "parse"]
