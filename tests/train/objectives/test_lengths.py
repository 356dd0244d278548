"""Lengths that are known before a row is read, against published numbers and against counting."""

from __future__ import annotations

import numpy as np
import pytest

from train.objectives.config import parse_objective
from train.objectives.lengths import ObjectiveLengths, objective_lengths, spans_needed


@pytest.mark.parametrize(
    ("fields", "arrangement", "lengths"),
    [
        # Raffel et al. 2020 and t5: 568 tokens give 512 inputs and 114 targets.
        ({"name": "span_corruption"}, "encoder_decoder", (512, 114)),
        ({"name": "span_corruption"}, "prefix_lm", (625, None)),
        ({"name": "denoising", "grid": "span_3_15_u_u"}, "encoder_decoder", (512, 114)),
        ({"name": "denoising", "grid": "iid_15_m_f"}, "encoder_decoder", (569, 569)),
        ({"name": "denoising", "grid": "prefix_lm"}, "encoder_decoder", (568, 568)),
        ({"name": "denoising", "grid": "prefix_lm"}, "prefix_lm", (568, None)),
        ({"name": "denoising", "grid": "lm"}, "encoder_decoder", (1, 569)),
        ({"name": "ul2"}, "encoder_decoder", (570, 569)),
        ({"name": "causal"}, "language_model", (568, None)),
        ({"name": "masked"}, "family", (568, None)),
    ],
)
def test_rows_of_568_tokens_give_these_lengths(
    fields: dict[str, str], arrangement: str, lengths: tuple[int, int | None]
) -> None:
    found = objective_lengths(parse_objective(fields), seq_len=568, arrangement=arrangement)

    assert found == ObjectiveLengths(read=lengths[0], written=lengths[1])


@pytest.mark.parametrize(
    ("grid", "sentinels"),
    [
        ("span_3_15_u_u", 26),  # 77 tokens of noise in 512
        ("span_10_50_u_u", 26),
        ("iid_15_m_f", 1),
        ("iid_15_d_d", 0),
        ("mass", 1),
        ("prefix_lm", 0),
    ],
)
def test_sentinels_of_rows_of_512_tokens(grid: str, sentinels: int) -> None:
    assert spans_needed(grid, 512) == sentinels


@pytest.mark.parametrize("percent", [15, 50])
def test_runs_of_single_tokens_seldom_need_more_sentinels(percent: int) -> None:
    noise = np.random.default_rng(0).random((20_000, 512)) < percent / 100
    runs = noise[:, :1].sum(1) + (noise[:, 1:] & ~noise[:, :-1]).sum(1)

    limit = spans_needed(f"iid_{percent}_u_u", 512)

    assert (runs > limit).mean() < 2e-4  # beyond four deviations
    assert runs.max() > limit - 12  # and no more than that
