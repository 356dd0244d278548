"""Numbers as people read them."""

from __future__ import annotations


def short(value: float) -> str:
    """A short number: 1,234 or 3.4 M."""
    for size, unit in ((1e12, " T"), (1e9, " G"), (1e6, " M"), (1e4, " k")):
        if abs(value) >= size:
            return f"{value / (1e3 if unit == ' k' else size):,.1f}".removesuffix(".0") + unit
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.3g}"
