"""What the extra `language` adds: Chinese conversion and spelling correction."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refinery.normalize.config import ChineseConversion, NormalizeConfig
from refinery.normalize.text import normalize_text

opencc = pytest.importorskip("opencc", reason="the extra `language` is absent")
pytest.importorskip("symspellpy", reason="the extra `language` is absent")

DIRECTIONS = get_args(ChineseConversion)
HAN = st.text(
    alphabet=st.sampled_from("软件鼠标后里面台湾發髮干乾幹信息裏着著為爲啟网路吃飯図書館国。，A 1"),
    max_size=30,
)
WORDS = st.lists(
    st.sampled_from(
        [
            "the",
            "people",
            "goverment",
            "recieve",
            "becuase",
            "believe",
            "definately",
            "house",
            "water",
            "from",
            "with",
            "this",
            "that",
            "Goverment",
            "http://goverment.org",
            "x_goverment",
            "goverment()",
            "`recieve`",
            "\n",
            "\t",
        ]
    ),
    max_size=25,
)


def clean(text: str, **chosen: object) -> str:
    return normalize_text(text, NormalizeConfig.model_validate(chosen)).text


def test_there_are_fourteen_directions() -> None:
    assert len(DIRECTIONS) == 14


@pytest.mark.parametrize(
    ("direction", "text", "expected"),
    [
        ("s2t", "汉字转换", "漢字轉換"),
        ("t2s", "漢字轉換", "汉字转换"),
        ("s2tw", "里面", "裡面"),
        ("tw2s", "裡面", "里面"),
        ("s2hk", "里面", "裏面"),
        ("hk2s", "裏面", "里面"),
        ("s2twp", "鼠标和软件", "滑鼠和軟體"),
        ("tw2sp", "滑鼠和軟體", "鼠标和软件"),
        ("t2tw", "裏面", "裡面"),
        ("tw2t", "裡面", "裏面"),
        ("t2hk", "爲了", "為了"),
        ("hk2t", "為了", "爲了"),
        ("t2jp", "圖書館國", "図書館国"),
        ("jp2t", "図書館国", "圖書館國"),
    ],
)
def test_each_direction_converts(direction: str, text: str, expected: str) -> None:
    assert clean(text, chinese=direction) == expected


@settings(max_examples=150, deadline=None)
@given(HAN, st.sampled_from(DIRECTIONS))
def test_converting_twice_changes_nothing(text: str, direction: str) -> None:
    once = clean(text, chinese=direction)

    assert clean(once, chinese=direction) == once


def test_conversion_is_counted_and_off_by_default() -> None:
    settings_on = NormalizeConfig(chinese="s2t")

    assert normalize_text("汉字", settings_on).counters == {"chinese": 1}
    assert clean("汉字") == "汉字"


SENTENCE = "we believe that many people in this country want to know more about their "


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("goverment.", "government."),
        ("definately the house", "definitely the house"),
        ("Goverment", "Goverment"),
        ("http://goverment.org/goverment", "http://goverment.org/goverment"),
        ("goverment@example.org", "goverment@example.org"),
        ("get_goverment goverment() goverment.py", "get_goverment goverment() goverment.py"),
        ("x\n    goverment = recieve\nend", "x\n    goverment = recieve\nend"),
        ("x\n```\nrecieve goverment\n```\nend", "x\n```\nrecieve goverment\n```\nend"),
    ],
    ids=["plain", "twice", "name", "URL", "e-mail", "identifiers", "indented code", "fenced code"],
)
def test_only_plain_words_are_corrected(text: str, expected: str) -> None:
    assert clean(SENTENCE + text, spelling={}) == SENTENCE + expected


def test_a_text_in_another_language_stays() -> None:
    german = "die regierung hat gestern beschlossen dass alle schulen wieder geoeffnet werden"

    assert clean(german, spelling={}) == german


def test_corrections_are_counted_and_off_by_default() -> None:
    text = SENTENCE + "goverment"

    assert normalize_text(text, NormalizeConfig.model_validate({"spelling": {}})).counters == {
        "spelling": 1
    }
    assert clean(text) == text


@settings(max_examples=150, deadline=None)
@given(WORDS)
def test_correcting_twice_changes_nothing(words: list[str]) -> None:
    once = clean(" ".join(words), spelling={})

    assert clean(once, spelling={}) == once
