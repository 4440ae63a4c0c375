"""A receipt read back: typed, bounded, and with nothing in it that git or a path could take for something else."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from engine.errors import ConfigError
from engine.events import EnvironmentProbed, SnapshotTaken
from engine.model import Gate, GateStatus, Noun, TestOutcome
from engine.records.receipt import VERSION

SIZE_LIMIT = 200_000_000
_SHA = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})?")
_RUN = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{0,60}")


class Base(Noun, frozen=True):
    commit: str
    branch: str = ""


class Head(Noun, frozen=True):
    tree: str
    commit: str
    branch: str = ""


class Tests(Noun, frozen=True):
    """Outcomes by test key; ``whole``: every suite ran after the change, else only some tests."""

    before: Mapping[str, TestOutcome]
    after: Mapping[str, TestOutcome]
    whole: bool = True

    __test__ = False


class Receipt(Noun, frozen=True):
    v: int
    run: str
    prefix: str
    base: Base
    snapshot: SnapshotTaken
    head: Head
    tests: Tests
    targets: tuple[str, ...]
    flaky: tuple[str, ...]
    unfit: Mapping[str, str]
    gates: tuple[Gate, ...]
    attempts: tuple[dict[str, Any], ...]
    check: Mapping[str, str]
    protected: Mapping[str, str]
    environment: EnvironmentProbed
    suites: Mapping[str, dict[str, Any]]
    patch_sha256: str
    journal_sha256: str
    journal_bytes: int

    @property
    def gate(self) -> Gate | None:
        return next((g for g in self.gates if g.name == "impl"), None)

    @property
    def passes(self) -> bool:
        return self.gate is not None and self.gate.status is GateStatus.PASS

    @property
    def undecided(self) -> frozenset[str]:
        """Tests that decide nothing, in either direction."""
        return frozenset({*self.flaky, *self.unfit})


@dataclass(frozen=True, slots=True)
class Paper:
    """A receipt with the file it was read from."""

    path: Path
    sha256: str
    plain: Mapping[str, Any]
    receipt: Receipt

    @property
    def folder(self) -> Path:
        """Of the run, as far as the file still lies where it was written."""
        return self.path.parent.parent if self.path.parent.name == "receipts" else self.path.parent


def read(path: Path) -> Paper:
    """Read a receipt.

    Raises
    ------
    ConfigError
        It cannot be read, is no receipt, or names what can be no commit, folder or run.
    """
    try:
        if path.stat().st_size > SIZE_LIMIT:
            raise ConfigError(f"{path}: larger than {SIZE_LIMIT // 1_000_000} MB", hint="no receipt is")
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"{path}: {error.strerror or error}",
            hint="name the receipts/impl.json of a run",
        ) from error
    try:
        plain = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: no JSON: {error}", hint="name a receipts/impl.json of a run") from error
    version = plain.get("v") if isinstance(plain, dict) else None
    if version != VERSION:
        raise ConfigError(
            f"{path}: receipt version {version!r}; this program verifies version {VERSION}",
            hint="verify it with the program that wrote it, or make a new run",
        )
    if not plain.get("snapshot") or not plain.get("environment"):
        raise ConfigError(f"{path}: the run took no snapshot: there is nothing to run again")
    try:
        receipt = msgspec.convert(plain, Receipt)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {error}", hint="this is no receipt of a run, or it was edited") from error
    _require_names(path, receipt)
    return Paper(path, hashlib.sha256(data).hexdigest(), plain, receipt)


def _require_names(path: Path, receipt: Receipt) -> None:
    """Nothing may be handed to git or to the disk that is not what it says it is."""
    shas = [receipt.base.commit, receipt.head.commit, receipt.head.tree]
    shas += [receipt.snapshot.head, receipt.snapshot.commit, receipt.snapshot.tree]
    prefix = PurePosixPath(receipt.prefix)
    problem = ""
    if bad := [s for s in shas if not _SHA.fullmatch(s)]:
        problem = f"{bad[0][:80]!r} names no commit or tree"
    elif not _RUN.fullmatch(receipt.run):
        problem = f"{receipt.run[:80]!r} names no run"
    elif prefix.is_absolute() or ".." in prefix.parts or "\0" in receipt.prefix:
        problem = f"{receipt.prefix[:80]!r} names no folder of a repository"
    elif not (receipt.snapshot.commit and receipt.snapshot.tree):
        problem = "it names no snapshot"
    if problem:
        raise ConfigError(f"{path}: {problem}", hint="this is no receipt of a run, or it was edited")
