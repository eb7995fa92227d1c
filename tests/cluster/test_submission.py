"""What is sent to a cluster and how a job is found again, without a cluster."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ray.job_submission import JobDetails, JobStatus, JobType

from fullshelf.cluster import submit as module
from fullshelf.cluster.submission import CONFIGURATION, Submission, prepare_submission
from fullshelf.cluster.submit import Job, client_of, exit_code_of, follow, submit
from fullshelf.cluster.wheel import make_wheel
from fullshelf.engine.config import load_config
from fullshelf.engine.errors import ConfigError, InputError, Interrupted, RunError
from fullshelf.engine.stopping import Stop


class TestWheel:
    def test_it_holds_what_is_installed_and_nothing_of_the_repository(self, tmp_path: Path) -> None:
        wheel = make_wheel(tmp_path)
        names = zipfile.ZipFile(wheel).namelist()
        folders = {name.split("/")[1] for name in names if name.startswith("fullshelf/")}
        assert folders == {"kernels", "engine", "cluster", "bench"}
        assert "fullshelf/engine/models/demand_lm/weights/model.safetensors" in names
        assert not [name for name in names if "__pycache__" in name or "test" in name.split("/")]

    def test_the_same_source_gives_the_same_bytes_and_name(self, tmp_path: Path) -> None:
        (tmp_path / "again").mkdir()
        one, two = make_wheel(tmp_path), make_wheel(tmp_path / "again")
        assert one.name == two.name
        assert one.read_bytes() == two.read_bytes()

    def test_it_is_imported_in_place_of_the_repository_with_the_same_code_version(self, tmp_path: Path) -> None:
        zipfile.ZipFile(make_wheel(tmp_path)).extractall(tmp_path / "site")
        code = "import fullshelf.engine.identity as i; print(i.__file__, i.code_version())"
        answers = [
            subprocess.run(
                [sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True, check=True
            ).stdout.split()
            for env in ({}, {"PYTHONPATH": str(tmp_path / "site")})
        ]
        assert Path(answers[1][0]).is_relative_to(tmp_path / "site")
        assert not Path(answers[0][0]).is_relative_to(tmp_path)
        assert answers[0][1] == answers[1][1]

    def test_pip_takes_it(self, tmp_path: Path) -> None:
        words = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--quiet", "--target"]
        subprocess.run([*words, str(tmp_path / "site"), str(make_wheel(tmp_path))], check=True, capture_output=True)
        assert (tmp_path / "site" / "fullshelf" / "kernels" / "newsvendor.py").exists()

    def test_ray_is_to_install_nothing_else_on_the_nodes(self, tmp_path: Path) -> None:
        with zipfile.ZipFile(make_wheel(tmp_path)) as wheel:
            metadata = wheel.read(next(name for name in wheel.namelist() if name.endswith("METADATA"))).decode()
        assert "Name: fullshelf" in metadata
        assert "Requires-Dist" not in metadata

    def test_a_wheel_that_is_given_is_sent_and_another_one_has_another_name(self, tmp_path: Path) -> None:
        given = tmp_path / "fullshelf-0.1.0-py3-none-any.whl"
        names = []
        for code in ("one", "two"):
            with zipfile.ZipFile(given, "w") as wheel:
                wheel.writestr("fullshelf/engine/new.py", code)
                wheel.writestr("fullshelf-0.1.0.dist-info/METADATA", "Name: fullshelf\nRequires-Dist: polars\n")
                wheel.writestr("fullshelf-0.1.0.dist-info/RECORD", "")
            sent = make_wheel(tmp_path, given)
            names.append(sent.name)
            with zipfile.ZipFile(sent) as wheel:
                assert wheel.read("fullshelf/engine/new.py").decode() == code
                assert wheel.read("fullshelf-0.1.0.dist-info/METADATA") == b"Name: fullshelf\n"
        assert len(set(names)) == 2
        assert all(name.startswith("fullshelf-0.1.0-1") for name in names)

    def test_what_is_no_wheel_of_fullshelf_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "text.whl").write_text("no archive")
        with zipfile.ZipFile(tmp_path / "other.whl", "w") as wheel:
            wheel.writestr("other-1.dist-info/METADATA", "Name: other\n")
        for name, message in (
            ("text", "cannot be read"),
            ("other", "expected a wheel of fullshelf"),
            ("x", "cannot be"),
        ):
            with pytest.raises(ConfigError, match=f"{name}.whl: {message}"):
                make_wheel(tmp_path, tmp_path / f"{name}.whl")


class TestName:
    def name(self, shop: Any, tmp_path: Path, *overrides: str, wheel: str = "a.whl") -> str:
        config = load_config(shop.config, overrides)
        return prepare_submission(config, None, Path(wheel), {}, tmp_path / "job").name

    def test_it_changes_with_inputs_configuration_and_code_alone(self, shop: Any, tmp_path: Path) -> None:
        first = self.name(shop, tmp_path)
        assert first == self.name(shop, tmp_path)
        others = {
            self.name(shop, tmp_path, "plan.policy=newsvendor"),
            self.name(shop, tmp_path, "output=elsewhere"),
            self.name(shop, tmp_path, wheel="b.whl"),
        }
        shop.tables["stock"] = shop.tables["stock"].head(3)
        shop.write()
        others.add(self.name(shop, tmp_path))
        assert len(others | {first}) == 5

    def test_inputs_that_only_the_cluster_sees_need_a_name(self, shop: Any, tmp_path: Path) -> None:
        config = load_config(shop.config, ["inputs.stock=/only/there.parquet"])
        with pytest.raises(InputError, match=r"there.parquet: does not exist.*give one: --id NAME"):
            prepare_submission(config, None, None, {}, tmp_path / "job")
        assert prepare_submission(config, "night-1", None, {}, tmp_path / "job").name == "night-1"
        with pytest.raises(ConfigError, match="--id a/b: expected letters"):
            prepare_submission(config, "a/b", None, {}, tmp_path / "job")


def test_the_configuration_that_is_sent_is_the_same_on_any_machine(shop: Any, tmp_path: Path) -> None:
    config = load_config(shop.config, ["run.shards=4", "run.address=http://head:8265", "plan.service=0.9"])
    sent = prepare_submission(config, "x", tmp_path / "w.whl", {"A": "b"}, tmp_path / "job")
    assert [file.name for file in sent.folder.iterdir()] == [CONFIGURATION]
    there = load_config(sent.folder / CONFIGURATION)
    assert there == config.model_copy(
        update={"run": config.run.model_copy(update={"executor": "ray", "address": None})}
    )
    assert yaml.safe_load((sent.folder / CONFIGURATION).read_text())["output"] == str(shop.runs)
    assert sent.runtime_env["py_modules"] == [str(tmp_path / "w.whl")]
    assert sent.runtime_env["working_dir"] == str(sent.folder)
    assert sent.runtime_env["env_vars"]["A"] == "b"
    assert "py_modules" not in prepare_submission(config, "x", None, {}, tmp_path / "job").runtime_env


def details(name: str, status: str, code: int | None = None) -> JobDetails:
    return JobDetails(
        type=JobType.SUBMISSION, submission_id=name, entrypoint="", status=JobStatus(status), driver_exit_code=code
    )


class Cluster:
    """A cluster that only remembers jobs."""

    def __init__(self, *jobs: JobDetails) -> None:
        self.jobs = {str(job.submission_id): job for job in jobs}
        self.refusals: list[str] = []
        self.log, self.breaks = "one\ntwo\nthree\n", 0

    def list_jobs(self) -> list[JobDetails]:
        return list(self.jobs.values())

    def submit_job(self, submission_id: str, **_: Any) -> None:
        if self.refusals:
            raise RuntimeError(self.refusals.pop(0))
        if submission_id in self.jobs:
            raise RuntimeError(f"Job with submission_id {submission_id} already exists.")
        self.jobs[submission_id] = details(submission_id, "PENDING")

    def get_job_info(self, job: str) -> JobDetails:
        return self.jobs[job]

    def get_job_logs(self, job: str) -> str:
        return self.log

    async def tail_job_logs(self, job: str) -> AsyncIterator[str]:
        lines = self.log.splitlines(keepends=True)
        if self.breaks:
            self.breaks -= 1
            yield lines[0]
            raise RuntimeError("WebSocket connection closed unexpectedly")
        for line in lines[:2]:
            yield line
        self.jobs[job] = details(job, "FAILED", 3)


SENT = Submission("night", Path("job"), None, {})


@pytest.mark.parametrize(
    ("jobs", "expected"),
    [
        ([], Job("night", "submitted")),
        ([("night", "RUNNING")], Job("night", "running")),
        ([("night", "PENDING")], Job("night", "running")),
        ([("night", "SUCCEEDED")], Job("night", "complete")),
        ([("night", "FAILED")], Job("night-2", "submitted")),
        ([("night", "FAILED"), ("night-2", "STOPPED")], Job("night-3", "submitted")),
        ([("night", "FAILED"), ("night-10", "RUNNING"), ("night-9", "FAILED")], Job("night-10", "running")),
        ([("nightly", "RUNNING"), ("night-x", "RUNNING"), ("late-night", "RUNNING")], Job("night", "submitted")),
    ],
)
def test_a_refresh_finds_its_job_or_makes_the_next_attempt(jobs: list[tuple[str, str]], expected: Job) -> None:
    cluster: Any = Cluster(*(details(*job) for job in jobs))
    assert submit(cluster, SENT) == expected
    assert expected.id in cluster.jobs


def test_of_two_calls_at_once_one_follows_the_others_job(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster: Any = Cluster(details("night", "RUNNING"))
    monkeypatch.setattr(cluster, "list_jobs", list)  # it was not there a moment ago
    assert submit(cluster, SENT) == Job("night", "running")


def test_a_cluster_that_has_just_begun_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_SECONDS", 0.01)
    cluster: Any = Cluster()
    cluster.refusals = ["No available agent to submit job"] * 2
    assert submit(cluster, SENT) == Job("night", "submitted")
    cluster.refusals = ["No such resource"]
    with pytest.raises(RunError, match="the cluster took no job: No such resource"):
        submit(cluster, Submission("other", Path("job"), None, {}))


def test_a_log_is_shown_once_whole_although_the_connection_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_SECONDS", 0.01)
    cluster: Any = Cluster(details("night", "RUNNING"))
    cluster.breaks = 2
    shown: list[str] = []
    assert exit_code_of(follow(cluster, "night", shown.append, Stop())) == 3
    assert "".join(shown) == cluster.log


def test_who_stops_following_does_not_stop_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    class Busy(Cluster):
        async def tail_job_logs(self, job: str) -> AsyncIterator[str]:
            yield "one\n"

    monkeypatch.setattr(module, "POLL_SECONDS", 0.01)
    cluster: Any = Busy(details("night", "RUNNING"))
    stop = Stop()
    stop.set()
    with pytest.raises(Interrupted, match=r"job night goes on.*ray job stop night"):
        follow(cluster, "night", print, stop)
    assert cluster.jobs["night"].status == JobStatus.RUNNING


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        ("SUCCEEDED", 0, 0),
        ("FAILED", 1, 1),
        ("FAILED", 2, 2),
        ("FAILED", 3, 3),
        ("FAILED", 75, 75),
        ("FAILED", -9, 1),
        ("FAILED", None, 1),
        ("STOPPED", None, 75),
    ],
)
def test_the_exit_code_of_the_job_is_carried(status: str, code: int | None, expected: int) -> None:
    assert exit_code_of(details("x", status, code)) == expected


def test_an_address_where_nothing_answers_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "http://127.0.0.1:2")
    with pytest.raises(ConfigError, match=r"--address http://127.0.0.1:1: no Ray dashboard answers there"):
        client_of("http://127.0.0.1:1")
    with pytest.raises(ConfigError, match=r"--address http://127.0.0.1:2: no Ray dashboard"):
        client_of(None)
