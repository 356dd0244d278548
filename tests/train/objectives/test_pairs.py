"""BERT's pairs, whole words and UniLM's masks over rows as packing makes them."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from refinery.packing.config import PackingConfig
from refinery.packing.shard_builder import ShardBuilder
from refinery.packing.shard_rows import ShardForm
from schemas.errors import SettingsError
from schemas.manifest import SpecialIds
from train.batch.batch import NO_LABEL, Objective
from train.data.packed import PackedRows
from train.model.config import ModelConfig
from train.model.transformer import build_model
from train.objectives.build import build_checked
from train.objectives.config import parse_objective
from train.objectives.requirements import ObjectiveContext

PAD, EOS, MASK, CLS, SEP = 0, 1, 2, 3, 4
SPECIAL = SpecialIds(pad=PAD, eos=EOS, mask=MASK, cls=CLS, sep=SEP)
SEQ, VOCAB = 64, 8_000


def packed(layout: str) -> PackedRows:
    """Rows of a shard in which every token of the corpus is another one, words of 1 to 3 tokens."""
    config = PackingConfig(seq_len=SEQ, layout=layout, word_starts=True)  # type: ignore[arg-type]
    form = ShardForm(config=config, eos=None, pad=PAD, keep_tail=True, cls=CLS, sep=SEP, seed=1)
    builder, rng, next_id = ShardBuilder(form), np.random.default_rng(0), 10
    for number in range(80):
        words = np.cumsum(rng.integers(1, 4, int(rng.integers(3, 80))))
        starts, total = np.concatenate(([0], words[:-1])), int(words[-1])
        builder.add(
            doc_id=f"d{number}",
            source="web",
            copy=0,
            input_ids=np.arange(next_id, next_id + total, dtype=np.int32),
            starts={
                "word_starts": starts.astype(np.int32),
                "sentence_starts": starts[::5].astype(np.int32),
            },
        )
        next_id += total
    rows = [row for batch in builder.finish().row_groups() for row in batch.to_pylist()]
    segments = [(n, s) for n, row in enumerate(rows) for s in row["segments"]]
    return PackedRows(
        input_ids=np.array([row["input_ids"] for row in rows], np.int32),
        next_token=np.array([row["next_token"] for row in rows], np.int32),
        sample_index=np.arange(len(rows)),
        segment_row=np.array([n for n, _ in segments], np.int32),
        segment_start=np.array([s["row_start"] for _, s in segments], np.int32),
        segment_length=np.array([s["length"] for _, s in segments], np.int32),
        segment_source=np.zeros(len(segments), np.int32),
        sources=("web",),
        extra={name: np.array([row[name] for row in rows]) for name in config.columns},
    )


def objective(layout: str = "concat", columns: tuple[str, ...] = (), **fields: Any) -> Objective:
    context = ObjectiveContext(
        special=SPECIAL,
        family="bert",
        vocab_size=VOCAB,
        seq_len=SEQ,
        layout=layout,
        columns=columns,
    )
    return build_checked(parse_objective(fields), context)


def test_next_sentence_rows_keep_their_halves_and_labels() -> None:
    rows = packed("next_sentence")
    made = objective(
        "next_sentence",
        ("segment_b_start", "is_next"),
        name="masked",
        pairs="next_sentence",
    )

    batch = made.build(rows, seed=3)

    assert batch.pair_labels is not None
    assert batch.token_types is not None
    assert batch.pair_labels.tolist() == (1 - rows.extra["is_next"]).tolist()
    for row in range(len(rows.input_ids)):
        ids = rows.input_ids[row]
        end = int(np.flatnonzero(ids == SEP)[-1])
        second = int(rows.extra["segment_b_start"][row])
        assert batch.document[row].tolist() == [1] * (end + 1) + [0] * (SEQ - end - 1)
        assert np.flatnonzero(batch.token_types[row]).tolist() == list(range(second, end + 1))
        chosen = np.flatnonzero(batch.labels[row] != NO_LABEL)
        # As in BERT's code, the count is of all tokens of the row, special tokens included.
        assert len(chosen) == max(1, round((end + 1) * 0.15))
        assert not np.isin(ids[chosen], [CLS, SEP, PAD]).any()
        assert batch.labels[row][chosen].tolist() == ids[chosen].tolist()


def test_sentence_order_swaps_half_of_the_rows_and_loses_nothing() -> None:
    rows = packed("sentences")
    made = objective("sentences", ("sentence_starts",), name="masked", pairs="sentence_order")

    batch = made.build(rows, seed=3)

    assert batch.pair_labels is not None
    assert batch.token_types is not None
    originals = torch.where(batch.labels != NO_LABEL, batch.labels, batch.input_ids).tolist()
    swapped = 0
    for ids, label, types, row in zip(
        originals, batch.pair_labels.tolist(), batch.token_types.tolist(), rows.input_ids.tolist(),
        strict=True,
    ):  # fmt: skip
        whole = [token for token in row if token != PAD]
        first = ids[1 : ids.index(SEP)]
        rest = ids[ids.index(SEP) + 1 :]
        second = rest[: rest.index(SEP)] if SEP in rest else []
        assert ids[0] == CLS
        assert sum(types) == (len(second) + 1 if second else 0)
        swapped += label == 1
        expected = {1: second + first, 0: first + second, NO_LABEL: first}[label]
        assert expected == whole
    assert swapped == pytest.approx((batch.pair_labels >= 0).sum() / 2, rel=0.25)


@pytest.mark.parametrize("layout", ["concat", "next_sentence", "sentences"])
def test_whole_words_are_chosen_whole(layout: str) -> None:
    rows = packed(layout)
    fields: dict[str, Any] = {"name": "masked", "whole_words": True}
    if layout == "next_sentence":
        fields["pairs"] = "next_sentence"
    made = objective(layout, ("word_starts", "segment_b_start", "sentence_starts"), **fields)

    batch = made.build(rows, seed=5)

    chosen = (batch.labels != NO_LABEL).numpy()
    starts = rows.extra["word_starts"]
    inside = np.zeros_like(starts)
    inside[:, 1:] = ~starts[:, 1:] & (rows.input_ids[:, 1:] > SEP) & (rows.input_ids[:, :-1] > SEP)
    # A token inside of a word is chosen exactly where the one before it is.
    same = chosen[:, 1:] == chosen[:, :-1]
    assert same[inside[:, 1:]].all()
    wanted = np.maximum(1, np.rint((batch.document > 0).sum(1).numpy() * 0.15))
    assert (chosen.sum(1) <= np.maximum(wanted, 3)).all()
    assert (wanted - chosen.sum(1)).mean() < 0.5


def test_greedy_choice_of_words_is_bert_s() -> None:
    rows = packed("concat")
    made = objective(columns=("word_starts",), name="masked", whole_words=True, rate=0.3)
    chosen = (made.build(rows, seed=5).labels != NO_LABEL).numpy()
    from train.objectives.randomness import sort_keys

    keys = sort_keys(5, rows.sample_index, SEQ, stream="masked")
    for row in range(len(chosen)):
        starts = np.flatnonzero(rows.extra["word_starts"][row])
        real = int((rows.input_ids[row] != PAD).sum())
        starts = np.union1d([0], starts[starts < real])  # a row may begin inside of a word
        words = np.split(np.arange(real), starts[1:])
        taken: list[int] = []
        for word in sorted(words, key=lambda word: keys[row, word[0]]):
            if len(taken) + len(word) <= max(1, round(real * 0.3)):
                taken += word.tolist()
        assert sorted(taken) == np.flatnonzero(chosen[row]).tolist()


def test_unilm_masks_differ_by_row_and_targets_stay_hidden() -> None:
    rows = packed("concat")
    batch = objective(name="unilm").build(rows, seed=1)
    model = build_model(
        ModelConfig(family="bert", vocab_size=VOCAB, width=16, max_positions=SEQ, num_layers=1),
        seed=0,
    )
    assert batch.visible is not None
    counts = batch.visible.sum(1)

    hidden = model.encode(batch)
    changed = batch.input_ids.clone()
    changed[:, -1] = torch.where(changed[:, -1] == 11, 12, 11)
    other = model.encode(replace(batch, input_ids=changed))

    unmoved = torch.isclose(hidden[:, 0], other[:, 0], atol=1e-6).all(1)
    full = batch.document[:, 0] == batch.document[:, -1]
    assert (unmoved | ~full)[counts < SEQ].all()
    assert (~unmoved)[(counts == SEQ) & full].all()
    turned = batch.positions[:, 0] > batch.positions[:, -1]
    assert 0 < int(turned.sum()) < len(turned)


def test_both_losses_are_summed_and_kept_apart() -> None:
    rows = packed("next_sentence")
    columns = ("segment_b_start", "is_next")
    made = objective("next_sentence", columns, name="masked", pairs="next_sentence")
    batch = made.build(rows, seed=0)
    model = build_model(
        ModelConfig(family="bert", vocab_size=VOCAB, width=16, max_positions=SEQ), seed=0
    )

    sums = model(batch)

    assert sums.pairs is not None
    assert int(sums.pairs) == len(rows.input_ids)
    assert batch.pair_weight == 10  # round(64 * 0.15) labels in a full row
    expected = float(sums.loss_by_source.sum()) + 10 * float(sums.pair_loss)
    assert float(sums.loss.detach()) == pytest.approx(expected, rel=1e-5)
    assert float(sums.pair_loss) / len(rows.input_ids) == pytest.approx(np.log(2), abs=0.1)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "masked", "pairs": "next_sentence"}, "layout: next_sentence"),
        ({"name": "masked", "pairs": "sentence_order"}, "layout: sentences"),
        ({"name": "masked", "whole_words": True}, "word_starts: true"),
    ],
)
def test_what_rows_lack_is_refused_with_the_setting_that_packs_it(
    fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(SettingsError, match=f"has no optional column; pack with .*{message}"):
        objective(**fields)


def test_rows_of_pairs_need_the_objective_of_pairs() -> None:
    with pytest.raises(SettingsError, match="cannot use rows of sentence pairs"):
        objective("next_sentence", ("segment_b_start", "is_next"), name="masked")
