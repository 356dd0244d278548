"""What the attributes of tags call for, against a plain reading."""

import random
import re

import numpy as np
import pytest

from refinery.extract.scan.attributes import (
    HAS_STYLE,
    IS_ARIA_HIDDEN,
    MAY_BE_FORMULA,
    note_attributes,
)


def bits_of(*tags: bytes) -> list[int]:
    firsts = np.cumsum([0, *map(len, tags)])[:-1]
    lasts = firsts + [len(tag) - 1 for tag in tags]
    is_opening = np.array([not tag.startswith(b"</") for tag in tags])
    bits = np.empty(len(tags), np.int64)
    note_attributes(np.frombuffer(b"".join(tags), np.uint8), firsts, lasts, is_opening, bits)
    found: list[int] = bits.tolist()
    return found


@pytest.mark.parametrize(
    ("tag", "bits"),
    [
        (b"<p>", 0),
        (b"<a >", 0),
        (b'<p class="style hidden">', 0),
        (b'<p id="a" style="display:none">', HAS_STYLE),
        (b'<p hidden="">', HAS_STYLE),
        (b'<i aria-hidden="true">', IS_ARIA_HIDDEN),
        (b'<i aria-hidden="TRUE">', IS_ARIA_HIDDEN),
        (b'<i aria-hidden="false">', 0),
        (b'<i aria-hidden="true" style="x">', IS_ARIA_HIDDEN | HAS_STYLE),
        (b"<math>", MAY_BE_FORMULA),
        (b"<mjx-container>", MAY_BE_FORMULA),
        (b'<span class="a katex-display">', MAY_BE_FORMULA),
        (b'<span class="MathJax_SVG">', MAY_BE_FORMULA),
        (b'<span class="mwe-math-element">', MAY_BE_FORMULA),
        (b'<span data-tex="x">', MAY_BE_FORMULA),
        (b'<span data-latex="x">', MAY_BE_FORMULA),
        (b'<span data-x="katex">', 0),
        (b'<span title=" hidden=">', 0),
        (b"</math>", 0),
    ],
)
def test_each_attribute_calls_for_its_look(tag: bytes, bits: int) -> None:
    assert bits_of(b"<b>", tag, b"</b>") == [0, bits, 0]


def test_any_markup_is_read_within_its_bounds() -> None:
    generator = random.Random(5)
    for _ in range(60):
        inside = bytes(
            generator.choices(b'<ab= "styleclassmathjxk-hidden', k=generator.randrange(40))
        )
        tag = b"<p" + inside + b">"

        (bits,) = bits_of(tag)

        assert not bits & HAS_STYLE or re.search(rb"style|hidden", inside)
        assert not bits & IS_ARIA_HIDDEN
