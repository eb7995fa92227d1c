import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fullshelf.bench.cli import app
from fullshelf.bench.results_folder import ROOT, read_kept
from fullshelf.bench.tables import documents, generated

MACHINE = {
    "cpu": "A (R) chip", "cores": 2, "commit": "0123456789abcdef", "measured": "2026-11-22T08:00:00+00:00", "load": 0.0,
}  # fmt: skip


def row(task: str, who: str, seconds: float | None = 2.0, calls: int = 5, note: str = "", **figures: float):
    return {
        "task": task, "who": who, "size": "1,000 rows", "work": 1000.0, "unit": "rows", "cores": 2,
        "median_seconds": seconds, "spread": 0.04, "calls": calls, "first_call_seconds": 3.0,
        "per_second": None if seconds is None else 1000 / seconds, "figures": figures, "note": note,
    }  # fmt: skip


def keep(folder: Path, name: str, rows: list, size: str = "full", **machine) -> Path:
    file = folder / "a-chip-2-cores" / f"{name}-{size}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"benchmark": name, "machine": MACHINE | machine, "limits": {}, "rows": rows}))
    return folder


def marked(name: str) -> str:
    return f"before\n<!-- bench:{name} -->\ntyped by hand\n<!-- /bench:{name} -->\nafter\n"


def test_the_tables_in_the_documents_are_those_of_the_results():
    wanted = documents(ROOT, read_kept())
    assert {file.name for file in wanted} >= {"README.md", "benchmarks.md"}
    for file, text in wanted.items():
        assert file.read_text(encoding="utf-8") == text, f"{file} differs: run `fullshelf bench tables`"


def test_a_table_is_written_between_its_markers_with_where_it_was_measured(tmp_path: Path):
    kept = read_kept(keep(tmp_path, "split", [row("split", "fullshelf"), row("read", "polars 2.1.0", None, note="no")]))
    assert generated(marked("split"), kept) == (
        "before\n"
        "<!-- bench:split -->\n"
        "A (R) chip, 2 cores, 2026-11-22, commit 01234567:\n"
        "\n"
        "| task | who | size | cores | median | spread | rows per second |\n"
        "| --- | --- | --- | ---: | ---: | ---: | ---: |\n"
        "| split | fullshelf | 1,000 rows | 2 | 2 s | 4% | 500 rows |\n"
        "| read | polars 2.1.0 | 1,000 rows | 2 | not run |  |  |\n"
        "<!-- /bench:split -->\n"
        "after\n"
    )


def test_writing_again_changes_nothing(tmp_path: Path):
    kept = read_kept(keep(tmp_path, "split", [row("split", "fullshelf")]))
    once = generated(marked("split"), kept)
    assert generated(once, kept) == once


def test_losses_stand_by_task_and_contender(tmp_path: Path):
    rows = [
        row("pasta", "fullshelf auto", WQL=0.5238),
        row("pasta", "naive", WQL=1.1),
        row("hospital", "naive", WQL=0.0726),
    ]
    text = generated(marked("accuracy"), read_kept(keep(tmp_path, "accuracy", rows)))
    assert "| task | fullshelf auto | naive |" in text
    assert "| pasta | 0.524 | 1.1 |" in text
    assert "| hospital |  | 0.0726 |" in text


def test_how_long_each_benchmark_took_is_told(tmp_path: Path):
    folder = keep(tmp_path, "split", [row("split", "fullshelf")])
    file = folder / "a-chip-2-cores" / "split-full.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"seconds": 61.7}))
    assert "| split | 62 | A (R) chip, 2 cores" in generated(marked("times"), read_kept(folder))


def test_small_sizes_are_not_quoted_and_what_is_not_measured_says_how(tmp_path: Path):
    text = generated(marked("split"), read_kept(keep(tmp_path, "split", [row("split", "fullshelf")], size="small")))
    assert "_Not measured yet: `fullshelf bench all --size full --json-folder bench/results`._" in text


def test_a_busy_machine_and_changed_code_are_told(tmp_path: Path):
    folder = keep(tmp_path, "split", [row("split", "fullshelf")], load=1.4, commit="0123456789abcdef+changes")
    text = generated(marked("split"), read_kept(folder))
    assert "commit 01234567 with changes; others kept 1.4 cores busy:" in text


@pytest.mark.parametrize(
    ("text", "message"),
    [(marked("speed"), "bench:speed: there is no such table"), ("<!-- bench:split -->\n", "opened and not closed")],
)
def test_a_marker_that_cannot_be_filled_is_an_error(text: str, message: str):
    with pytest.raises(ValueError, match=message):
        generated(text, [])


@pytest.mark.parametrize(("text", "message"), [("{", "not JSON"), ("{}", "lacks benchmark, machine, rows")])
def test_a_file_that_is_no_result_is_an_error(tmp_path: Path, text: str, message: str):
    file = tmp_path / "m" / "split-full.json"
    file.parent.mkdir()
    file.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_kept(tmp_path)


def test_the_command_writes_and_its_check_only_tells(tmp_path: Path):
    (tmp_path / "README.md").write_text(marked("split"))
    words = ["tables", "--results", str(keep(tmp_path / "r", "split", [row("split", "fullshelf")]))]
    words += ["--root", str(tmp_path)]
    runner = CliRunner()
    told = runner.invoke(app, [*words, "--check"])
    assert told.exit_code == 1
    assert "README.md" in told.output
    assert "typed by hand" in (tmp_path / "README.md").read_text()
    assert runner.invoke(app, words).exit_code == 0
    assert "typed by hand" not in (tmp_path / "README.md").read_text()
    assert runner.invoke(app, [*words, "--check"]).exit_code == 0
