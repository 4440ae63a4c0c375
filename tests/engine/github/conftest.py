"""GitHub on loopback, and a client of ours for it; at the end of a test nothing improper may have been sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from engine.cancel import CancelToken
from engine.github.remote import Remote
from engine.github.token import Token
from engine.github.wire import Patience, Wire
from engine.providers.anthropic.retry import Backoff
from tests.engine.github.server import NAME, OWNER, TOKEN, Server

QUICK = Backoff(limit=3, cap_s=2.0, base_s=0.001, jitter=lambda: 1.0)


@dataclass
class Kit:
    """What a test needs to ask GitHub something."""

    server: Server
    cancel: CancelToken = field(default_factory=CancelToken)
    told: list[str] = field(default_factory=list)

    def wire(self, *, token: str = TOKEN, host: str = "github.com", budget_s: float = 20.0, **more: float) -> Wire:
        where = Remote(host, OWNER, NAME)
        patience = Patience(budget_s=budget_s, backoff=QUICK, **more)
        return Wire(where, self.server.url, Token(token, "GITHUB_TOKEN"), self.cancel, self.told.append, patience)


@pytest.fixture
def github() -> Iterator[Server]:
    with Server() as server:
        yield server
    assert server.violations == []


@pytest.fixture
def kit(github: Server) -> Kit:
    return Kit(github)


Make = Callable[..., Wire]
