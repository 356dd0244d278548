"""Short numbers."""

from __future__ import annotations

import pytest

from pages.numbers import short


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"), (1234, "1,234"), (9999, "9,999"), (12_345, "12.3 k"), (3_400_000, "3.4 M"),
        (2_000_000_000, "2 G"), (1.5e12, "1.5 T"), (0.12345, "0.123"), (-20_000, "-20 k"),
    ],
)  # fmt: skip
def test_numbers_are_short(value: float, text: str) -> None:
    assert short(value) == text
