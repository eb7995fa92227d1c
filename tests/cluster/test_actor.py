"""What every actor does with the numbers of a call: no Ray cluster is needed."""

from __future__ import annotations

import pickle
import threading

import pytest

from fullshelf.cluster.actor import Actor
from fullshelf.engine.local import Outcome
from fullshelf.engine.process_name import process_name


class Halver(Actor[int]):
    """Divides its job's number; some numbers raise."""

    def half(self, number: int) -> float:
        if number == 3:
            raise Locked(number)
        if number == 4:
            raise Strange("four", "words")
        return self._opened / number

    def _read(self, file: object) -> int:
        return 12


class Locked(Exception):
    """Holds what no other process can hold."""

    def __init__(self, number: int) -> None:
        super().__init__(f"{number} is locked")
        self.lock = threading.Lock()


class Strange(Exception):
    """Can be written down, but not read again."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one} {two}")


@pytest.fixture
def actor(monkeypatch: pytest.MonkeyPatch) -> Halver:
    monkeypatch.setattr("fullshelf.cluster.actor.set_threads", lambda cores: 1)  # it would set this process's too
    return Halver(1.0)


def test_numbers_of_a_call_have_each_its_own_outcome(actor: Halver) -> None:
    assert actor.open(None) == process_name()  # type: ignore[arg-type]
    answer = actor.each("half", (2, 0, 6))
    assert answer.seconds > 0
    assert [one.shard for one in answer.outcomes] == [2, 0, 6]
    assert answer.outcomes[0] == Outcome(2, 6.0, None)
    assert isinstance(answer.outcomes[1].error, ZeroDivisionError)
    assert answer.outcomes[2] == Outcome(6, 2.0, None)


@pytest.mark.parametrize(("number", "words"), [(3, "Locked: 3 is locked"), (4, "Strange: four words")])
def test_an_error_that_would_not_arrive_is_told_in_words(actor: Halver, number: int, words: str) -> None:
    (outcome,) = actor.each("half", (number,)).outcomes
    assert str(outcome.error) == words
    assert str(pickle.loads(pickle.dumps(outcome)).error) == words


def test_a_job_must_be_opened_first(actor: Halver) -> None:
    (outcome,) = actor.each("half", (1,)).outcomes
    assert str(outcome.error) == "open a job first"
