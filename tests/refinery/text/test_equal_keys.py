from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refinery.text.equal_keys import first_equals, repeated

# Keys that agree in their high bits, in their low bits, or not at all.
KEYS = st.one_of(
    st.integers(0, 5), st.integers(0, 5).map(lambda key: key << 59), st.integers(0, 2**64 - 1)
)


@settings(max_examples=300, deadline=None)
@given(st.lists(KEYS, max_size=60))
def test_each_key_finds_its_first_equal(keys: list[int]) -> None:
    array = np.array(keys, np.uint64)

    assert first_equals(array).tolist() == [keys.index(key) for key in keys]
    assert repeated(array).tolist() == [keys.count(key) > 1 for key in keys]


@pytest.mark.parametrize("shift", [0, 20, 44])
def test_keys_that_share_a_slot_are_told_apart(shift: int) -> None:
    # 20,000 distinct keys twice, which differ in a band of bits alone.
    keys = np.tile(np.arange(20_000, dtype=np.uint64) << np.uint64(shift), 2)

    assert (first_equals(keys) == np.tile(np.arange(20_000), 2)).all()
