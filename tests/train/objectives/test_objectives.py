"""Objectives as pure functions of rows, seed and sample index."""

from dataclasses import replace

import numpy as np
import pytest

from schemas.errors import SettingsError
from schemas.manifest import SpecialIds
from train.batch.batch import NO_LABEL, Objective
from train.data.packed import PackedRows
from train.objectives.build import build_objective
from train.objectives.config import parse_objective

SPECIAL = SpecialIds(pad=0, eos=1, mask=2, sentinels=tuple(range(999, 899, -1)))


def make_rows(count: int, tokens: int, *, padding: int = 0) -> PackedRows:
    """Rows of two documents; `padding` tokens at the end of the first row."""
    ids = np.random.default_rng(1).integers(3, 899, (count, tokens)).astype(np.int32)
    half = tokens // 2
    lengths = np.tile([half, tokens - half], count)
    lengths[1] -= padding
    ids[0, tokens - padding :] = 0
    return PackedRows(
        input_ids=ids,
        next_token=np.full(count, -1, np.int32),
        sample_index=np.arange(count) + 40,
        segment_row=np.repeat(np.arange(count), 2).astype(np.int32),
        segment_start=np.tile([0, half], count).astype(np.int32),
        segment_length=lengths.astype(np.int32),
        segment_source=np.tile([0, 1], count).astype(np.int32),
        sources=("a", "b"),
    )


def objective(name: str, family: str, seq_len: int = 512, **fields: float) -> Objective:
    config = parse_objective({"name": name, **fields})
    return build_objective(config, SPECIAL, family=family, vocab_size=1000, seq_len=seq_len)


def test_causal_labels_stay_inside_a_document() -> None:
    rows = replace(make_rows(1, 6), next_token=np.array([77], np.int32))

    labels = objective("causal", "gpt2").build(rows, seed=0).labels[0].tolist()

    _, b, c, _, e, f = rows.input_ids[0].tolist()
    assert labels == [b, c, NO_LABEL, e, f, 77]


def test_568_raw_tokens_give_512_and_114() -> None:
    batch = objective("span_corruption", "t5").build(make_rows(3, 568), seed=0)

    assert batch.input_ids.shape == (3, 512)
    assert batch.labels.shape == (3, 114)


def test_spans_put_back_give_the_row_again() -> None:
    rows = make_rows(4, 128, padding=21)
    batch = objective("span_corruption", "t5").build(rows, seed=5)

    for row in range(4):
        spans: dict[int, list[int]] = {}
        labels = [label for label in batch.labels[row].tolist() if label != NO_LABEL]
        assert labels.pop() == SPECIAL.eos
        for label in labels:
            if label in SPECIAL.sentinels:
                spans[label] = []
            else:
                spans[list(spans)[-1]].append(label)
        inputs = batch.input_ids[row][batch.document[row] > 0].tolist()
        assert inputs.pop() == SPECIAL.eos
        assert inputs[0] not in SPECIAL.sentinels  # starts with what is no noise
        whole = [token for each in inputs for token in spans.get(each, [each])]
        real = 128 - (21 if row == 0 else 0)
        assert whole == rows.input_ids[row, :real].tolist()
        assert list(spans) == list(SPECIAL.sentinels[: len(spans)])


def test_decoder_reads_the_targets_one_position_later() -> None:
    batch = objective("span_corruption", "t5").build(make_rows(2, 64), seed=0)

    assert batch.decoder_ids is not None
    assert batch.decoder_ids[:, 0].tolist() == [SPECIAL.pad, SPECIAL.pad]
    assert batch.decoder_ids[:, 1:].equal(batch.labels[:, :-1])


def test_too_few_sentinels_are_refused_with_the_number_needed() -> None:
    with pytest.raises(SettingsError, match="need 171 sentinels"):
        objective("span_corruption", "t5", 684, noise_density=0.5, mean_span_tokens=2)


def test_masking_has_bert_s_shares() -> None:
    rows = make_rows(200, 200, padding=30)
    batch = objective("masked", "bert").build(rows, seed=3)

    chosen = (batch.labels != NO_LABEL).numpy()
    inputs, original = batch.input_ids.numpy(), rows.input_ids
    assert chosen.sum(1).tolist() == [26] + [30] * 199  # round(170 * 0.15) is even: 25.5 -> 26
    assert (inputs[~chosen] == original[~chosen]).all()
    assert (inputs[chosen] == SPECIAL.mask).mean() == pytest.approx(0.8, abs=0.02)
    assert (inputs[chosen] == original[chosen]).mean() == pytest.approx(0.1, abs=0.02)


def test_a_tokenizer_without_mask_is_refused() -> None:
    config = parse_objective({"name": "masked"})
    special = SpecialIds(pad=0, eos=1)

    with pytest.raises(SettingsError, match=r"needs a \[MASK\] token"):
        build_objective(config, special, family="bert", vocab_size=10, seq_len=8)


@pytest.mark.parametrize(("name", "family"), [("span_corruption", "t5"), ("masked", "bert")])
def test_a_row_s_batch_depends_on_its_sample_index_and_the_seed_alone(
    name: str, family: str
) -> None:
    rows = make_rows(4, 64)
    last = replace(
        rows,
        input_ids=rows.input_ids[3:],
        next_token=rows.next_token[3:],
        sample_index=rows.sample_index[3:],
        segment_row=rows.segment_row[:2],
        segment_start=rows.segment_start[:2],
        segment_length=rows.segment_length[6:],
        segment_source=rows.segment_source[:2],
    )
    made = objective(name, family)

    whole, alone = made.build(rows, seed=9), made.build(last, seed=9)

    assert whole.input_ids[3].equal(alone.input_ids[0])
    assert whole.labels[3].equal(alone.labels[0])
    assert not made.build(rows, seed=10).input_ids.equal(whole.input_ids)


def test_an_objective_of_another_family_is_refused() -> None:
    with pytest.raises(SettingsError, match="expected 'masked'"):
        objective("causal", "bert")
