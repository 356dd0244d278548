"""Superscripts and the like: where bare text would say another thing, a mark is written."""

import pytest

from refinery.extract.blocks import read_blocks
from refinery.extract.scripts import mark_subscript, mark_superscript


@pytest.mark.parametrize(
    ("markup", "line"),
    [
        # Numbers and signs that are exponents.
        ("10<sup>6</sup>", "10^6"),
        ("2<sup>64</sup> − 1", "2^64 − 1"),
        ("10<sup>&minus;4</sup>", "10^−4"),
        ("10<sup>-4</sup>", "10^-4"),
        ("1.5 × 10<sup>8</sup> m", "1.5 × 10^8 m"),
        ("<i>x</i><sup>2</sup>", "x^2"),
        ("(a + b)<sup>2</sup>", "(a + b)^2"),
        ("π<sup>2</sup>", "π^2"),
        ("2<sup>n</sup>", "2^n"),
        ("2<sup><i>n</i>+1</sup>", "2^(n+1)"),
        ("e<sup>−x</sup>", "e^−x"),
        ("e<sup>x/2</sup>", "e^(x/2)"),
        ("m s<sup>−2</sup>, kg<sup>-1</sup>", "m s^−2, kg^-1"),
        ("25 km<sup>2</sup>", "25 km^2"),
        ("面积10<sup>4</sup>米", "面积10^4米"),
        ("x<sub>i</sub><sup>2</sup>", "x_i^2"),
        # Subscripts that would join another word or number.
        ("a<sub>n</sub>", "a_n"),
        ("a<sub>n+1</sub>", "a_(n+1)"),
        ("101<sub>2</sub>", "101_2"),
        # Ordinals, chemistry, names and marks stay.
        ("2<sup>nd</sup>", "2nd"),
        ("1<sup>er</sup> mai", "1er mai"),
        ("XX<sup>e</sup> siècle", "XXe siècle"),
        ("N<sup>o</sup> 5", "No 5"),
        ("3<sup>e</sup>", "3e"),
        ("Ca<sup>2+</sup>", "Ca2+"),
        ("<sup>14</sup>C", "14C"),
        ("H<sub>2</sub>O", "H2O"),
        ("x<sub>1</sub>", "x1"),
        ("Acme<sup>TM</sup>", "AcmeTM"),
        ("Acme<sup>®</sup>", "Acme®"),
        # Fractions and prices.
        ("1<sup>1</sup>/<sub>2</sub> cups", "1 1/2 cups"),
        ("<sup>3</sup>&frasl;<sub>4</sub>", "3⁄4"),
        ("$19<sup>99</sup>", "$19.99"),
        # Marks of notes.
        ('the lake<sup><a href="#n1">1</a></sup> is', "the lake[1] is"),
        ('the lake.<a href="#n1"><sup>12</sup></a>', "the lake.[12]"),
        ('in 1999<sup><a href="#n3">3</a></sup>', "in 1999[3]"),
        ('the lake<sup><a href="#n">[1]</a></sup>', "the lake[1]"),
        ('the lake<sup><a href="#n">*</a></sup>', "the lake*"),
        # Readings and quotations.
        ("<ruby>漢<rt>かん</rt>字<rt>じ</rt></ruby>", "漢(かん)字(じ)"),
        ("<ruby>漢<rp>（</rp><rt>かん</rt><rp>）</rp></ruby>", "漢（かん）"),
        (
            "she said <q>come <q>now</q> here</q> and <q>go</q>",
            "she said “come ‘now’ here” and “go”",
        ),
    ],
)
def test_what_is_shown_by_position_is_said_by_a_mark(markup: str, line: str) -> None:
    assert read_blocks(f"<body><p>{markup}</p>").texts == [line]


def test_a_mark_has_no_base_in_the_block_before() -> None:
    assert read_blocks("<body><p>10</p><p><sup>6</sup> see below</p>").texts == [
        "10",
        "6 see below",
    ]


def test_no_mark_without_text() -> None:
    assert read_blocks("<body><p>10<sup></sup><sup><span></span></sup> x</p>").texts == ["10 x"]


def test_a_mark_depends_on_the_line_before_it_and_the_markup_behind_it() -> None:
    assert mark_superscript("10", "1", behind="", is_note=False) == ("^", "")
    assert mark_superscript("10", "1", behind="/<sub>", is_note=False) == (" ", "")
    assert mark_superscript("10", "1", behind="", is_note=True) == ("[", "]")
    assert mark_superscript("10 ", "1", behind="", is_note=False) == ("", "")
    assert mark_subscript("10", "2", behind="", is_note=False) == ("_", "")
    assert mark_subscript("CO", "2", behind="", is_note=False) == ("", "")
