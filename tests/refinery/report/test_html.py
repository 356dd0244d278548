"""Pieces of the page: bars that share a whole, samples that stay text."""

from __future__ import annotations

from refinery.report.data import Histogram, RejectCount, ReportData, Sample
from refinery.report.html import SHOWN_LINES, bars, code, excerpt, sample_card
from refinery.report.sections.samples import rejects_section, samples_section
from refinery.report.sections.shapes import shapes_section
from tests.refinery.report.test_sections import Cells, report


def test_names_break_behind_their_marks_and_are_escaped() -> None:
    assert code("c4:no_<b>") == "<code>c4:<wbr>no_<wbr>&lt;b&gt;</code>"


def test_bars_share_the_whole() -> None:
    rows = Cells(bars("Languages", {"en": 3, "zh": 1}, 4)).tables["Languages"]

    assert [row[2:] for row in rows[1:]] == [["3", "75.0%"], ["1", "25.0%"]]


def test_a_long_excerpt_is_reached_with_the_keyboard() -> None:
    assert "tabindex" not in excerpt("a", "a")
    assert "tabindex" in excerpt("a", "a\n" * SHOWN_LINES)


def sample(**changed: str | None) -> Sample:
    plain = {"doc_id": "d", "source": "web", "url": None, "title": None, "reason": None,
             "before": "text"}  # fmt: skip
    return Sample.model_validate({**plain, **changed})


def test_a_sample_shows_its_reason_and_executes_nothing() -> None:
    card = sample_card(sample(title="<script>x</script>", reason="short", url="https://x/?a&b",
                              before="a < b ", marked="bad & worse", after=" end"))  # fmt: skip

    assert "<script>" not in card
    assert '<span class="tag">short</span>' in card
    assert "a &lt; b <mark>bad &amp; worse</mark> end" in card
    assert "https://x/?a&amp;b" in card


def test_samples_and_rejects_are_counted() -> None:
    data: ReportData = report(
        kept_samples=(sample(), sample()),
        dropped_samples=(sample(reason="short"),),
        rejects=(RejectCount(source="web", stage="ingest", reason="body:too_large", rejects=3),),
        reject_samples=(("file.warc:1", "body:too_large", "9 > 8"),),
        records={"warcinfo": 2},
    )

    shown = samples_section(data)
    rejected = Cells(rejects_section(data)).tables

    assert "Kept: 2 documents" in shown
    assert "Dropped: 1 documents" in shown
    of_both_stages = next(
        rows for caption, rows in rejected.items() if caption.startswith("Rejects: ")
    )
    assert of_both_stages[1:] == [["body:too_large", "web", "ingest", "3"]]
    assert rejected["Records that are no documents"][1:] == [["warcinfo", "2"]]
    assert rejected["Examples"][1:] == [["file.warc:1", "body:too_large", "9 > 8"]]


def test_shapes_that_hold_nothing_are_left_out() -> None:
    def shape(*counts: int) -> Histogram:
        return Histogram(edges=(0.0, 0.5, 1.0), counts=counts, marks=(0.5,), unit="score")

    page = shapes_section(
        report(
            histograms={"length": shape(1, 2), "empty": shape(0, 0)},
            rule_histograms={"gopher:words · en": shape(3, 4)},
            counters={"emoji": 5},
            gopher="datatrove",
        )
    )

    assert page.count('<figure class="chart') == 2
    assert "Gopher's rules are those of datatrove." in page
    assert Cells(page).tables["What normalisation changed"][1:] == [["emoji", "5"]]
