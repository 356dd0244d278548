"""`refinery gate`: bounds on a finished run, for pipelines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jobs.command.main import main
from refinery.report.data import PackingNumbers, ReportData, SourceFunnel
from schemas.errors import PipelineError


@pytest.fixture
def report(tmp_path: Path) -> str:
    split = PackingNumbers(
        rows=4, tokens_in=4000, packed=4000, dropped=0, padding=0, shards=1, bytes=9
    )
    numbers = ReportData(
        name="small",
        root="0" * 64,
        seq_len=1000,
        vocab_size=100,
        created_at="2000-01-01T00:00:00+00:00",
        sources={"web": SourceFunnel(documents=200, kept=150, dropped=50, train=150)},
        checks=(),
        drop_reasons={},
        all_reasons={},
        languages={},
        histograms={},
        counters={},
        kept_samples=(),
        dropped_samples=(),
        dedup=None,
        contamination=None,
        cards={},
        mixture=(),
        mixture_warnings=(),
        packing={"train": split, "heldout": split},
        rejects=(),
        reject_samples=(),
        records={},
        stages=(),
    )
    path = tmp_path / "report.json"
    path.write_text(numbers.model_dump_json(), "utf-8")
    return str(path)


def outcome(report: str, bounds: list[str]) -> tuple[int, str]:
    """Exit code and message of the verb."""
    try:
        return main(["gate", report, *bounds]), ""
    except PipelineError as error:
        return error.exit_code, str(error)


@pytest.mark.parametrize(
    ("bounds", "code"),
    [
        (["--max-drop", "0.25"], 0),
        (["--max-drop", "0.2499"], 4),
        (["--min-kept", "150", "--min-tokens", "4000"], 0),
        (["--min-kept", "151"], 4),
        (["--min-tokens", "4001"], 4),
        (["--max-duplicate", "0"], 0),
        (["--min-recall", "0.9"], 4),  # nothing was measured
        ([], 2),
    ],
)
def test_bounds_are_inclusive(report: str, bounds: list[str], code: int) -> None:
    assert outcome(report, bounds)[0] == code


def test_all_bounds_that_fail_are_named(report: str) -> None:
    bounds = ["--max-drop", "0.1", "--min-tokens", "5000", "--min-recall", "1"]

    code, said = outcome(report, bounds)

    assert code == 4
    assert "dropped 25.00%, at most 10.00%" in said
    assert "training tokens 4,000, at least 5,000" in said
    assert "recall of verbatim items was not measured" in said


def test_percent_is_refused(report: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["gate", report, "--max-drop", "50"])

    assert stopped.value.code == 2
    assert "expected a share from 0 to 1, got '50'" in capsys.readouterr().err


def test_an_unfinished_run_has_no_training_tokens(report: str) -> None:
    numbers = json.loads(Path(report).read_text("utf-8"))
    Path(report).write_text(json.dumps({**numbers, "packing": {}, "root": ""}), "utf-8")

    assert outcome(report, ["--max-drop", "0.3"])[0] == 0
    code, said = outcome(report, ["--min-tokens", "1"])
    assert code == 4
    assert "training tokens was not measured" in said
