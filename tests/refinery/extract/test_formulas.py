"""Each formula once, whatever drew it, and none that vanishes."""

import pytest

from refinery.extract.blocks import read_blocks
from refinery.extract.config import Formulas
from refinery.extract.formulas import (
    formula_of,
    formula_of_image,
    wrap_tex,
    write_scripts_as_formulas,
)

MATHML = (
    "<math><semantics><mrow><msup><mi>v</mi><mn>2</mn></msup></mrow>"
    '<annotation encoding="application/x-tex">v^2</annotation></semantics></math>'
)
KATEX = (
    f'<span class="katex"><span class="katex-mathml">{MATHML}</span><span class="katex-html" '
    'aria-hidden="true"><span class="mord">v<span class="msupsub">2</span></span></span></span>'
)
MATHJAX_2 = (
    '<span class="MathJax_Preview">[v2]</span><span class="MathJax" id="MathJax-1-Frame">'
    "<nobr><span>v</span><span>2</span></nobr><span class='MJX_Assistive_MathML'><math><mi>v</mi>"
    "</math></span></span><script type='math/tex' id='MathJax-1'>v^2</script>"
)
MATHJAX_3 = (
    '<mjx-container class="MathJax" jax="CHTML"><mjx-math aria-hidden="true"><mjx-mi>v</mjx-mi>'
    "</mjx-math><mjx-assistive-mml><math><msup><mi>v</mi><mn>2</mn></msup></math>"
    "</mjx-assistive-mml></mjx-container>"
)
WIKIPEDIA = (
    '<span class="mwe-math-element"><span class="mwe-math-mathml-inline" style="display: none;">'
    '<math alttext="{\\displaystyle v^2}"><msup><mi>v</mi><mn>2</mn></msup></math></span>'
    '<img class="mwe-math-fallback-image-inline" alt="{\\displaystyle v^2}" src="x.svg"></span>'
)
ZHIHU = '<span class="ztext-math" data-eeimg="1" data-tex="v^2"><span>v</span><span>2</span></span>'
CSDN = (
    '<span class="katex--inline"><span class="katex"><span class="katex-mathml">\n v 2 \n v^2 \n'
    '</span><span class="katex-html" aria-hidden="true">v2</span></span></span>'
)


def texts(body: str, formulas: Formulas = "tex") -> list[str]:
    return read_blocks(f"<body><p>so {body} is</p>", formulas=formulas).texts


@pytest.mark.parametrize(
    "drawing",
    [MATHML, KATEX, MATHJAX_2, WIKIPEDIA, ZHIHU, CSDN],
    ids=["mathml", "katex", "mathjax 2", "wikipedia", "zhihu", "csdn"],
)
def test_all_drawings_of_one_formula_are_its_tex_once(drawing: str) -> None:
    assert texts(drawing) == ["so $v^2$ is"]
    assert texts(drawing, "drop") == ["so is"]


def test_without_tex_the_mathml_is_written_on_a_line() -> None:
    assert texts(MATHJAX_3) == ["so v^2 is"]
    assert texts(KATEX, "drawn") == ["so v^2 is"]


def test_a_drawing_without_a_source_stays_as_it_is_drawn() -> None:
    assert texts('<span class="katex"><span class="katex-html">v</span></span>') == ["so v is"]


def test_a_displayed_formula_is_a_paragraph_of_its_own() -> None:
    page = (
        '<body><p>so</p><div class="MathJax_Display">v2</div>'
        '<script type="math/tex; mode=display">v^2</script><p>is</p>'
    )

    assert read_blocks(page).texts == ["so", "$v^2$", "is"]


def test_a_second_formula_behind_the_first_is_kept() -> None:
    assert texts(f"{KATEX} and {KATEX}") == ["so $v^2$ and $v^2$ is"]


@pytest.mark.parametrize(
    ("tag", "tex"),
    [
        ('<img class="latex" alt="E=mc^2">', "$E=mc^2$"),
        ('<img class="formulaInl" alt="$a_i$">', "$a_i$"),
        ('<img src="https://s0.wp.com/latex.php?latex=x%5E2&bg=fff" alt="x^2">', "$x^2$"),
        (
            '<img src="https://latex.codecogs.com/svg.latex?%5Cfrac%7Ba%7D%7Bb%7D">',
            "$\\frac{a}{b}$",
        ),
        ('<img src="https://www.zhihu.com/equation?tex=a%2Bb" alt="">', "$a+b$"),
        ('<img class="math" src="_images/math/1.png" alt="a = b">', "$a = b$"),
        ('<img src="p.png" alt="\\frac{a}{b}">', "$\\frac{a}{b}$"),
        ('<img class="math" src="book.png" alt="A shelf of books">', ""),
        ('<img src="a.png" alt="C:\\Users\\me\\photo.png">', ""),
        ('<img src="lake.png" alt="snow_and_ice">', ""),
        ('<img class="tex">', ""),
    ],
)
def test_an_image_of_a_formula_gives_its_tex(tag: str, tex: str) -> None:
    assert formula_of_image(tag) == tex


@pytest.mark.parametrize(
    ("markup", "tex"),
    [
        ('<math alttext="x^2 &lt; 3"><mi>x</mi>', "$x^2 < 3$"),
        ('<math><semantics><mi>x</mi><annotation encoding="application/x-tex">\\frac\n 1 2'
         "</annotation></semantics>", "$\\frac 1 2$"),
        ('<math><annotation encoding="text/plain">x</annotation>', ""),
        ("<math><mi>x</mi>", ""),
        (f'<math alttext="{"x" * 2001}">', ""),
    ],
)  # fmt: skip
def test_a_formula_gives_its_tex_where_the_page_has_it(markup: str, tex: str) -> None:
    assert formula_of(markup) == tex


@pytest.mark.parametrize("tex", ["$x$", "$$ x $$", "\\(x\\)", "\\[x\\]", "{\\displaystyle x}", "x"])
def test_marks_around_tex_are_taken_off(tex: str) -> None:
    assert wrap_tex(tex) == "$x$"


def test_scripts_of_other_types_are_left_alone() -> None:
    page = '<script type="text/javascript">var t = "math/tex"</script>'

    assert write_scripts_as_formulas(page) == (page, False)


def test_a_script_holds_signs_that_markup_would_read_otherwise() -> None:
    assert texts('<script type="math/tex">a < b & "c"</script>') == ['so $a < b & "c"$ is']
