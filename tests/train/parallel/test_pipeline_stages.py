"""Where a pipeline cuts the layers."""

from __future__ import annotations

from train.parallel.pipeline_stages import cut_layers


def test_layers_that_do_not_divide_leave_the_first_stages_one_more() -> None:
    assert [len(cut.layers) for cut in cut_layers(17, 4)] == [5, 4, 4, 4]
