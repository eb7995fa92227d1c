"""The picture of who worked when: every turn once, no overlap, the slow ones seen, bounded however many there are."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

from fullshelf.engine.report.timeline import LABEL, MOST, WIDTH, who_did_what


def record(shard: int, worker: str, begun: float, seconds: float) -> dict[str, Any]:
    turn = {"work": "orders", "worker": worker, "begun": 1e9 + begun, "ended": 1e9 + begun + seconds}
    return {"shard": shard, "turns": [turn]}


def boxes(page: str) -> list[tuple[str, float, float, float, str]]:
    """Class, left, right, row and tip of each box."""
    found = re.findall(r'<rect class="(\w+)" x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" .*?<title>(.*?)</title>', page)
    return [(css, float(x), float(x) + float(width), float(y), tip) for css, x, y, width, tip in found]


def test_each_turn_is_a_box_in_the_row_of_its_process_at_its_time() -> None:
    page = who_did_what([record(0, "a:1", 0, 4), record(1, "a:1", 4, 4), record(2, "b:2", 2, 6)])
    one, two, three = sorted(boxes(page), key=lambda box: box[4])
    assert [tip.partition(",")[0] for *_, tip in (one, two, three)] == ["shard 0", "shard 1", "shard 2"]
    assert one[3] == two[3] < three[3]
    assert one[1] == LABEL
    assert two[1] == LABEL + (WIDTH - LABEL) / 2
    assert three[1] == LABEL + (WIDTH - LABEL) / 4
    plain = page.replace("\u202f", " ")
    assert "3 shards on 2 processes within 8.0 s from 2001-09-09 01:46:40 UTC, 87.5 % of the time at work" in plain
    assert [words for words in re.findall(r"<text[^>]*>(.*?)</text>", page) if words.endswith(" s")][-1] == "8 s"


def test_turns_of_one_process_that_overlap_lie_in_rows_below_each_other() -> None:
    drawn = boxes(who_did_what([record(shard, "a:1", shard, 2.5) for shard in range(9)]))
    assert len(drawn) == 9
    for row in {box[3] for box in drawn}:
        inside = sorted(box[1:3] for box in drawn if box[3] == row)
        assert all(end <= begin for (_, end), (begin, _) in pairwise(inside))
    assert len({box[3] for box in drawn}) == 3


def test_a_slow_turn_stands_out() -> None:
    drawn = boxes(who_did_what([record(s, f"a:{s % 2}", s // 2, 1) for s in range(20)] + [record(20, "a:2", 0, 9)]))
    assert [box[4].partition(",")[0] for box in drawn if box[0] == "hot"] == ["shard 20"]


def test_nothing_is_drawn_where_nothing_ran_side_by_side_or_nothing_is_known() -> None:
    assert who_did_what([]) == ""
    assert who_did_what([{"shard": 0}]) == ""
    assert who_did_what([record(0, "a:1", 0, 1), record(1, "a:1", 1, 1)]) == ""


def test_the_picture_stays_small_with_many_shards_and_names_are_escaped() -> None:
    many = [record(s, f"<i>-{s % 100}:{s % 100}", s // 100 * 0.01, 0.01) for s in range(50_000)]
    page = who_did_what(many)
    drawn = boxes(page)
    assert len({box[3] for box in drawn}) == MOST
    assert len(drawn) <= MOST * WIDTH / 2
    assert len(page) < 2_000_000
    assert "<i>" not in page
    assert f"Drawn are the {MOST} rows of 100 that ended last." in page
    assert all(box[2] <= WIDTH + 1 for box in drawn)
