"""What objectives are built of: tokens of rows, masks, pairs, and the batch at the end."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from schemas.manifest import SpecialIds
from train.batch.batch import NO_LABEL
from train.data.packed import PackedRows
from train.objectives.assemble import ASSEMBLERS
from train.objectives.augment import Augmented
from train.objectives.causal import CausalObjective, FirstTokens
from train.objectives.classify import ClassifyObjective
from train.objectives.config import AugmentConfig, parse_objective
from train.objectives.lengths import objective_lengths, spans_needed
from train.objectives.masked import MaskedObjective, UnilmObjective
from train.objectives.masking import Masking
from train.objectives.pairs import next_sentence, sentence_order
from train.objectives.rows import token_segments
from train.objectives.span_corruption import SpanCorruptionObjective
from train.objectives.text_to_text import TextToTextObjective
from train.objectives.tokens import joined, row_tokens

PAD, EOS, MASK, CLS, SEP = range(5)
SPECIAL = SpecialIds(
    pad=PAD, eos=EOS, mask=MASK, cls=CLS, sep=SEP, sentinels=tuple(range(99, 89, -1))
)


def rows(*documents: list[list[int]], room: int = 0, **extra: Any) -> PackedRows:
    """Rows of documents one behind the other, padded to the longest row and `room` more."""
    width = max(sum(map(len, row)) for row in documents) + room
    ids = np.zeros((len(documents), width), np.int32)
    segments = []
    for number, row in enumerate(documents):
        start = 0
        for tokens in row:
            ids[number, start : start + len(tokens)] = tokens
            segments.append((number, start, len(tokens)))
            start += len(tokens)
    row_of, starts, lengths = np.array(segments, np.int32).T
    return PackedRows(
        input_ids=ids, next_token=np.full(len(documents), -1, np.int32),
        sample_index=np.arange(len(documents)), segment_row=row_of, segment_start=starts,
        segment_length=lengths, segment_source=np.zeros(len(segments), np.int32),
        sources=("a",), extra={name: np.array(value) for name, value in extra.items()},
    )  # fmt: skip


def masking(rate: float = 0.5, **changed: float) -> Masking:
    plain = {"masked_fraction": 1.0, "random_fraction": 0.0, **changed}
    return Masking(rate=rate, special=SPECIAL, vocab_size=90, **plain)


TWO = rows([[11, 12, EOS], [21, EOS]], [[31, 32, 33, EOS]])


def test_each_token_knows_its_segment_document_and_position() -> None:
    found = token_segments(TWO)

    assert found.segment.tolist() == [[0, 0, 0, 1, 1], [2, 2, 2, 2, -1]]
    assert found.document.tolist() == [[1, 1, 1, 2, 2], [1, 1, 1, 1, 0]]
    assert found.positions.tolist() == [[0, 1, 2, 0, 1], [0, 1, 2, 3, 0]]


def test_tokens_are_kept_ended_and_joined_without_gaps() -> None:
    tokens = row_tokens(TWO)

    odd = tokens.kept(tokens.ids % 2 == 1, pad=PAD)
    assert odd.ids.tolist() == [[11, EOS, 21, EOS], [31, 33, EOS, PAD]]
    assert odd.counts.tolist() == [4, 3]
    assert odd.ended(SEP, pad=PAD).ids.tolist() == [[11, 1, 21, 1, SEP], [31, 33, 1, SEP, PAD]]
    assert joined(odd, odd, pad=PAD).ids[1].tolist() == [31, 33, 1, 31, 33, 1, 0, 0]
    assert tokens.widened(2, pad=PAD).ids.tolist() == [[11, 12], [31, 32]]


def test_a_document_begins_behind_the_end_mark_of_the_one_before() -> None:
    batch = CausalObjective(EOS).build(TWO, seed=0)

    assert batch.labels.tolist() == [
        [12, EOS, 21, EOS, NO_LABEL],
        [32, 33, EOS, NO_LABEL, NO_LABEL],
    ]
    # The mark is read by the document that it begins, and by that one alone.
    assert batch.document.tolist() == [[1, 1, 2, 2, 2], [1, 1, 1, 1, 0]]
    assert batch.positions.tolist() == [[0, 1, 0, 1, 2], [0, 1, 2, 3, 0]]
    assert batch.segment.tolist() == [[0, 0, 1, 1, 1], [2, 2, 2, 2, -1]]


def test_a_row_with_padding_begins_with_a_mark_and_a_full_one_does_not() -> None:
    known = replace(TWO, document_start=np.zeros(3, np.int32))

    batch = CausalObjective(EOS).build(known, seed=0)

    assert batch.input_ids.tolist() == [[11, 12, EOS, 21, EOS], [EOS, 31, 32, 33, EOS]]
    assert batch.labels.tolist() == [
        [12, EOS, 21, EOS, NO_LABEL],
        [31, 32, 33, EOS, NO_LABEL],
    ]
    assert CausalObjective(EOS).first_tokens(known).ids.tolist() == [11]


def test_no_mark_precedes_what_goes_on() -> None:
    """The second piece goes on a document of another row, whose next_token predicts its first token."""
    going_on = replace(TWO, document_start=np.array([0, 7, 3], np.int32))

    batch = CausalObjective(EOS).build(going_on, seed=0)

    assert batch.labels.tolist() == [
        [12, EOS, NO_LABEL, EOS, NO_LABEL],
        [32, 33, EOS, NO_LABEL, NO_LABEL],
    ]
    assert batch.document.tolist() == [[1, 1, 1, 2, 2], [1, 1, 1, 1, 0]]


def test_first_tokens_that_no_mark_precedes_are_put_behind_one() -> None:
    causal = CausalObjective(EOS)
    first = FirstTokens(ids=np.array([11, EOS, 31], np.int32), source=np.array([0, 1, 1], np.int32))

    batch = causal.build(causal.rows_behind_marks(first, like=TWO), seed=0)

    assert batch.input_ids[:, :4].tolist() == [[EOS, 11, EOS, EOS], [EOS, 31, EOS, EOS]]
    assert batch.labels.tolist() == [
        [11, NO_LABEL, EOS, NO_LABEL, NO_LABEL],
        [31, NO_LABEL, NO_LABEL, NO_LABEL, NO_LABEL],
    ]
    assert batch.document[0].tolist() == [2, 2, 4, 4, 0]
    predicted = batch.segment[batch.labels != NO_LABEL]
    assert batch.segment_source[predicted].tolist() == [0, 1, 1]


def test_special_tokens_are_never_masked_and_every_row_has_a_label() -> None:
    many = rows(*([[CLS, 10 + n, EOS]] for n in range(50)))

    batch = MaskedObjective(masking=masking(0.01), whole_words=False, pairs=None).build(
        many, seed=3
    )

    assert (batch.labels != NO_LABEL).sum(1).tolist() == [1] * 50
    assert batch.labels[:, 1].tolist() == [10 + n for n in range(50)]
    assert set(batch.input_ids[:, 1].tolist()) == {MASK}


def test_words_are_masked_whole() -> None:
    starts = [[True, False, False, True, True, False]]
    one = rows([[11, 12, 13, 14, 15, 16]], word_starts=starts)

    for seed in range(20):
        objective = MaskedObjective(masking=masking(0.5), whole_words=True, pairs=None)
        chosen = (objective.build(one, seed=seed).labels[0] != NO_LABEL).tolist()
        assert chosen[0] == chosen[1] == chosen[2]
        assert chosen[4] == chosen[5]
        assert sum(chosen) == 3


def test_some_chosen_tokens_are_random_and_some_stay() -> None:
    long = rows([list(range(10, 80))] * 4)
    batch = MaskedObjective(
        masking=masking(1.0, masked_fraction=0.0, random_fraction=0.5),
        whole_words=False,
        pairs=None,
    ).build(long, seed=1)

    changed = (batch.input_ids != batch.labels).float().mean()
    assert 0.35 < float(changed) < 0.65


def test_the_four_masks_of_unilm() -> None:
    long = rows(*([list(range(10, 20))] for _ in range(40)))
    objective = UnilmObjective(masking=masking(), whole_words=False, shares=(1.0, 1.0, 1.0, 1.0))

    batch = objective.build(long, seed=5)

    chosen = objective.chosen(5, long)
    assert set(chosen.tolist()) == {0, 1, 2, 3}
    assert batch.visible is not None
    assert batch.visible[chosen == 0].all()
    assert not batch.visible[chosen >= 2].any()
    assert batch.positions[chosen == 3][0].tolist() == list(range(9, -1, -1))


def test_a_packed_pair_keeps_its_halves() -> None:
    packed = rows([[CLS, 11, SEP, 21, SEP]], segment_b_start=[3], is_next=[True])

    paired = next_sentence(packed)

    assert paired.types.tolist() == [[0, 0, 0, 1, 1]]
    assert paired.labels.tolist() == [0]


def test_sentence_order_swaps_half_of_the_rows_at_a_sentence() -> None:
    many = rows(
        *([[11, 12, 21, 22, 23]] for _ in range(60)),
        room=3,  # for [CLS] and two [SEP]
        sentence_starts=[[True, False, True, False, False, False, False, False]] * 60,
    )

    paired = sentence_order(many, SPECIAL, seed=4)

    straight, swapped = [CLS, 11, 12, SEP, 21, 22, 23, SEP], [CLS, 21, 22, 23, SEP, 11, 12, SEP]
    for ids, label, types in zip(
        paired.tokens.ids.tolist(), paired.labels.tolist(), paired.types.tolist(), strict=True
    ):
        assert ids[:8] == (swapped if label else straight)
        assert types[:8] == ([0] * 5 + [1] * 3 if label else [0] * 4 + [1] * 4)
    assert 15 <= int(paired.labels.sum()) <= 45


def test_a_row_of_one_sentence_is_no_pair() -> None:
    one = rows([[11, 12]], room=3, sentence_starts=[[True] + [False] * 4])

    paired = sentence_order(one, SPECIAL, seed=0)

    assert paired.tokens.ids[0, :4].tolist() == [CLS, 11, 12, SEP]
    assert paired.labels.tolist() == [NO_LABEL]


@pytest.mark.parametrize("arrangement", ASSEMBLERS)
def test_text_to_text_in_every_arrangement(arrangement: str) -> None:
    pair = rows([[11, 12, EOS, 21, EOS]], target_start=[3])

    batch = TextToTextObjective(pad=PAD, arrangement=arrangement).build(pair, seed=0)

    wanted = {
        "encoder_decoder": ([11, 12, EOS], [21, EOS]),
        "prefix_lm": ([11, 12, EOS, 21], [NO_LABEL, NO_LABEL, 21, EOS]),
        "language_model": ([11, 12, EOS, 21], [12, EOS, 21, EOS]),
    }[arrangement]
    assert (batch.input_ids[0].tolist(), batch.labels[0].tolist()) == wanted
    if arrangement == "encoder_decoder":
        assert batch.decoder_ids is not None
        assert batch.decoder_ids.tolist() == [[PAD, 21]]


@pytest.mark.parametrize(
    ("at", "labels"),
    [("cls", [2, NO_LABEL, NO_LABEL, NO_LABEL]), ("tokens", [NO_LABEL, 5, 6, NO_LABEL])],
)
def test_classes_stand_at_cls_or_at_tokens(at: str, labels: list[int]) -> None:
    pair = rows(
        [[11, 12, EOS, 21, EOS]], target_start=[3], class_label=[2], token_labels=[[5, 6, 7, 8, 9]]
    )

    batch = ClassifyObjective(at=at, special=SPECIAL).build(pair, seed=0)

    assert batch.input_ids.tolist() == [[CLS, 11, 12, SEP]]
    assert batch.labels.tolist() == [labels]


def test_span_corruption_puts_every_token_on_one_side() -> None:
    objective = SpanCorruptionObjective(noise_density=0.3, mean_span_tokens=2.0, special=SPECIAL)
    row = list(range(10, 40))

    batch = objective.build(rows([row]), seed=7)

    both = [*batch.input_ids[0].tolist(), *batch.labels[0].tolist()]
    assert sorted(token for token in both if token in row) == row
    inputs = [token for token in batch.input_ids[0].tolist() if token >= 90]
    targets = [token for token in batch.labels[0].tolist() if token >= 90]
    assert inputs == targets == list(range(99, 99 - len(inputs), -1))


def test_shuffled_spans_stay_in_their_document_and_hidden_tokens_are_replaced() -> None:
    first, second = list(range(10, 30)), list(range(50, 70))
    one = rows([[*first, EOS], [*second, EOS]])
    inner = CausalObjective(EOS)

    def augmented(**config: float) -> Augmented:
        return Augmented(
            inner=inner, config=AugmentConfig.model_validate(config), hidden=MASK,
            kept_ids=(PAD, EOS),
        )  # fmt: skip

    shuffled = augmented(shuffled_span_tokens=3.0).build(one, seed=2).input_ids[0].tolist()
    assert shuffled[:20] != first
    assert sorted(shuffled[:20]) == first
    assert (shuffled[20], shuffled[41]) == (EOS, EOS)
    assert sorted(shuffled[21:41]) == second

    hidden = augmented(token_dropout=0.5).build(one, seed=2)
    share = float((hidden.input_ids == MASK).float().mean())
    assert 0.3 < share < 0.7
    assert hidden.labels.tolist() == inner.build(one, seed=2).labels.tolist()


def test_a_batch_depends_on_the_sample_and_not_on_its_neighbours() -> None:
    objective = MaskedObjective(masking=masking(), whole_words=False, pairs=None)
    both = rows([list(range(10, 30))], [list(range(40, 60))])
    second = replace(rows([list(range(40, 60))]), sample_index=np.array([1]))

    assert objective.build(second, seed=9).labels[0].tolist() == (
        objective.build(both, seed=9).labels[1].tolist()
    )


@pytest.mark.parametrize(
    ("fields", "arrangement", "read", "written"),
    [
        ({"name": "causal"}, "language_model", 64, None),
        ({"name": "span_corruption"}, "encoder_decoder", 58, 14),
        ({"name": "span_corruption"}, "language_model", 71, None),
        ({"name": "denoising", "grid": "lm"}, "encoder_decoder", 1, 65),
        ({"name": "denoising", "grid": "prefix_lm"}, "encoder_decoder", 64, 64),
        ({"name": "denoising", "grid": "prefix_lm"}, "prefix_lm", 64, None),
    ],
)
def test_lengths_are_known_beforehand(
    fields: dict[str, Any], arrangement: str, read: int, written: int | None
) -> None:
    found = objective_lengths(parse_objective(fields), seq_len=64, arrangement=arrangement)

    assert (found.read, found.written) == (read, written)


@pytest.mark.parametrize(
    ("grid", "spans"), [("mass", 1), ("lm", 0), ("span_3_15_u_u", None), ("iid_15_u_u", None)]
)
def test_sentinels_that_a_grid_cell_may_need(grid: str, spans: int | None) -> None:
    found = spans_needed(grid, 100)

    assert found == spans if spans is not None else found >= 0
