import re
import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest

from fullshelf.bench.pictures import Bar, Point, bars, pictures, points
from fullshelf.bench.results_folder import Kept
from fullshelf.bench.tables import documents, generated

SVG = "{http://www.w3.org/2000/svg}"


def row(
    task: str,
    who: str,
    per_second: float | None = None,
    cores: int = 2,
    unit: str = "rows",
    work: float = 1e6,
    **figures: float,
):
    given = {"task": task, "who": who, "per_second": per_second, "cores": cores, "unit": unit, "work": work}
    return given | {"figures": figures}


def kept(name: str, *rows: dict) -> Kept:
    return Kept("a-machine", {"benchmark": name, "rows": list(rows), "machine": {}})


ALL = [
    kept("refresh", row("first night: total", "fullshelf", 2.5e5), row("read, sort, write", "polars 2.1.0", 9e5)),
    kept("split", row("check and split", "fullshelf", 1.5e6), row("called again", "fullshelf", 1e9)),
    kept(
        "kernels",
        row("EOQ", "fullshelf", 1e8, unit="SKUs", **{"of triad": 0.4}),
        row("EOQ", "fullshelf", 9e9, unit="SKUs", work=1e3, **{"of triad": 0.9}),
        row("EOQ", "stockpyl 1.0", 1e4, unit="SKUs"),
        row("no peer", "fullshelf", 1e8, unit="SKUs"),
    ),
    kept("inference", row("context 64", "fullshelf", 500.0, unit="series", **{"of matmul": 0.3})),
    kept(
        "forecast",
        row("forecast", "fullshelf auto", 900.0, WQL=0.3),
        row("forecast", "statsforecast AutoETS", 9.0, WQL=0.4),
    ),
    kept(
        "decisions",
        row("shop", "fullshelf auto", **{"of textbook": 0.5}),
        row("shop", "textbook", **{"of textbook": 1.0}),
    ),
    kept("scaling", row("workers", "fullshelf", 1e6, cores=1), row("workers", "fullshelf", 1.9e6, cores=2)),
]


def lengths(svg: str) -> list[float]:
    return [float(box.get("width") or 0) for box in ET.fromstring(svg).iter(f"{SVG}rect")]


def test_a_bar_is_as_long_as_its_value():
    svg = bars("title", [Bar("g", "fullshelf", 50.0, "50"), Bar("g", "peer", 100.0, "100")])
    ours, peer = lengths(svg)
    assert ours / peer == pytest.approx(0.5, rel=1e-3)


def test_on_a_logarithmic_axis_each_power_of_ten_is_the_same_length():
    one, two, three = lengths(bars("t", [Bar("g", "a", 10.0**i, "") for i in range(3)], log=True))
    assert two - one == pytest.approx(three - two, abs=0.2)


def test_points_lie_further_right_when_faster_and_higher_when_worse():
    svg = points("t", "x", "y", [Point("fullshelf a", 1000.0, 0.2), Point("peer", 10.0, 0.4)])
    ours, peer = ({p.get("class"): p for p in ET.fromstring(svg).iter(f"{SVG}circle")}[css] for css in ("ours", "peer"))
    assert float(ours.get("cx") or 0) > float(peer.get("cx") or 0)
    assert float(ours.get("cy") or 0) > float(peer.get("cy") or 0)


def test_every_picture_is_drawn_from_its_results_and_stands_alone():
    drawn = pictures(ALL)
    assert set(drawn) == {"throughput", "kernels", "accuracy-speed", "cost-policy", "roofline", "scaling"}
    for svg in drawn.values():
        assert ET.fromstring(svg).tag == f"{SVG}svg"
        assert not re.search(r"https?://(?!www\.w3\.org)", svg)
        assert "prefers-color-scheme:dark" in svg
    assert "no peer" not in drawn["kernels"]
    assert "called again" not in drawn["throughput"]
    assert "50%" in drawn["cost-policy"]


def test_names_of_points_do_not_lie_on_each_other():
    svg = points("t", "x", "y", [Point(f"peer {i}", 10.0, 0.4 + i / 1000) for i in range(5)])
    places = sorted(
        float(t.get("y") or 0) for t in ET.fromstring(svg).iter(f"{SVG}text") if (t.text or "").startswith("peer")
    )
    assert len(places) == 5
    assert all(b - a >= 12.9 for a, b in pairwise(places))


def test_without_a_result_there_is_no_picture_and_the_page_says_how(tmp_path):
    assert pictures([]) == {}
    marked = "<!-- bench:picture-scaling -->\n<!-- /bench:picture-scaling -->\n"
    assert "Not drawn yet" in generated(marked, [])
    assert (
        "![what the executors, the driver and the scheduler get through in a second](pictures/scaling.svg)"
        in generated(marked, ALL[-1:])
    )
    (tmp_path / "README.md").write_text("")
    assert tmp_path / "docs/pictures/scaling.svg" in documents(tmp_path, ALL[-1:])


def test_what_others_named_cannot_break_a_picture():
    svg = bars("t", [Bar("<g>", "a & b", 1.0, "<script>")])
    assert ET.fromstring(svg) is not None
    assert "<script>" not in svg


def test_kernels_are_shown_at_their_largest_size_not_where_the_cache_flatters_them() -> None:
    drawn = pictures(ALL)
    assert "100 MSKUs/s" in drawn["kernels"]
    assert "9 GSKUs/s" not in drawn["kernels"]
    assert "40.0%" in drawn["roofline"]
    assert 'class="goal"' in drawn["roofline"]  # the ceiling stands there though nothing reaches it
    assert "90.0%" not in drawn["roofline"]


def test_an_axis_that_does_not_begin_at_nothing_says_so() -> None:
    assert "the axis begins at 0.3" in points("speed", "x", "loss", [Point("a", 1.0, 0.31), Point("b", 9.0, 0.39)])
    assert "the axis begins" not in points("speed", "x", "loss", [Point("a", 1.0, 0.01), Point("b", 9.0, 0.39)])
