"""`refinery plan`: the table, the plot and the numbers, from counted tokens."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest

from jobs.command.main import main
from refinery.publish.store import Store
from schemas.errors import PipelineError, SettingsError
from tests.support.figures import Figure
from tests.support.published import published_tables


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """Three sources; 900 counted training tokens of `web`, 100 of `zh`, none of `gone`."""
    rows = [("web", 300, "train")] * 3 + [("zh", 50, "train")] * 2 + [("web", 7000, "heldout")]
    schema = pa.schema(
        [("source", pa.string()), ("num_tokens", pa.int32()), ("split", pa.string())]
    )
    tokens = [dict(zip(schema.names, row, strict=True)) for row in rows]
    store = tmp_path / "out" / "tables"
    tables = published_tables(store, {"tokenise": {"tokens": tokens}}, schemas={"tokens": schema})
    Store(str(store)).publish(tables.records["tokenise"])
    path = tmp_path / "recipe.yaml"
    sources = [{"name": n, "uri": str(tmp_path), "format": "text"} for n in ("web", "zh", "gone")]
    settings = {
        "recipe": {
            "name": "three",
            "sources": sources,
            "mixture": {"weights": {"web": 0.3, "zh": 0.5, "gone": 0.1}, "budget_tokens": 1000},
        },
        "runtime": {"output": str(tmp_path / "out")},
    }
    path.write_text(json.dumps(settings), "utf-8")
    return path


def test_numbers_are_budget_times_weight_over_counted_tokens(
    recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", str(recipe), "--json"]) == 0

    printed = json.loads(capsys.readouterr().out)
    rows = {row["source"]: row for row in printed["sources"]}
    # By hand: weights sum to 0.9; of 1,000 tokens web is to give a third, and has 900.
    assert (rows["web"]["documents"], rows["web"]["tokens"]) == (3, 900)
    assert rows["web"]["epochs"] == pytest.approx(1000 * (0.3 / 0.9) / 900)
    assert rows["zh"]["epochs"] == pytest.approx(1000 * (0.5 / 0.9) / 100)
    assert rows["zh"]["planned_tokens"] == round(1000 * 0.5 / 0.9)
    assert rows["gone"]["planned_tokens"] == 0
    assert rows["web"]["weight_got"] == pytest.approx(3 / 8)
    assert printed["warnings"] == [
        "weights sum to 0.9 and were normalised",
        "source 'zh' is repeated 5.6 times",
        "source 'gone' has weight 0.111 but no tokens",
    ]


def test_the_table_shows_each_source_and_the_warnings(
    recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", "--recipe", str(recipe)]) == 0

    lines = capsys.readouterr().out.splitlines()
    web = next(line for line in lines if line.strip().startswith("web"))
    assert web.split()[:7] == ["web", "3", "900", "0.333", "0.375", "0.37", "333"]
    assert any("repeated 5.6 times" in line for line in lines)


def test_the_plot_has_two_bars_for_each_source_in_proportion(recipe: Path, tmp_path: Path) -> None:
    assert main(["plan", str(recipe), "--plot", str(tmp_path / "plan.html")]) == 0

    chart = Figure((tmp_path / "plan.html").read_text("utf-8")).data
    asked, got = (dict(chart["groups"])[name] for name in ("asked", "got"))
    assert [width / asked[1] for width in asked] == pytest.approx([3 / 5, 1, 1 / 5], abs=0.01)
    assert got[0] / got[1] == pytest.approx(3 / 5, abs=0.01)
    assert got[2] == 0
    assert "zh" in chart["labels"]
    with pytest.raises(SettingsError, match=r"ends in .html"):
        main(["plan", str(recipe), "--plot", str(tmp_path / "plan.svg")])


def test_a_run_without_counted_tokens_is_told_what_to_run(recipe: Path) -> None:
    with pytest.raises(PipelineError, match="refinery refine --until tokenise"):
        main(["plan", str(recipe), "--set", f"runtime.output={recipe.parent / 'elsewhere'}"])
