"""Noise masks and noise functions against the values published in t5's preprocessors_test.py."""

import numpy as np
import pytest

from schemas.manifest import SpecialIds
from train.objectives.corruption import (
    drop_tokens,
    mask_tokens,
    merge_spans,
    noise_targets,
    number_spans,
    permute_tokens,
)
from train.objectives.noise import (
    fragment_noise,
    prefix_noise,
    single_noise,
    span_noise,
    span_starts,
    without_extra_spans,
)
from train.objectives.randomness import bits, sort_keys
from train.objectives.tokens import Tokens

SENTINELS = tuple(range(999, 899, -1))
SPECIAL = SpecialIds(pad=0, eos=1, sentinels=SENTINELS)
NOISE = np.array([[True, True, False, False, True, False]])
INDEX = np.arange(400)


def tokens_of(*rows: list[int]) -> Tokens:
    width = max(map(len, rows))
    ids = np.array([row + [0] * (width - len(row)) for row in rows])
    return Tokens(ids, (ids > 0).astype(np.int64), np.where(ids > 0, 0, -1))


TOKENS = tokens_of([10, 11, 12, 13, 14, 15])


def test_noise_functions_give_the_published_values() -> None:
    others = ~NOISE

    assert mask_tokens(TOKENS, NOISE, 999).ids.tolist() == [[999, 999, 12, 13, 999, 15]]
    assert merge_spans(TOKENS, NOISE, 999, pad=0).ids.tolist() == [[999, 12, 13, 999, 15]]
    assert merge_spans(TOKENS, others, 999, pad=0).ids.tolist() == [[10, 11, 999, 14, 999]]
    unique = number_spans(TOKENS, NOISE, np.array(SENTINELS), pad=0)
    assert unique.ids.tolist() == [[999, 12, 13, 998, 15]]
    assert drop_tokens(TOKENS, NOISE, pad=0).ids.tolist() == [[12, 13, 15]]
    assert drop_tokens(TOKENS, others, pad=0).ids.tolist() == [[10, 11, 14]]


def test_targets_by_letter() -> None:
    found = {
        letter: noise_targets(letter, TOKENS, NOISE, SPECIAL).ids[0].tolist() for letter in "fdsu"
    }

    assert found == {
        "f": [10, 11, 12, 13, 14, 15],
        "d": [10, 11, 14],
        "s": [10, 11, 999, 14, 999],
        "u": [10, 11, 999, 14, 998],
    }


def test_32_tokens_at_a_quarter_in_spans_of_two_are_four_spans_of_eight() -> None:
    real = np.ones((400, 32), np.bool_)

    noise = span_noise(0, INDEX, real, density=0.25, mean_span_tokens=2.0)

    assert set(noise.sum(1).tolist()) == {8}
    assert set(span_starts(noise).sum(1).tolist()) == {4}
    assert not noise[:, 0].any()
    assert noise[:, -1].all()


def test_every_split_into_spans_is_equally_likely() -> None:
    # Four tokens of noise in two spans: 1+3, 2+2, 3+1, for each split of the four kept ones.
    index = np.arange(9000)
    real = np.ones((9000, 8), np.bool_)

    noise = span_noise(7, index, real, density=0.5, mean_span_tokens=2.0)

    _, counts = np.unique(noise, axis=0, return_counts=True)
    assert len(counts) == 9
    assert counts.min() > 900  # 1,000 expected, deviation 30


def test_rows_of_different_length_are_corrupted_alone() -> None:
    lengths = np.array([40, 7, 1, 2, 0])
    real = np.arange(40) < lengths[:, None]

    together = span_noise(3, np.arange(5), real, density=0.3, mean_span_tokens=3.0)

    assert together.sum(1).tolist() == [12, 2, 0, 1, 0]
    for row, length in enumerate(lengths[:2].tolist()):
        alone = span_noise(
            3, np.array([row]), real[row : row + 1, :length], density=0.3, mean_span_tokens=3.0
        )
        assert alone[0].tolist() == together[row, :length].tolist()


def test_a_prefix_holds_the_first_token_and_never_the_last() -> None:
    noise = prefix_noise(0, INDEX, np.ones((400, 10), np.bool_))

    assert noise[:, 0].all()
    assert not noise[:, -1].any()
    assert (noise[:, 1:] <= noise[:, :-1]).all()
    assert set(noise.sum(1).tolist()) == set(range(1, 10))


def test_a_fragment_is_one_run_of_half_the_row() -> None:
    noise = fragment_noise(0, INDEX, np.ones((400, 10), np.bool_), density=0.5)

    assert set(noise.sum(1).tolist()) == {5}
    assert set(span_starts(noise).sum(1).tolist()) == {1}
    assert set(noise.argmax(1).tolist()) == set(range(6))


def test_single_tokens_have_their_density() -> None:
    noise = single_noise(0, INDEX, np.ones((400, 500), np.bool_), density=0.15)

    assert noise.mean() == pytest.approx(0.15, abs=0.003)


def test_spans_beyond_the_sentinels_are_left_alone() -> None:
    assert without_extra_spans(NOISE, 1).tolist() == [[True, True, False, False, False, False]]


def test_permuted_tokens_are_the_same_tokens_in_uniform_order() -> None:
    tokens = tokens_of(*[[10, 11, 12]] * 6000)

    made = permute_tokens(tokens, tokens.real, draws=(1, np.arange(6000)))

    orders, counts = np.unique(made.ids, axis=0, return_counts=True)
    assert len(orders) == 6
    assert counts.min() > 850


def test_a_row_s_numbers_depend_on_seed_stream_and_index_alone() -> None:
    whole = bits(5, np.arange(100), 20, stream="a")

    assert (bits(5, np.array([42]), 20, stream="a")[0] == whole[42]).all()
    assert not (bits(6, np.arange(100), 20, stream="a") == whole).any()
    assert not (bits(5, np.arange(100), 20, stream="b") == whole).any()


def test_keys_of_a_row_differ_and_their_bits_are_fair() -> None:
    keys = sort_keys(0, np.arange(500), 400, stream="x")

    assert all(len(set(row)) == 400 for row in keys.tolist())
    ones = np.unpackbits(bits(0, np.arange(500), 400, stream="x").view(np.uint8)).mean()
    assert ones == pytest.approx(0.5, abs=0.001)
