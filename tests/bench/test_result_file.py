import json
from pathlib import Path

import pytest

from fullshelf.bench.result_file import read_results
from fullshelf.bench.results_folder import RESULTS

KEPT = sorted(RESULTS.glob("*/*.json"))


@pytest.fixture(params=KEPT, ids=lambda file: file.name)
def kept(request) -> Path:
    return request.param


def test_every_kept_result_can_be_read_on_one_line_on_many_and_within_a_suite(kept: Path, tmp_path: Path):
    (result,) = read_results(kept)
    file = tmp_path / "other.json"
    file.write_text(json.dumps(result, indent=2))
    assert read_results(file) == [result]
    file.write_text(json.dumps({"benchmark": "all", "runs": [], "results": [result, result]}))
    assert read_results(file) == [result, result]
    file.write_text(kept.read_text() + "\n" + kept.read_text())
    assert read_results(file) == [result, result]


def said(tmp_path: Path, content: bytes) -> str:
    file = tmp_path / "a.json"
    file.write_bytes(content)
    with pytest.raises(ValueError, match="no result of a benchmark") as error:
        read_results(file)
    assert str(file) in str(error.value)
    assert "expected a file that" in str(error.value)
    return str(error.value)


def test_a_file_cut_off_anywhere_is_damaged(kept: Path, tmp_path: Path):
    whole = kept.read_bytes()
    for share in (0.01, 0.3, 0.9, 0.999):
        assert "damaged or cut off" in said(tmp_path, whole[: int(len(whole) * share)].rstrip(b"}"))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b"\n \n", "it is empty"),
        (b"\xff\xfe\x00{", "it is not text"),
        (b"not json", "line 1 is not JSON"),
        (b"{}", "it lacks benchmark, machine, limits, rows"),
        (b"[1]", "it holds list where an object is expected"),
        (
            b'{"benchmark": "kernels", "machine": {}, "limits": {}, "rows": [{"task": "x"}]}',
            "row 1 of kernels lacks who",
        ),
        (b'{"benchmark": "all", "results": [], "runs": []}', "none was run"),
        (
            b'{"benchmark": "all", "results": [], "runs": [{"name": "split", "outcome": "failed: exit code 1"}]}',
            "split failed: exit code 1",
        ),
    ],
)
def test_what_is_no_result_is_told_with_what_is_wrong(tmp_path: Path, content: bytes, reason: str):
    assert reason in said(tmp_path, content)
