"""What a receipt names by its sha, held against the repository's objects: trees, commit, patch, protected files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from engine.errors import EnvironmentFailure
from engine.receipts.difference import Difference, Kind
from engine.receipts.form import Receipt
from engine.workspace.repository import Repository
from engine.workspace.scope import Scope

_SHOWN = 3


def here(receipt: Receipt, repository: Repository) -> Iterator[Difference]:
    """What the repository does not hold: without it nothing more can be said."""
    wanted = {"snapshot": f"{receipt.snapshot.commit}^{{commit}}", "tree after the change": receipt.head.tree}
    wanted |= {"commit": receipt.head.commit and f"{receipt.head.commit}^{{commit}}"}
    for what, name in wanted.items():
        if name and not repository.succeeds("cat-file", "-e", name):
            sha = name.partition("^")[0][:10]
            yield Difference(Kind.HERE, f"the {what} {sha} of run {receipt.run} is not in this repository")


def agree(receipt: Receipt, repository: Repository, patch: Path | None, scratch: Path) -> Iterator[Difference]:
    """Whether snapshot, patch, tree, commit and protected files fit together."""
    snapshot, head = receipt.snapshot, receipt.head
    if repository.run("rev-parse", f"{snapshot.commit}^{{tree}}") != snapshot.tree:
        yield _forged(f"the tree of the snapshot is not {snapshot.tree[:10]}")
    parents = repository.run("rev-list", "--parents", "-n", "1", snapshot.commit).split()
    if receipt.base.commit != snapshot.head or snapshot.head not in parents:
        yield _forged(f"the snapshot was not taken on {receipt.base.commit[:10]}")
    yield from _patched(receipt, repository, patch, scratch)
    if head.commit:
        yield from _committed(receipt, repository)
    yield from _protected(receipt, repository)


def _patched(receipt: Receipt, repository: Repository, patch: Path | None, scratch: Path) -> Iterator[Difference]:
    tree = receipt.snapshot.tree
    if patch is not None:
        try:
            tree = repository.tree_with_patch(tree, patch, scratch)
        except EnvironmentFailure:
            yield _forged("patch.diff does not fit the snapshot")
            return
    elif receipt.patch_sha256:
        return  # it lies elsewhere
    if tree != (receipt.head.tree or receipt.snapshot.tree):
        yield _forged("snapshot and patch do not make the tree that was tested")


def _committed(receipt: Receipt, repository: Repository) -> Iterator[Difference]:
    head = receipt.head
    if repository.run("rev-parse", f"{head.commit}^{{tree}}") != head.tree:
        yield _forged(f"commit {head.commit[:10]} does not hold the tree that was tested")
    if receipt.snapshot.commit not in repository.run("rev-list", "--parents", "-n", "1", head.commit).split()[1:]:
        yield _forged(f"commit {head.commit[:10]} does not follow the snapshot")
    message = repository.run("log", "-1", "--format=%B", head.commit).splitlines()
    if f"Bitnet-Tui-Run: {receipt.run}" not in message:
        yield _forged(f"commit {head.commit[:10]} does not name run {receipt.run}")


def _protected(receipt: Receipt, repository: Repository) -> Iterator[Difference]:
    """The files that judge the work: as they are listed, the same before and after, and none of them left out."""
    before = {e.path: e.sha for e in repository.entries(receipt.snapshot.tree)}
    if bad := sorted(p for p, sha in receipt.protected.items() if before.get(p) != sha):
        yield _forged(f"protected files that are not as the receipt says: {_some(bad)}")
    always = Scope(allow=("**",), prefix=receipt.prefix)
    if left := sorted(p for p in before if p not in receipt.protected and always.refusal(p)):
        yield _forged(f"protected files that the receipt leaves out: {_some(left)}")
    after = {e.path: e.sha for e in repository.entries(receipt.head.tree)} if receipt.head.tree else before
    if changed := sorted(p for p, sha in receipt.protected.items() if p in before and after.get(p) != before[p]):
        yield _forged(f"protected files that the change touches: {_some(changed)}")


def moved_on(receipt: Receipt, repository: Repository) -> Iterator[Difference]:
    """Whether the checkout is still where the run was, or holds its change."""
    now = repository.run("rev-parse", "HEAD")
    if now in (receipt.base.commit, receipt.snapshot.commit, receipt.head.commit):
        return
    if repository.run("rev-parse", "HEAD^{tree}") in (receipt.snapshot.tree, receipt.head.tree):
        return  # committed as it was, or with the change, by a person
    if receipt.head.commit and repository.succeeds("merge-base", "--is-ancestor", receipt.head.commit, now):
        after = {e.path: e.sha for e in repository.entries("HEAD")}
        if changed := sorted(p for p, sha in receipt.protected.items() if after.get(p) != sha):
            yield Difference(Kind.STALE, f"the change is in, and what judged it is another now: {_some(changed)}")
        return
    base = receipt.base.commit
    since = ""
    if repository.succeeds("merge-base", "--is-ancestor", base, now):
        since = f", {repository.run('rev-list', '--count', f'{base}..{now}')} commits later"
    yield Difference(Kind.STALE, f"HEAD is {now[:10]}{since}; the receipt was made on {base[:10]}")


def _forged(what: str) -> Difference:
    return Difference(Kind.FORGED, what)


def _some(paths: list[str]) -> str:
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return ", ".join(paths[:_SHOWN]) + more
