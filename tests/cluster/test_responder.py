"""Questions to actors that do not answer, without Ray."""

from __future__ import annotations

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest

from fullshelf.cluster import responder
from fullshelf.cluster.responder import ClusterOrders
from fullshelf.engine.stopping import Stop


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Orders that nothing was asked yet, and the actors that they killed."""
    monkeypatch.setattr(responder, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(responder, "LEAST_SECONDS", 0.1)
    monkeypatch.setattr(responder, "BLIND_SECONDS", 0.4)
    made, killed = ClusterOrders.__new__(ClusterOrders), list[int]()
    made._stop, made._fleet = Stop(), SimpleNamespace(kill=killed.append)
    return SimpleNamespace(orders=made, killed=killed)


def answered(value: int) -> Future[int]:
    found: Future[int] = Future()
    found.set_result(value)
    return found


def test_the_actor_that_the_others_have_waited_for_too_long_is_killed(asked: Any) -> None:
    sent = {answered(1): ("a", 1), answered(2): ("b", 2), Future[int](): ("c", 3)}
    taken: list[str] = []
    asked.orders._wait(sent, lambda future, key: taken.append(key))
    assert (sorted(taken), asked.killed) == (["a", "b"], [3])


def test_where_nobody_answers_the_wait_ends_too(asked: Any) -> None:
    asked.orders._wait({Future[int](): ("a", 1)}, lambda future, key: None)
    assert asked.killed == [1]
