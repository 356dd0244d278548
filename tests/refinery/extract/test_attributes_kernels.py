"""What the attributes of tags call for, against a plain reading."""

import random
import re

import numpy as np
import pytest

from refinery.extract.scan.attributes import (
    IS_ARIA_HIDDEN,
    IS_HIDDEN,
    KEEPS_LINES,
    MAY_BE_FORMULA,
    MAY_SPEAK,
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
        (b'<p id="a" style="display:none">', IS_HIDDEN),
        (b'<p style="color:red;DISPLAY :\n none!important">', IS_HIDDEN),
        (b'<p style="display:block;visibility:hidden">', IS_HIDDEN),
        (b'<p style="display:block;overflow:hidden">', 0),
        (b'<p style="display:">', 0),
        (b'<p title="display:none">', 0),
        (b'<p style="white-space: pre-line">', KEEPS_LINES),
        (b'<p style="white-space:break-spaces;display:none">', KEEPS_LINES | IS_HIDDEN),
        (b'<p style="white-space:nowrap">', 0),
        (b'<p hidden="">', IS_HIDDEN),
        (b'<p hidden="until-found">', 0),
        (b'<i aria-hidden="true">', IS_ARIA_HIDDEN),
        (b'<i aria-hidden="TRUE">', IS_ARIA_HIDDEN),
        (b'<i aria-hidden="false">', 0),
        (b'<i aria-hidden="true" style="display:none">', IS_ARIA_HIDDEN | IS_HIDDEN),
        (b'<img alt="A house" src="house.jpg">', 0),
        (b'<img alt="" src="a.jpg">', 0),
        (b'<img alt="T" src="t.png">', MAY_SPEAK),
        ('<img alt="é">'.encode(), MAY_SPEAK),
        ('<img alt="房子">'.encode(), 0),
        ('<img alt="房">'.encode(), MAY_SPEAK),
        (b'<img alt=":smile:">', MAY_SPEAK),
        (b'<img title="[ok]">', MAY_SPEAK),
        ('<img alt="😀">'.encode(), MAY_SPEAK),
        (b'<img alt="laughs" class="Emoji">', MAY_SPEAK),
        (b'<img alt="laughs" src="/face/1.gif">', MAY_SPEAK),
        (b'<img alt="we" src="facebook.png">', 0),
        (b'<img alt="a sum" src="/math/render/1">', MAY_SPEAK),
        (b'<img alt="a sum" src="form.png">', 0),
        (b'<img alt="a sum" class="formulaInl">', MAY_SPEAK),
        (b'<img alt="x_{1}">', MAY_SPEAK),
        (b'<img alt="a\\b">', MAY_SPEAK),
        (b'<image alt=":smile:">', 0),
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

        assert not bits & IS_HIDDEN or re.search(rb"hidden", inside)
        assert not bits & IS_ARIA_HIDDEN
