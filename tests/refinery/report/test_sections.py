"""What single sections of the page say, read back from their markup."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from refinery.dedup.lsh import SCurve
from refinery.report.charts import curve
from refinery.report.data import (
    DedupNumbers,
    MixtureRow,
    PackingNumbers,
    PairSample,
    ReasonCount,
    ReportData,
    Sample,
    SourceFunnel,
    StageNumbers,
)
from refinery.report.page import render_page
from refinery.report.sections.dataset import packing_section, stages_section
from refinery.report.sections.duplicates import dedup_section
from refinery.report.sections.funnel import compare_section
from refinery.report.sections.reasons import reasons_section
from tests.support.figures import Figure


class Cells(HTMLParser):
    """Tables of a page as {caption: rows of cells' text}."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self._caption, self._text = "", ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.tables[self._caption].append([])
        if tag in ("caption", "th", "td"):
            self._text = ""

    def handle_data(self, data: str) -> None:
        self._text += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "caption":
            self._caption = self._text
            self.tables[self._caption] = []
        elif tag in ("th", "td"):
            self.tables[self._caption][-1].append(self._text)


def report(**changed: object) -> ReportData:
    split = PackingNumbers(rows=1, tokens_in=9, packed=8, dropped=1, padding=0, shards=1, bytes=20)
    plain: dict[str, object] = {
        "name": "r",
        "root": "0" * 64,
        "seq_len": 8,
        "vocab_size": 100,
        "created_at": "2026-01-01T00:00:00+00:00",
        "sources": {"web": SourceFunnel(fetches=10, documents=10, kept=6, dropped=4, train=6)},
        "checks": (),
        "drop_reasons": {"short": 3, "long": 1},
        "all_reasons": {"short": 3, "long": 2},
        "languages": {"en": 7, "zh": 3},
        "histograms": {},
        "counters": {},
        "kept_samples": (),
        "dropped_samples": (),
        "dedup": None,
        "contamination": None,
        "cards": {},
        "mixture": (),
        "mixture_warnings": (),
        "packing": {"train": split, "heldout": split},
        "rejects": (),
        "reject_samples": (),
        "records": {},
        "stages": (StageNumbers(stage="clean", seconds=2.0, rows={"cleaned": 10}, bytes=5),),
    }
    return ReportData.model_validate({**plain, **changed})


def dedup(kept: str, removed: str) -> DedupNumbers:
    both = [
        Sample(doc_id=name, source="web", url=None, title=None, reason=None, before=text)
        for name, text in (("a", kept), ("b", removed))
    ]
    pair = PairSample(
        kept=both[0], removed=both[1], method="minhash", jaccard=0.85, containment=0.9
    )
    return DedupNumbers(
        bands=14, rows=8, threshold=0.8, false_negative_area=0.1, false_positive_area=0.2,
        curve=tuple(SCurve(14, 8, 0.8).points(11)), by_method={}, cluster_sizes={},
        weakest_jaccard=0.85, capped_buckets=0, pairs=(pair,),
    )  # fmt: skip


def test_shares_of_reasons_are_of_the_dropped_documents_in_bar_number_and_voice() -> None:
    by_source = (ReasonCount(reason="short", group="web", documents=3, text_bytes=40),)
    page = reasons_section(report(reasons_by_source=by_source))

    assert Cells(page).tables["First reason"][1:] == [
        ["short", "", "3", "75.0%", "40"],
        ["long", "", "1", "25.0%", "0"],
    ]
    assert Cells(page).tables["All reasons"][2] == ["long", "", "2", "50.0%"]
    assert 'aria-label="short, 3: 75.0%"><span style="width:75.00%">' in page


def test_the_comparison_shows_what_differs_by_how_much_and_not_what_is_equal() -> None:
    before = report(root="1" * 64)
    now = report(
        sources={
            "web": SourceFunnel(fetches=20, documents=20, kept=9, dropped=11, train=9),
            "new": SourceFunnel(fetches=1, documents=1, kept=1, train=1),
        },
        drop_reasons={"short": 3, "twice": 8},
        stages=(StageNumbers(stage="clean", seconds=3.5, rows={}, bytes=5),),
    )

    page = compare_section(now, before)

    tables = Cells(page).tables
    counts = {row[0]: row[1:] for row in tables["Counts"]}
    assert counts["documents"] == ["10", "21", "+11", "+110.0%"]
    assert counts["kept"] == ["6", "10", "+4", "+66.7%"]
    assert counts["training tokens"] == ["8", "8", "0", ""]
    assert "rejected" not in counts, "nothing before and nothing now"
    # The largest difference first; what is equal is left out.
    assert tables["First reasons of dropped documents"][1:] == [
        ["twice", "0", "8", "+8"],
        ["long", "1", "0", "-1"],
    ]
    assert tables["Kept documents by source"][1:] == [
        ["web", "6", "9", "+3"],
        ["new", "0", "1", "+1"],
    ]
    assert tables["Seconds by stage"][1:] == [["clean", "2.0", "3.5", "+1.5"]]
    assert "Languages: no difference." in page
    assert "other content" in page
    assert "the same content" in compare_section(before, before)


def test_the_page_compares_only_when_there_is_another_run() -> None:
    assert 'id="previous"' in render_page(report(), report())
    assert 'id="previous"' not in render_page(report())


@pytest.mark.parametrize(
    ("kept", "removed"),
    [
        ("the old house stood", "the new house stood still"),
        ("数据质量很好。", "数据的质量不好。"),
        ("a <b>bold</b> word", "a <i>bold</i> word"),
        ("same", "same"),
    ],
)
def test_a_diff_marks_what_differs_and_loses_nothing(kept: str, removed: str) -> None:
    sides = re.findall(r"<pre[^>]*>(.*?)</pre>", dedup_section(report(dedup=dedup(kept, removed))))

    class Side(HTMLParser):
        def __init__(self, markup: str) -> None:
            super().__init__()
            self.whole, self.common, self._marked = "", "", False
            self.feed(markup)

        def handle_starttag(self, tag: str, attrs: object) -> None:
            assert tag in ("del", "ins")
            self._marked = True

        def handle_endtag(self, tag: str) -> None:
            self._marked = False

        def handle_data(self, data: str) -> None:
            self.whole += data
            self.common += "" if self._marked else data

    left, right = map(Side, sides)
    assert (left.whole, right.whole) == (kept, removed)
    assert left.common == right.common, "what is not marked stands in both"
    assert len(left.common) >= len(kept) / 3
    assert (left.common == kept) == (kept == removed)


def test_the_s_curve_is_drawn_where_its_formula_says() -> None:
    figure = Figure(curve(SCurve(14, 8, 0.8).points(11), 0.8, "S-curve"))

    (line,) = figure.data["series"]
    points = list(zip(line["x"]["Jaccard similarity"], line["y"], strict=True))
    assert (points[0], points[-1]) == ((0, 0), (1, 1))
    for x, y in points:
        assert y == pytest.approx(1 - (1 - x**8) ** 14, abs=1e-5)
    assert figure.data["marks"] == [0.8]
    assert "threshold 0.8" in figure.label
    assert "with a chance of 92.4%" in dedup_section(report(dedup=dedup("a", "b")))


def numbers(cells: list[str]) -> list[int]:
    return [int(cell.replace(",", "")) for cell in cells]


@pytest.mark.parametrize("drawn", [0, 40])
def test_the_account_adds_up_as_its_caption_says(drawn: int) -> None:
    control = 60 if drawn else 0
    train = PackingNumbers(
        rows=30, tokens_in=120, drawn=drawn, packed=110 + drawn, dropped=10,
        control=control, padding=240 - 110 - drawn - control, shards=1, bytes=99,
    )  # fmt: skip
    row = MixtureRow(
        source="web", documents=1, tokens=9, weight_asked=1, weight_got=1, epochs=1,
        packed_tokens=110 + drawn, dropped_tokens=10, drawn_tokens=drawn, bytes_per_token=4.0,
    )  # fmt: skip
    tables = Cells(packing_section(report(packing={"train": train}, mixture=(row,)))).tables

    split, by_source = tables.values()
    for head, line in (split[:2], by_source[:2]):
        found = dict(zip(head[1:], line[1:], strict=True))
        names = ["tokens in", *(["drawn again"] if drawn else [])]
        assert sum(numbers([found[name] for name in names])) == sum(
            numbers([found["packed"], found["dropped"]])
        )
        assert ("drawn again" in found) == bool(drawn)


def test_stages_end_in_their_sum() -> None:
    stages = [
        StageNumbers(stage=n, seconds=s, rows={}, bytes=100) for n, s in (("a", 1.5), ("b", 2))
    ]

    table = next(iter(Cells(stages_section(report(stages=stages))).tables.values()))

    assert table[-1][:3] == ["all", "", "3.5"]
    assert table[-1][6] == "200"
