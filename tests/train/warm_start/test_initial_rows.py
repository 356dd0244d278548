"""How rows of new tokens begin."""

from __future__ import annotations

import pytest
import torch

from schemas.vocabulary import BaseTokenizer, ExtendedVocabulary, NewToken
from train.warm_start.growth import grow_vocabulary

OLD = torch.arange(24, dtype=torch.float32).reshape(6, 4)


def _extension(*pieces: tuple[int, ...], base_size: int = 6) -> ExtendedVocabulary:
    tokens = tuple(
        NewToken(id=base_size + n, text=f"t{n}", piece=f"t{n}", origin="new", base_ids=ids, frequency=1)
        for n, ids in enumerate(pieces)
    )  # fmt: skip
    return ExtendedVocabulary(
        kind="wordpiece",
        base=BaseTokenizer(name="base", size=base_size, fingerprint="0"),
        size=base_size + len(tokens),
        tokens=tokens,
        unk_id=0,
        never_mean=(1,),
    )


def _grown(
    extension: ExtendedVocabulary, rule: str, rows: int, old: torch.Tensor = OLD
) -> torch.Tensor:
    growth = grow_vocabulary(
        {"embedding.weight": old, "other": torch.ones(2)},
        extension,
        rows=rows,
        rule=rule,  # type: ignore[arg-type]
        seed=3,
    )
    return growth.state["embedding.weight"]


def test_a_row_starts_as_the_mean_of_its_pieces_without_unknown_and_sentinels() -> None:
    grown = _grown(_extension((2, 4), (0, 3), (1, 5, 5)), "subword_mean", 9)

    assert torch.equal(grown[:6], OLD)
    assert torch.equal(grown[6], (OLD[2] + OLD[4]) / 2)
    assert torch.equal(grown[7], OLD[3])
    assert torch.equal(grown[8], OLD[5])


def test_tokens_without_pieces_start_apart_with_the_moments_of_trained_rows() -> None:
    generator = torch.Generator().manual_seed(0)
    old = torch.randn(400, 3, generator=generator) * torch.tensor([1.0, 2.0, 3.0]) + 5
    old[0], old[1] = 1e6, -1e6  # [UNK] and a sentinel must not enter mean or variance
    extension = _extension(*[(0,)] * 4000, base_size=400)

    new = _grown(extension, "subword_mean", 4400, old)[400:]

    assert len(torch.unique(new, dim=0)) == 4000
    assert new.mean(0).tolist() == pytest.approx(old[2:].mean(0).tolist(), abs=0.15)
    assert new.std(0).tolist() == pytest.approx(old[2:].std(0).tolist(), rel=0.05)


def test_the_mean_of_trained_rows_leaves_out_unknown_and_sentinels() -> None:
    grown = _grown(_extension((2,), (3,)), "mean", 8)

    assert torch.equal(grown[6], OLD[2:].mean(0))
    assert torch.equal(grown[7], grown[6])


def test_spare_rows_of_the_base_become_new_rows_and_later_ones_stay() -> None:
    grown = _grown(_extension((2,), base_size=4), "subword_mean", 6)

    assert torch.equal(grown[4], OLD[2])
    assert torch.equal(grown[5], OLD[5])


def test_a_vector_grows_as_a_matrix_does() -> None:
    growth = grow_vocabulary(
        {"head_bias": torch.arange(6.0)}, _extension((2, 5)), rows=7, rule="subword_mean", seed=0
    )

    assert growth.state["head_bias"].tolist() == [0, 1, 2, 3, 4, 5, 3.5]
