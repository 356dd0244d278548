"""Runs of characters are no runs of words: when a text holds an item of a script without blanks."""

from __future__ import annotations

import pytest

from refinery.decontaminate.benchmarks import Item
from refinery.decontaminate.config import BenchmarkConfig, DecontaminateConfig
from refinery.decontaminate.index import BenchmarkIndex
from refinery.decontaminate.second_look import count_words
from refinery.decontaminate.spans import joined_spans
from refinery.text.batch import TextBatch
from refinery.text.utf8 import Texts

CONFIG = DecontaminateConfig(benchmarks=(BenchmarkConfig(name="b", path="b", fields=("q",)),))
# Sixteen characters that any manual may hold, inside an item of four times their length.
PHRASE = "打开文件菜单并选择保存文件的命令"
ITEM = (
    f"下列关于文字处理软件的说法中哪一项是错误的？甲、{PHRASE}；乙、图片不能放进表格里；"
    "丙、页眉和页脚可以设置不同的格式；丁、查找替换不区分全角半角。"
)


def found(items: list[str], text: str) -> set[int]:
    index = BenchmarkIndex.build([Item("b", str(i), one) for i, one in enumerate(items)], CONFIG)
    return {match.item for match in index.scan(Texts.of([text]))}


def test_a_stock_phrase_is_no_item() -> None:
    page = f"要保存修改，请{PHRASE}，然后关闭窗口。"

    assert found([ITEM], page) == set()
    assert found([ITEM], (page + "\n") * 5) == set()  # however often it stands there


def test_the_item_is_found_whole_and_with_a_changed_character_in_its_middle() -> None:
    middle = len(ITEM) // 2
    edited = ITEM[:middle] + "龘" + ITEM[middle + 1 :]

    assert found([ITEM], f"前言。\n{ITEM}\n后记。") == {0}
    assert found([ITEM], f"前言{edited}后记") == {0}


def test_half_of_an_item_or_thirteen_words_of_it_are_enough() -> None:
    half = ITEM[: len(ITEM) // 2 + 2]
    words = "页眉和页脚可以设置不同的格式；丁、查找替换不区分全角半角"  # 15 words of 25 characters

    assert found([ITEM], half) == {0}
    assert found([ITEM * 3 + half], f"说明：{words}等") == {0}


def test_a_short_item_is_found_inside_a_line() -> None:
    assert found(["海水为什么是咸的而河水不是"], "有人问海水为什么是咸的而河水不是呢") == {0}


def test_thirteen_english_words_are_enough_of_any_item() -> None:
    run = "the quick brown fox jumps over the lazy dog and runs into the forest"
    item = " ".join(f"word{i}" for i in range(200)) + " " + run

    assert found([item], f"We saw that {run} again.") == {0}


def test_a_thai_phrase_is_no_item_and_the_item_is_found() -> None:
    phrase = "เลือกคำสั่งบันทึกแฟ้มจากเมนู"
    item = f"ข้อใดต่อไปนี้กล่าวผิดเกี่ยวกับโปรแกรมประมวลผลคำ ก. {phrase} ข. รูปภาพแทรกในตารางไม่ได้ ค. หัวกระดาษต่างกันได้ทุกหน้า"

    assert found([item], f"ให้{phrase}แล้วปิดหน้าต่าง") == set()
    assert found([item], f"อ่านก่อน {item} จบ") == {0}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("复制到剪贴板。将剪贴板中的内", 7),
        ("one two, three", 3),
        ("用 Python 写程序", 4),  # 用, Python, 写, 程序
        ("カタカナ", 2),
        ("หน้าต่าง", 2),
        ("도서관은 매일", 2),
    ],
)
def test_words_of_a_run(text: str, words: float) -> None:
    batch = TextBatch.of(["before ", text])
    first = int(batch.token_bounds[1])

    assert count_words(batch, first, len(batch.token_starts)) == pytest.approx(words, abs=0.5)


def test_spans_that_touch_are_one() -> None:
    assert joined_spans([(5, 9), (1, 3), (3, 4), (6, 7)]) == [(1, 4), (5, 9)]
