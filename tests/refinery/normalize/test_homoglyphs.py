from __future__ import annotations

import unicodedata

import pytest
from confusable_homoglyphs import confusables

from refinery.normalize import homoglyphs
from refinery.normalize.homoglyphs import repair_homoglyphs

# Letters of Unicode's table that no text of today uses, or whose Latin twin is no plain letter.
LEFT_OUT = set("ͺᴦ𝈓𝈪𝈖𝈍ԍ\u1fbe")
# The capital I is written as its look-alike l there; ӏ, there an i, is the l of "аррӏе".
OF_OUR_OWN = {"Ι": "I", "І": "I", "Ӏ": "I", "ӏ": "l"}


def twins(char: str) -> set[str]:
    """Plain Latin letters that Unicode's table (UTS 39) holds to look like a character."""
    data = confusables.confusables_data.get(char, ())
    return {
        one["c"] for one in data if len(one["c"]) == 1 and one["c"].isascii() and one["c"].isalpha()
    }


def test_each_twin_is_one_of_unicodes_table() -> None:
    wrong = {
        char: twin
        for char, twin in homoglyphs._TO_LATIN.items()
        if twin.lower() not in {t.lower() for t in twins(char)} and OF_OUR_OWN.get(char) != twin
    }

    assert wrong == {}


def test_no_letter_of_unicodes_table_is_missing() -> None:
    missing = {
        char
        for char in confusables.confusables_data
        if len(char) == 1
        and unicodedata.name(char, "").startswith(("CYRILLIC", "GREEK"))
        and twins(char)
        and char not in homoglyphs._TO_LATIN
    }

    assert missing <= LEFT_OUT


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pаsswоrd and gооgle", "password and google"),
        ("ехample cοuntry", "example country"),
        ("раypal", "paypal"),
        ("Мicrosoft", "Microsoft"),
        ("oгange fӏower", "orange flower"),
        ("привeт, хорoшо и кoмпьютeр", "привет, хорошо и компьютер"),
        ("unіverѕity", "university"),
    ],
)
def test_disguised_words_are_written_in_one_script(text: str, expected: str) -> None:
    assert repair_homoglyphs(text)[0] == expected


@pytest.mark.parametrize(
    "text",
    [
        "Привет, мир! Съешь же ещё этих мягких французских булок",
        "Добро јутро, Љубав и ѕвезда", "Ӏамал къоам", "Привіт, Україно",
        "Η γρήγορη καφέ αλεπού πηδάει", "σοφός και ιώτα",
        "TNFα, IFNγ and γδTcells", "NF-κB, Δt, µm, Kα, αSMA, hν",
        "iPhoneом и Wi-Fi-роутер", "USBпорт", "x² + ρv", "Cafe\u0301 naïve Straße",
    ],
)  # fmt: skip
def test_honest_words_stay(text: str) -> None:
    assert repair_homoglyphs(text) == (text, 0)


def test_repairing_twice_changes_nothing() -> None:
    for char in homoglyphs._TO_LATIN:
        once = repair_homoglyphs(f"sec{char}rity and м{char}сква")[0]
        assert repair_homoglyphs(once) == (once, 0)
