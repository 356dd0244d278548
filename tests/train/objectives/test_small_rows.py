"""Objectives over rows that are small enough to write down what must come out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from schemas.manifest import SpecialIds
from train.batch.batch import NO_LABEL, Batch
from train.data.packed import PackedRows
from train.objectives.assemble import encoder_decoder, language_model, prefix_lm
from train.objectives.augment import Augmented
from train.objectives.causal import CausalObjective
from train.objectives.classify import ClassifyObjective
from train.objectives.config import AugmentConfig
from train.objectives.masked import MaskedObjective
from train.objectives.masking import Masking
from train.objectives.pairs import next_sentence, sentence_order
from train.objectives.rows import token_segments
from train.objectives.span_corruption import SpanCorruptionObjective
from train.objectives.text_to_text import TextToTextObjective
from train.objectives.tokens import Tokens, empty_tokens, joined, row_tokens

PAD, EOS, MASK, CLS, SEP = 0, 1, 2, 3, 4
SPECIAL = SpecialIds(pad=PAD, eos=EOS, mask=MASK, cls=CLS, sep=SEP, sentinels=(99, 98, 97))
NO = NO_LABEL


def make_rows(**more: Any) -> PackedRows:
    """[a a a b b .] and [c c c c c c], where the second goes on in the next row."""
    return PackedRows(
        input_ids=np.array([[10, 11, 1, 20, 21, 0], [30, 31, 32, 33, 34, 35]], np.int32),
        next_token=np.array([-1, 36], np.int32),
        sample_index=np.array([7, 8]),
        segment_row=np.array([0, 0, 1], np.int32),
        segment_start=np.array([0, 3, 0], np.int32),
        segment_length=np.array([3, 2, 6], np.int32),
        segment_source=np.array([1, 0, 1], np.int32),
        sources=("web", "zh"),
        extra=more,
    )


def tokens_of(*rows: list[int]) -> Tokens:
    """Rows of one document each, padded to the longest."""
    made = empty_tokens(len(rows), max(len(row) for row in rows), pad=PAD)
    for number, row in enumerate(rows):
        made.ids[number, : len(row)] = row
        made.document[number, : len(row)] = 1
        made.segment[number, : len(row)] = number
    return made


def read(batch: Batch) -> list[list[int]]:
    """Inputs without padding."""
    return [
        ids[document > 0].tolist()
        for ids, document in zip(batch.input_ids, batch.document, strict=True)
    ]


def test_tokens_know_segment_document_and_position() -> None:
    per_token = token_segments(make_rows())

    assert per_token.segment.tolist() == [[0, 0, 0, 1, 1, -1], [2] * 6]
    assert per_token.document.tolist() == [[1, 1, 1, 2, 2, 0], [1] * 6]
    assert per_token.positions.tolist() == [[0, 1, 2, 0, 1, 0], [0, 1, 2, 3, 4, 5]]


def test_kept_tokens_move_together_and_ends_follow_them() -> None:
    tokens = row_tokens(make_rows())

    kept = tokens.kept(tokens.ids % 2 == 0, pad=PAD)
    ended = kept.ended(EOS, pad=PAD)

    assert kept.ids.tolist() == [[10, 20, 0], [30, 32, 34]]
    assert kept.document.tolist() == [[1, 2, 0], [1, 1, 1]]
    assert ended.ids.tolist() == [[10, 20, 1, 0], [30, 32, 34, 1]]
    assert ended.segment.tolist() == [[0, 1, 1, -1], [2, 2, 2, 2]]
    assert joined(kept, kept, pad=PAD).ids.tolist() == [[10, 20, 10, 20, 0, 0], [30, 32, 34] * 2]
    assert kept.widened(2, pad=PAD).ids.tolist() == [[10, 20], [30, 32]]


def test_causal_labels_are_the_next_tokens_of_the_same_document() -> None:
    batch = CausalObjective(EOS).build(make_rows(), seed=0)

    assert batch.labels.tolist() == [[11, 1, 20, 21, NO, NO], [31, 32, 33, 34, 35, 36]]
    assert batch.positions.tolist() == [[0, 1, 0, 1, 2, 0], [0, 1, 2, 3, 4, 5]]
    assert not batch.is_whole


INPUTS, TARGETS = tokens_of([10, 11, 1], [12, 1]), tokens_of([20, 1], [21, 22, 1])


def test_a_decoder_reads_targets_one_position_later() -> None:
    batch = encoder_decoder(INPUTS, TARGETS, make_rows(), pad=PAD)

    assert batch.input_ids.tolist() == [[10, 11, 1], [12, 1, 0]]
    assert batch.decoder_ids is not None
    assert batch.decoder_ids.tolist() == [[0, 20, 1], [0, 21, 22]]
    assert batch.labels.tolist() == [[20, 1, NO], [21, 22, 1]]


def test_a_prefix_is_visible_and_has_no_labels() -> None:
    batch = prefix_lm(INPUTS, TARGETS, make_rows(), pad=PAD)

    assert batch.input_ids.tolist() == [[10, 11, 1, 20], [12, 1, 21, 22]]
    assert batch.labels.tolist() == [[NO, NO, 20, 1], [NO, 21, 22, 1]]
    assert batch.visible is not None
    assert batch.visible.tolist() == [[True, True, True, False], [True, True, False, False]]


def test_a_language_model_predicts_inputs_too() -> None:
    batch = language_model(INPUTS, TARGETS, make_rows(), pad=PAD)

    assert batch.labels.tolist() == [[11, 1, 20, 1], [1, 21, 22, 1]]
    assert batch.segment.tolist() == [[0, 0, 0, 0], [1, 1, 1, 1]]


def test_supervised_rows_are_cut_where_their_target_starts() -> None:
    rows = make_rows(target_start=np.array([3, 2]))

    batch = TextToTextObjective(pad=PAD).build(rows, seed=0)

    assert read(batch) == [[10, 11, 1], [30, 31]]
    assert batch.labels.tolist() == [[20, 21, NO, NO], [32, 33, 34, 35]]


def test_a_class_is_predicted_at_cls() -> None:
    rows = make_rows(target_start=np.array([3, 2]), class_label=np.array([5, NO]))

    batch = ClassifyObjective(at="cls", special=SPECIAL).build(rows, seed=0)

    assert read(batch) == [[CLS, 10, 11, SEP], [CLS, 30, SEP]]
    assert batch.labels.tolist() == [[5, NO, NO, NO], [NO, NO, NO, NO]]
    assert batch.classes_at == "cls"


def test_tags_are_predicted_at_the_tokens_that_have_them() -> None:
    tags = np.array([[6, NO, 9, 9, 9, 9], [7, 8, 9, 9, 9, 9]])
    rows = make_rows(target_start=np.array([3, 3]), token_labels=tags)

    batch = ClassifyObjective(at="tokens", special=SPECIAL).build(rows, seed=0)

    assert read(batch) == [[CLS, 10, 11, SEP], [CLS, 30, 31, SEP]]
    assert batch.labels.tolist() == [[NO, 6, NO, NO], [NO, 7, 8, NO]]


def masking(**more: Any) -> Masking:
    fields = {"rate": 0.5, "masked_fraction": 1.0, "random_fraction": 0.0, **more}
    return Masking(special=SPECIAL, vocab_size=90, **fields)


def test_chosen_tokens_are_labels_and_read_as_masks() -> None:
    objective = MaskedObjective(masking=masking(), whole_words=False, pairs=None)

    batch = objective.build(make_rows(), seed=3)

    ids = torch.from_numpy(make_rows().input_ids.astype(np.int64))
    chosen = batch.labels != NO
    # Half of 5 tokens, rounded to even, and half of 6; never the end mark or padding.
    assert chosen.sum(1).tolist() == [2, 3]
    assert not bool(chosen[0, 2] | chosen[0, 5])
    assert torch.equal(batch.labels[chosen], ids[chosen])
    assert torch.equal(batch.input_ids, torch.where(chosen, MASK, ids))


def test_whole_words_are_chosen_or_left() -> None:
    words = np.array([[1, 0, 0, 1, 1, 0], [1, 0, 0, 1, 0, 0]], np.bool_)
    objective = MaskedObjective(masking=masking(), whole_words=True, pairs=None)

    for seed in range(20):
        chosen = objective.build(make_rows(word_starts=words), seed=seed).labels != NO
        assert chosen[0].tolist() in (
            [True, True, False, False, False, False],
            [False, False, False, True, True, False],
        )
        assert chosen[1].tolist() in ([True] * 3 + [False] * 3, [False] * 3 + [True] * 3)


def test_tokens_may_be_kept_or_replaced_by_others() -> None:
    rows = make_rows()
    kept = MaskedObjective(
        masking=masking(masked_fraction=0.0), whole_words=False, pairs=None
    ).build(rows, seed=3)
    other = MaskedObjective(
        masking=masking(masked_fraction=0.0, random_fraction=1.0), whole_words=False, pairs=None
    ).build(rows, seed=3)

    assert torch.equal(kept.labels, other.labels)
    assert kept.input_ids.tolist() == rows.input_ids.tolist()
    assert torch.equal(other.input_ids[other.labels == NO], kept.input_ids[kept.labels == NO])
    assert other.input_ids.tolist() != rows.input_ids.tolist()


def test_spans_and_their_context_have_the_same_sentinels() -> None:
    objective = SpanCorruptionObjective(noise_density=0.34, mean_span_tokens=1.0, special=SPECIAL)

    batch = objective.build(make_rows(), seed=0)

    for row, inputs in enumerate(read(batch)):
        targets = [label for label in batch.labels[row].tolist() if label != NO]
        assert inputs[-1] == targets[-1] == EOS
        assert [i for i in inputs if i > 90] == [99, 98] == [t for t in targets if t > 90]
        words = make_rows().input_ids[row][: 5 if row == 0 else 6].tolist()
        assert sorted([*inputs[:-1], *targets[:-1]]) == sorted([*words, 98, 98, 99, 99])


class Recorder:
    """An objective that keeps the rows which it was given."""

    def build(self, rows: PackedRows, *, seed: int) -> Batch:
        self.rows = rows
        return CausalObjective(EOS).build(rows, seed=seed)


def augmented(**fields: Any) -> tuple[Augmented, Recorder]:
    inner = Recorder()
    config = AugmentConfig.model_validate(fields)
    return Augmented(inner=inner, config=config, hidden=MASK, kept_ids=(PAD, EOS)), inner


def test_hidden_inputs_keep_their_labels_and_special_tokens_stay() -> None:
    objective, _ = augmented(token_dropout=0.5)
    plain = CausalObjective(EOS).build(make_rows(), seed=4)

    batch = objective.build(make_rows(), seed=4)

    hidden = batch.input_ids == MASK
    assert torch.equal(batch.labels, plain.labels)
    assert torch.equal(batch.input_ids[~hidden], plain.input_ids[~hidden])
    assert 0 < int(hidden.sum()) < 9
    assert not bool(hidden[0, 2] | hidden[0, 5])


@pytest.mark.parametrize("seed", range(5))
def test_shuffled_spans_stay_in_their_document(seed: int) -> None:
    objective, inner = augmented(shuffled_span_tokens=1.0)

    objective.build(make_rows(), seed=seed)

    first, second = inner.rows.input_ids.tolist()
    assert sorted(first[:2]) == [10, 11]
    assert first[2] == EOS
    assert sorted(first[3:5]) == [20, 21]
    assert first[5] == PAD
    assert sorted(second) == [30, 31, 32, 33, 34, 35]


def test_long_spans_leave_rows_unchanged() -> None:
    objective, inner = augmented(shuffled_span_tokens=1e12)

    objective.build(make_rows(), seed=1)

    assert inner.rows.input_ids.tolist() == make_rows().input_ids.tolist()


def test_packed_pairs_are_one_document_with_two_types() -> None:
    pair = [[CLS, 10, 11, SEP, 20, SEP], [CLS, 30, SEP, 40, 41, SEP]]
    rows = PackedRows(
        input_ids=np.array(pair, np.int32),
        next_token=np.array([-1, -1], np.int32),
        sample_index=np.array([7, 8]),
        segment_row=np.array([0, 0, 1, 1], np.int32),
        segment_start=np.array([1, 4, 1, 3], np.int32),
        segment_length=np.array([2, 1, 1, 2], np.int32),
        segment_source=np.zeros(4, np.int32),
        sources=("web",),
        extra={"segment_b_start": np.array([4, 3]), "is_next": np.array([1, 0])},
    )

    paired = next_sentence(rows)

    assert paired.tokens.document.tolist() == [[1] * 6] * 2
    assert paired.types.tolist() == [[0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 1, 1]]
    assert paired.labels.tolist() == [0, 1]
    assert paired.tokens.segment.tolist() == [[0, 0, 0, 0, 1, 1], [2, 2, 2, 3, 3, 3]]


def test_rows_of_sentences_are_cut_at_one_and_swapped_or_not() -> None:
    ids = np.array([[10, 11, 20, 0, 0, 0], [30, 31, 0, 0, 0, 0]], np.int32)
    rows = PackedRows(
        input_ids=ids,
        next_token=np.array([-1, -1], np.int32),
        sample_index=np.array([7, 8]),
        segment_row=np.array([0, 1], np.int32),
        segment_start=np.zeros(2, np.int32),
        segment_length=np.array([3, 2], np.int32),
        segment_source=np.zeros(2, np.int32),
        sources=("web",),
        extra={"sentence_starts": np.array([[1, 0, 1, 0, 0, 0], [1, 0, 0, 0, 0, 0]])},
    )

    seen = set()
    for seed in range(12):
        paired = sentence_order(rows, SPECIAL, seed=seed)
        swapped = int(paired.labels[0])
        seen.add(swapped)
        halves = [[20], [10, 11]] if swapped else [[10, 11], [20]]
        expected = [CLS, *halves[0], SEP, *halves[1], SEP]
        assert paired.tokens.ids[0].tolist() == expected
        length = len(halves[0]) + 2
        assert paired.types[0].tolist() == [0] * length + [1] * (6 - length)
        # One sentence is no pair.
        assert paired.tokens.ids[1].tolist() == [CLS, 30, 31, SEP, PAD, PAD]
        assert paired.labels[1] == NO
    assert seen == {0, 1}
