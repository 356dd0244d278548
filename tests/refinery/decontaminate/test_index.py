from __future__ import annotations

import random
import re
import unicodedata

import pytest

from refinery.decontaminate.benchmarks import Item
from refinery.decontaminate.config import BenchmarkConfig, DecontaminateConfig
from refinery.decontaminate.frequency import frequent_to_ignore
from refinery.decontaminate.index import BenchmarkIndex, Match, joined_spans, running_ngrams
from refinery.decontaminate.marking import decide
from refinery.decontaminate.measure import MUTATIONS, measure, upper_bound
from refinery.edits import Edit
from refinery.text_batch import TextBatch, ngram_hashes

CONFIG = DecontaminateConfig(benchmarks=(BenchmarkConfig(name="b", path="b", fields=("q",)),))


def build(texts: list[str], **changes: object) -> BenchmarkIndex:
    items = [Item("b", str(i), text) for i, text in enumerate(texts)]
    return BenchmarkIndex.build(items, CONFIG.model_copy(update=changes))


def scan(index: BenchmarkIndex, texts: list[str]) -> list[Match]:
    return index.scan(TextBatch.of(texts))


def tokens_of(text: str) -> list[str]:
    """Words and single Han characters, folded, by regular expression."""
    folded = unicodedata.normalize("NFKC", text).lower()
    return re.findall(r"[\u4e00-\u9fff]|[^\W\u4e00-\u9fff_]+", folded)


def sentences(seed: int, num: int, language: str) -> list[str]:
    generator = random.Random(seed)
    if language == "en":
        vocabulary = [f"word{i}" for i in range(30)]
        return [
            " ".join(generator.choices(vocabulary, k=generator.randint(8, 40))) for _ in range(num)
        ]
    characters = [chr(c) for c in range(0x4E00, 0x4E20)]
    return ["".join(generator.choices(characters, k=generator.randint(8, 40))) for _ in range(num)]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_matches_equal_brute_force_over_token_lists(language: str) -> None:
    items = sentences(1, 30, language)
    documents = sentences(2, 30, language)
    blank = " " if language == "en" else ""
    for place in range(0, 30, 3):
        documents[place] += blank + items[place] + blank + documents[place]
    index = build(items, min_ngram=4, max_ngram=4)

    found = {(m.text, m.item) for m in scan(index, documents)}

    grams = [{tuple(t[i : i + 4]) for i in range(len(t) - 3)} for t in map(tokens_of, items)]
    for text, document in enumerate(documents):
        own = tokens_of(document)
        held = {tuple(own[i : i + 4]) for i in range(len(own) - 3)}
        assert {item for item in range(30) if grams[item] & held} == {
            item for t, item in found if t == text
        }


def test_running_ngrams_equal_those_of_one_length() -> None:
    hashes = TextBatch.of(["one two three four five six"]).token_hashes

    for n, found in running_ngrams(hashes, [2, 3, 6, 7]):
        assert (found == ngram_hashes(hashes, n)).all()


def test_spans_are_code_points_of_the_text() -> None:
    question = "one two three four five six seven eight nine ten eleven twelve thirteen"
    text = "前文。 " + question.upper().replace(" ", " , ") + " 后文"

    matches = scan(build([question]), ["", text])

    assert [(m.text, text[m.start : m.end].split(" , ")) for m in matches] == [
        (1, question.upper().split())
    ]


def test_no_match_crosses_the_border_of_two_texts() -> None:
    question = "one two three four five six seven eight nine ten eleven twelve thirteen"

    assert scan(build([question]), [question[:30], question[30:]]) == []


def test_short_items_match_as_whole_lines_only() -> None:
    long = " ".join(f"w{i}" for i in range(20))
    index = build([*[long] * 30, "the capital of france"])

    assert [m.item for m in scan(index, ["say\nThe capital of France?\nyes"])] == [30]
    assert scan(index, ["what is the capital of france now"]) == []


def test_items_under_four_tokens_are_listed_as_uncovered() -> None:
    long = " ".join(f"w{i}" for i in range(20))

    assert build([long, "yes no", ""]).uncovered == [1, 2]


def test_n_is_the_fifth_percentile_between_8_and_13() -> None:
    lengths = {5: 8, 10: 10, 40: 13}
    for length, n in lengths.items():
        text = " ".join(f"w{i}" for i in range(length))
        assert build([text] * 20).ngram_tokens == {"b": n}


def test_equal_hashes_with_other_words_are_no_match() -> None:
    question = " ".join(f"w{i}" for i in range(13))
    index = build([question])
    batch = TextBatch.of([" ".join(f"v{i}" for i in range(13))])
    object.__setattr__(batch, "token_hashes", TextBatch.of([question]).token_hashes)

    assert index.scan(batch) == []


def test_planted_items_are_found_in_english_and_chinese() -> None:
    english = [" ".join(f"q{j}x{i}" for i in range(15)) for j in range(20)]
    chinese = sentences(5, 40, "zh")
    hosts = ["A page about nothing.\nIt has two lines.", "一个没有内容的页面。\n它有两行。"]

    for items in (english, [c for c in chinese if len(c) > 13]):
        result = measure(build(items), hosts, most=20, seed=1)

        for name in MUTATIONS:
            if name != "one_word_edit":
                assert result.found[name] == result.planted[name], name
        assert result.false_positives == 0


def test_one_word_edit_in_13_words_is_missed_and_in_40_found() -> None:
    short, long = ([" ".join(f"q{i}" for i in range(n))] for n in (13, 40))

    assert measure(build(short), ["host"], most=1, seed=0).found["one_word_edit"] == 0
    assert measure(build(long), ["host"], most=1, seed=0).found["one_word_edit"] == 1


def test_frequent_ngrams_go_but_never_the_last_of_an_item() -> None:
    licence = " ".join(f"w{i}" for i in range(14))
    index = build([licence, licence + " and more words of its own"], min_ngram=13, max_ngram=13)
    items, grams = index.entries()
    of_first = grams[items == 0].tolist()
    counts = {gram: 20 + place for place, gram in enumerate(of_first)}

    ignored = frequent_to_ignore(index, counts)

    assert ignored == {of_first[1]}
    assert frequent_to_ignore(index, {}) == set()


def test_a_cut_takes_200_characters_on_each_side_and_short_pieces() -> None:
    config = CONFIG.model_copy(update={"action": "cut"})

    assert decide(2000, [(1000, 1100)], config) == ("cut", [Edit(800, 1300)])
    assert decide(2000, [(300, 400)], config) == ("cut", [Edit(0, 100), Edit(100, 600)])
    assert decide(500, [(200, 300)], config) == ("drop", [])
    many = [(i * 1000, i * 1000 + 10) for i in range(1, 12)]
    assert decide(12_500, many, config) == ("drop", [])
    assert decide(500, [(200, 300)], CONFIG) == ("drop", [])


def test_joined_spans_touch_or_overlap() -> None:
    assert joined_spans([(5, 9), (1, 3), (3, 4), (6, 7)]) == [(1, 4), (5, 9)]


@pytest.mark.parametrize(("count", "mean"), [(0, 2.9957), (1, 4.7439), (5, 10.513)])
def test_upper_bounds_are_those_of_the_poisson_table(count: int, mean: float) -> None:
    assert upper_bound(count, 1000) == pytest.approx(mean / 1000, rel=1e-3)
