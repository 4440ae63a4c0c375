"""Agent files: Markdown with YAML front matter. Their text is handed to a provider, never executed."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.errors import ConfigError

_OURS = Path(__file__).parent / "agents"
SIZE_LIMIT = 1_000_000

# Names that mean the same agent in the wild.
ALIASES: Mapping[str, str] = {
    "safety-scanner": "security-scanner",
    "generative-code-reviewer": "code-reviewer",
    "generative-code-refiner": "code-refiner",
    "generative-spec-analyzer": "spec-analyzer",
    "generative-doc-updater": "doc-updater",
    "fixture-builder": "generative-fixture-builder",
    "benchmark-runner": "generative-benchmark-runner",
}


@dataclass(frozen=True, slots=True)
class Agent:
    name: str
    body: str
    model: str = ""
    description: str = ""
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
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"agent file {path}: {error}") from error


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
    if not isinstance(name, str) or not name.strip():
        raise ConfigError(f"{source}: name = {name!r}; want a word", hint="add a line `name: my-agent`")
    model = data.pop("model", "")
    description = data.pop("description", "")
    return Agent(name.strip(), body.partition("\n")[2].strip(), str(model or ""), str(description or ""), data)


def _front_matter(head: str, source: str) -> dict[str, Any]:
    import yaml

    try:
        data = yaml.safe_load(head)
    except yaml.YAMLError:
        # Descriptions in the wild hold unquoted colons; one line is one key there.
        data = {}
        for line in head.splitlines():
            key, colon, value = line.partition(":")
            if colon and key.strip() and not line[:1].isspace():
                data[key.strip()] = value.strip()
    if not isinstance(data, dict):
        raise ConfigError(f"{source}: the front matter is not a table of keys")
    return {str(k): v for k, v in data.items()}
