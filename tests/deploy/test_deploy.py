"""The image and the manifest: linted, valid against Kubernetes' schemas, and true to the code."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from refinery.recipe import RefineSettings
from schemas.settings import parse_settings
from schemas.yaml_files import parse_yaml
from tools.archive import PACKAGES

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text("utf-8")
MANIFEST = (ROOT / "deploy" / "kubernetes" / "refine.yaml").read_text("utf-8")
DOCUMENTS: list[dict[str, Any]] = list(yaml.safe_load_all(MANIFEST))
BY_KIND = {document["kind"]: document for document in DOCUMENTS}


def test_hadolint_finds_nothing() -> None:
    program = Path(sys.executable).with_name("hadolint")
    if not program.exists():
        pytest.skip("hadolint is not installed")
    done = subprocess.run(
        [program, "-"], input=DOCKERFILE, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_copies_what_is_there_and_all_packages() -> None:
    copied = [
        path for line in re.findall(r"^COPY (.*)$", DOCKERFILE, re.M) for path in line.split()[:-1]
    ]

    assert [path for path in copied if not (ROOT / path).exists()] == []
    assert set(PACKAGES) <= set(copied)
    # What the context leaves out cannot be copied.
    context = (ROOT / ".dockerignore").read_text().split()
    assert [path for path in copied if f"!{path}" not in context] == []


def test_the_image_installs_extras_that_exist() -> None:
    (extras,) = re.findall(r"'\.\[(.*?)\]'", DOCKERFILE)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

    assert set(extras.split(",")) <= set(project["optional-dependencies"])
    assert f":{project['version']} " in DOCKERFILE
    assert MANIFEST.count(f"pretrain-refinery:{project['version']}") == 2


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document["kind"])
def test_every_object_is_what_kubernetes_expects(document: dict[str, Any]) -> None:
    validator = pytest.importorskip("kubernetes_validate", reason="not installed")

    validator.validate(document, validator.latest_version(), strict=True)


def test_the_names_inside_the_manifest_fit_together() -> None:
    pod = BY_KIND["Job"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    settings = dict(
        argument.removeprefix("--conf=").split("=", 1)
        for argument in container["args"]
        if argument.startswith("--conf=")
    )
    variables = {variable["name"] for variable in container["env"]}
    ports = {port["name"]: port["port"] for port in BY_KIND["Service"]["spec"]["ports"]}
    used = {name for value in settings.values() for name in re.findall(r"\$\((\w+)\)", value)}

    assert used == variables
    assert settings["spark.driver.host"] == BY_KIND["Service"]["metadata"]["name"]
    assert int(settings["spark.driver.port"]) == ports["driver"]
    assert int(settings["spark.driver.blockManager.port"]) == ports["blocks"]
    assert settings["spark.kubernetes.container.image"] == container["image"]
    assert pod["serviceAccountName"] == BY_KIND["RoleBinding"]["subjects"][0]["name"]
    claim = "spark.kubernetes.executor.volumes.persistentVolumeClaim.data"
    assert (
        settings[f"{claim}.options.claimName"]
        == BY_KIND["PersistentVolumeClaim"]["metadata"]["name"]
    )
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert settings[f"{claim}.mount.path"] == mounts["data"]
    cores, overhead = (
        int(settings["spark.executor.cores"]),
        settings["spark.executor.memoryOverhead"],
    )
    assert overhead == f"{cores * 3 // 4}g"


def test_the_recipe_of_the_manifest_is_one_and_lies_on_the_claim() -> None:
    recipe = BY_KIND["ConfigMap"]["data"]["recipe.yaml"]

    settings = parse_settings(RefineSettings, parse_yaml(recipe), where="manifest")

    uris = [settings.runtime.output, *(source.uri for source in settings.recipe.sources)]
    assert all(uri.startswith("/data/") for uri in uris)
    script = next(
        a
        for a in BY_KIND["Job"]["spec"]["template"]["spec"]["containers"][0]["args"]
        if a.endswith(".py")
    )
    assert (ROOT / script.removeprefix("/opt/refinery/")).is_file()


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Spark's variables for an executor, and a Java that prints what it was asked."""
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    java.chmod(0o755)
    return {
        "PATH": os.environ["PATH"], "JAVA_HOME": str(tmp_path), "SPARK_HOME": "/opt/spark",
        "SPARK_EXECUTOR_MEMORY": "4g", "SPARK_DRIVER_URL": "spark://driver", "SPARK_EXECUTOR_ID": "7",
        "SPARK_EXECUTOR_CORES": "4", "SPARK_APPLICATION_ID": "app", "SPARK_EXECUTOR_POD_IP": "10.0.0.1",
        "SPARK_EXECUTOR_POD_NAME": "pod", "SPARK_JAVA_OPT_10": "-Dlast=1", "SPARK_JAVA_OPT_9": "-Dblank=a b",
    }  # fmt: skip


def run_entrypoint(environment: dict[str, str], *words: str) -> list[str]:
    command = ["bash", str(ROOT / "deploy" / "entrypoint.sh"), *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_an_executor_is_started_with_what_spark_hands_over(environment: dict[str, str]) -> None:
    words = run_entrypoint(environment, "executor")

    assert words[:6] == ["-Dblank=a b", "-Dlast=1", "-Xms4g", "-Xmx4g", "-cp", ":/opt/spark/jars/*"]
    assert words[6] == "org.apache.spark.scheduler.cluster.k8s.KubernetesExecutorBackend"
    given = dict(zip(words[7::2], words[8::2], strict=True))
    assert given == {
        "--driver-url": "spark://driver", "--executor-id": "7", "--cores": "4", "--app-id": "app",
        "--hostname": "10.0.0.1", "--resourceProfileId": "0", "--podName": "pod",
    }  # fmt: skip


def test_any_other_word_is_a_command(environment: dict[str, str]) -> None:
    assert run_entrypoint(environment, "printf", "%s|", "a b", "c") == ["a b|c|"]
