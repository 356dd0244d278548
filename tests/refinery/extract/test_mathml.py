"""MathML on one line, as a reader would write it."""

import pytest

from refinery.extract.mathml import MOST_DEPTH, linear_text


@pytest.mark.parametrize(
    ("inside", "line"),
    [
        ("<mi>k</mi><mo>=</mo><msup><mi>e</mi><mn>7</mn></msup>", "k=e^7"),
        ("<msup><mi>e</mi><mrow><mo>−</mo><mi>x</mi></mrow></msup>", "e^(−x)"),
        ("<mfrac><mrow><mi>a</mi><mo>+</mo><mi>b</mi></mrow><mi>c</mi></mfrac>", "(a+b)/c"),
        ("<mfrac><mn>1</mn><mn>12</mn></mfrac>", "1/12"),
        ("<msqrt><mi>x</mi><mo>+</mo><mn>1</mn></msqrt>", "√(x+1)"),
        ("<mroot><mi>x</mi><mn>3</mn></mroot>", "3√x"),
        ("<msubsup><mi>x</mi><mi>i</mi><mn>2</mn></msubsup>", "x_i^2"),
        ("<munderover><mo>∑</mo><mrow><mi>i</mi><mo>=</mo><mn>1</mn></mrow><mi>n</mi></munderover>",
         "∑_(i=1)^n"),
        ("<mi>f</mi><mo>&#x2061;</mo><mo>(</mo><mi>x</mi><mo>)</mo>".replace("&#x2061;", "\u2061"), "f(x)"),
        ("<mtable><mtr><mtd><mn>1</mn></mtd><mtd><mn>0</mn></mtd></mtr><mtr><mtd><mn>0</mn></mtd>"
         "<mtd><mn>1</mn></mtd></mtr></mtable>", "1, 0; 0, 1"),
        ("<semantics><mi>x</mi><annotation>y</annotation></semantics>", "x"),
        ("<mphantom><mi>x</mi></mphantom><mi>y</mi>", "y"),
        ("<mn>3</mn><mtext> if </mtext><mi>x</mi><mo>&lt;</mo><mn>2</mn>", "3 if x<2"),
        ("<msup><mi>x</mi></msup>", "x"),
        ("", ""),
    ],
)  # fmt: skip
def test_position_becomes_signs(inside: str, line: str) -> None:
    assert linear_text(f"<math>{inside}</math>") == line


def test_deep_formulas_give_their_characters() -> None:
    deep = "<mrow>" * (MOST_DEPTH + 5) + "<mi>x</mi>" + "</mrow>" * (MOST_DEPTH + 5)

    assert linear_text(f"<math>{deep}<mn>2</mn></math>") == "x2"


@pytest.mark.parametrize("markup", ["<math><mi>x", "<math></mi></mi>x", "<math><mi/></math>"])
def test_broken_markup_ends(markup: str) -> None:
    assert linear_text(markup) in ("x", "")
