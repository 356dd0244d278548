"""Charts: what a figure holds, that text in it is never markup, and that a page stays small."""

from __future__ import annotations

import math
from typing import Any

import pytest

from pages.charts import (
    MOST_POINTS,
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
from tests.support.figures import Figure


def lines(*values: float, name: str = "loss", **more: Any) -> Series:
    return Series(name=name, x={"step": list(range(len(values)))}, y=values, **more)


def drawn(*series: Series, **more: Any) -> Figure:
    return Figure(line_chart(LineChart(title="t", series=series, **more)))


def test_a_line_keeps_its_points_and_its_axes() -> None:
    line = Series(name="", x={"step": [0, 1], "tokens": [64, 128]}, y=[4.0, 3.123456789])

    figure = drawn(line)

    assert figure.data["axes"] == ["step", "tokens"]
    assert figure.data["series"][0]["x"] == {"step": [0, 1], "tokens": [64, 128]}
    assert figure.data["series"][0]["y"] == [4, 3.12346]
    assert figure.label == "t: from 4 to 3.123, lowest 3.123, highest 4"


def test_what_is_not_finite_is_a_gap() -> None:
    figure = drawn(lines(math.nan, 1.0, math.inf, 2.0))

    assert figure.data["series"][0]["y"] == [None, 1, None, 2]


def test_a_chart_without_a_point_is_no_figure() -> None:
    assert line_chart(LineChart(title="t", series=[lines(math.nan)])) == ""
    assert line_chart(LineChart(title="t", series=[])) == ""
    assert line_chart(LineChart(title="t", series=[lines(0.0, -1.0)], logarithmic=True)) == ""


def test_a_long_line_is_thinned_and_keeps_its_peak_and_its_gap() -> None:
    values = [100.0 if n == 54_321 else 1.0 + n % 2 for n in range(100_000)]
    values[70_000] = math.nan

    figure = drawn(lines(*values))

    (line,) = figure.data["series"]
    assert len(line["y"]) <= MOST_POINTS + 1
    assert line["x"]["step"][line["y"].index(100)] == 54_321
    assert line["x"]["step"][line["y"].index(None)] == 70_000


def test_a_chart_of_many_lines_is_no_larger_than_one_of_few() -> None:
    many = drawn(*(lines(*range(5000), name=f"s{n}") for n in range(40)))

    assert sum(len(line["y"]) for line in many.data["series"]) <= MOST_POINTS + 80


def test_a_line_of_one_point_is_marked() -> None:
    assert drawn(lines(1.0)).data["series"][0]["markers"]
    assert not drawn(lines(1.0, 2.0)).data["series"][0]["markers"]


def test_points_may_stand_alone() -> None:
    (alone,) = drawn(lines(1.0, 2.0, markers=True, joined=False)).data["series"]
    (line,) = drawn(lines(1.0, 2.0)).data["series"]

    assert (alone["joined"], line["joined"]) == (False, True)


def _parallel(**changes: Any) -> Parallel:
    rate = ParallelAxis(name="rate", values=[1.0, None, 3.0], ticks=[(1.0, "low"), (5.0, "<b>")])
    same = ParallelAxis(name="<i>", values=[2.0, 2.0, 2.0], ticks=[])
    plain: dict[str, Any] = {
        "title": "t", "unit": "u", "axes": [rate, same], "lines": ["a", "<b>b</b>", "c"],
        "groups": [0, 1, 1], "names": ["best", "others"],
    }  # fmt: skip
    return Parallel(**{**plain, **changes})


def test_parallel_axes_are_shares_of_their_own_reach_and_names_stay_text() -> None:
    figure = Figure(parallel_chart(_parallel()))

    rate, same = figure.data["axes"]
    assert rate["values"] == [0, None, 0.5]
    assert rate["ticks"] == [[0, "low"], [1, "&lt;b&gt;"]]
    assert same["values"] == [0.5, 0.5, 0.5]
    assert same["name"] == "&lt;i&gt;"
    assert figure.data["lines"][1] == "&lt;b&gt;b&lt;/b&gt;"
    assert "b" not in figure.tags


def test_one_axis_or_no_line_is_no_chart() -> None:
    assert parallel_chart(_parallel(axes=_parallel().axes[:1])) == ""
    assert parallel_chart(_parallel(lines=[], groups=[])) == ""


def test_names_are_never_markup_nor_the_library_s_tags() -> None:
    hostile = '"><script>x</script><b>&lt;'
    chart = LineChart(title=hostile, unit=hostile, series=[lines(1.0, 2.0, name=hostile)])

    figure = Figure(line_chart(chart))

    assert "script" not in figure.tags
    assert "b" not in figure.tags
    # The library reads tags and entities in names: it is given escaped ones.
    assert (
        figure.data["series"][0]["name"] == '"&gt;&lt;script&gt;x&lt;/script&gt;&lt;b&gt;&amp;lt;'
    )


def test_a_long_name_is_cut() -> None:
    (line,) = drawn(lines(1.0, 2.0, name="n" * 500)).data["series"]

    assert line["name"] == "n" * 59 + "…"


def test_the_values_are_a_table_too() -> None:
    figure = drawn(lines(*range(100)))

    assert figure.cells[:3] == ["line", "step", "value"]
    assert figure.cells[3:6] == ["loss", "0", "0"]
    assert figure.cells[-3:] == ["loss", "99", "99"]
    assert len(figure.cells) == 3 * 13


def test_bars_lie_between_their_edges_and_marks_where_they_belong() -> None:
    chart = Histogram(
        title="Length",
        unit="words",
        edges=(0.0, 1.0, 10.0, 100.0),
        counts=(3, 0, 4),
        marks=(5.5, 1e9),
    )

    figure = Figure(histogram(chart))

    assert figure.data["names"] == ["0 to 1", "1 to 10", "10 to 100"]
    assert figure.data["counts"] == [3, 0, 4]
    assert figure.data["marks"] == [[1.5, "5.5"], [3.0, "1 G"]]
    assert figure.data["ticks"] == [[0.0, "0"], [1.0, "1"], [2.0, "10"], [3.0, "100"]]
    assert figure.label == "Length: 7 documents by words, most 4: threshold 5.5, threshold 1 G"
    assert figure.cells == ["words", "documents", "0 to 1", "3", "10 to 100", "4"]


def test_shares_have_ticks_at_quarters() -> None:
    chart = Histogram(title="s", unit="score", edges=(0.0, 0.5, 1.0), counts=(1, 1))

    ticks = Figure(histogram(chart)).data["ticks"]

    assert [at for at, _ in ticks] == [0.0, 0.5, 1.0, 1.5, 2.0]


def test_groups_of_bars_are_read_out() -> None:
    chart = GroupedBars(
        title="Mixture", unit="shares", labels=("web", "中文"),
        groups={"asked": (0.25, 0.75), "got": (0.5, 0.5)}, notes=("1.00 epochs", "9.00 epochs"),
        warned=(False, True),
    )  # fmt: skip

    figure = Figure(grouped_bars(chart))

    assert figure.data["groups"] == [["asked", [0.25, 0.75]], ["got", [0.5, 0.5]]]
    assert figure.data["warned"] == [False, True]
    assert figure.label.endswith("web 25% asked, 50% got; 中文 75% asked, 50% got")


@pytest.mark.parametrize("value", [1e300, -1e300, 5e-324, 1e15])
def test_extreme_numbers_are_json(value: float) -> None:
    assert drawn(lines(value, 1.0)).data["series"][0]["y"][0] == pytest.approx(value, rel=1e-5)


def test_values_have_their_intervals_and_what_they_are_held_against() -> None:
    chart = Intervals(
        title="Scores",
        labels=("a<b", "c"),
        dots=(
            Dots(name="m", values=(0.5, None), lows=(0.4, None), highs=(math.nan, None)),
            Dots(name="n", values=(0.25, 0.75), lows=(None, 0.7), highs=(None, 0.8)),
        ),
        marks={"chance": (0.5, None)},
        percent=True,
    )

    figure = Figure(interval_chart(chart))

    assert figure.data["labels"] == ["a&lt;b", "c"]
    assert figure.data["dots"][0] == {
        "name": "m",
        "x": [0.5, None],
        "low": [0.4, None],
        "high": [None, None],
    }
    assert figure.data["marks"] == [["chance", [0.5, None]]]
    assert figure.label.startswith(
        "Scores: a<b m 50.0 %; a<b n 25.0 %; c n 75.0 %; a<b chance 50.0 %"
    )
    assert "75.0 %" in figure.cells


def test_intervals_of_nothing_draw_nothing() -> None:
    empty = Dots(name="m", values=(None, math.nan), lows=(None, None), highs=(None, None))

    assert interval_chart(Intervals(title="t", labels=("a", "b"), dots=(empty,))) == ""
