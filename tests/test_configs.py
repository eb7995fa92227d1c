"""The files in configs/ are what their readers take: fullshelf, KubeRay (ray.io/v1) and Ray's cluster launcher."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from fullshelf.engine.config import load_config

CONFIGS = Path(__file__).parents[1] / "configs"
YAMLS = sorted(CONFIGS.glob("*.yaml"))

# Fields of the custom resources, from KubeRay's API reference (ray.io/v1, operator 1.6); required ones end in "!".
CLUSTER = """headGroupSpec! workerGroupSpecs rayVersion enableInTreeAutoscaling autoscalerOptions authOptions
    headServiceAnnotations suspend managedBy gcsFaultToleranceOptions upgradeStrategy"""
HEAD = "rayStartParams template! serviceType headService enableIngress resources labels"
WORKER = """groupName! rayStartParams template! replicas minReplicas maxReplicas numOfHosts idleTimeoutSeconds
    scaleStrategy suspend resources labels"""
AUTOSCALER = """idleTimeoutSeconds upscalingMode resources image imagePullPolicy env envFrom volumeMounts version
    securityContext"""
JOB = """entrypoint runtimeEnvYAML backoffLimit activeDeadlineSeconds shutdownAfterJobFinishes ttlSecondsAfterFinished
    rayClusterSpec clusterSelector submissionMode submitterConfig submitterPodTemplate metadata jobId managedBy
    deletionStrategy entrypointNumCpus entrypointNumGpus entrypointResources suspend preRunningDeadlineSeconds"""
CRON = "schedule! jobTemplate! suspend timeZone"


def fields(given: dict[str, Any], known: str, where: str) -> dict[str, Any]:
    """Check the keys of a mapping against the known ones, and return it."""
    names = known.split()
    unknown = set(given) - {name.rstrip("!") for name in names}
    missing = {name[:-1] for name in names if name.endswith("!")} - set(given)
    assert not unknown, f"{where}: unknown {unknown}"
    assert not missing, f"{where}: missing {missing}"
    return given


def check_pod(template: dict[str, Any], where: str) -> None:
    spec = template["spec"]
    volumes = {volume["name"] for volume in spec.get("volumes", [])}
    for container in spec["containers"]:
        assert {"name", "image", "resources"} <= set(container), where
        limits, requests = container["resources"]["limits"], container["resources"]["requests"]
        assert limits == requests, f"{where}: Ray counts limits, Kubernetes places by requests"
        assert all(isinstance(amount, str) for amount in limits.values()), where
        assert {mount["name"] for mount in container.get("volumeMounts", [])} <= volumes, where


def check_cluster(spec: dict[str, Any], where: str) -> None:
    fields(spec, CLUSTER, where)
    fields(spec.get("autoscalerOptions", {}), AUTOSCALER, f"{where}.autoscalerOptions")
    assert spec.get("authOptions", {"mode": "token"})["mode"] in ("token", "disabled")
    groups = [(HEAD, spec["headGroupSpec"]), *((WORKER, group) for group in spec["workerGroupSpecs"])]
    for known, group in groups:
        fields(group, known, where)
        assert all(isinstance(value, str) for value in group["rayStartParams"].values()), where
        check_pod(group["template"], where)
    for group in spec["workerGroupSpecs"]:
        assert 0 <= group["minReplicas"] <= group.get("replicas", 0) <= group["maxReplicas"]


def check_job(spec: dict[str, Any], where: str) -> None:
    fields(spec, JOB, where)
    check_cluster(spec["rayClusterSpec"], where)
    assert set(yaml.safe_load(spec["runtimeEnvYAML"])) <= {"env_vars", "working_dir", "py_modules", "pip"}


def read(name: str, kind: str) -> dict[str, Any]:
    resource = yaml.safe_load((CONFIGS / name).read_text())
    assert (resource["apiVersion"], resource["kind"]) == ("ray.io/v1", kind)
    assert re.fullmatch(r"[a-z0-9-]{1,63}", resource["metadata"]["name"])
    spec: dict[str, Any] = resource["spec"]
    return spec


@pytest.mark.parametrize("file", YAMLS, ids=lambda file: file.name)
def test_a_configuration_is_short_and_each_number_says_its_unit(file: Path) -> None:
    lines = file.read_text().splitlines()
    assert len(lines) <= 40
    assert lines[0].startswith("# ")
    bare = re.compile(r"^\s*(- )?(?!seed)[\w/.-]+: [\d.]+\s*$")  # a seed has no unit
    assert [line for line in lines if bare.match(line)] == []


def test_the_cluster_is_a_ray_cluster() -> None:
    check_cluster(read("raycluster.yaml", "RayCluster"), "raycluster.yaml")


def test_the_job_is_a_ray_job_and_the_nightly_one_holds_such_a_job() -> None:
    check_job(read("rayjob.yaml", "RayJob"), "rayjob.yaml")
    cron = fields(read("raycronjob.yaml", "RayCronJob"), CRON, "raycronjob.yaml")
    assert len(cron["schedule"].split()) == 5
    check_job(cron["jobTemplate"], "raycronjob.yaml")


@pytest.mark.parametrize("name", ["rayjob.yaml", "raycronjob.yaml"])
def test_the_command_of_a_job_is_one_that_fullshelf_takes(name: str, tmp_path: Path) -> None:
    spec = yaml.safe_load((CONFIGS / name).read_text())["spec"]
    command, verb, file, *options = shlex.split(spec.get("jobTemplate", spec)["entrypoint"])
    assert (command, verb, file) == ("fullshelf", "refresh", "/etc/fullshelf/fullshelf.yaml")
    overrides = options[1::2]
    assert options[::2] == ["--set"] * len(overrides)
    mine = tmp_path / "fullshelf.yaml"
    mine.write_text("{period: day, inputs: {sales: s3://b/sales}, output: s3://b/runs}")
    settings = load_config(mine, overrides)
    assert (settings.run.executor, settings.run.work) == ("ray", "/work")


def test_the_machines_are_what_rays_launcher_takes() -> None:
    ray = pytest.importorskip("ray")
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads((Path(ray.__file__).parent / "autoscaler" / "ray-schema.json").read_text())
    cluster = yaml.safe_load((CONFIGS / "vm-cluster.yaml").read_text())
    jsonschema.validate(cluster, schema)
    assert cluster["head_node_type"] in cluster["available_node_types"]


def test_the_versions_of_ray_in_the_files_are_the_one_that_is_tested() -> None:
    pinned = re.search(r"^ray==(.*)$", (CONFIGS.parent / "constraints.txt").read_text(), re.MULTILINE)
    assert pinned is not None
    found = re.findall(r'rayVersion: "(.*?)"', "".join(file.read_text() for file in YAMLS))
    assert len(found) == 3
    assert set(found) == {pinned[1]}
