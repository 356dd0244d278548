"""Sentence layouts against a plain re-telling of google-research/bert's invariants."""

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from refinery.packing.config import PackingConfig
from refinery.packing.sentences import PairWalk, sentence_rows
from refinery.packing.shard_builder import ShardBuilder
from refinery.packing.shard_rows import PackedShard, ShardForm
from refinery.packing.write_shards import check_special_tokens, write_shard
from schemas.errors import SettingsError
from schemas.manifest import SpecialIds
from schemas.rows import read_row_groups

CLS, SEP, PAD = 2, 3, 0
SEQ = 32


def corpus(count: int = 60) -> list[tuple[list[int], list[int]]]:
    """(tokens, starts of sentences) of documents; every token of the corpus is another one."""
    rng = np.random.default_rng(4)
    found, next_id = [], 10
    for _ in range(count):
        sizes = rng.integers(1, 14, int(rng.integers(1, 12)))
        starts = (np.cumsum(sizes) - sizes).tolist()
        total = int(sizes.sum())
        found.append((list(range(next_id, next_id + total)), starts))
        next_id += total
    return found


def build(layout: str, *, word_starts: bool = False) -> PackedShard:
    config = PackingConfig(seq_len=SEQ, layout=layout, word_starts=word_starts)  # type: ignore[arg-type]
    form = ShardForm(config=config, eos=None, pad=PAD, keep_tail=False, cls=CLS, sep=SEP, seed=3)
    builder = ShardBuilder(form)
    for number, (ids, starts) in enumerate(corpus()):
        builder.add(
            doc_id=f"d{number}",
            source="web",
            copy=0,
            input_ids=np.array(ids, np.int32),
            starts={
                "sentence_starts": np.array(starts, np.int32),
                "word_starts": np.arange(0, len(ids), 2, dtype=np.int32),
            },
        )
    return builder.finish()


def rows_of(shard: PackedShard) -> list[dict[str, object]]:
    return [row for batch in shard.row_groups() for row in batch.to_pylist()]


def halves(row: dict[str, object]) -> tuple[list[int], list[int]]:
    ids: list[int] = row["input_ids"]  # type: ignore[assignment]
    second = int(row["segment_b_start"])  # type: ignore[call-overload]
    end = max(place for place, token in enumerate(ids) if token == SEP)
    assert ids[0] == CLS
    assert ids[second - 1] == ids[end] == SEP
    assert set(ids[end + 1 :]) <= {PAD}
    return ids[1 : second - 1], ids[second:end]


def test_rows_are_pairs_and_next_halves_follow() -> None:
    rows = rows_of(build("next_sentence"))

    for row in rows:
        first, second = halves(row)
        assert first
        assert second
        segments = row["segments"]
        assert [s["length"] for s in segments] == [len(first), len(second)]  # type: ignore[attr-defined]
        if row["is_next"]:
            assert segments[0]["doc_id"] == segments[1]["doc_id"]  # type: ignore[index]
        else:
            assert segments[0]["doc_id"] != segments[1]["doc_id"]  # type: ignore[index]


def test_every_token_is_used_once_as_its_documents_own() -> None:
    shard = build("next_sentence")

    own: Counter[int] = Counter()
    for row in rows_of(shard):
        first, second = halves(row)
        own.update(first)
        own.update(second if row["is_next"] else [])
    total = sum(len(ids) for ids, _ in corpus())
    drawn, packed = shard.drawn_by_source()["web"], shard.tokens_by_source()["web"]
    assert max(own.values()) == 1
    assert packed == own.total() + drawn
    dropped = total + drawn - packed
    assert dropped == total - own.total() >= 0
    assert dropped < total * 0.1  # only what pairs are too long for


def test_about_half_of_cuttable_pairs_are_drawn() -> None:
    bounds = [list(range(0, 401, 4)) for _ in range(200)]
    walk = PairWalk(
        sentences=bounds,
        keys=[str(n) for n in range(200)],
        seq_len=64,
        short_fraction=0.0,
        seed=0,
    )

    shares = np.array([pair.is_next for pair in walk.pairs()])

    # Drawn halves put their sentences back, so more pairs are begun; each is drawn with 1/2.
    assert shares.mean() == pytest.approx(0.5, abs=0.03)


def test_a_document_s_pairs_depend_on_its_key_and_not_on_its_place() -> None:
    bounds = [[0, 5, 9, 14, 20], [0, 7, 12]]

    def own(keys: list[str], sentences: list[list[int]], document: int) -> list[tuple[int, int]]:
        walk = PairWalk(sentences=sentences, keys=keys, seq_len=16, short_fraction=0.1, seed=1)
        return [
            (pair.first.start, pair.first.end)
            for pair in walk.pairs()
            if pair.first.document == document
        ]

    assert own(["a", "b"], bounds, 0) == own(["b", "a"], bounds[::-1], 1)


def test_sentence_rows_end_with_sentences_and_leave_room_for_a_pair() -> None:
    rows = rows_of(build("sentences"))

    assert sum(s["length"] for r in rows for s in r["segments"]) == sum(  # type: ignore[attr-defined]
        len(ids) for ids, _ in corpus()
    )
    starts_by_token = {ids[place] for ids, starts in corpus() for place in starts}
    for row in rows:
        ids = [token for token in row["input_ids"] if token != PAD]  # type: ignore[attr-defined]
        assert len(ids) <= SEQ - 3
        assert len(row["segments"]) == 1  # type: ignore[arg-type]
        assert ids[0] in starts_by_token
        flags = row["sentence_starts"]
        assert [t for t, f in zip(ids, flags, strict=False) if f] == [  # type: ignore[call-overload]
            token for token in ids if token in starts_by_token
        ]


def test_a_sentence_longer_than_a_row_is_cut() -> None:
    found = sentence_rows(np.array([100]), [np.array([0, 95])], SEQ)

    assert found.length.tolist() == [29, 29, 29, 13]


def test_word_starts_lie_at_their_tokens_in_every_layout(tmp_path: Path) -> None:
    firsts = {token for ids, _ in corpus() for token in ids[::2]}
    for layout in ("concat", "bestfit", "next_sentence"):
        shard = build(layout, word_starts=True)
        written = write_shard(tmp_path / layout, layout, shard)
        for row in rows_of(shard):
            for token, flag in zip(row["input_ids"], row["word_starts"], strict=True):  # type: ignore[call-overload]
                assert flag == (token in firsts)
        batches = list(read_row_groups(tmp_path / layout))
        assert batches[0].schema.names[4:] == list(shard.form.config.columns)
        padding = sum(row["input_ids"].count(PAD) for row in rows_of(shard))  # type: ignore[attr-defined]
        assert written.padding == padding
        assert written.control == (3 * written.rows if layout == "next_sentence" else 0)
        assert pq.ParquetFile(tmp_path / layout).metadata.num_rows == written.rows


def test_pairs_without_cls_are_refused_with_the_command() -> None:
    config = PackingConfig(layout="next_sentence")

    with pytest.raises(SettingsError, match="no cls_token; `refinery vocabulary train"):
        check_special_tokens(config, SpecialIds(pad=0, eos=1))
