"""The scaling law: its optimum against published figures and against a brute search."""

import numpy as np
import pytest

from train.scaling.law import BESIROGLU, HOFFMANN, ScalingLaw


@pytest.mark.parametrize(
    ("flops", "parameters", "tokens"), [(1e15, 2.3e6, 71e6), (1e16, 7.6e6, 219e6)]
)
def test_the_optimum_of_the_published_constants(
    flops: float, parameters: float, tokens: float
) -> None:
    best = BESIROGLU.best(flops)

    assert best.parameters == pytest.approx(parameters, rel=0.03)
    assert best.tokens == pytest.approx(tokens, rel=0.03)


def test_the_refitted_constants_give_chinchillas_ratio_and_the_first_ones_do_not() -> None:
    """Besiroglu et al. 2024, section 4: about 20 tokens per parameter at Chinchilla's budget of 5.76e23."""
    refitted, first = BESIROGLU.best(5.76e23), HOFFMANN.best(5.76e23)

    assert 17 < refitted.tokens / refitted.parameters < 22
    assert first.tokens / first.parameters > 60


def test_no_other_size_of_the_same_budget_has_less_loss() -> None:
    law = ScalingLaw(
        floor=1.5, size_factor=90, size_exponent=0.3, tokens_factor=300, tokens_exponent=0.4
    )
    sizes = np.geomspace(1e4, 1e10, 4001)

    tried = sizes[law.loss(sizes, 1e17 / 6 / sizes).argmin()]

    assert law.best(1e17).parameters == pytest.approx(float(tried), rel=0.01)


def test_a_law_that_tokens_do_not_change_has_no_optimum() -> None:
    law = ScalingLaw(
        floor=1.5, size_factor=90, size_exponent=0.3, tokens_factor=0, tokens_exponent=0.4
    )

    with pytest.raises(ValueError, match="no optimum"):
        law.best(1e15)
