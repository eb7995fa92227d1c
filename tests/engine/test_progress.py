import io

import pytest

from fullshelf.engine import progress
from fullshelf.engine.progress import PlainProgress


def test_plain_progress_says_rate_and_time_left_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 1.0, 6.0, 10.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    file = io.StringIO()
    say = PlainProgress(file)
    for done in (0, 100, 600, 1000):
        say("shards", done, 1000)
    assert file.getvalue().splitlines() == ["shards: 600 of 1,000, 100/s, 4 s left", "shards: 1,000 of 1,000, 100/s"]


def test_a_stage_of_unknown_length_still_says_how_much_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 7.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    file = io.StringIO()
    say = PlainProgress(file)
    say("split", 0, None)
    say("split", 7_000_000, None)
    assert file.getvalue() == "split: 7,000,000, 1.0 M/s\n"
