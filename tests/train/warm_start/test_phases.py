"""From a base to its extension in two phases, from one recipe."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from schemas.errors import ContractError, SettingsError
from tests.support.extended import BASE_SIZE, SIZE, TwoDatasets, write_two_datasets
from tests.support.ranks import run_on_ranks
from train.loop.run import pretrain
from train.phases import (
    PhaseEnd,
    _old_settings_sha256,
    read_end,
    split_phases,
    write_end,
)
from train.settings import TrainSettings

TABLES = {"model.embed_tokens.weight", "lm_head.weight", "transformer.wte.weight"}


def _settings(data: Path, output: Path, **changes: Any) -> dict[str, Any]:
    return {
        "manifest": str(data),
        "output": str(output),
        "batch": {"sequences": 8, "microbatch": 2},
        "stop": {"steps": 3},
        "schedule": {"peak_lr": 0.02},
        "optimizer": {"weight_decay": 0.5, "decay_exclude": ()},
        "threads": 1,
        "precision": {"compute": "fp32"},
        **changes,
    }


def _two_phases(data: TwoDatasets, output: Path, source: Path, **changes: Any) -> dict[str, Any]:
    return _settings(
        data.extended,
        output,
        warm_start={"source": str(source)},
        phases=[{"trainable": "new_embeddings"}, {"stop": {"steps": 2}}],
        **changes,
    )


def train(settings: dict[str, Any]) -> None:
    torch.set_num_threads(1)
    pretrain(TrainSettings.model_validate(settings))


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder with datasets and a trained base of each kind: tied and untied."""
    found = {}
    for preset in ("gpt2-test", "llama-test"):
        folder = tmp_path_factory.mktemp(preset)
        data = write_two_datasets(folder)
        train(_settings(data.base, folder / "base-run", model={"preset": preset}))
        found[preset] = folder
    return found


@pytest.fixture
def base(bases: dict[str, Path]) -> Path:
    return bases["gpt2-test"]


def _data(folder: Path) -> TwoDatasets:
    return TwoDatasets(base=folder / "base", extended=folder / "extended")


def _check_first_phase(base: Path, output: Path) -> None:
    """All tensors are the base's, bit for bit, but for the new rows, which moved."""
    before = load_file(base / "base-run" / "export" / "model.safetensors")
    after = load_file(output / "phases" / "1-new_embeddings" / "export" / "model.safetensors")
    assert before.keys() == after.keys()
    for name, value in before.items():
        assert torch.equal(after[name][: len(value)], value), name
        assert (len(after[name]) == SIZE) == (name in TABLES)


def _losses(output: Path) -> list[float]:
    lines = (output / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line)["loss"] for line in lines]


@pytest.mark.parametrize("preset", ["gpt2-test", "llama-test"])
def test_both_phases_run_from_one_recipe(
    bases: dict[str, Path], preset: str, tmp_path: Path
) -> None:
    base, output = bases[preset], tmp_path / "run"

    train(_two_phases(_data(base), output, base / "base-run"))

    _check_first_phase(base, output)
    started = load_file(base / "base-run" / "export" / "model.safetensors")
    ended = load_file(output / "export" / "model.safetensors")
    assert not any(torch.equal(ended[name][: len(v)], v) for name, v in started.items())
    rows = [json.loads(line) for line in _first(output, "new_rows.jsonl").splitlines()]
    assert [row["id"] for row in rows] == list(range(BASE_SIZE, SIZE))
    assert {row["rule"] for row in rows[:-1]} == {"subword_mean"}
    assert rows[-1]["rule"] == "gaussian_no_pieces"
    opening = json.loads(_first(output, "warm_start.json"))
    assert opening["first_loss"]["new_labels"] > 0
    # The second phase goes on in the data where the first one stopped.
    first, second = (_lines(output / part) for part in ("phases/1-new_embeddings", "."))
    assert first[-1]["consumed_start"] + 8 == second[0]["consumed_start"]
    # A repetition trains nothing again.
    before = (output / "metrics.jsonl").stat().st_mtime_ns
    train(_two_phases(_data(base), output, base / "base-run"))
    assert (output / "metrics.jsonl").stat().st_mtime_ns == before


def _first(output: Path, name: str) -> str:
    return (output / "phases" / "1-new_embeddings" / name).read_text()


def _lines(output: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]


STRATEGIES = [
    ("gpt2-test", "adafactor", {"dp_replicate": 2}),
    ("gpt2-test", "adamw", {"dp_shard": 2}),
    ("gpt2-test", "adamw", {"tp": 2}),
    ("llama-test", "adafactor", {"dp_shard": 2}),
    ("llama-test", "adafactor", {"tp": 2}),
]


@pytest.mark.distributed
@pytest.mark.parametrize(("preset", "optimizer", "parallel"), STRATEGIES)
def test_old_rows_stay_under_every_strategy(
    bases: dict[str, Path], tmp_path: Path, preset: str, optimizer: str, parallel: dict[str, int]
) -> None:
    base = bases[preset]
    data = _data(base)
    one, two = tmp_path / "one", tmp_path / "two"
    chosen = {"optimizer": {"name": optimizer, "weight_decay": 0.5, "decay_exclude": ()}}
    train(_two_phases(data, one, base / "base-run", **chosen))

    run_on_ranks(train, 2, _two_phases(data, two, base / "base-run", **chosen, parallel=parallel))

    _check_first_phase(base, two)
    for part in ("phases/1-new_embeddings", "."):
        assert _losses(two / part) == pytest.approx(_losses(one / part), rel=1e-4)


def test_a_phase_resumes_bit_for_bit_without_its_source(base: Path, tmp_path: Path) -> None:
    whole, cut, source = tmp_path / "whole", tmp_path / "cut", tmp_path / "source"
    shutil.copytree(base / "base-run" / "export", source)
    recipe = _settings(
        _data(base).extended,
        whole,
        warm_start={"source": str(source)},
        trainable="new_embeddings",
        schedule={"peak_lr": 0.02, "lr_scheduler_type": "constant"},
    )
    train(recipe)
    train({**recipe, "output": str(cut), "stop": {"steps": 2}})
    shutil.rmtree(source)

    train({**recipe, "output": str(cut)})

    expected, found = (load_file(run / "export" / "model.safetensors") for run in (whole, cut))
    assert all(torch.equal(found[name], value) for name, value in expected.items())


def test_a_phase_cannot_change_what_all_share(tmp_path: Path) -> None:
    settings = _settings(tmp_path, tmp_path / "run", phases=[{"seed": 3}])

    with pytest.raises(SettingsError, match=r"phases.0.seed: shared by all phases"):
        split_phases(TrainSettings.model_validate(settings))


def test_new_embeddings_without_new_tokens_are_refused(base: Path, tmp_path: Path) -> None:
    recipe = _settings(
        _data(base).base,
        tmp_path / "run",
        warm_start={"source": str(base / "base-run")},
        trainable="new_embeddings",
    )

    with pytest.raises(SettingsError, match="no row is new"):
        train(recipe)


def test_a_larger_tokenizer_without_its_extension_names_both_sizes(
    base: Path, tmp_path: Path
) -> None:
    extension = _data(base).extended / "tokenizer" / "vocabulary.json"
    kept = extension.read_text()
    extension.unlink()
    try:
        recipe = _settings(
            _data(base).extended, tmp_path / "run", warm_start={"source": str(base / "base-run")}
        )
        with pytest.raises(ContractError, match=r"97 rows, the manifest's tokenizer 111 ids"):
            train(recipe)
    finally:
        extension.write_text(kept)


def test_a_phase_that_ended_under_the_old_default_rate_is_not_trained_again(tmp_path: Path) -> None:
    """An end that version 0.2 wrote: its settings had the rate in full where the recipe named none."""
    data = {"manifest": "none", "output": str(tmp_path), "stop": {"steps": 1}}
    named = TrainSettings.model_validate({**data, "schedule": {"peak_lr": 3e-4}})
    sha256, _ = _old_settings_sha256(named)
    end = PhaseEnd(checkpoint="c", manifest="none", next_sample=1, settings_sha256=sha256)
    write_end(tmp_path, end)

    assert read_end(TrainSettings.model_validate(data)) == end
