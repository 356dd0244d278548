"""The generator of pages: what its variants share, and that they are functions of their number."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

from benchmarks.corpora.pages import PageSource, make_skeleton, write_warcs

FILLER = "word " * 12


def _page(number: int) -> str:
    body = "".join(f"<p class=c{i}>{FILLER}</p><a href=/{i}>Home</a>" for i in range(30))
    return f"<html><script>if (a>b) {{ x = '{FILLER}<'; }}</script><h1>T{number}</h1>{body}</html>"


def _source() -> PageSource:
    generator = random.Random(2)
    words = ["".join(generator.choices("abcdefghij", k=6)) for _ in range(3000)]
    texts = [" ".join(generator.choices(words, k=9)) + "." for _ in range(3000)]
    return PageSource([_page(0), _page(1)], [" ".join(texts)], seed=4)


def _shingles(page: str) -> set[tuple[str, ...]]:
    words = page.split()
    return {tuple(words[i : i + 5]) for i in range(len(words) - 4)}


def _jaccard(a: str, b: str) -> float:
    left, right = _shingles(a), _shingles(b)
    return len(left & right) / len(left | right)


def test_variants_of_a_skeleton_are_no_near_duplicates_and_the_stated_share_is() -> None:
    source = _source()
    pages = [source.page(number) for number in range(60)]

    alike = [max(_jaccard(pages[i], pages[j]) for j in range(i)) for i in range(1, len(pages))]

    assert all(value < 0.3 or value > 0.7 for value in alike)
    assert 2 <= sum(value > 0.7 for value in alike) <= 12


def test_a_page_is_a_function_of_its_number() -> None:
    first, second = _source(), _source()
    second.page(5)

    assert [first.page(n) for n in (0, 7)] == [second.page(n) for n in (0, 7)]


def test_scripts_and_short_labels_stay() -> None:
    page = _source().page(0)

    assert page.count(">Home</a>") == 30
    assert f"x = '{FILLER}<'" in page
    assert len(make_skeleton(_page(0)).lengths) == 30


def test_archives_hold_the_asked_volume(tmp_path: Path) -> None:
    made = write_warcs(_source(), tmp_path / "w", 50_000)

    data = b"".join(gzip.decompress(p.read_bytes()) for p in (tmp_path / "w").iterdir())
    assert made["bytes"] >= 50_000
    assert data.count(b"WARC-Type: response") == made["pages"]
