from __future__ import annotations

import random
import re
import unicodedata
from pathlib import Path

import pytest

from refinery.decontaminate.benchmarks import Item
from refinery.decontaminate.config import BenchmarkConfig, DecontaminateConfig
from refinery.decontaminate.frequency import frequent_to_ignore
from refinery.decontaminate.index import BenchmarkIndex, Match
from refinery.decontaminate.index_file import open_index, write_index
from refinery.decontaminate.marking import decide
from refinery.text.batch import TokenHashes
from refinery.text.edits import Edit
from refinery.text.utf8 import Texts
from schemas.errors import ContractError

CONFIG = DecontaminateConfig(benchmarks=(BenchmarkConfig(name="b", path="b", fields=("q",)),))


def build(texts: list[str], **changes: object) -> BenchmarkIndex:
    items = [Item("b", str(i), text) for i, text in enumerate(texts)]
    return BenchmarkIndex.build(items, CONFIG.model_copy(update=changes))


def scan(index: BenchmarkIndex, texts: list[str]) -> list[Match]:
    return index.scan(Texts.of(texts))


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


def test_a_short_item_may_stand_on_several_whole_lines() -> None:
    long = " ".join(f"w{i}" for i in range(20))
    index = build([*[long] * 30, "two and two make\nfour"])

    assert [m.item for m in scan(index, ["Sums\nTwo and two\nmake four.\nEnd"])] == [30]
    assert scan(index, ["two and two", "make four"]) == []


def test_templates_go_but_never_the_last_ngram_of_an_item() -> None:
    template = " ".join(f"t{i}" for i in range(13))
    own = [" ".join(f"x{j}y{i}" for i in range(13)) for j in range(4)]
    texts = [f"{template} {one}" for one in own] + [template]
    index = build(texts, max_ngram_items=3)

    assert [m.item for m in scan(index, [template])] == [4]
    index = build(texts[:4], max_ngram_items=3)
    assert scan(index, [template]) == []
    assert (index.num_templates, index.templates) == (1, [(template, 4)])
    assert {m.item for m in scan(index, [texts[2]])} == {2}


def test_benchmarks_of_different_n_are_found_in_one_scan() -> None:
    items = [
        Item(name, str(i), " ".join(f"{name}{i}w{k}" for k in range(n)))
        for name, n in (("a", 8), ("b", 10), ("c", 13), ("d", 40))
        for i in range(20)
    ]
    index = BenchmarkIndex.build(items, CONFIG)

    assert index.ngram_tokens == {"a": 8, "b": 10, "c": 13, "d": 13}
    found = scan(index, [f"before {item.text} after" for item in items])
    assert {(m.text, m.item) for m in found} == {(i, i) for i in range(80)}


def test_a_mapped_index_finds_what_the_built_one_finds(tmp_path: Path) -> None:
    items = sentences(1, 200, "en") + sentences(2, 200, "zh")
    documents = ["\n".join(items[i : i + 3]) for i in range(0, 400, 5)]
    built = build(items)
    write_index(tmp_path / "a.index", built)
    write_index(tmp_path / "b.index", build(items))

    mapped = open_index(tmp_path / "a.index")

    assert scan(mapped, documents) == scan(built, documents)
    assert (mapped.names, mapped.uncovered) == (list(built.names), built.uncovered)
    assert (tmp_path / "a.index").read_bytes() == (tmp_path / "b.index").read_bytes()


def test_a_file_that_is_no_index_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"something else entirely")

    with pytest.raises(ContractError, match="no benchmark index"):
        open_index(tmp_path / "x")


def test_items_under_four_tokens_are_listed_as_uncovered() -> None:
    long = " ".join(f"w{i}" for i in range(20))

    assert build([long, "yes no", ""]).uncovered == [1, 2]


def test_n_is_the_fifth_percentile_between_8_and_13() -> None:
    lengths = {5: 8, 10: 10, 40: 13}
    for length, n in lengths.items():
        text = " ".join(f"w{i}" for i in range(length))
        assert build([text] * 20).ngram_tokens == {"b": n}


def test_equal_hashes_with_other_words_are_no_match(monkeypatch: pytest.MonkeyPatch) -> None:
    question = " ".join(f"w{i}" for i in range(13))
    index = build([question])
    same, other = Texts.of([question]), Texts.of([" ".join(f"v{i}" for i in range(13))])
    hashes = TokenHashes.of(same)
    monkeypatch.setattr(TokenHashes, "of", lambda _: hashes)

    assert len(index.scan(same)) == 1
    assert index.scan(other) == []


def test_frequent_ngrams_go_but_never_the_last_of_an_item() -> None:
    licence = " ".join(f"w{i}" for i in range(14))
    index = build([licence, licence + " and more words of its own"], min_ngram=13, max_ngram=13)
    items, grams = index.entries()
    of_first = grams[items == 0].tolist()
    counts = {gram: 20 + place for place, gram in enumerate(of_first)}

    frequent = frequent_to_ignore(index, counts)

    assert frequent.ignored == {of_first[1]}
    assert frequent.last == {0: of_first[0]}
    assert frequent_to_ignore(index, {}).ignored == frozenset()


def test_a_cut_takes_200_characters_on_each_side_and_short_pieces() -> None:
    config = CONFIG.model_copy(update={"action": "cut"})

    assert decide(2000, [(1000, 1100)], config) == ("cut", [Edit(800, 1300)])
    assert decide(2000, [(300, 400)], config) == ("cut", [Edit(0, 100), Edit(100, 600)])
    assert decide(500, [(200, 300)], config) == ("drop", [])
    many = [(i * 1000, i * 1000 + 10) for i in range(1, 12)]
    assert decide(12_500, many, config) == ("drop", [])
    assert decide(500, [(200, 300)], CONFIG) == ("drop", [])
