"""Annealing probes: cool-downs of one trunk on several datasets, and the verdict."""

import argparse
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from schemas.errors import ContractError, SettingsError
from tests.support.datasets import DatasetShape, write_dataset
from tests.support.studies import FakeExecutor
from tests.support.trunks import TRUNK_STEPS, make_trunk
from train.__main__ import main
from train.commands.probe import do_probe, trunk_step
from train.commands.resume import branch_settings, cooldown
from train.report.run_files import read_metrics
from train.statistics.paired import NOT_TOLD_APART
from train.studies.outcome import Outcome
from train.studies.plan import StudyPlan
from train.studies.probe import Probe, plan_probe
from train.studies.runs import StudyRun
from train.studies.verdicts import study_table


@pytest.fixture(scope="module")
def trunk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("probe")
    shape = DatasetShape(rows_per_shard=(40, 40), heldout_rows=8)
    write_dataset(folder / "data", shape)
    shutil.copytree(folder / "data", folder / "same")
    write_dataset(folder / "other", replace(shape, rows_per_shard=(30, 30)))
    return make_trunk(folder, folder / "data")


def planned(trunk: Path, output: Path, **changes: Any) -> tuple[Probe, StudyPlan]:
    probe = Probe(
        **{
            "trunk": trunk, "step": TRUNK_STEPS, "seeds": (1, 2), "output": output,
            "candidates": (str(trunk.parent / "same"), str(trunk.parent / "other")),
            "overrides": tuple(cooldown(trunk, step=TRUNK_STEPS, share=0.5)),
            **changes,
        }
    )  # fmt: skip
    return probe, plan_probe(probe, lambda path, more: branch_settings(trunk, path, more)[0])


def test_cooldowns_differ_in_their_data_alone_and_start_where_the_trunk_was(
    trunk: Path, tmp_path: Path
) -> None:
    _, plan = planned(trunk, tmp_path / "probe")

    assert [run.name for run in plan.runs] == [
        f"{arm}-seed-{seed}" for seed in (1, 2) for arm in ("base", "same", "other")
    ]
    first = plan.runs[0].settings.model_dump(mode="json", exclude={"output", "data"})
    for run in plan.runs:
        assert run.settings.model_dump(mode="json", exclude={"output", "data"}) == first
        before, own = run.settings.spans
        assert before.manifest == str(trunk.parent / "data")
        assert before.until_tokens == TRUNK_STEPS * 4 * 16
        assert own.seed == run.seed
        assert run.sizes.steps == 12
    assert not (tmp_path / "probe").exists()


def test_a_probe_trains_each_cooldown_from_the_checkpoint_and_an_equal_dataset_ties(
    trunk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "probe"
    arguments = ["--trunk", f"{trunk}@{TRUNK_STEPS}", "--candidates", str(trunk.parent / "same")]

    main(["probe", *arguments, "--cooldown", "0.25", "--seeds", "2", "--output", str(output)])

    assert "not told apart from base: same" in capsys.readouterr().out
    losses = {
        name: json.loads((output / "outcomes" / f"{name}.json").read_text())["value"]
        for name in ("base-seed-1", "base-seed-2", "same-seed-1", "same-seed-2")
    }
    # The same rows in the same order from the same weights: equal to the bit; another order is not.
    assert losses["base-seed-1"] == losses["same-seed-1"]
    assert losses["base-seed-2"] == losses["same-seed-2"]
    assert losses["base-seed-1"] != losses["base-seed-2"]
    steps = [one["step"] for one in read_metrics(output / "runs/same-seed-1/metrics.jsonl")]
    assert steps[-2:] == [8, 9]


def test_a_branch_that_was_killed_while_it_was_made_is_made_again(
    trunk: Path, tmp_path: Path
) -> None:
    probe, plan = planned(trunk, tmp_path / "probe")
    broken = Path(plan.runs[0].settings.output)

    class KilledError(Exception):
        pass

    def kill(run: StudyRun) -> Outcome:
        raise KilledError(run.name)

    with pytest.raises(KilledError):
        do_probe(probe, plan, kill)
    (broken / "events.jsonl").unlink()
    (broken / "checkpoints" / "step-00000008" / "state.json").unlink()
    executor = FakeExecutor(lambda run: 2.0 + run.seed)

    do_probe(probe, plan, executor)

    assert len(executor.asked) == 6
    assert (broken / "checkpoints" / "step-00000008" / "state.json").is_file()
    assert yaml.safe_load((broken / "settings.yaml").read_text())["output"] == str(broken)


def verdicts(plan: StudyPlan, effects: dict[str, float], trial: int) -> dict[str, str]:
    """Those of one simulated probe: an order shifts all candidates alike, luck each by itself."""
    draw = np.random.default_rng(trial)
    order = {seed: draw.normal(0, 0.02) for seed in (1, 2, 3)}
    value = {run.name: 3 + order[run.seed] + effects[run.arm] + draw.normal(0, 0.004) for run in plan.runs}  # fmt: skip
    executor = FakeExecutor(lambda run: value[run.name])
    table = study_table(plan, {run.name: executor(run) for run in plan.runs})
    return {row.arm: row.verdict for row in table.rows}


def test_a_bad_source_loses_and_an_equal_one_ties_in_95_of_100_simulated_probes(
    trunk: Path, tmp_path: Path
) -> None:
    _, plan = planned(trunk, tmp_path / "probe", seeds=(1, 2, 3))
    effects = {"base": 0.0, "same": 0.0, "other": 0.06}

    found = [verdicts(plan, effects, trial) for trial in range(100)]

    assert sum(one["other"] == "worse" for one in found) >= 95
    assert sum(one["same"] == NOT_TOLD_APART for one in found) >= 95


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeds": (1,)}, "two or more that differ"),
        ({"seeds": (1, 1)}, "two or more that differ"),
        ({"candidates": ("x/a", "x/a")}, "is named twice"),
    ],
)
def test_what_gives_no_verdict_is_refused(
    trunk: Path, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        planned(trunk, tmp_path / "probe", **changes)


def test_a_candidate_with_other_rows_is_refused_with_both_sides(
    trunk: Path, tmp_path: Path
) -> None:
    long = write_dataset(tmp_path / "long", DatasetShape(seq_len=32)).parent

    with pytest.raises((SettingsError, ContractError), match=r"32.*16"):
        planned(trunk, tmp_path / "probe", candidates=(str(long),))


def test_the_plan_is_printed_without_training(
    trunk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "probe"
    arguments = ["--candidates", str(trunk.parent / "other"), "--output", str(output), "--plan"]

    assert main(["probe", "--trunk", f"{trunk}@{TRUNK_STEPS}", *arguments]) == 0

    assert "other-seed-3" in capsys.readouterr().out
    assert not output.exists()


@pytest.mark.parametrize("text", ["nowhere@3", "x", "@4", "run@-1"])
def test_a_trunk_is_a_folder_and_a_step(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="expected RUN@STEP"):
        trunk_step(text)


def test_runs_keep_the_order_of_their_seeds(trunk: Path, tmp_path: Path) -> None:
    _, plan = planned(trunk, tmp_path / "probe")

    runs: list[StudyRun] = list(plan.runs)
    assert [run.seed for run in runs] == [1, 1, 1, 2, 2, 2]
