"""The frame of a page: sections, the policy that allows two scripts, and its size."""

from __future__ import annotations

import base64
import hashlib
import re

from pages.charts import LineChart, Series, line_chart
from pages.frame import Page, PageSection

CHART = line_chart(LineChart(title="t", series=[Series(name="", x={"step": [0, 1]}, y=[1, 2])]))


def page(body: str) -> str:
    sections = [
        PageSection(key="one", title="One & two", body=body),
        PageSection(key="empty", title="Nothing", body=""),
    ]
    return Page(title="a <b>", kind="test", sections=sections).render()


def test_a_section_without_a_body_is_left_out() -> None:
    text = page("<p>x</p>")

    assert '<a href="#one">One &amp; two</a>' in text
    assert "Nothing" not in text
    assert "<title>a &lt;b&gt;: test</title>" in text


def test_a_page_without_a_chart_has_no_script_and_allows_none() -> None:
    text = page("<p>x</p>")

    assert "<script" not in text
    assert "script-src 'none'" in text
    assert len(text) < 20_000


def test_the_policy_allows_the_kits_scripts_by_their_hashes_and_nothing_else() -> None:
    text = page(CHART)

    scripts = re.findall(r"<script>(.*?)</script>", text, flags=re.DOTALL)
    hashes = [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts]
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    assert len(scripts) == 3
    assert policy == (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data: blob:; "
        "script-src " + " ".join(f"'sha256-{one}'" for one in hashes)
    )
    assert "plotly.js v" in scripts[0]


def test_the_library_leaves_room_below_six_megabytes() -> None:
    assert len(page(CHART).encode()) < 5_000_000
