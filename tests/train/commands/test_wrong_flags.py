"""Each verb answers a wrong key or value with exit code 2 and the nearest right one."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import run_main
from tests.support.datasets import DatasetShape, write_dataset
from train.__main__ import main

RECIPE = """
manifest: data
output: run
stop: {steps: 2}
model: {preset: gpt2-test}
batch: {sequences: 4, microbatch: 2}
"""
PLAN = "plan --recipe recipe.yaml"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (f"{PLAN} --set schedule.warmpu=3", "did you mean 'warmup'"),
        (f"{PLAN} --set model.preset=gpt2-tst", "did you mean 'gpt2-test'"),
        (f"{PLAN} --set model.preset=[1]", "no preset '[1]'"),
        (f"{PLAN} --set model.num_heads=0", "num_heads: Input should be greater than 0"),
        (f"{PLAN} --set objective.nme=causal", "did you mean 'name'"),
        (f'{PLAN} --set phases=[{{"modle":3}}]', "did you mean 'model'"),
        (f"{PLAN} --set warm_start.source=nowhere", "nowhere is neither a folder nor a preset"),
        (f"{PLAN} --set parallel.tp=2 --set model.z_loss=0.1", "model.z_loss 0.1 needs"),
        (f"{PLAN} --world 0", "expected a whole number above 0"),
        (f"{PLAN} --seq-len 16", "give both"),
        (f"{PLAN} --page nowhere/plan.html", "there is no folder nowhere"),
        ("pretrain --recipe recipe.yaml --set modle.width=3", "did you mean 'model'"),
        ("pretrain --recipe recipe.yaml --set parallel.tp=3", "3 ranks, but the world has 1"),
        (
            "pretrain --recipe recipe.yaml --from nowhere",
            "nowhere is neither a folder nor a preset",
        ),
        ("evaluate --checkpoint run --manifest data --tasks nowhere.jsonl", "no such file"),
        ("evaluate --checkpoint run --manifest data --max-rows 0", "above 0"),
        ("evaluate --checkpoint run --manifest data --shots -1", "above 0"),
        ("generate --model run --prompt a --top-k 0", "top_k: Input should be greater than 0"),
        ("generate --model run --prompt a --num-beams 3 --temperature 1", "beams do not draw"),
        ("generate --model run --prompt a --tokenizer nowhere", "no such folder"),
        ("models gtp2-tiny", "did you mean 'gpt2-tiny'"),
        ("models --tp 0", "expected a whole number above 0"),
        ("selftest --family gtp2", "did you mean 'gpt2'"),
        ("selftest --strategy fsdpp", "did you mean 'fsdp'"),
        ("trace --recipe recipe.yaml --step 2", "the run has steps 0 to 1"),
        ("report", "name the output folder of a run"),
        ("pretran", "did you mean 'pretrain'"),
    ],
)
def test_a_wrong_flag_ends_with_2(
    line: str,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    write_dataset(tmp_path / "data", DatasetShape(rows_per_shard=(8,), heldout_rows=2))

    with pytest.raises(SystemExit) as leaving:
        run_main(main, line.split())

    assert leaving.value.code == 2
    assert message in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "recipe.yaml"]
