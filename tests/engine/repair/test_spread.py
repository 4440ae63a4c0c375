"""Candidates spread over a cluster: the same verdicts in the same order, and a clear word where there is none."""

import importlib.util
import os
import pickle
import socket
import sys
import tarfile

import pytest

from engine.errors import BitnetError, ConfigError, EnvironmentFailure
from engine.providers.repair.spread.cluster import Cluster
from engine.providers.repair.spread.orders import order_of, task_of
from engine.providers.repair.spread.parcel import _harmless, digest, packed, unpack

DASK = importlib.util.find_spec("distributed") is not None
needs_dask = pytest.mark.skipif(not DASK, reason="missing-tool: distributed (pip install 'bitnet-tui[dask]')")


@pytest.mark.parametrize("python", ["3.11.2", "now"])
def test_a_parcel_holds_the_project_and_nothing_from_outside(project, tmp_path_factory, monkeypatch, python):
    if python != "now":
        monkeypatch.delattr("tarfile.data_filter", raising=False)
    project.file("core.py", "x = 1\n").file("pack/deep/more.py", "y = 2\n").file("__pycache__/core.pyc", b"")
    (project.root / ".git").mkdir()
    (project.root / ".git" / "config").write_text("token")
    outside = tmp_path_factory.mktemp("outside") / "secret"
    outside.write_text("secret")
    (project.root / "away").symlink_to(outside)
    (project.root / "near.py").symlink_to("core.py")
    os.mkfifo(project.root / "pipe")
    parcel = packed(project.root)
    into = tmp_path_factory.mktemp("into")
    unpack(parcel, into)
    found = sorted(path.relative_to(into).as_posix() for path in into.rglob("*") if not path.is_dir())
    assert found == ["core.py", "near.py", "pack/deep/more.py"]
    assert (into / "near.py").read_text() == "x = 1\n"
    monkeypatch.setattr("time.time", lambda: 1.0)
    assert digest(parcel) == digest(packed(project.root))[:16]


def test_what_leads_out_of_a_parcel_is_not_unpacked_by_an_old_python_either():
    def member(name, kind=tarfile.REGTYPE, link=""):
        found = tarfile.TarInfo(name)
        found.type, found.linkname = kind, link
        return found

    good = [member("a/b.py"), member("a/c.py", tarfile.SYMTYPE, "b.py"), member("a/d.py", tarfile.SYMTYPE, "../e.py")]
    bad = [
        member("../x"),
        member("/x"),
        member("a/../../x"),
        member("p", tarfile.FIFOTYPE),
        member("h", tarfile.LNKTYPE),
    ]
    bad += [member("a/l", tarfile.SYMTYPE, "../../x"), member("l", tarfile.SYMTYPE, "/etc/passwd")]
    assert all(map(_harmless, good))
    assert not any(map(_harmless, bad))


def test_a_worker_has_its_own_paths_and_no_callables(project, tmp_path):
    task = project.file("core.py", "").task([], env={"PYTHONPATH": f"{project.root}/src:/opt/x"})
    order = pickle.loads(pickle.dumps(order_of(task, "run", 8.0)))
    theirs = task_of(order, tmp_path / "there", tmp_path)
    assert theirs.env["PYTHONPATH"] == f"{tmp_path}/there/src:/opt/x"
    assert theirs.cwd == tmp_path / "there"


def test_without_dask_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ConfigError, match="needs Dask") as caught:
        Cluster("local", 1)
    assert "bitnet-tui[dask]" in caught.value.hint


@needs_dask
def test_a_scheduler_that_does_not_answer_is_said_so(monkeypatch):
    monkeypatch.setattr("engine.providers.repair.spread.cluster.CONNECT_S", 0.5)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with pytest.raises(EnvironmentFailure, match="cannot be reached") as caught:
        Cluster(f"tcp://127.0.0.1:{port}", 1)
    assert "dask scheduler" in caught.value.hint


def test_its_errors_survive_the_way_back():
    error = pickle.loads(pickle.dumps(EnvironmentFailure("a Dask worker has no python", hint="install it")))
    assert isinstance(error, BitnetError)
    assert (error.message, error.hint) == ("a Dask worker has no python", "install it")


@needs_dask
def test_a_local_cluster_gives_the_same_results_in_the_same_order(project):
    project.file("core.py", "def f(a, b):\n    return a - b if a > b else b * a\n").file("pack/two.py", "LIMIT = 3\n")
    project.file("more.py", "from pack.two import LIMIT\n\ndef g(n):\n    return n < LIMIT\n")
    project.file(
        "tests/test_core.py",
        "from core import f\nfrom more import g\n"
        "def test_f(): assert f(1, 3) == 2\n"
        "def test_g(): assert f(5, 1) == 4\n"
        "def test_h(): assert g(3)\n"
        "def test_i(): assert not g(4)\n",
    )
    args = (
        ["tests/test_core.py::test_f", "tests/test_core.py::test_h"],
        ["tests/test_core.py::test_g", "tests/test_core.py::test_i"],
    )
    here = project.repair(*args, workers=2, budget_s=60.0)
    there = project.repair(*args, workers=2, budget_s=60.0, scheduler="local")
    assert here.fixed == set(args[0]), here.note
    assert (here.files, here.edits, here.tried) == (there.files, there.edits, there.tried)
    assert (here.alternatives, here.remaining) == (there.alternatives, there.remaining)
