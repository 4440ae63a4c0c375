"""Agent files as data: what they may say, whom they route to, and what the check finds in that."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner
from support import CALC, make_repo

from engine.errors import ConfigError
from engine.flow import agents, check, routes
from engine.flow.agents import Agent, parse
from engine.flow.routes import CONTRACTS, Edge, Routes
from engine.launch import Options, prepare
from engine.specialists.bounds import narrowed
from engine.workspace.scope import Scope
from tui.cli import cli


def agent(name: str, finalize: str = "", after: Sequence[str | Edge] = (), gate: str = "g") -> Agent:
    ways = Routes(finalize, tuple(Edge(e) if isinstance(e, str) else e for e in after))
    return Agent(name, "body", gate=gate, routes=ways)


def found(*flow: Agent) -> list[str]:
    return [str(f) for f in check.check({f"{a.name}.md": a for a in flow}, flow[0].name)]


def test_the_flow_that_comes_with_the_program_has_nothing_wrong() -> None:
    flow = {f"{name}.md": agents.load(name) for name in agents.known()}
    assert not check.check(flow)
    assert {a.name for a in flow.values()} == set(CONTRACTS)


@pytest.mark.parametrize("name", sorted(CONTRACTS))
def test_an_agent_of_ours_owes_the_gate_and_the_scope_of_the_specification(name: str) -> None:
    loaded = agents.load(name)
    assert (loaded.gate, loaded.scope) == CONTRACTS[name]
    assert loaded.tools
    assert loaded.routes.finalize
    assert len(loaded.body) > 600


@pytest.mark.parametrize("alias", sorted(routes.ALIASES))
def test_an_alias_loads_the_agent_it_means(alias: str) -> None:
    assert agents.load(alias).name == routes.ALIASES[alias]


def test_a_route_to_nobody_is_an_error_and_names_who_may_be_meant() -> None:
    [line] = found(agent("a", "b"), agent("b", "quality-finaliser"))
    assert line == (
        "b.md: error: b routes to quality-finaliser, and there is no such agent; did you mean quality-finalizer?"
    )


def test_an_agent_no_route_reaches_is_a_warning() -> None:
    assert found(agent("a", "quality-finalizer"), agent("b", "quality-finalizer")) == [
        "b.md: warning: no route from a reaches b"
    ]


def test_a_loop_without_a_bound_is_an_error_and_is_named_once() -> None:
    flow = (agent("a", "b"), agent("b", "c"), agent("c", "quality-finalizer", ["a"]))
    [line] = found(*flow)
    assert "a → b → c → a can go round for ever" in line
    assert not found(*flow[:2], agent("c", "quality-finalizer", [Edge("a", 1)]))


def test_retrying_without_a_bound_is_a_loop_too() -> None:
    assert "a → a can go round" in found(agent("a", "quality-finalizer", ["self"]))[0]
    assert not found(agent("a", "quality-finalizer", [Edge("self", 2)]))


def test_a_finalize_past_the_gate_it_needs_is_an_error() -> None:
    assert "without a gate" in found(agent("a", "quality-finalizer", gate=""))[0]
    [line] = found(agent("test-hardener", "quality-finalizer", gate="docs"))
    assert "past the one it owes: mutation" in line


def test_two_files_for_one_agent_are_an_error() -> None:
    flow = {"one.md": agent("a", "quality-finalizer"), "two.md": agent("a", "quality-finalizer")}
    assert "keep one" in str(check.check(flow, "a")[0])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("routes: [a, b]", "want `finalize: agent`"),
        ("routes: {finalise: a}", "unknown key 'finalise'"),
        ("routes: {next: a}", "a list of agents as next"),
        ("routes: {next: [{to: a, at-most: -1}]}", "is no route"),
        ("routes: {next: [3]}", "3 is no route"),
        ("scope: everything", "scope = 'everything'"),
        ("scope: []", "a list of patterns"),
        ("gate: [impl]", "want a word"),
        ("name: [a]", "want a word"),
    ],
)
def test_a_key_of_another_form_is_named_with_what_is_wanted(given: str, said: str) -> None:
    head = given if given.startswith("name") else f"name: a\n{given}"
    with pytest.raises(ConfigError, match=said.replace("[", r"\[").replace("(", r"\(")):
        parse(f"---\n{head}\n---\nbody\n", "a.md")


def test_tools_of_other_programs_mean_all_four_of_ours() -> None:
    assert parse("---\nname: a\ntools: Glob, Grep, Bash\n---\nbody\n", "a.md").tools == agents.TOOLS
    assert parse("---\nname: a\ntools: [search]\n---\nbody\n", "a.md").tools == ("search", "finish")


def test_a_front_matter_yaml_cannot_read_lends_no_more_tools_than_it_names() -> None:
    head = "name: a\ndescription: Use this: when asked\ntools: [search, finish]\nscope: docs\n"
    loaded = parse(f"---\n{head}---\nbody\n", "a.md")
    assert loaded.tools == ("search", "finish")
    assert loaded.scope == "docs"


def test_the_agent_of_a_run_never_writes_more_than_the_run(tmp_path: Path) -> None:
    run = Scope(("calc/*.py",))
    assert narrowed("impl", run) is run
    own = narrowed(("calc/a.py", "other/*.py", "tests/*.py"), run)
    assert own.editable(["calc/a.py", "calc/b.py", "other/c.py", "tests/test_a.py"]) == ("calc/a.py",)
    assert not narrowed("tests", run).editable(["tests/test_a.py", "calc/a.py"])


def test_agent_files_of_a_project_take_the_place_of_ours(tmp_path: Path) -> None:
    folder = make_repo(tmp_path / "r", {**CALC, "agents/review.md": "---\nname: code-reviewer\n---\nMine.\n"})
    (folder / "bitnet-tui.toml").write_text('[flow]\nagents = ["agents/review.md"]\n', encoding="utf-8")
    plan = prepare(Options(folder, providers=("repair",)), dict(os.environ))
    assert plan.specialists["code-reviewer"].body == "Mine."
    (folder / "bitnet-tui.toml").write_text('[flow]\nagents = ["agents/none.md"]\n', encoding="utf-8")
    with pytest.raises(ConfigError, match="no such file"):
        prepare(Options(folder, providers=("repair",)), dict(os.environ))


def test_a_file_that_lists_no_routes_has_the_usual_ones_of_its_name() -> None:
    assert parse("---\nname: code-reviewer\n---\nbody\n", "x.md").routes == agents.load("code-reviewer").routes
    assert parse("---\nname: my-own\n---\nbody\n", "x.md").routes == Routes()


def test_routes_check_says_what_is_wrong_and_exits_with_one(tmp_path: Path) -> None:
    ours = CliRunner().invoke(cli, ["routes", "check"])
    assert ours.exit_code == 0
    assert "10 agents, 0 errors, 0 warnings" in ours.output
    file = tmp_path / "mine.md"
    file.write_text("---\nname: code-reviewer\nroutes: {finalize: nobody}\n---\nbody\n", encoding="utf-8")
    broken = CliRunner().invoke(cli, ["routes", "check", "--json", str(file)])
    assert broken.exit_code == 1
    first = next(f for f in json.loads(broken.output) if f["error"])
    assert first["source"] == str(file)
    assert "nobody" in first["text"]
