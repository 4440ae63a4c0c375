"""Everything that can be refused before a run exists: target, settings, agent, suites, provider, interpreter.

Nothing is written here.
"""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from engine import config as settings
from engine.config import Config
from engine.errors import ConfigError, ProviderError
from engine.events import BudgetSettled
from engine.flow import agents
from engine.flow.agents import Agent
from engine.flow.routes import canonical
from engine.providers.anthropic.client import checked
from engine.providers.anthropic.pricing import below
from engine.providers.scripted import read_script
from engine.suites import interpreter
from engine.suites.environment import scrubbed
from engine.suites.hidden import homes
from engine.suites.interpreter import Interpreter
from engine.suites.limits import Limits
from engine.suites.sandbox import Confinement, confine
from engine.workspace.home import Home
from engine.workspace.repository import Repository, Snapshot

PROVIDERS = ("anthropic", "repair", "scripted")
_MARKERS = ("pyproject.toml", "setup.py", "setup.cfg", "pytest.ini", "tox.ini", "bitnet-tui.toml", "config.toml")


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asks for; None and empty mean: as the settings say."""

    target: Path = Path(".")
    config: Path | None = None
    providers: tuple[str, ...] = ()
    agent: str = ""
    suites: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()
    script: Path | None = None
    apply: bool = False
    publish: str = ""  # on, off
    max_retries: int | None = None
    max_usd: float | None = None
    max_minutes: float | None = None
    max_turns: int | None = None


@dataclass(frozen=True, slots=True)
class Cut:
    """Where a person ended an attempt at a limit: after so many calls of tools."""

    tools: int
    settled: BudgetSettled


@dataclass(frozen=True, slots=True)
class Past:
    """What of an earlier run is given when it is made again: where it began, what the server said, and the people.

    Attributes
    ----------
    providers : of each attempt; a resumed run may have had others.
    cuts : by part.
    """

    snapshot: Snapshot
    tape: Any
    providers: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    cuts: Mapping[str, Cut] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """A run that can start: all its parts, checked."""

    repository: Repository
    home: Home
    prefix: str
    config: Config
    config_source: str
    agent: Agent
    specialists: Mapping[str, Agent]
    providers: tuple[str, ...]
    why_provider: str
    suites: tuple[str, ...]
    tests: tuple[str, ...]
    interpreter: Interpreter
    confinement: Confinement
    apply: bool
    publish: str = ""
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    fixed: tuple[str, ...] = ()  # limits the command line names
    floor: bool = False  # the prices are the repository's own word
    past: Past | None = None  # a run that is made again

    @property
    def typed(self) -> dict[str, float]:
        """Limits the command line names."""
        return {name: float(getattr(self.config.budget, name)) for name in self.fixed}

    @property
    def project(self) -> Path:
        return self.repository.root / self.prefix


def locate(target: Path) -> tuple[Repository, str]:
    """The repository of a target, and the project folder inside it.

    A subfolder is a project of its own when it looks like one; else the whole repository is.
    """
    repository = Repository.open(target)
    folder = Path(os.path.realpath(target if target.is_dir() else target.parent))
    root = Path(os.path.realpath(repository.root))
    while folder != root and not any((folder / m).is_file() for m in _MARKERS):
        folder = folder.parent
    return repository, "" if folder == root else folder.relative_to(root).as_posix()


def prepare(options: Options, environ: Mapping[str, str]) -> Plan:
    """Check everything a run needs.

    Raises
    ------
    ConfigError, EnvironmentFailure
        Each says what is wrong, where, and what to do.
    """
    repository, prefix = locate(options.target)
    project = repository.root / prefix
    config, source = settings.discover(project, _here(options.config))
    _speak_for(config, source, options.config is not None, options.publish)
    budget = {"usd": options.max_usd, "minutes": options.max_minutes, "turns": options.max_turns}
    config = settings.override(
        config,
        provider={"order": options.providers or None},
        flow={"agent": _agent(options.agent, Path.cwd()) or _agent(config.flow.agent, project)},
        retries={"limit": options.max_retries},
        budget=budget,
        github={"publish": options.publish or None},
        scripted={"file": str(_here(options.script) or (config.scripted.file and project / config.scripted.file))},
    )
    _trust(config, source, options.config is not None, environ)
    agent = agents.load(config.flow.agent)
    own = (agents.load(_agent(name, project)) for name in config.flow.agents)
    suites = _suites(config, options.suites)
    providers, why = _providers(config, environ)
    if "anthropic" in providers and options.config is None:
        _price(config, source, environ)
    found = interpreter.find(project, repository.root, config.python.interpreter, environ)
    clean = scrubbed(environ, config.sandbox.pass_env)
    probed = interpreter.probe(found, repository.root, clean)
    visible = [*repository.folders(), *_needed(probed, found, clean, config.sandbox.show)]
    return Plan(
        repository=repository,
        home=Home(repository.root),
        prefix=prefix,
        config=config,
        config_source=source,
        agent=agent,
        specialists={canonical(a.name): a for a in own},
        providers=providers,
        why_provider=why,
        suites=suites,
        tests=options.tests,
        interpreter=probed,
        confinement=_confined(config, visible, found, clean),
        apply=options.apply,
        publish=options.publish,
        environ=environ,
        fixed=tuple(name for name, limit in budget.items() if limit is not None),
        floor=options.config is None,
    )


def _confined(config: Config, visible: Sequence[Path], python: str, env: Mapping[str, str]) -> Confinement:
    """What keeps children in their place, as strong as it goes here.

    Raises
    ------
    EnvironmentFailure
        It is asked for and cannot be had.
    """
    if config.verify.require_sandbox and config.sandbox.mode == "off":
        raise ConfigError('[verify] require_sandbox = true and [sandbox] mode = "off" contradict each other')
    required = config.verify.require_sandbox or config.sandbox.mode == "on"
    asked = "[verify] require_sandbox = true" if config.verify.require_sandbox else '[sandbox] mode = "on"'
    limits = Limits.of(config.sandbox, (suite.timeout_s for suite in config.suites.values()))
    return confine(config.sandbox.mode, visible, python, env, required=asked if required else "", limits=limits)


def _needed(python: Interpreter, executable: str, env: Mapping[str, str], show: Sequence[str]) -> list[Path]:
    """What children need besides the repository: the interpreter with its packages, programs (ours too: ruff), and
    what is asked for."""
    searched = [Path(p) for name in ("PATH", "LD_LIBRARY_PATH") for p in env.get(name, "").split(os.pathsep) if p]
    programs = [p for p in searched if not any(p == h or p in h.parents for h in homes())]  # else all would be shown
    named = [Path(p).expanduser() for p in (*python.prefixes, *python.path, executable, sys.prefix, *show)]
    return [p for p in (*named, *programs) if p.is_absolute()]


def _here(path: Path | None) -> Path | None:
    """A path typed by hand, whole: a resumed run may be started from another folder."""
    return Path.cwd() / path.expanduser() if path is not None else None


def _agent(name: str, base: Path) -> str:
    """An agent's name, or the whole path of its file."""
    return str(base / Path(name).expanduser()) if name.endswith(".md") or "/" in name else name


def _trust(config: Config, source: str, named: bool, environ: Mapping[str, str]) -> None:
    """A repository may not send the user's key to a host of its choice.

    Raises
    ------
    ConfigError
        Its settings name a server that is neither on this machine nor the one the environment names.
    """
    url = checked(config.anthropic.base_url, f"{source}: [anthropic] base_url")
    host = urlsplit(url).hostname or ""
    if not url or named or host in ("localhost", "127.0.0.1", "::1") or url == environ.get("ANTHROPIC_BASE_URL"):
        return
    raise ConfigError(
        f"{source}: [anthropic] base_url = {url!r} would get your key",
        hint="if you trust it, say so outside the repository: ANTHROPIC_BASE_URL, or --config with a file of yours",
    )


def _price(config: Config, source: str, environ: Mapping[str, str]) -> None:
    """A repository may not say that what its user pays for is cheap, or free: no limit on money would hold.

    Raises
    ------
    ConfigError
        Its settings do, and Anthropic's own server is asked.
    """
    url = config.anthropic.base_url or environ.get("ANTHROPIC_BASE_URL", "")
    host = urlsplit(url).hostname or "anthropic.com"
    if (host == "anthropic.com" or host.endswith(".anthropic.com")) and (wrong := below(config.prices)):
        raise ConfigError(
            f"{source}: {wrong}: your limit on money would not hold",
            hint="a repository's file may only raise prices; name a file of yours with --config to lower them",
        )


def _speak_for(config: Config, source: str, named: bool, asked: str) -> None:
    """A repository may not decide that something is written to GitHub in the user's name.

    Raises
    ------
    ConfigError
        Its settings do.
    """
    if config.github.publish != "on" or named or asked:
        return
    raise ConfigError(
        f"{source}: [github] publish = 'on' would write to GitHub in your name",
        hint='if you want that, say --publish, or --config with a file of yours; "auto" writes in GitHub Actions alone',
    )


def _suites(config: Config, asked: tuple[str, ...]) -> tuple[str, ...]:
    for name in asked:
        if name not in config.suites:
            near = difflib.get_close_matches(name, list(config.suites), 1, 0.4)
            known = "the suites are " + ", ".join(config.suites)
            raise ConfigError(f"unknown suite {name!r}", hint=f"did you mean {near[0]!r}? {known}" if near else known)
    return asked or tuple(config.suites)


def _providers(config: Config, environ: Mapping[str, str]) -> tuple[tuple[str, ...], str]:
    """Who makes the attempts, and why, in a line."""
    has_key = bool(environ.get("ANTHROPIC_API_KEY") or environ.get("ANTHROPIC_AUTH_TOKEN"))
    url = config.anthropic.base_url or environ.get("ANTHROPIC_BASE_URL", "")
    has_url = bool(url)
    order = config.provider.order
    if not order:
        if has_key or has_url:
            checked(url)  # now, not after the tests have run
            return ("anthropic",), "a key is set" if has_key else "a base_url is set"
        return ("repair",), "no key and no base_url: the offline repairer, nothing leaves this machine"
    for name in order:
        if name not in PROVIDERS:
            near = difflib.get_close_matches(name, PROVIDERS, 1, 0.4)
            known = "the providers are " + ", ".join(PROVIDERS)
            raise ConfigError(
                f"unknown provider {name!r}", hint=f"did you mean {near[0]!r}? {known}" if near else known
            )
    if "anthropic" in order and not (has_key or has_url):
        raise ProviderError(
            "provider anthropic has no key",
            hint="set ANTHROPIC_API_KEY, or [anthropic] base_url for a local server, or use --provider repair",
        )
    if "anthropic" in order:
        checked(url)
    if "scripted" in order and not config.scripted.file:
        raise ConfigError("provider scripted has no script", hint="name one with --script FILE")
    if "scripted" in order:
        read_script(Path(config.scripted.file))
    return order, "as asked"
