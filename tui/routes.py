"""``bitnet-tui routes check``: the agents, their ways on, and what is wrong with them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click

from engine.flow import agents, check
from engine.flow.agents import Agent
from engine.flow.routes import canonical
from engine.plain import safe


def report(files: Sequence[Path], *, as_json: bool) -> int:
    """Check the flow's own agents, with those of ``files`` beside them or in their place; 1 if something is wrong.

    Raises
    ------
    ConfigError
        A file is no agent file.
    """
    given = {str(path): agents.load(str(path.absolute())) for path in files}
    taken = {canonical(agent.name) for agent in given.values()}
    own = {f"{name}.md": agents.load(name) for name in agents.known() if name not in taken}
    flow = own | given
    found = check.check(flow)
    if as_json:
        click.echo(json.dumps([{"source": f.source, "error": f.error, "text": f.text} for f in found]))
    else:
        for agent in flow.values():
            click.echo(safe(_line(agent)))
        click.echo()
        for finding in found:
            click.echo(safe(str(finding)))
        errors = sum(f.error for f in found)
        click.echo(f"{len(flow)} agents, {errors} errors, {len(found) - errors} warnings")
    return int(any(f.error for f in found))


def _line(agent: Agent) -> str:
    """``name  gate  scope  FINALIZE → x; NEXT → y, z``"""
    scope = agent.scope if isinstance(agent.scope, str) else "patterns"
    ways = [f"FINALIZE → {agent.routes.finalize}"] if agent.routes.finalize else []
    after = [f"{e.to} (≤ {e.at_most})" if e.at_most else e.to for e in agent.routes.next]
    ways += [f"NEXT → {', '.join(after)}"] if after else []
    return f"{agent.name:<28} {agent.gate or '–':<11} {scope:<9} {'; '.join(ways) or 'ends here'}"
