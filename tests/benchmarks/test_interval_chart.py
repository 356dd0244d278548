"""The chart of intervals: groups with titles, round ticks with zero among them, nothing cut off."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.interval_chart import WIDTH, Interval, write_intervals

SVG = "{http://www.w3.org/2000/svg}"


def test_groups_are_drawn_between_round_ticks(tmp_path: Path) -> None:
    path = tmp_path / "chart.svg"
    label = "an arm with a name of forty-two characters"
    rows = [
        Interval(label=label, value=-0.2, low=-0.31, high=-0.1),
        Interval(label="<b>", value=0.05, low=0.0, high=0.1),
    ]

    write_intervals(path, {"first & last": rows, "none": []}, x="nats")

    root = ElementTree.parse(path).getroot()
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert texts == ["-0.3", "-0.2", "-0.1", "0", "+0.1", "first & last", label, "<b>", "nats"]
    dots = [float(dot.attrib["cx"]) for dot in root.iter(f"{SVG}circle")]
    assert dots[0] < dots[1] < WIDTH
    assert min(dots) > 6 * len(label)  # beside the longest label, not on it


def test_no_interval_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no interval"):
        write_intervals(tmp_path / "chart.svg", {"none": []}, x="nats")
