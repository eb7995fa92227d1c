"""The fleet with actors that are not there: whom it asks for."""

from __future__ import annotations

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest

from fullshelf.cluster import fleet as module
from fullshelf.cluster.fleet import Fleet


class Node:
    """Starts actors, each of which gets ready when it is told to."""

    def __init__(self) -> None:
        self.openings: list[Future[Any]] = []

    def start(self) -> Any:
        def remote(*_: object) -> Any:
            self.openings.append(Future())
            return SimpleNamespace(future=lambda opening=self.openings[-1]: opening)

        return SimpleNamespace(open=SimpleNamespace(remote=remote))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


def test_no_more_actors_are_asked_for_than_are_useful_or_find_room(clock: Any) -> None:
    node = Node()
    fleet = Fleet(node.start, ())
    fleet.resize(2, 5)
    assert len(node.openings) == 2
    fleet.resize(9, 5)
    assert len(node.openings) == 5


def test_in_the_place_of_an_actor_that_hangs_while_it_opens_another_is_asked_for(clock: Any) -> None:
    node = Node()
    fleet = Fleet(node.start, ())
    fleet.resize(1, 4)
    clock.now = module.OVERDUE_SECONDS - 1
    fleet.resize(1, 4)
    assert len(node.openings) == 1
    clock.now += 2
    for _ in range(3):
        fleet.resize(1, 4)
    assert len(node.openings) == 2
    node.openings[1].set_result("there")
    assert [event.what for event in fleet.events(1.0)] == ["ready"]
    clock.now += 10 * module.OVERDUE_SECONDS
    fleet.resize(1, 4)
    assert len(node.openings) == 2
    assert fleet.ready == {1: "there"}


def test_where_there_is_no_room_nobody_takes_its_place(clock: Any) -> None:
    node = Node()
    fleet = Fleet(node.start, ())
    fleet.resize(1, 1)
    clock.now = 10 * module.OVERDUE_SECONDS
    fleet.resize(1, 1)
    assert len(node.openings) == 1
