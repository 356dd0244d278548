"""The charts of a page in a real browser: drawn under the policy, smoothed, over another axis, dark."""

from __future__ import annotations

from pathlib import Path

import pytest

from pages.charts import (
    Dots,
    GroupedBars,
    Histogram,
    Intervals,
    LineChart,
    Parallel,
    ParallelAxis,
    Series,
    grouped_bars,
    histogram,
    interval_chart,
    line_chart,
    parallel_chart,
)
from pages.frame import Page, PageSection
from tests.support.browser import needs_chromium, opened
from train.report.curves import CONTROLS

pytestmark = [
    pytest.mark.browser,
    needs_chromium,
]
LINES = LineChart(
    title="Loss",
    series=[
        Series(
            name=name, x={"step": list(range(50)), "tokens": [64 * n for n in range(50)]},
            y=[5.0 - 0.05 * n + n % 2 for n in range(50)],
        )
        for name in ("a<img src=x onerror=document.title='owned'>", "b")
    ],
)  # fmt: skip
BODY = (
    CONTROLS
    + line_chart(LINES)
    + histogram(Histogram(title="h", unit="words", edges=(0, 1, 10), counts=(1, 2), marks=(1,)))
    + grouped_bars(
        GroupedBars(
            title="m",
            unit="",
            labels=("x",),
            groups={"asked": (1.0,)},
            notes=("n",),
            warned=(True,),
        )
    )
    + interval_chart(
        Intervals(
            title="i",
            labels=("<b onclick=1>row</b>", "y"),
            dots=(Dots(name="d", values=(0.5, None), lows=(0.4, None), highs=(0.6, None)),),
            marks={"chance": (0.5, 0.25)},
            zero=True,
            percent=True,
        )
    )
    + parallel_chart(
        Parallel(
            title="p",
            unit="",
            axes=[
                ParallelAxis(name=n, values=(1.0, 2.0), ticks=((1.0, "<i>one</i>"),)) for n in "ab"
            ],
            lines=("x", "y"),
            groups=(0, 1),
            names=("best", "others"),
        )
    )
)


def drawn(tmp_path: Path, *, act: str = "", until: str = "true", dark: bool = False) -> str:
    """The elements of the page after its charts were drawn and a script has acted on it."""
    sections = [PageSection(key="s", title="S", body=BODY)]
    page = tmp_path / "page.html"
    page.write_text(Page(title="t", kind="test", sections=sections).render(), "utf-8")
    with opened(page, dark=dark) as tab:
        tab.wait_for("document.querySelectorAll('[data-drawn]').length == 5")
        tab.value(f"{{ {act} }}")
        tab.wait_for(until)
        return tab.elements().split("</head>")[1].split("<script>")[0]


def test_all_kinds_are_drawn_and_names_stay_text(tmp_path: Path) -> None:
    body = drawn(tmp_path)

    assert body.count("js-plotly-plot") == 5
    assert body.count('class="trace scatter') == 6
    assert body.count('class="xerror"') == 1  # a row without a value has no interval
    assert "<img" not in body
    assert "<b onclick" not in body
    assert "<i>one" not in body
    assert "onerror=document" in body  # as the text of the legend
    assert 'hidden=""' not in body.split("</form>")[0]
    assert "cloud" not in body  # no button sends a chart away


def test_smoothing_adds_a_line_and_another_axis_moves_it(tmp_path: Path) -> None:
    act = (
        'const form = document.querySelector("form.controls");'
        'form.elements.smoothing.value = "0.9"; form.elements.axis.value = "tokens";'
        'form.dispatchEvent(new Event("input"));'
    )

    body = drawn(tmp_path, act=act, until="document.querySelectorAll('.trace.scatter').length == 8")

    assert body.count('class="trace scatter') == 8
    assert ">tokens</text>" in body
    assert ">0.90</output>" in body


def test_a_dark_screen_gets_light_text(tmp_path: Path) -> None:
    light, dark = (drawn(tmp_path, dark=is_dark) for is_dark in (False, True))

    assert "rgb(90, 103, 117)" not in dark
    assert "rgb(154, 167, 182)" in dark
    assert "rgb(154, 167, 182)" not in light
