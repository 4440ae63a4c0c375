"""What a model is told as a specialist: its task, the change it is handed, what the tools found, its bounds. Pure."""

from __future__ import annotations

from engine.providers import Brief
from engine.quoting import fence

FACTS = 30
FACT_CHARS = 30_000
SCOPE_FILES = 150


def handed_over(brief: Brief) -> str:
    """The first turn of an agent that a change is handed to."""
    listed = list(brief.scope[:SCOPE_FILES])
    if len(brief.scope) > SCOPE_FILES:
        listed.append(f"… and {len(brief.scope) - SCOPE_FILES} more")
    parts = [
        f"# {brief.task}",
        (f"{len(brief.green)} tests passed before it and still do. " if brief.verified else "")
        + "What you change is judged in a fresh copy, and taken back if anything that was green is lost.",
        *(fence(about, _cut(text)) for about, text in brief.facts[:FACTS]),
    ]
    if len(brief.facts) > FACTS:
        parts.append(f"{len(brief.facts) - FACTS} more findings are not shown.")
    parts += [
        "## Suites",
        "\n".join(f"- {s.name}: `{s.command}`" for s in brief.suites) or "- one, without a name",
        "## What you may change",
        brief.scope_rules.strip(),
        fence("the files you may change now", "\n".join(listed) or "(none)"),
    ]
    if brief.hint.strip():
        parts += ["## A word from the person who runs this", brief.hint.strip()]
    parts += ["Call finish when you are done: `done` if what your role asks for is there, else the outcome it names."]
    return "\n\n".join(parts)


def _cut(text: str) -> str:
    if len(text) <= FACT_CHARS:
        return text
    return f"{text[:FACT_CHARS]}\n[… {len(text) - FACT_CHARS} characters left out; look at the files …]"
