from __future__ import annotations

import unicodedata

import emoji
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refinery.normalize.config import NormalizeConfig
from refinery.normalize.text import normalize_text

RGI = [
    sequence
    for sequence, entry in emoji.EMOJI_DATA.items()
    if entry["status"] == emoji.STATUS["fully_qualified"]
]
# Characters that steps hand to each other: joiners, selectors, marks, wide letters, emoji, codes.
TROUBLE = st.text(
    alphabet=st.sampled_from(
        list("aB1 \n\t：）(:)[]/_-微笑ａＢ１！é\u0301\u0327")
        + list("\u00ad\u200b\u200d\ufe0f\ufe0e\u20e3#*\ufeff\u202e\r\u2028\u00a0\x00")
        + list("😂👍🏽👨👩🇩🇪❤✔•→★©™𝐁🄰─\ue000\U000e0067\U000e007fаеÃ©â€™")
    ),
    max_size=40,
)


def clean(text: str, **settings: object) -> str:
    return normalize_text(text, NormalizeConfig.model_validate(settings)).text


@settings(max_examples=400, deadline=None)
@given(st.one_of(TROUBLE, st.text(max_size=60)))
def test_normalising_twice_changes_nothing(text: str) -> None:
    once = clean(text)

    assert clean(once) == once


@settings(max_examples=150, deadline=None)
@given(TROUBLE, st.sampled_from(["shortcodes", "keep", "remove"]))
def test_other_emoji_styles_are_idempotent_too(text: str, style: str) -> None:
    once = clean(text, emoji=style, unicode_form="NFKC")

    assert clean(once, emoji=style, unicode_form="NFKC") == once


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\u2028"])
def test_a_frame_is_cut_at_every_kind_of_line_end(end: str) -> None:
    assert clean(f"total{end}── 1") == "total\n   1"


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.characters(categories=["Lu", "Ll", "Lo", "Nd", "Po", "Zs"])))
def test_the_result_is_composed(text: str) -> None:
    assert unicodedata.is_normalized("NFC", clean(text))


def test_every_rgi_emoji_becomes_its_english_name() -> None:
    wrong = {}
    for sequence in RGI:
        result = clean(f"so {sequence} then")
        name = (
            emoji.EMOJI_DATA[sequence]["en"].strip(":").replace("_", " ").replace("-", " ").strip()
        )
        if result != f"so {name} then":
            wrong[sequence] = result

    assert len(RGI) > 3000
    assert wrong == {}


def test_every_rgi_emoji_becomes_its_chinese_name() -> None:
    emoji.config.load_language("zh")
    wrong = {}
    for sequence in RGI:
        entry = emoji.EMOJI_DATA[sequence]
        name = entry.get("zh", entry["en"]).strip(":").replace("_", " ").replace("-", " ").strip()
        result = clean(f"今天很好{sequence}是的", codes=False)
        if result != unicodedata.normalize("NFC", f"今天很好[{name}]是的"):
            wrong[sequence] = result

    assert wrong == {}


def test_no_rgi_emoji_survives_removal() -> None:
    assert [s for s in RGI if clean(f"a{s}b", emoji="remove") != "ab"] == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("fun 😂😂😂😂!", "fun face with tears of joy!"),
        ("笑死我了😂😂😂", "笑死我了[笑哭了]"),
        ("ok👍🏽", "ok thumbs up medium skin tone"),
        ("flag 🇩🇪 here", "flag Germany here"),
        ("© 2020 Example™", "© 2020 Example™"),
        ("✔︎ done", "[x] done"),
        ("• one\n• two", "- one\n- two"),
        ("𝐁𝐨𝐥𝐝 𝓶𝓸𝓿𝓮", "Bold move"),
        ("ＡＢＣ１２３，价格：１２月。", "ABC123，价格：12月。"),
        ("zero\u200bwidth so\u00adft \u202ebidi", "zerowidth soft bidi"),
        ("donâ€™t", "don’t"),
        ("cafe\u0301", "café"),
        ("“弯引号”，‘不变’……《书名》", "“弯引号”，‘不变’……《书名》"),
        ("if (a &lt; b) { x &amp;&amp; y }", "if (a &lt; b) { x &amp;&amp; y }"),
        ("    indented\n\tcode  \n\n\n\nend", "    indented\n\tcode\n\nend"),
        ("a\r\nb\u2028c\u00a0d", "a\nb\nc d"),
        ("icon \ue001font", "icon font"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("Честное слово, Москва", "Честное слово, Москва"),
        ("fооtball pаssword", "football password"),  # two Cyrillic о, one Cyrillic а
        ("Δt and NF-κB stay, αβγ too", "Δt and NF-κB stay, αβγ too"),
    ],
)
def test_steps(text: str, expected: str) -> None:
    assert clean(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("真的吗[doge]", "真的吗[狗头]"),
        ("今天好开心/微笑", "今天好开心/微笑"),
        ("今天好开心 /微笑", "今天好开心 [微笑]"),
        ("他说[微笑]", "他说[微笑]"),
        ("数组[0]和[注1]不变", "数组[0]和[注1]不变"),
        ("that was great :) thanks", "that was great smile thanks"),
        ("I give up ¯\\_(ツ)_/¯", "I give up shrug"),
        ("nice :joy: one", "nice face with tears of joy one"),
        ("std::cout:: and a:b:c and 10:30:20", "std::cout:: and a:b:c and 10:30:20"),
        ("f(x):(y) and http://a/:)", "f(x):(y) and http://a/:)"),
        ("气死了（╯‵□′）╯︵┴─┴", "气死了[掀桌]"),
    ],
)
def test_stickers_and_emoticons(text: str, expected: str) -> None:
    assert clean(text) == expected


def test_steps_are_counted_and_can_be_switched_off() -> None:
    text = "😂😂 → ＡＢ\u200b"

    assert normalize_text(text, NormalizeConfig()).counters == {
        "emoji": 1, "emoji_repeats": 1, "symbols": 1, "width": 2, "controls": 1,
    }  # fmt: skip
    off = NormalizeConfig(
        emoji="keep", codes=False, symbols=False, fold_width=False, remove_controls=False
    )
    assert normalize_text(text, off).text == text


def test_a_runs_length_can_be_written() -> None:
    assert clean("so 😂😂😂", emoji_counts=True) == "so face with tears of joy x3"
