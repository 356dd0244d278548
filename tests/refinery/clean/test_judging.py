"""Verdicts on pages do not depend on their neighbours, and name their reasons in order."""

from __future__ import annotations

import pytest

from refinery.clean import judging
from refinery.clean.cleaner import Cleaner
from refinery.clean.config import CleanConfig
from refinery.clean.judging import Judge
from refinery.clean.pages import CleanDocument, NormalizedPage, Payload
from refinery.compiled import compile_loaded
from refinery.filters.config import RulesConfig
from refinery.sources.record import KEPT_TEXT
from schemas.settings import Bounded, parse_settings

ENGLISH = "The committee met in the early morning and wrote a long letter about the river. " * 8
CHINESE = "今天我们在山里看见了许多花草，大家都很高兴。" * 12


def page(text: str, url: str | None = None) -> NormalizedPage:
    return NormalizedPage(extracted_text=text, text=text, title=None, counters={}, url=url)


def test_groups_do_not_change_a_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = [page(ENGLISH), page("too short"), page(CHINESE), page(ENGLISH + "menu\nmenu\n")]
    config = CleanConfig(rules=RulesConfig(lines=("c4",)))

    together = Judge(config, {}).judge(pages)
    monkeypatch.setattr(judging, "GROUP_CHARS", 10)
    apart = Judge(config, {}).judge(pages)

    assert together == apart
    assert [document.lang for document in together] == ["en", "en", "zh", "en"]
    assert together[2].chinese is not None
    assert together[3].edits


def test_reasons_are_in_the_order_of_address_language_and_rules() -> None:
    plain = {
        "language": {"languages": ["zh"], "min_score": None},
        "rules": {"urls": {"domains": ["bad.example"]}},
    }
    config = parse_settings(CleanConfig, plain, where="test")

    (document,) = Judge(config, {}).judge([page("Only three words.", "https://bad.example/a")])

    address, language, *rules = document.reasons
    assert address.startswith("url:")
    assert language == "language:unwanted"
    assert "gopher:words" in rules
    assert document.drop_reason == address


def test_no_pages_give_no_verdicts() -> None:
    assert Judge(CleanConfig(), {}).judge([]) == []


THAI = "ห้องสมุดเปิดทุกวันตั้งแต่เก้าโมงเช้าถึงห้าโมงเย็น ผู้อ่านยืมหนังสือได้คนละหกเล่มและต้องคืนภายในสองสัปดาห์"
SENTENCES = (
    ("The library is open on every day of the week from nine until five.", "图书馆每周七天从早上九点到下午五点开放。"),
    ("Readers may borrow up to six books, which are due in two weeks.", "读者一次最多可以借六本书，两周以内归还。"),
    ("Whoever needs help with the catalogue should ask our staff.", "使用目录时如果需要帮助，请向我们的工作人员询问。"),
    ("Children under twelve have to be accompanied by an adult.", "十二岁以下的儿童必须由成年人陪同进入。"),
    ("The reading room on the second floor has been renovated.", "二楼的阅览室已经重新装修，欢迎大家使用。"),
)  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(line for pair in SENTENCES for line in pair),
        "\n".join([*(english for english, _ in SENTENCES), *(chinese for _, chinese in SENTENCES)]),
        "\n".join([*(chinese for _, chinese in SENTENCES), *(english for english, _ in SENTENCES)]),
    ],
    ids=["by turns", "English first", "Chinese first"],
)
def test_a_clean_page_in_english_and_chinese_stays(text: str) -> None:
    (document,) = Judge(CleanConfig(), {}).judge([page(text)])

    assert document.reasons == []
    assert document.second_lang is not None
    assert {document.lang, document.second_lang.label} == {"en", "zh"}


def test_a_repetitive_first_part_still_drops_a_page_of_two_languages() -> None:
    text = "\n".join([SENTENCES[0][1]] * 12 + [english for english, _ in SENTENCES])

    (document,) = Judge(CleanConfig(), {}).judge([page(text)])

    assert "repetition:dup_lines" in document.reasons


@pytest.mark.parametrize(
    ("text", "lang"),
    [
        (THAI, "th"),
        ("ຫໍສະໝຸດເປີດທຸກມື້ແຕ່ເກົ້າໂມງເຊົ້າຫາຫ້າໂມງແລງ ຜູ້ອ່ານຢືມປຶ້ມໄດ້ຄົນລະຫົກຫົວ ແລະຕ້ອງສົ່ງຄືນພາຍໃນສອງອາທິດ ເດັກນ້ອຍຕ້ອງມາກັບຜູ້ໃຫຍ່ ຖ້າທ່ານຕ້ອງການຄວາມຊ່ວຍເຫຼືອ ກະລຸນາຖາມພະນັກງານຂອງພວກເຮົາ", "lo"),
        ("បណ្ណាល័យបើករាល់ថ្ងៃចាប់ពីម៉ោងប្រាំបួនព្រឹករហូតដល់ម៉ោងប្រាំល្ងាច។ អ្នកអានអាចខ្ចីសៀវភៅបានប្រាំមួយក្បាល ហើយត្រូវសងវិញក្នុងរយៈពេលពីរសប្តាហ៍។ កុមារត្រូវមកជាមួយមនុស្សពេញវ័យ។ បើត្រូវការជំនួយ សូមសួរបុគ្គលិករបស់យើង។", "km"),
        ("စာကြည့်တိုက်ကို နေ့တိုင်း မနက်ကိုးနာရီမှ ညနေငါးနာရီအထိ ဖွင့်ပါသည်။ စာဖတ်သူများသည် စာအုပ်ခြောက်အုပ်အထိ ငှားနိုင်ပြီး နှစ်ပတ်အတွင်း ပြန်အပ်ရပါမည်။ ကလေးများသည် လူကြီးနှင့်အတူ လာရပါမည်။ အကူအညီလိုပါက ဝန်ထမ်းများကို မေးမြန်းပါ။", "my"),
    ],
    ids=["th", "lo", "km", "my"],
)  # fmt: skip
def test_clean_pages_without_blanks_between_words_stay(text: str, lang: str) -> None:
    short = RulesConfig(bounds={"gopher:words": Bounded(minimum=60)})

    (document,) = Judge(CleanConfig(rules=short), {}).judge([page(text)])

    assert document.lang == lang
    assert document.reasons == []


def test_cantonese_is_judged_as_chinese() -> None:
    text = (
        "我哋琴日去咗圖書館借書，嗰度啲書好多，你得閒都可以去睇吓。佢哋話夏天嘅時候會開耐啲，放工之後都嚟得切。"
        * 3
    )

    (document,) = Judge(CleanConfig(), {}).judge([page(text)])

    assert document.lang == "yue"
    assert document.chinese == "Hant"
    assert not [reason for reason in document.reasons if reason.startswith("gopher:")]


def test_a_text_that_a_run_kept_is_measured_and_neither_judged_nor_edited() -> None:
    plain = {
        "language": {"languages": ["zh"]},
        "rules": {"lines": ["c4"], "pii": {}, "urls": {"domains": ["bad.example"]}},
    }
    text = "It’s  kept ... :smile: write to a.b@example.org\nmenu\n"
    payload = Payload(text.encode(), KEPT_TEXT, "utf-8", "https://bad.example/a", "0")
    fresh = Payload(text.encode(), "text/plain", "utf-8", "https://bad.example/a", "0")

    with Cleaner(parse_settings(CleanConfig, plain, where="test"), {}) as cleaner:
        kept, judged = cleaner.clean([payload, fresh])

    assert isinstance(kept, CleanDocument)
    assert isinstance(judged, CleanDocument)
    assert kept.page.text == text
    assert (kept.reasons, kept.edits, kept.page.counters) == ([], (), {})
    assert kept.values["words"] > 0
    assert judged.reasons
    assert judged.edits


def test_no_document_pays_for_compiling() -> None:
    """A child that compiles kernels goes beyond the CPU time of its first document."""
    found = compile_loaded("refinery.extract")
    for each in found:
        each._call = None

    with Cleaner(CleanConfig(), {}):
        assert found
        assert all(each._call is not None for each in found)
