"""docs/survival.md: its tables are those of the code, and its manifest is one that Kubernetes takes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from train.supervisor.verdict import EXIT_CANCELLED, EXIT_FAILED, EXIT_NO_REQUEUE, EXIT_REQUEUE

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "survival.md").read_text(encoding="utf-8")


def test_the_page_has_the_exit_codes_of_the_code() -> None:
    codes = {int(code) for code in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)}

    assert codes >= {0, 2, EXIT_FAILED, EXIT_REQUEUE, EXIT_NO_REQUEUE, EXIT_CANCELLED}


def test_the_manifest_is_valid_and_acts_by_exit_code() -> None:
    validator = pytest.importorskip("kubernetes_validate", reason="not installed")
    (text,) = re.findall(r"```yaml\n(apiVersion.*?)```", PAGE, re.DOTALL)
    manifest = yaml.safe_load(text)

    validator.validate(manifest, "1.30", strict=True)
    rules = manifest["spec"]["podFailurePolicy"]["rules"]
    acts = {code: r["action"] for r in rules for code in r["onExitCodes"]["values"]}
    assert acts == {2: "FailJob", EXIT_NO_REQUEUE: "FailJob", EXIT_REQUEUE: "Ignore"}


def test_the_certificate_is_that_of_the_result_file() -> None:
    faults = json.loads((ROOT / "benchmarks/results/chaos.json").read_text("utf-8"))["faults"]

    assert len(faults) == 17
    for fault, row in faults.items():
        assert f"| {fault} | {row['trials']} |" in PAGE
        assert f"| {row['equal']} of {row['trials']} |" in PAGE
