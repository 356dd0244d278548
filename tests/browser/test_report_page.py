"""The report in a real browser: hostile text must not run, move or break the page."""

from __future__ import annotations

import itertools
from html.parser import HTMLParser
from pathlib import Path

import pytest

from benchmarks.refinery.report_page import open_once
from pages.frame import Page, PageSection
from pages.tables import table
from refinery.report.data import (
    BenchmarkCoverage,
    Check,
    ContaminationNumbers,
    DedupNumbers,
    DomainCount,
    EditCount,
    EditExample,
    FrequentNgram,
    Histogram,
    MixtureRow,
    PackingNumbers,
    PairSample,
    ReasonCount,
    RejectCount,
    ReportData,
    RuleBound,
    RunFacts,
    Sample,
    SourceFunnel,
    StageNumbers,
)
from refinery.report.page import render_page
from tests.support.browser import needs_chromium, opened

HOSTILE = "</pre></article><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"


def _report(text: str = HOSTILE) -> ReportData:
    sample = Sample(
        doc_id="0" * 32,
        source=text,
        url=text,
        title=text,
        reason=text,
        before=text,
        marked=text,
        after=text,
    )
    split = PackingNumbers(rows=1, tokens_in=9, packed=8, dropped=1, padding=0, shards=1, bytes=20)
    return ReportData(
        name="hostile",
        root="0" * 64,
        seq_len=8,
        vocab_size=100,
        created_at="2026-01-01T00:00:00+00:00",
        sources={text: SourceFunnel(fetches=2, documents=2, kept=1, dropped=1, train=1)},
        checks=(Check(claim="fetches = refetched + documents", left=2, right=2),),
        drop_reasons={text: 1},
        all_reasons={text: 1},
        languages={text: 2},
        histograms={
            name: Histogram(edges=(0.0, 0.5, 1.0), counts=(1, 1), marks=(0.5,), unit=text)
            for name in ("length", text)
        },
        counters={text: 1},
        kept_samples=(sample,),
        dropped_samples=(sample,),
        dedup=DedupNumbers(
            bands=14, rows=8, threshold=0.8, false_negative_area=0.0, false_positive_area=0.0,
            curve=((0.0, 0.0), (1.0, 1.0)), by_method={text: 1}, cluster_sizes={"2": 1},
            weakest_jaccard=0.8, capped_buckets=0,
            pairs=(PairSample(removed=sample, kept=sample, method=text, jaccard=0.8, containment=1.0),),
        ),
        contamination=ContaminationNumbers(
            documents_by_benchmark={text: 1}, items_by_benchmark={text: 1}, items=1, uncovered_items=0,
            recall={"verbatim": (1, 1)}, clean_documents=10, false_positives=0, samples=(sample,),
            coverage=(
                BenchmarkCoverage(benchmark=text, ngram_tokens=8, items=1, whole_line=0, uncovered=0),
            ),
            ignored=(FrequentNgram(ngram=text, documents=11),),
            last=(FrequentNgram(ngram=text, documents=11, item=text),),
        ),
        cards={text: {"auc": 0.9, "precision": None}},
        mixture=(
            MixtureRow(
                source=text, documents=1, tokens=8, weight_asked=1.0, weight_got=1.0, epochs=1.0,
                packed_tokens=8, bytes_per_token=4.0,
            ),
        ),
        mixture_warnings=(text,),
        packing={"train": split, "heldout": split},
        rejects=(RejectCount(source=text, stage=text, reason=text, rejects=1),),
        reject_samples=((text, text, text),),
        records={text: 1},
        reasons_by_source=(ReasonCount(reason=text, group=text, documents=1, text_bytes=1),),
        reasons_by_language=(ReasonCount(reason=text, group=text, documents=1, text_bytes=1),),
        rules=(
            RuleBound(rule=text, group=text, value=text, meaning=text, minimum=1, maximum=2, source=text,
                      failed=1, first=1),
        ),
        edits=(EditCount(reason=text, source=text, edits=1, documents=1, characters=1),),
        edit_examples=(
            EditExample(reason=text, url=text, doc_id=text, before=text, removed=text, replacement=text,
                        after=text),
        ),
        domains=(
            DomainCount(host=text, documents=1, kept=1, text_bytes=1, kept_bytes=1, commonest_reason=text),
        ),
        run=RunFacts(command=(text,), code_version=text, packages={text: text}, recipe=text, started_at=text),
        unmatched_lists=(text,),
        stages_missing=(text,),
        stages=(StageNumbers(stage=text, seconds=1.0, rows={text: 1}, bytes=1),),
    )  # fmt: skip


def _without_scripts(page: str) -> str:
    """The page without the scripts at its end, which its policy allows by their hashes."""
    rest, *scripts = page.split("<script>")
    assert len(scripts) == 3
    assert scripts[2].endswith("</script></body></html>\n")
    return rest


def test_nothing_from_a_document_is_markup() -> None:
    page = _without_scripts(render_page(_report(), _report()))

    assert "<script" not in page
    assert "<img" not in page
    assert "http" not in _without_scripts(render_page(_report("plain"))).replace("http-equiv", "")


class Elements(HTMLParser):
    """The elements of a page in order, with their attributes; fails where they do not nest."""

    VOID = frozenset({"meta", "wbr", "br"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes another element"

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


def test_screen_readers_find_landmarks_headings_and_headers() -> None:
    page = Elements(render_page(_report(), _report()))
    ids = [attributes["id"] for _, attributes in page.found if "id" in attributes]

    assert page.open == []
    assert len(set(ids)) == len(ids)
    assert [len(page.named(tag)) for tag in ("main", "h1", "nav", "footer")] == [1, 1, 1, 1]
    assert page.named("html") == [{"lang": "en"}]
    assert {str(a["href"]).removeprefix("#") for a in page.named("a")} <= set(ids)
    assert all(section["aria-labelledby"] in ids for section in page.named("section"))
    levels = [int(tag[1]) for tag, _ in page.found if tag in ("h1", "h2", "h3")]
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert len(page.named("table")) == len(page.named("caption")) > 15
    assert all(th.get("scope") in ("col", "row", "colgroup") for th in page.named("th"))
    labelled = [a for _, a in page.found if a.get("role") in ("img", "group")]
    assert all(attributes.get("aria-label") for attributes in labelled)


def test_what_scrolls_can_be_reached_with_the_keyboard() -> None:
    page = Elements(render_page(_report("line\n" * 40)))

    wide = [a for a in page.named("div") if a.get("class") == "wide"]
    assert len(wide) > 10
    assert all(attributes["tabindex"] == "0" for attributes in wide)
    assert all(attributes.get("tabindex") == "0" for attributes in page.named("pre"))
    assert page.named("a")[0].get("class") == "skip"


@pytest.mark.browser
@needs_chromium
@pytest.mark.parametrize("width", [1200, 500])
def test_page_is_no_wider_than_the_window(tmp_path: Path, width: int) -> None:
    page = tmp_path / "index.html"
    page.write_text(render_page(_report("unbroken" * 60), _report()), "utf-8")

    assert not open_once(page, width=width)["wide"]


@pytest.mark.browser
@needs_chromium
def test_hostile_text_does_not_run_or_break_the_page(tmp_path: Path) -> None:
    page = tmp_path / "index.html"
    page.write_text(render_page(_report()), "utf-8")

    with opened(page, height=9000) as tab:
        tab.wait_for("document.querySelectorAll('[data-drawn]').length >= 4")  # drawn all the same
        title, elements = tab.value("document.title"), tab.elements()

    assert title == "hostile: refinery report"
    assert elements.count("<section") == 15
    assert "owned'</script>" not in elements
    assert elements.count("js-plotly-plot") >= 4


PRESS = """(() => {
const [name, size] = document.querySelectorAll("button.sort");
const order = () => [...document.querySelectorAll("tbody tr")].map((row) => row.cells[0].textContent).join(",");
const found = [order()];
for (const button of [size, size, name]) { button.click(); found.push(order()); }
return [...found, name.closest("th").getAttribute("aria-sort")];
})()"""


@pytest.mark.browser
@needs_chromium
def test_a_table_is_sorted_by_its_headings_and_its_sum_stays_below(tmp_path: Path) -> None:
    rows = [("b", "1,234"), ("a", "2.5 M"), ("c", ""), ("d", "12.5 k"), ("all", "9 G")]
    page = tmp_path / "page.html"
    page.write_text(
        Page(
            title="t", kind="k",
            sections=[PageSection(key="s", title="s", body=table("c", ("name", "size"), rows))],
        ).render()
    )  # fmt: skip

    with opened(page) as tab:
        found = tab.value(PRESS)

    assert found == [
        "b,a,c,d,all", "a,d,b,c,all", "b,d,a,c,all", "a,b,c,d,all", "ascending",
    ]  # fmt: skip
