"""`fullshelf submit`: a refresh as a Ray job; the same refresh again finds the job that runs, or that it is complete.

Ray keeps a job's name for ever, so a job that failed or was stopped is followed by `NAME-2`, `NAME-3` …; the run that
they resume is the same.
"""

from __future__ import annotations

import logging
import os
import queue
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ray.exceptions import AuthenticationError
from ray.job_submission import JobDetails, JobStatus, JobSubmissionClient

from fullshelf.cluster.submission import Submission, prepare_submission
from fullshelf.cluster.wheel import make_wheel
from fullshelf.engine.config import Config
from fullshelf.engine.errors import ConfigError, Interrupted, RunError
from fullshelf.engine.stopping import Stop

__all__ = ["Job", "client_of", "exit_code_of", "follow", "submit", "submit_refresh"]

TALKATIVE = (
    "ray.dashboard.modules.dashboard_sdk",
    "ray.dashboard.modules.job.sdk",
    "ray._private.runtime_env.packaging",
)
ADDRESSES = ("RAY_API_SERVER_ADDRESS", "RAY_ADDRESS")  # Ray prefers them to what it is told
KNOWN_CODES = (0, 1, 2, 3, 75)
POLL_SECONDS = 0.5
STARTING_SECONDS = 120.0  # until a cluster that answers takes jobs
SILENT_SECONDS = 300.0  # without an answer of the cluster, before following is given up


@dataclass(frozen=True, slots=True)
class Job:
    """A Ray job for a submission."""

    id: str
    found: str  # "submitted", "running" or "complete"


def submit_refresh(
    config: Config,
    address: str | None,
    name: str | None,
    wheel: Path | None,
    ship: bool,
    variables: Iterable[str],
    driver_cpus: float,
    wait: bool,
    show: Callable[[str], None],
    stop: Stop,
) -> dict[str, Any]:
    """Submit a refresh and follow it to its end; return job, found ("submitted", "running", "complete"), exit_code.

    Parameters
    ----------
    wheel
        Of fullshelf; None: made from what is installed here.
    ship
        False: no wheel, the cluster's images have fullshelf.
    variables
        Names of environment variables that the job gets too; their values show in the dashboard.
    wait
        False: do not follow; exit_code is then None unless the job is complete.
    """
    client = client_of(address)
    missing = [variable for variable in variables if variable not in os.environ]
    if missing:
        raise ConfigError(f"--env {missing[0]}: not set here; expected the name of an environment variable")
    with tempfile.TemporaryDirectory(prefix="fullshelf-submit-") as folder:
        here = Path(folder)
        shipped = make_wheel(here, wheel) if ship else None
        environment = {variable: os.environ[variable] for variable in variables}
        submission = prepare_submission(config, name, shipped, environment, here / "job")
        job = submit(client, submission, driver_cpus)
    show({"running": f"job {job.id} runs already\n", "complete": f"job {job.id} is complete\n"}.get(job.found, ""))
    if job.found == "complete":
        return {"job": job.id, "found": job.found, "exit_code": 0}
    if not wait:
        return {"job": job.id, "found": job.found, "exit_code": None}
    return {"job": job.id, "found": job.found, "exit_code": exit_code_of(follow(client, job.id, show, stop))}


def client_of(address: str | None) -> JobSubmissionClient:
    """Connect to the dashboard of a cluster; default RAY_ADDRESS, else a cluster that runs here.

    Raises
    ------
    ConfigError
        If nothing answers there, or it does not let us in.
    """
    where = address or next((os.environ[name] for name in ADDRESSES if os.environ.get(name)), "this machine")
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        with _only(address):
            return JobSubmissionClient(address)
    except AuthenticationError as e:
        raise ConfigError(f"--address {where}: {_words(e)}; set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN") from e
    except (ConnectionError, RuntimeError, ValueError, OSError) as e:
        raise ConfigError(
            f"--address {where}: no Ray dashboard answers there ({_words(e)}); expected http://HOST:8265"
        ) from e


def submit(client: JobSubmissionClient, submission: Submission, driver_cpus: float = 0) -> Job:
    """Submit the refresh, unless a job of it runs or is complete.

    Parameters
    ----------
    driver_cpus
        Reserved for the driver, which splits the sales; 0: it runs on the head node beside everything.

    Raises
    ------
    RunError
        If the cluster takes no jobs.
    """
    try:
        attempts = _attempts(client, submission.name)
        if attempts:
            newest = attempts[max(attempts)]
            if newest.status in (JobStatus.PENDING, JobStatus.RUNNING):
                return Job(str(newest.submission_id), "running")
            if newest.status == JobStatus.SUCCEEDED:
                return Job(str(newest.submission_id), "complete")
        number = max(attempts, default=0) + 1
        name = submission.name if number == 1 else f"{submission.name}-{number}"
        sent = _send(client, submission, name, driver_cpus)
    except (RuntimeError, OSError) as e:
        raise RunError(f"the cluster took no job: {_words(e)}") from e
    return Job(name, "submitted" if sent else "running")  # another call was faster


def _send(client: JobSubmissionClient, submission: Submission, name: str, driver_cpus: float) -> bool:
    """Submit a job of this name; False if another has it. A cluster that has just begun is waited for."""
    begun = time.monotonic()
    while True:
        try:
            client.submit_job(
                entrypoint=submission.entrypoint,
                submission_id=name,
                runtime_env=submission.runtime_env,
                metadata={"fullshelf": submission.name},
                entrypoint_num_cpus=driver_cpus or None,
            )
            return True
        except RuntimeError as e:
            if "already exists" in str(e):
                return False
            if "No available agent" not in str(e) or time.monotonic() - begun > STARTING_SECONDS:
                raise
        time.sleep(POLL_SECONDS)


def follow(client: JobSubmissionClient, job: str, show: Callable[[str], None], stop: Stop) -> JobDetails:
    """Show a job's log while it runs; return how it ended.

    Raises
    ------
    Interrupted
        If the end was asked for; the job goes on.
    RunError
        If the cluster no longer answers.
    """
    shown, answered = 0, time.monotonic()
    while True:
        try:
            seen = 0  # each connection begins with the log's beginning
            for text in _tail(client, job, stop):
                answered = time.monotonic()
                show(text[max(0, shown - seen) :])
                seen += len(text)
                shown = max(shown, seen)
            info = client.get_job_info(job)
            if info.status.is_terminal():
                show(client.get_job_logs(job)[shown:])
                return info
        except (RuntimeError, OSError) as e:
            if time.monotonic() - answered > SILENT_SECONDS:
                raise RunError(f"the cluster no longer answers ({_words(e)}); job {job} may go on: call again") from e
        if stop.wanted:
            raise Interrupted(
                f"no longer following; job {job} goes on. Call again to follow it, or stop it: ray job stop {job}"
            )
        time.sleep(POLL_SECONDS)


def exit_code_of(info: JobDetails) -> int:
    """Return the exit code that a job's end means: its own; 75 where it was stopped; 1 for what else fails.

    Examples
    --------
    >>> exit_code_of(JobDetails(type="SUBMISSION", entrypoint="", status="FAILED", driver_exit_code=3))
    3
    >>> exit_code_of(JobDetails(type="SUBMISSION", entrypoint="", status="STOPPED"))
    75
    """
    if info.driver_exit_code in KNOWN_CODES:
        return int(info.driver_exit_code)
    return {JobStatus.SUCCEEDED: 0, JobStatus.STOPPED: Interrupted.exit_code}.get(info.status, 1)


def _attempts(client: JobSubmissionClient, name: str) -> dict[int, JobDetails]:
    """Return the jobs of a submission by the number of the attempt."""
    found = {}
    for job in client.list_jobs():
        head, _, number = str(job.submission_id).rpartition("-")
        if job.submission_id == name:
            found[1] = job
        elif head == name and number.isdecimal():
            found[int(number)] = job
    return found


def _tail(client: JobSubmissionClient, job: str, stop: Stop) -> Iterator[str]:
    """Yield a job's log from its beginning as it grows, until the job or the connection ends, or `stop` is set."""
    import asyncio

    texts: queue.Queue[str | None] = queue.Queue()

    async def read() -> None:
        async for text in client.tail_job_logs(job):
            texts.put(text)

    def run() -> None:
        try:
            asyncio.run(read())
        except (RuntimeError, OSError):  # the caller asks for the job's state and comes back
            pass
        finally:
            texts.put(None)

    threading.Thread(target=run, name="job log", daemon=True).start()
    while not stop.wanted:
        try:
            text = texts.get(timeout=POLL_SECONDS)
        except queue.Empty:
            continue
        if text is None:
            return
        yield text


@contextmanager
def _only(address: str | None) -> Iterator[None]:
    """Hide the environment's addresses while one is given."""
    before: dict[str, Any] = {}
    if address is not None:
        before = {name: os.environ.pop(name) for name in ADDRESSES if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(before)


def _words(error: Exception) -> str:
    return " ".join(str(error).split())[:400]
