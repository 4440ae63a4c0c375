"""Agent files: Markdown with YAML front matter. Their text is handed to a provider, never executed."""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.errors import ConfigError
from engine.flow import routes as ways
from engine.flow.routes import ALIASES, CONTRACTS, SCOPES, Routes

_OURS = Path(__file__).parent / "agents"
SIZE_LIMIT = 1_000_000
LONGEST_NAME = 100
TOOLS = ("str_replace_based_edit_tool", "search", "run_tests", "finish")


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent file, read. What it does not say of itself follows from its name, where the flow knows it."""

    name: str
    body: str
    model: str = ""
    description: str = ""
    tools: tuple[str, ...] = TOOLS
    scope: str | tuple[str, ...] = "impl"  # one of SCOPES, or patterns of what it may write
    gate: str = ""
    routes: Routes = Routes()
    extra: Mapping[str, Any] = field(default_factory=dict)


def known() -> list[str]:
    """Names of the agents that come with the program."""
    return sorted(p.stem for p in _OURS.glob("*.md"))


def load(name: str) -> Agent:
    """An agent by name, alias or path of a file.

    Raises
    ------
    ConfigError
        No such agent, or the file is not an agent file; says what is wrong with it.
    """
    path = Path(name).expanduser()
    if name.endswith(".md") or "/" in name:
        if not path.is_file():
            raise ConfigError(f"agent file {name}: no such file", hint="known agents: " + ", ".join(known()))
        return parse(_text(path), str(path))
    found = _OURS / f"{ALIASES.get(name, name)}.md"
    if not found.is_file():
        near = difflib.get_close_matches(name, known(), 1, 0.4)
        hint = f"did you mean {near[0]!r}?" if near else "known agents: " + ", ".join(known())
        raise ConfigError(f"unknown agent {name!r}", hint=hint)
    return parse(_text(found), found.name)


def _text(path: Path) -> str:
    if path.stat().st_size > SIZE_LIMIT:
        raise ConfigError(f"agent file {path}: larger than 1 MB", hint="an agent file is a page of Markdown")
    try:
        return path.read_text(encoding="utf-8-sig")  # an editor of Windows may have put a mark in front
    except UnicodeDecodeError as error:
        said = f"agent file {path}: not a text in UTF-8 (byte {error.start})"
        raise ConfigError(said, hint="an agent file is a page of Markdown") from error
    except OSError as error:
        raise ConfigError(f"agent file {path}: {error.strerror}", hint="it must be a file you may read") from error


def parse(text: str, source: str) -> Agent:
    """Split front matter and body; unknown keys are kept and ignored.

    Raises
    ------
    ConfigError
        No front matter, or no usable name in it.
    """
    if not text.startswith("---"):
        raise ConfigError(f"{source}: no front matter", hint="an agent file starts with ---, name: …, ---")
    head, sep, body = text[3:].partition("\n---")
    if not sep:
        raise ConfigError(f"{source}: the front matter has no end", hint="close it with a line ---")
    data = _front_matter(head, source)
    name = data.pop("name", None)
    if not isinstance(name, str) or not 0 < len(name.strip()) <= LONGEST_NAME:
        raise ConfigError(f"{source}: name = {reprlib.repr(name)}; want a word", hint="add a line `name: my-agent`")
    name = name.strip()
    model, description = data.pop("model", ""), data.pop("description", "")
    if isinstance(model, list | dict):
        raise ConfigError(
            f"{source}: model = {reprlib.repr(model)}; want a word", hint="write `model: sonnet`, or leave it out"
        )
    if isinstance(description, list | dict):  # few lines of YAML can mean gigabytes of text
        description = ""
    gate, scope = CONTRACTS.get(ways.canonical(name), ("", "impl"))
    return Agent(
        name,
        body.partition("\n")[2].strip(),
        str(model or ""),
        str(description or ""),
        tools=_tools(data.pop("tools", None)),
        scope=_scope(data.pop("scope", scope), source),
        gate=_gate(data.pop("gate", gate), source),
        routes=_routes(data.pop("routes", None), name, source),
        extra=data,
    )


def _tools(given: Any) -> tuple[str, ...]:
    """Those of our four that the file asks for. Files written for other programs name tools of theirs: then all four.

    ``finish`` is always among them: without it an attempt has no end.
    """
    named = given.split(",") if isinstance(given, str) else given if isinstance(given, list) else []
    asked = {n.strip() for n in named if isinstance(n, str)}
    known = tuple(t for t in TOOLS if t in asked or t == "finish")
    return known if asked & set(TOOLS) else TOOLS


def _scope(given: Any, source: str) -> str | tuple[str, ...]:
    if isinstance(given, str) and given in SCOPES:
        return given
    if isinstance(given, list) and given and all(isinstance(p, str) and p.strip() for p in given):
        return tuple(given)
    raise ConfigError(
        f"{source}: scope = {reprlib.repr(given)}; want {', '.join(SCOPES)}, or a list of patterns",
        hint="try scope: impl",
    )


def _gate(given: Any, source: str) -> str:
    if isinstance(given, str) and (not given or given.replace("-", "").isalnum()):
        return given
    raise ConfigError(f"{source}: gate = {reprlib.repr(given)}; want a word", hint="try gate: impl")


def _routes(given: Any, name: str, source: str) -> Routes:
    if given is None:
        return _usual_routes(name)
    try:
        return ways.read(given)
    except ValueError as error:
        raise ConfigError(f"{source}: routes: {error}", hint="see the agent files of bitnet-tui") from error


def _usual_routes(name: str) -> Routes:
    """The routes of our own agent of that name: a file that lists none means the usual ones."""
    own = _OURS / f"{ways.canonical(name)}.md"
    if ways.canonical(name) not in CONTRACTS or not own.is_file():
        return Routes()
    head = own.read_text(encoding="utf-8")[3:].partition("\n---")[0]
    return ways.read(_front_matter(head, own.name)["routes"])


def _front_matter(head: str, source: str) -> dict[str, Any]:
    import yaml

    try:
        data = yaml.safe_load(head)
    except (yaml.YAMLError, ValueError, RecursionError):  # a date there is none of is a ValueError
        # Descriptions in the wild hold unquoted colons; one line is one key there.
        data = {}
        for line in head.splitlines():
            key, colon, value = line.partition(":")
            if colon and key.strip() and not line[:1].isspace():
                data[key.strip()] = _line_value(key.strip(), value.strip())
    if not isinstance(data, dict):
        raise ConfigError(f"{source}: the front matter is not a table of keys")
    return {str(k): v for k, v in data.items()}


def _line_value(key: str, text: str) -> Any:
    """One line's value: text is text, but a list of tools is not to be taken for the word of another program."""
    import yaml

    if key not in ("tools", "scope", "routes"):
        return text
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return text
