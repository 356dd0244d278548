"""The grid by name, its arrangements, MASS, prefix language models and mixtures."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from schemas.errors import SettingsError
from schemas.manifest import SpecialIds
from train.batch.batch import NO_LABEL, Batch, Objective
from train.data.packed import PackedRows
from train.model.config import ModelConfig
from train.model.transformer import build_model
from train.objectives.build import build_objective
from train.objectives.config import PUBLISHED_GRID, parse_objective
from train.objectives.denoising import DenoiserMixtureObjective
from train.objectives.requirements import lengths_of

SENTINELS = tuple(range(999, 749, -1))
SPECIAL = SpecialIds(pad=0, eos=1, mask=2, cls=3, sep=4, sentinels=SENTINELS)


def make_rows(count: int, tokens: int) -> PackedRows:
    """Rows of one document each."""
    ids = np.random.default_rng(1).integers(5, 749, (count, tokens)).astype(np.int32)
    return PackedRows(
        input_ids=ids,
        next_token=np.full(count, -1, np.int32),
        sample_index=np.arange(count) + 40,
        segment_row=np.arange(count, dtype=np.int32),
        segment_start=np.zeros(count, np.int32),
        segment_length=np.full(count, tokens, np.int32),
        segment_source=np.zeros(count, np.int32),
        sources=("a",),
    )


def objective(family: str, seq_len: int = 64, **fields: Any) -> Objective:
    config = parse_objective(fields)
    return build_objective(config, SPECIAL, family=family, vocab_size=1000, seq_len=seq_len)


def grid(name: str, family: str = "t5", **fields: Any) -> Batch:
    made = objective(family, name="denoising", grid=name, **fields)
    return made.build(make_rows(3, 64), seed=2)


def real(ids: torch.Tensor, row: int = 0) -> list[int]:
    return [token for token in ids[row].tolist() if token not in (SPECIAL.pad, NO_LABEL)]


@pytest.mark.parametrize("name", PUBLISHED_GRID)
@pytest.mark.parametrize("family", ["t5", "gpt2"])
def test_every_published_cell_trains_both_shapes(name: str, family: str) -> None:
    config = parse_objective({"name": "denoising", "grid": name})
    bound = lengths_of(config, seq_len=64, family=family)
    shape = ModelConfig(
        family=family,  # type: ignore[arg-type]
        positions="relative" if family == "t5" else "learned",
        vocab_size=1000,
        width=16,
        max_positions=bound.read,
    )
    torch.manual_seed(0)

    batch = grid(name, family)

    assert batch.input_ids.shape[1] <= bound.read
    if family == "t5":
        assert batch.labels.shape[1] <= (bound.written or 0)
    sums = build_model(shape, seed=0)(batch)
    assert torch.isfinite(sums.loss)
    assert float(sums.labels_by_source.sum()) == float((batch.labels != NO_LABEL).sum())


def test_bert_style_keeps_the_length_and_predicts_the_whole_row() -> None:
    batch, row = grid("iid_15_r10s90_f"), make_rows(3, 64).input_ids[0].tolist()

    inputs = real(batch.input_ids)[:-1]
    assert real(batch.labels) == [*row, SPECIAL.eos]
    assert len(inputs) == 64
    changed = [token for token, old in zip(inputs, row, strict=True) if token != old]
    assert changed.count(SENTINELS[0]) >= len(changed) / 2 > 0


def test_deshuffling_reads_the_same_tokens_in_another_order() -> None:
    batch, row = grid("all_permute"), make_rows(3, 64).input_ids[0].tolist()

    inputs = real(batch.input_ids)[:-1]
    assert sorted(inputs) == sorted(row)
    assert inputs != row
    assert real(batch.labels) == [*row, SPECIAL.eos]


def test_dropped_tokens_are_the_targets() -> None:
    batch, row = grid("iid_15_d_d"), make_rows(3, 64).input_ids[0].tolist()

    inputs, targets = real(batch.input_ids)[:-1], real(batch.labels)[:-1]
    assert len(inputs) + len(targets) == 64
    assert sorted(inputs + targets) == sorted(row)


def test_mass_predicts_the_hidden_half_alone() -> None:
    batch, row = grid("mass"), make_rows(3, 64).input_ids[0].tolist()

    inputs, targets = real(batch.input_ids)[:-1], real(batch.labels)[:-1]
    start = inputs.index(2)
    assert inputs[start : start + 32] == [2] * 32
    assert targets == row[start : start + 32]


def test_a_prefix_goes_on_in_its_targets() -> None:
    batch, rows = grid("prefix_lm", "gpt2"), make_rows(3, 64)

    assert batch.input_ids.shape == (3, 64)
    assert batch.input_ids.numpy().tolist() == rows.input_ids.tolist()
    assert batch.visible is not None
    prefix = int(batch.visible[0].sum())
    labels = batch.labels[0].tolist()
    assert labels[: prefix - 1] == [NO_LABEL] * (prefix - 1)
    assert labels[prefix - 1 :] == [*rows.input_ids[0, prefix:].tolist(), SPECIAL.eos]


def test_a_prefix_sees_itself_and_targets_do_not_leak() -> None:
    model = build_model(ModelConfig(vocab_size=1000, width=16, max_positions=64), seed=0)
    batch = grid("prefix_lm", "gpt2")
    assert batch.visible is not None
    prefix = int(batch.visible[0].sum())

    def logits(position: int) -> torch.Tensor:
        ids = batch.input_ids.clone()
        ids[0, position] = 700 if ids[0, position] != 700 else 701
        return model.logits(replace(batch, input_ids=ids))[0]

    base = model.logits(batch)[0]
    last_of_prefix, last = logits(prefix - 1), logits(63)
    assert not torch.allclose(base[0], last_of_prefix[0])
    assert torch.allclose(base[:63], last[:63], atol=1e-6)


def test_a_language_model_predicts_inputs_too() -> None:
    batch = grid("span_3_15_u_u", "gpt2", arrangement="language_model")

    read = real(batch.input_ids)
    assert real(batch.labels) == [*read[1:], SPECIAL.eos]
    assert batch.visible is None


def test_568_and_512_raw_tokens_in_both_directions() -> None:
    config = parse_objective({"name": "span_corruption"})

    wide, narrow = (lengths_of(config, seq_len=n, family="t5") for n in (568, 512))

    assert (wide.read, wide.written) == (512, 114)
    assert (narrow.read, narrow.written) == (462, 104)


def test_a_row_length_that_does_not_fit_says_both_lengths() -> None:
    with pytest.raises(SettingsError, match=r"rows of 568 tokens.*rows of 512.*462 and 104"):
        objective("t5", 512, name="span_corruption", input_tokens=512)
    objective("t5", 568, name="span_corruption", input_tokens=512)


def test_half_of_single_tokens_need_more_than_100_sentinels() -> None:
    few = SPECIAL.model_copy(update={"sentinels": SENTINELS[:100]})
    config = parse_objective({"name": "denoising", "grid": "iid_50_u_u"})

    with pytest.raises(SettingsError, match=r"may need 152 sentinels, the tokenizer has 100.*152"):
        build_objective(config, few, family="t5", vocab_size=1000, seq_len=512)


@pytest.mark.parametrize("name", ["iid_15_x_u", "span_0_15_u_u", "iid_0_u_u", "spam"])
def test_unknown_names_are_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="objective: grid"):
        parse_objective({"name": "denoising", "grid": name})


def test_ul2_draws_denoisers_by_weight_and_tells_the_mode() -> None:
    rows = make_rows(1400, 64)
    made = objective("t5", name="ul2")
    assert isinstance(made, DenoiserMixtureObjective)

    number = made.chosen(3, rows.sample_index)
    batch = made.build(rows, seed=3)

    assert np.bincount(number, minlength=7).min() > 150
    modes = [made.denoisers[kind].mode for kind in number.tolist()]
    marks = dict(zip("RSX", SENTINELS[-3:], strict=True))
    assert batch.input_ids[:, 0].tolist() == [marks[mode] for mode in modes]
    sequential = [row for row, mode in enumerate(modes) if mode == "S"][:20]
    for row in sequential:
        whole = [*real(batch.input_ids, row)[1:-2], *real(batch.labels, row)[1:-1]]
        assert whole == rows.input_ids[row].tolist()


def test_hidden_inputs_keep_their_labels_and_shuffled_spans_their_tokens() -> None:
    rows = make_rows(50, 64)
    plain = objective("gpt2", name="causal")
    hidden = objective("gpt2", name="causal", augment={"token_dropout": 0.2})
    shuffled = objective("gpt2", name="causal", augment={"shuffled_span_tokens": 4})

    base, noisy, moved = (made.build(rows, seed=1) for made in (plain, hidden, shuffled))

    assert noisy.labels.equal(base.labels)
    assert float((noisy.input_ids == 2).float().mean()) == pytest.approx(0.2, abs=0.03)
    assert not moved.input_ids.equal(base.input_ids)
    assert moved.input_ids.sort(1).values.equal(base.input_ids.sort(1).values)
