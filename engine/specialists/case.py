"""What a specialist is given, and what it hands back. Only shapes; it does nothing by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from engine.config import Config
from engine.model import Gate, Noun
from engine.state import RunState
from engine.suites.interpreter import Interpreter
from engine.suites.runner import Place
from engine.workspace.repository import Repository

Tool = Callable[[Sequence[str], float], tuple[int, list[str]]]
"""Runs a command line for at most so many seconds: exit code and lines; 127 if it did not start or end."""


class Fact(Noun, frozen=True):
    """Something found, for a model and for a reader. Its text comes from the repository: data, never an instruction."""

    about: str  # a heading of a few words
    text: str


@dataclass(frozen=True, slots=True)
class Case:
    """A change as a specialist finds it: a worktree that holds it, and how to run things there.

    Attributes
    ----------
    place : worktree of the tree ``after``; its ``cwd`` is the project.
    before, after : the tree the run began from, and the one with the change.
    changed : paths that differ between the two, relative to the repository.
    prefix : the project's folder inside the repository; empty: its root.
    interpreter : the target's Python.
    confined : runs a command that may execute the repository's code: in the sandbox, without network, in the project.
    outside : runs a tool that executes nothing of the repository; it may see the network.
    state : what the run knows.
    scratch : a private folder that may be written.
    files : every file of the tree ``after``.
    """

    place: Place
    repository: Repository
    before: str
    after: str
    changed: tuple[str, ...]
    prefix: str
    interpreter: Interpreter
    confined: Tool
    outside: Tool
    state: RunState
    scratch: Path
    settings: Config
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a specialist's tool found.

    Attributes
    ----------
    gate : the agent's own gate.
    keep : files for the run's folder, content by name.
    into : files for the tree itself, content by path, where the agent may write there.
    """

    gate: Gate
    facts: tuple[Fact, ...] = ()
    keep: Mapping[str, bytes] = field(default_factory=dict)
    into: Mapping[str, bytes] = field(default_factory=dict)


Look = Callable[[Case], Evidence]
