"""Searches: samplers over the recipe's own keys, rungs, surrender by documents, kills, and the verdict with other seeds."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import PipelineError, SettingsError
from tests.support.studies import FakeExecutor, make_study, noise
from train.studies.found_search import FoundSearch, search_dict
from train.studies.importance import importance
from train.studies.journal import JOURNAL_NAME, open_ledger
from train.studies.laws import LawFacts, start_values
from train.studies.outcome import Documents, Outcome
from train.studies.promotion import Standing, promotable, rung_steps
from train.studies.pruning import is_worse
from train.studies.runs import StudyRun
from train.studies.sampling import best_trial
from train.studies.search import plan_search, search_through
from train.studies.search_settings import PruningConfig
from train.studies.search_study import run_search
from train.studies.settings import MeasureConfig, StudySettings
from train.studies.spaces import fitted, judge_space

RATE = {"low": 1e-4, "high": 1.0, "log": True}
SPACE: dict[str, Any] = {"schedule.peak_lr": RATE, "model.dropout": [0.0, 0.1, 0.5]}
PRUNING = {"rungs": 2, "factor": 3}


def _study(folder: Path, space: dict[str, Any] | None = None, **search: Any) -> StudySettings:
    folder.mkdir(exist_ok=True)
    tokens = search.pop("tokens", 1280)
    pilot = search.pop("pilot", None)
    config = {"space": space or SPACE, "trials": 8, "confirm": None, **search}
    return make_study(folder, search=config, seeds=1, budget={"tokens": tokens}, pilot=pilot)


def _value(run: StudyRun) -> float:
    """Best at a rate of .03 without dropout; lower after more steps."""
    rate = run.settings.schedule.peak_lr
    assert rate is not None
    dropout = run.phases[-1].facts.model.dropout
    return 2.0 + math.log10(rate / 0.03) ** 2 + 0.3 * dropout + 100 / run.tokens


def _run(study: StudySettings, worker: FakeExecutor | None = None) -> FoundSearch:
    return run_search(study, (worker or FakeExecutor(_value)).made, say=lambda text: None)


@pytest.mark.parametrize("sampler", ["tpe", "gp", "cmaes", "random", "grid"])
def test_every_sampler_searches_and_killed_it_finds_the_same_trials(
    sampler: str, tmp_path: Path
) -> None:
    spaces: dict[str, dict[str, Any]] = {
        "cmaes": {"schedule.peak_lr": RATE, "optimizer.weight_decay": {"low": 0.0, "high": 1.0}},
        "grid": {"schedule.peak_lr": [0.001, 0.03], "model.dropout": [0.0, 0.5]},
    }
    space = spaces.get(sampler, SPACE)
    trials = {"gp": 4, "cmaes": 9}.get(sampler, 8)

    class KilledError(Exception):
        pass

    def dying(run: StudyRun) -> float:
        if run.name in done:
            raise KilledError
        done.add(run.name)
        return _value(run)

    done: set[str] = set()
    whole = _run(_study(tmp_path / "whole", space, sampler=sampler, trials=trials))
    killed = _study(tmp_path / "killed", space, sampler=sampler, trials=trials)
    for name in [f"trial-{number:04d}-seed-1" for number in (1, trials - 2)]:
        done.add(name)  # dies in the middle of this trial, once
        try:
            _run(killed, FakeExecutor(dying))
        except KilledError:
            done.discard(name)
    found = _run(killed)

    assert search_dict(found)["table"] == search_dict(whole)["table"]
    assert len(found.trials) == (4 if sampler == "grid" else trials)
    assert len({json.dumps(one.settings) for one in found.trials}) == len(found.trials)
    assert found.best is not None
    assert found.best.value == min(one.value for one in found.trials if one.value is not None)
    assert b"pickle" not in (tmp_path / "killed" / "study" / JOURNAL_NAME).read_bytes()
    assert "cma" not in (tmp_path / "killed" / "study" / JOURNAL_NAME).read_text()


def test_tpe_comes_nearer_to_the_best_rate_than_chance(tmp_path: Path) -> None:
    space = {"schedule.peak_lr": RATE}
    found = _run(_study(tmp_path, space, trials=30))

    late = [abs(math.log10(one.settings["schedule.peak_lr"] / 0.03)) for one in found.trials[15:]]
    assert sum(late) / len(late) < 0.7  # by chance 1.2


def test_trials_that_wait_go_on_from_their_own_checkpoint(tmp_path: Path) -> None:
    worker = FakeExecutor(_value)
    found = _run(_study(tmp_path, pruning=PRUNING, trials=9), worker)

    went_on = [one for one in found.trials if len(one.rungs) == 2]
    assert [one.state for one in went_on] == ["done"] * len(went_on)
    assert 3 <= len(went_on) <= 6  # 9 // 3, and what was among the best when fewer were there
    assert found.best is not None
    assert found.best.rungs[0] == min(one.rungs[0] for one in found.trials)
    waited = [one for one in found.trials if len(one.rungs) == 1]
    assert {one.state for one in waited} == {"given up"}
    assert waited[0].why == "waited at rung 1: others were better"
    # 20 steps, a rung at 7: a restart would read the first 7 of each promoted trial twice.
    saved = sum(one.restarted_tokens - one.tokens for one in found.trials)
    assert saved == len(went_on) * 7 * 64
    assert worker.asked.count(f"trial-{went_on[0].number:04d}-seed-1") == 2


def test_a_trial_that_is_killed_while_it_goes_on_goes_on(tmp_path: Path) -> None:
    class KilledError(Exception):
        pass

    killed_at: list[int] = []

    def dying(run: StudyRun) -> float:
        if run.until_step is None and len(killed_at) < 3:
            killed_at.append(1)
            raise KilledError
        return _value(run)

    whole = _run(_study(tmp_path / "whole", pruning=PRUNING, trials=9))
    study = _study(tmp_path / "killed", pruning=PRUNING, trials=9)
    for _ in range(3):
        with pytest.raises(KilledError):
            _run(study, FakeExecutor(dying))

    assert search_dict(_run(study))["table"] == search_dict(whole)["table"]


def test_a_decision_that_a_killed_worker_left_is_carried_out(tmp_path: Path) -> None:
    study = _study(tmp_path, pruning=PRUNING, trials=3)
    plan = plan_search(study)
    _run(study)
    with open_ledger(plan.folder, plan.config) as ledger:
        first = ledger.add(
            {"schedule.peak_lr": 0.5, "model.dropout": 0.0}, {"how": "x", "seen": []}
        )
        ledger.note(first, "worse than trial 0")
        ledger.report(first, 0, 9.0)
        second = ledger.add(
            {"schedule.peak_lr": 0.4, "model.dropout": 0.1}, {"how": "x", "seen": []}
        )
        ledger.report(second, 0, 1.0)
        ledger.report(second, 1, 0.5)
    with (plan.folder / JOURNAL_NAME).open("ab") as file:
        file.write(b'{"op_code": 5, "wor')  # a line that was cut

    found = _run(study)

    assert [(one.state, one.value, one.why) for one in found.trials[3:]] == [
        ("given up", None, "worse than trial 0"), ("done", 0.5, None)
    ]  # fmt: skip


def test_settings_that_fail_are_shown_and_searched_around(tmp_path: Path) -> None:
    def value(run: StudyRun) -> float:
        if (run.settings.schedule.peak_lr or 0) > 0.1:
            raise PipelineError("step 3: the gradient is no number")
        return _value(run)

    found = _run(_study(tmp_path, trials=12), FakeExecutor(value))

    failed = [one for one in found.trials if one.state == "failed"]
    assert failed
    assert failed[0].why is not None
    assert "the gradient is no number" in failed[0].why
    assert found.best is not None


def test_values_that_do_not_go_together_fail_alone(tmp_path: Path) -> None:
    space = {"schedule.peak_lr": [0.001, 0.1], "schedule.min_lr": [0.0, 0.01]}

    found = _run(_study(tmp_path, space, sampler="grid", trials=4))

    (failed,) = (one for one in found.trials if one.state == "failed")
    assert failed.settings == {"schedule.peak_lr": 0.001, "schedule.min_lr": 0.01}
    assert "min_lr" in (failed.why or "")


def test_conditions_leave_settings_out(tmp_path: Path) -> None:
    space = {
        "optimizer.name": ["adamw", "sgd"],
        "schedule.peak_lr": RATE,
        "optimizer.momentum": {"low": 0.5, "high": 0.99, "when": {"optimizer.name": "sgd"}},
    }
    found = _run(_study(tmp_path, space, trials=10))

    for one in found.trials:
        assert ("optimizer.momentum" in one.settings) == (one.settings["optimizer.name"] == "sgd")
    assert {one.settings["optimizer.name"] for one in found.trials} == {"adamw", "sgd"}


def test_start_values_come_first_and_equal_ones_once(tmp_path: Path) -> None:
    study = _study(tmp_path, start=["step_law", "recipe", "t5"], trials=4)

    found = _run(study)

    # T5's rate and dropout are those of this recipe.
    assert [one.how for one in found.trials] == ["step_law", "recipe", "sampled", "sampled"]
    assert found.trials[1].settings == {"schedule.peak_lr": 0.01, "model.dropout": 0.1}


def test_more_is_better_for_the_accuracy_of_a_task(tmp_path: Path) -> None:
    study = _study(tmp_path, trials=6, pruning=PRUNING).model_copy(
        update={
            "measure": MeasureConfig(figure="blimp/acc"),
            "set": {"evaluation.tasks": {"at_end": [{"task": "blimp"}]}},
        }
    )

    found = _run(study)

    assert found.best is not None
    assert found.best.value == max(one.value for one in found.trials if one.value is not None)
    assert found.best.rungs[0] == max(one.rungs[0] for one in found.trials)


def test_what_was_best_of_many_is_judged_with_other_seeds(tmp_path: Path) -> None:
    def value(run: StudyRun) -> float:
        return _value(run) + 0.02 * noise(run)

    found = _run(_study(tmp_path, trials=8, confirm=3), FakeExecutor(value))

    assert found.confirmation is not None
    base, best = found.confirmation.table.rows
    assert sorted(best.by_seed) == [2, 3, 4]  # the search had seed 1
    assert best.verdict == "better"
    assert "with other seeds found is better than base: found" in found.sentence
    written = json.loads((tmp_path / "study" / "study.json").read_text())
    assert written["confirmation"]["table"][1]["verdict"] == "better"
    assert base.by_seed.keys() == best.by_seed.keys()


def test_importance_names_the_setting_that_matters(tmp_path: Path) -> None:
    space = {"schedule.peak_lr": RATE, "optimizer.weight_decay": {"low": 0.0, "high": 0.2}}
    found = _run(_study(tmp_path, space, trials=24, sampler="random"))

    assert found.importance["schedule.peak_lr"] > 0.8
    assert importance([]) == {}


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"space": {"schedule.peak_rl": RATE}}, "did you mean 'peak_lr'"),
    ({"space": {"model.widht": [1, 2]}}, "widht"),
    ({"space": {"seed": [1, 2]}}, "space.seed: the study sets it"),
    ({"space": {"stop.tokens": [1, 2]}}, "space.stop.tokens: the study sets it"),
    ({"space": {"model.dropout": {"low": 0.0, "high": 1.5}}}, "with 1.5 the recipe cannot run"),
    ({"space": {"schedule.decay_every": [2, 3]}}, "has no decays"),
    ({"space": {"model.rotary_base": [10, 20]}, "trials": 2, "sampler": "grid"}, ""),
    ({"space": {"batch.sequences": {"low": 3, "high": 40, "integer": True}}}, "whole batches"),
    ({"space": {"model.num_heads": [2, 3]}}, "with 3 the recipe cannot run"),
    ({"pruning": {"rungs": 5, "factor": 3}}, "need 81 steps"),
    ({"space": {"objective.name": ["causal", "masked"]}}, "masked"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("search", "words"), REFUSED, ids=[str(one) for one in range(len(REFUSED))]
)
def test_spaces_that_do_not_fit_the_recipe_are_refused(
    search: dict[str, Any], words: str, tmp_path: Path
) -> None:
    study = _study(tmp_path, **search)

    if not words:
        plan_search(study)  # a setting of other families is one of the recipe's all the same
        return
    with pytest.raises(SettingsError, match=words):
        plan_search(study)


def test_another_space_is_another_study(tmp_path: Path) -> None:
    _run(_study(tmp_path, trials=2))
    _run(_study(tmp_path, trials=3))  # trials may be added
    other = {**SPACE, "schedule.peak_lr": {**RATE, "high": 0.5}}

    with pytest.raises(SettingsError, match=r"peak_lr\.high is 1\.0 there and 0\.5 here"):
        _run(_study(tmp_path, other, trials=3))


def test_trials_of_other_batches_read_equal_tokens_and_half_lives_are_searched(
    tmp_path: Path,
) -> None:
    space = {
        "batch.sequences": [4, 8, 20],
        "beta2_half_life_tokens": {"low": 1000, "high": 100000, "log": True, "integer": True},
    }
    study = _study(tmp_path, space, trials=6, sampler="random", tokens=2600)
    plan = plan_search(study)

    assert plan.tokens == 2560
    for number, rows in enumerate((4, 8, 20)):
        (run,) = plan.runs(number, {"batch.sequences": rows, "beta2_half_life_tokens": 6400}, 0)
        assert run.tokens == 2560
        assert run.settings.optimizer.betas is not None
        assert run.settings.optimizer.betas[1] == pytest.approx(0.5 ** (16 * rows / 6400))
    assert plan.is_recipe({})
    assert not plan.is_recipe({"batch.sequences": 8})
    reference = plan.pilots.runs[0]
    assert judge_space(study, plan.base, plan.config, reference)[1] == 2560


def test_laws_are_the_published_numbers() -> None:
    small = LawFacts(parameters=5_000_000, tokens=100_000_000, seq_len=256)

    step_law, ladder = start_values("step_law", small), start_values("olmo_ladder", small)

    assert step_law["schedule.peak_lr"] == pytest.approx(8.6e-3, rel=0.01)
    assert step_law["batch.sequences"] * 256 == pytest.approx(21_500, rel=0.02)
    assert ladder["schedule.peak_lr"] == pytest.approx(6.5e-3, rel=0.01)
    assert ladder["batch.sequences"] * 256 == pytest.approx(42_200, rel=0.01)
    assert ladder["beta2_half_life_tokens"] == pytest.approx(7.085e6, rel=1e-3)
    assert start_values("t5", small) == {
        "schedule.peak_lr": 0.01, "batch.sequences": 256, "model.dropout": 0.1
    }  # fmt: skip
    assert start_values("bert", small)["schedule.peak_lr"] == 1e-4


def test_start_values_are_brought_into_the_space(tmp_path: Path) -> None:
    space = {
        "batch.sequences": [4, 8, 16],
        "schedule.peak_lr": {"low": 1e-3, "high": 0.1, "log": True},
        "optimizer.weight_decay": {"low": 0.0, "high": 1.0, "step": 0.25},
        "optimizer.eps": {"low": 1e-10, "high": 1e-6, "log": True},
    }
    config = _study(tmp_path, space).search
    assert config is not None

    values = fitted(
        config, {"batch.sequences": 12, "schedule.peak_lr": 3.0, "optimizer.weight_decay": 0.4}, {}
    )

    assert values == {
        "batch.sequences": 16, "schedule.peak_lr": 0.1, "optimizer.weight_decay": 0.5,
        "optimizer.eps": pytest.approx(1e-8),
    }  # fmt: skip


def test_of_three_one_goes_on_and_at_last_the_best_of_each_rung() -> None:
    def standing(number: int, *values: float, over: bool = False) -> Standing:
        return Standing(number=number, values=dict(enumerate(values)), is_over=over)

    few = [standing(0, 3.0), standing(1, 2.0)]
    assert promotable(few, rungs=3, factor=3, is_last_call=False) == []
    assert promotable(few, rungs=3, factor=3, is_last_call=True) == [1]
    many = [*few, standing(2, 1.0, 0.9), standing(3, 4.0), standing(4, 5.0), standing(5, 6.0)]
    assert promotable(many, rungs=3, factor=3, is_last_call=False) == [1]  # 2 has gone on
    assert promotable(many, rungs=3, factor=3, is_last_call=True) == [2, 1]
    over = [standing(0, 1.0, over=True), standing(1, 2.0), standing(2, 3.0)]
    assert promotable(over, rungs=2, factor=3, is_last_call=False) == []


def test_rungs_are_shares_of_the_run() -> None:
    assert rung_steps(90, PruningConfig(rungs=3, factor=3)) == [10, 30, None]
    assert rung_steps(10, PruningConfig(rungs=3, factor=3)) == [2, 4, None]
    assert rung_steps(5, None) == [None]
    with pytest.raises(ValueError, match="need 9 steps or more, and a trial has 2"):
        rung_steps(2, PruningConfig(rungs=3, factor=3))


def _measured(shift: float, *, root: str = "r", documents: int = 20) -> Outcome:
    losses = tuple(2.0 + 0.1 * (index % 7) + shift for index in range(documents))
    return Outcome(
        name="t", fingerprint="f", state="done", value=2.3 + shift,
        documents=Documents(root=root, names=tuple(map(str, range(documents))), labels=(1,) * documents, losses=losses),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("trial", "best", "deviation", "expected"),
    [
        (_measured(0.05), _measured(0.0), 0.0, True),
        (_measured(-0.05), _measured(0.0), 0.0, False),
        (_measured(0.0), _measured(0.0), 0.0, False),
        (_measured(0.05), _measured(0.0), 0.1, False),  # seeds differ by more
        (_measured(0.05, root="s"), _measured(0.0), 0.0, False),  # other documents
        (_measured(0.05, documents=5), _measured(0.0, documents=5), 0.0, False),
    ],
)
def test_a_trial_is_given_up_where_its_documents_and_its_seeds_say_so(
    trial: Outcome, best: Outcome, deviation: float, *, expected: bool
) -> None:
    found = is_worse([trial], [best], alpha=0.1, looks=2, deviation=deviation)

    assert found is expected


def test_bad_trials_are_given_up_beside_the_best_one(tmp_path: Path) -> None:
    class Documented(FakeExecutor):
        def __call__(self, run: StudyRun) -> Outcome:
            plain = super().__call__(run)
            return Outcome(
                name=run.name, fingerprint=run.fingerprint, state="done", value=plain.value,
                documents=_measured(plain.value - 2.3).documents, tokens=plain.tokens,
            )  # fmt: skip

    study = _study(tmp_path, pruning={**PRUNING, "wilcoxon": 0.1}, start=["recipe"], trials=12)
    plan = plan_search(study)
    search_through(plan, Documented(_value), look_seconds=0.01)

    with open_ledger(plan.folder, plan.config) as ledger:
        whys = [str(one.user_attrs.get("why")) for one in ledger.trials()]
        assert best_trial(ledger.trials()) is not None
    assert any("on the same documents at rung 1" in why for why in whys)
