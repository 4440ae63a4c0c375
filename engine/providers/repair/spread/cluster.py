"""Reach a Dask cluster, or start one on this machine; say clearly why that does not work."""

from __future__ import annotations

import contextlib
import importlib
import os
import select
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import engine
from engine.errors import ConfigError, EnvironmentFailure
from engine.providers.repair.spread.orders import Order
from engine.providers.repair.spread.worker import check_python, leave
from engine.providers.repair.zygote import end_group

LOCAL = "local"
CONNECT_S, WORKERS_S, START_S = 10.0, 20.0, 60.0
# What a worker may know of this process's environment: no keys.
_KEPT = ("PATH", "HOME", "LANG", "LC_", "TMPDIR", "PYTHONPATH", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "DASK_", "XDG_")
_BACK = 'or set [repair] scheduler = "" to use this machine alone'


class Cluster:
    """A client of a cluster.

    Parameters
    ----------
    scheduler : ``local``, or the address of a scheduler.
    workers : processes of a local cluster.

    Raises
    ------
    ConfigError
        Dask is not installed.
    EnvironmentFailure
        Nobody answers there, there are no workers, or they cannot run candidates.
    """

    def __init__(self, scheduler: str, workers: int) -> None:
        try:
            distributed = importlib.import_module("distributed")
        except ImportError as error:
            raise ConfigError(
                f"[repair] scheduler = {scheduler!r} needs Dask, which is not installed ({error})",
                hint=f"pip install 'bitnet-tui[dask]', {_BACK}",
            ) from error
        self._scheduler = scheduler
        self._own: Embedded | None = None
        self._client: Any = None
        try:
            if scheduler == LOCAL:
                self._own = Embedded(workers)
            where = self._own.address if self._own is not None else scheduler
            self._client = distributed.Client(where, timeout=CONNECT_S, set_as_default=False)
            self._client.wait_for_workers(1, timeout=START_S if self._own is not None else WORKERS_S)
        except (OSError, TimeoutError, ValueError, RuntimeError) as error:
            reached = self._client is not None
            self.close("")
            what = "has no workers" if reached else "cannot be reached"
            raise EnvironmentFailure(
                f"the Dask cluster {scheduler} {what}: {str(error) or type(error).__name__}",
                hint=f"start `dask scheduler` and `dask worker {scheduler}` there, {_BACK}",
            ) from error

    def meet(self, order: Order) -> None:
        """Make sure that every worker can run what will be sent to it."""
        try:
            self._client.run(check_python, order)
        except EnvironmentFailure:
            raise
        except Exception as error:
            raise EnvironmentFailure(
                f"the workers of {self._scheduler} cannot run candidates: {type(error).__name__}: {error}",
                hint=f"install this version of bitnet-tui for them too, {_BACK}",
            ) from error

    @property
    def threads(self) -> int:
        """How many batches run at once."""
        return max(1, sum(map(int, self._client.nthreads().values())))

    def scatter(self, thing: Any) -> Any:
        """Bring something to every worker once."""
        return self._client.scatter(thing, broadcast=True, hash=False)

    def submit(self, function: Any, *args: Any) -> Any:
        return self._client.submit(function, *args, pure=False, retries=1)

    def cancel(self, futures: list[Any]) -> None:
        with contextlib.suppress(Exception):
            self._client.cancel(futures, force=True)

    def close(self, run: str) -> None:
        """Have the workers tidy up, and let go; a cluster of our own ends."""
        if self._client is not None:
            if run:
                with contextlib.suppress(Exception):
                    self._client.run(leave, run)
            with contextlib.suppress(Exception):
                self._client.close(timeout=2)
            self._client = None
        if self._own is not None:
            self._own.close()
            self._own = None


class Embedded:
    """A cluster on this machine, in a process that ends with this one."""

    def __init__(self, workers: int) -> None:
        env = {name: value for name, value in os.environ.items() if name.startswith(_KEPT)}
        home = str(Path(engine.__file__).resolve().parents[1])
        env["PYTHONPATH"] = os.pathsep.join([home, *env.get("PYTHONPATH", "").split(os.pathsep)]).rstrip(os.pathsep)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "engine.providers.repair.spread.embedded", str(workers)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=env,
            cwd=tempfile.gettempdir(),
            start_new_session=True,
        )
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], START_S)
        self.address = self._process.stdout.readline().decode().strip() if ready else ""
        if not self.address:
            self.close()
            raise OSError("the processes of the local cluster did not start")

    def close(self) -> None:
        """Let it end by itself, for a moment."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        end_group(self._process)
        self._process.stdout.close()
