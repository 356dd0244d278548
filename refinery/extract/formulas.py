"""Each formula of a page once, whatever drew it: MathML, KaTeX, MathJax, Wikipedia, images, scripts.

A page often holds one formula several times side by side: as MathML for screen readers, as spans
that draw it, as TeX in a script, as an image. What stands for all of them is its TeX where the page
gives it anywhere, else what the MathML says, else what is drawn.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import unquote_plus

from refinery.extract.config import Formulas
from refinery.extract.inline import plain_text, value_of
from refinery.extract.mathml import linear_text
from refinery.extract.scan.attributes import MAY_BE_FORMULA
from refinery.extract.scan.read import PageScan
from refinery.extract.tags import Tags

MOST_FORMULA_CHARS = 2_000
# A page with more of them is read without its other drawings being told apart.
MOST_FORMULAS = 20_000

# MathJax 2 leaves the source of each formula in a script behind the drawing.
_SCRIPT = re.compile(
    r"<script\b[^>]{0,200}?\btype\s*=\s*[\"']?math/(tex|mml|asciimath)\b[^>]{0,200}>(.*?)</script\s*>",
    re.DOTALL | re.I,
)
# Elements that hold one formula with all its drawings.
_GROUP = re.compile(
    r"<(?:mjx-container\b|\w[\w-]*\b[^>]*? class=\"(?:[^\"]* )?(?:"
    r"katex|MathJax|MathJax_Display|MathJax_SVG|MathJax_SVG_Display|MathJax_CHTML|MathJax_Preview|"
    r"mathjax|mwe-math-element|ztext-math)(?=[ \"])|\w[\w-]*\b[^>]*? data-(?:tex|latex)=\"|math\b)"
)
_MATHJAX_2 = re.compile(
    r"class=\"(?:[^\"]* )?MathJax(?:_Display|_SVG|_SVG_Display|_CHTML|_Preview)?[ \"]"
)
_MATH = re.compile(r"<math\b.*?(?:</math>|$)", re.DOTALL)
_IMAGE = re.compile(r"<img\b[^>]*>")
_DATA_TEX = re.compile(r" data-(?:tex|latex)=\"([^\"]+)\"")
_ALT_TEXT = re.compile(r'<math\b[^>]* alttext="([^"]+)"')
_ANNOTATION = re.compile(
    r'<annotation [^>]*\bencoding="(?:application/x-tex|LaTeX|TeX)"[^>]*>(.*?)</annotation>',
    re.DOTALL | re.I,
)
_BARE_KATEX = re.compile(r"class=\"katex-mathml\">([^<]+)<")
_MARKUP = re.compile(r"<[^>]*>")
_STYLED = re.compile(r"\{\\(?:displaystyle|textstyle) (.*)\}", re.DOTALL)
# Signs that a text carries around its TeX.
_DELIMITED = re.compile(r"\$\$(.+)\$\$|\$(.+)\$|\\\((.+)\\\)|\\\[(.+)\\\]", re.DOTALL)

_IMAGE_CLASSES = frozenset(
    ("latex", "tex", "mathtex", "formulaInl", "formulaDsp", "mwe-math-fallback-image-inline",
     "mwe-math-fallback-image-display", "mwe-math-fallback-image", "texrender", "latex-formula")
)  # fmt: skip
_UNSURE_CLASSES = frozenset(("math", "equation", "formula", "eq"))
_IMAGE_ADDRESS = re.compile(
    r"latex\.php\?|latex\.codecogs\.com|equation\?tex=|/math/render/|mathtex\.cgi|mimetex|math\?formula=|[?&]cht=tx"
)
_TEX_IN_ADDRESS = re.compile(r"[?&](?:tex|latex|chl|eq|formula)=([^&#]+)")
_CODECOGS = re.compile(r"codecogs\.com/[\w.]+(?:\?|/)([^&#]+)")
_LOOKS_LIKE_TEX = re.compile(
    r"\\[a-zA-Z]+\s*[{_^(\\]|[_^]\{|[\w)}]\^[\w{]|\\(?:[a-zA-Z]+)(?:\s|$)|="
)
_IS_SURELY_TEX = re.compile(
    r"\\(?:frac|d?t?frac|sqrt|sum|int|prod|mathbf|mathrm|left|begin)\b|[_^]\{"
)


# An image of a formula has one of these somewhere in its tag.
_IMAGE_SIGN = re.compile(r'tex|math|equation|formula|cht=tx|\\|[_^]\{|"eq')


def holds_formulas(scan: PageScan) -> bool:
    """Whether a script of the page is the source of a formula, not a program."""
    page = scan.page
    return any(page.find(b"math/", first, page.find(b">", first)) >= 0 for first, _ in scan.scripts)


def write_scripts_as_formulas(html: str) -> tuple[str, bool]:
    """Turn MathJax's scripts into elements that the parser keeps; whether the page held any."""
    if "math/" not in html:
        return html, False
    written, num = _SCRIPT.subn(_formula_of_script, html)
    return (written, True) if num else (html, False)


def _formula_of_script(script: re.Match[str]) -> str:
    kind, source = script[1].lower(), script[2]
    if kind == "mml":
        return source
    source = source.strip()
    for mark in ("% <![CDATA[", "%]]>", "<![CDATA[", "]]>"):
        source = source.replace(mark, "")
    if kind == "asciimath":
        escaped = source.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        return f"<span>{escaped}</span>"
    escaped = source.replace("&", "&amp;").replace('"', "&quot;")
    return f'<math alttext="{escaped}"></math>'


def wrap_tex(tex: str) -> str:
    """TeX on one line between dollar signs, without the marks that it had; empty for none."""
    tex = " ".join(tex.split())
    delimited = _DELIMITED.fullmatch(tex)
    if delimited:
        tex = next(inside for inside in delimited.groups() if inside).strip()
    styled = _STYLED.fullmatch(tex)
    if styled:
        tex = styled[1].strip()
    return f"${tex}$" if tex and len(tex) <= MOST_FORMULA_CHARS else ""


def formula_of(markup: str) -> str:
    """TeX of a MathML formula between dollar signs, where the page gives it; else empty."""
    source = _ALT_TEXT.match(markup) or _ANNOTATION.search(markup)
    return wrap_tex(plain_text(_MARKUP.sub("", source[1]))) if source else ""


def formula_of_image(tag: str) -> str:
    """TeX of an image that shows a formula, between dollar signs; empty for any other image."""
    if not _IMAGE_SIGN.search(tag):
        return ""
    classes = set(value_of(tag, "class").split())
    address = plain_text(value_of(tag, "src")[:MOST_FORMULA_CHARS])
    name = plain_text(value_of(tag, "alt") or value_of(tag, "title")).strip()
    is_formula = bool(classes & _IMAGE_CLASSES or _IMAGE_ADDRESS.search(address))
    if not is_formula:
        is_likely = bool(classes & _UNSURE_CLASSES) and bool(_LOOKS_LIKE_TEX.search(name))
        return wrap_tex(name) if is_likely or _IS_SURELY_TEX.search(name) else ""
    if not name:
        source = _TEX_IN_ADDRESS.search(address) or _CODECOGS.search(address)
        name = unquote_plus(source[1]) if source else ""
    return wrap_tex(name)


@dataclass
class FormulaTexts:
    """What stands for the formulas of a page.

    Attributes:
        texts: By index of the tag at which a formula is written.
        covered: First tag and closing tag of the elements whose inside says nothing more.
    """

    texts: dict[int, str] = field(default_factory=dict)
    covered: list[tuple[int, int]] = field(default_factory=list)


def read_formulas(tags: Tags, formulas: Formulas, *, has_scripts: bool) -> FormulaTexts:
    """Find the elements that hold formulas and choose one text for each.

    `has_scripts` tells that the sources stand in elements of their own, as MathJax 2 leaves them.
    """
    found = FormulaTexts()
    if not (tags.attribute_bits & MAY_BE_FORMULA).any():
        return found
    end = -1
    for number, match in enumerate(_GROUP.finditer(tags.text)):
        if match.start() < end or number > MOST_FORMULAS:
            continue
        tag = tags.index_at(match.start())
        closing = int(tags.closings[tag])
        if closing == tag:
            continue
        end = int(tags.ends[closing])
        markup = tags.text[match.start() : end + 1]
        text = _text_of(markup, formulas, has_scripts=has_scripts)
        if text is not None:
            found.texts[tag] = text
            found.covered.append((tag, closing))
    return found


def _text_of(markup: str, formulas: Formulas, *, has_scripts: bool) -> str | None:
    """What stands for one element with a formula; None to leave it as it is drawn."""
    opening = markup[: markup.find(">") + 1]
    if formulas == "drop" or (has_scripts and _MATHJAX_2.search(opening)):
        return ""
    math = _MATH.search(markup)
    tex = ""
    if formulas == "tex":
        data = _DATA_TEX.search(markup)
        tex = wrap_tex(plain_text(data[1])) if data else ""
        tex = tex or (formula_of(math[0]) if math else _last_line_of_katex(markup))
    text = tex or (linear_text(math[0]) if math else "")
    if text:
        return text
    images = map(formula_of_image, _IMAGE.findall(markup))
    return next((image for image in images if image), None)


def _last_line_of_katex(markup: str) -> str:
    """TeX that stands as bare text where KaTeX puts its MathML, as on CSDN; there it comes last."""
    bare = _BARE_KATEX.search(markup)
    lines = plain_text(bare[1]).split("\n") if bare else []
    return wrap_tex(next((line for line in reversed(lines) if line.strip()), ""))
