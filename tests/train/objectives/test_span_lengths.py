"""Lengths of span corruption: the published values of t5's random_spans_helper."""

import pytest

from train.objectives.span_lengths import lengths_for_inputs, lengths_from_raw


@pytest.mark.parametrize(
    ("inputs", "density", "mean", "raw", "targets", "spans"),
    [
        (512, 0.15, 3, 568, 114, 28),
        (512, 0.10, 3, 548, 74, 18),
        (512, 0.15, 10, 591, 99, 9),
        (512, 0.50, 2, 682, 512, 170),
        (1024, 0.25, 3, 1228, 410, 102),
        (2048, 0.15, 3, 2274, 456, 114),
        (256, 0.50, 5, 425, 255, 42),
    ],
)
def test_raw_length_and_targets_are_those_of_t5(
    inputs: int, density: float, mean: float, raw: int, targets: int, spans: int
) -> None:
    found = lengths_for_inputs(inputs, noise_density=density, mean_span_tokens=mean)

    assert (found.raw, found.targets, found.spans) == (raw, targets, spans)


@pytest.mark.parametrize(("mean", "expected"), [(2, (70, 22)), (1, (63, 27))])
def test_t5s_own_unit_test_values(mean: float, expected: tuple[int, int]) -> None:
    found = lengths_for_inputs(64, noise_density=0.2, mean_span_tokens=mean)

    assert (found.raw, found.targets) == expected


def test_a_raw_row_of_512_gives_462_and_104() -> None:
    found = lengths_from_raw(512, noise_density=0.15, mean_span_tokens=3)

    assert (found.inputs, found.targets, found.noise) == (462, 104, 77)
