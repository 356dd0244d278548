from __future__ import annotations

import csv

import lxml.html
import pytest

from benchmarks.races.labelled_parts import LABELS, Label, read_labels, scores_of, text_of

PAGE = lxml.html.document_fromstring("""
<table><tr><td>Home and other pages</td><td>of this very site</td></tr></table>
<pre>for x in y:
    print(x)</pre>
<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table>
<table><tr><td>They said that it would rain all day</td></tr></table>
""")
KEPT = """```
for x in y:
    print(x)
```

| a | b |
|---|---|
| 1 | 2 |
"""
LABELS_OF_PAGE = [
    Label("table0", 8, "left_out"),
    Label("pre0", 6, "kept"),
    Label("table1", 4, "kept"),
    Label("table2", 8, "prose"),
]


def test_each_part_is_judged_by_its_own_measure() -> None:
    """The prose is lost; then it is kept, with the navigation, and the code is flattened."""
    good = dict(scores_of(KEPT, PAGE, LABELS_OF_PAGE))
    bad = dict(scores_of(text_of(PAGE).replace("\n", " "), PAGE, LABELS_OF_PAGE))

    assert good == {
        "left out": 1, "code kept": 1, "tables kept": 1, "prose in tables and pre": 0,
    }  # fmt: skip
    assert bad["left out"] == 0
    assert bad["prose in tables and pre"] == 1
    assert bad["code kept"] == bad["tables kept"] == 0


def test_another_element_than_the_labelled_one_is_an_error() -> None:
    for label in (Label("pre0", 7, "kept"), Label("pre1", 5, "kept")):
        with pytest.raises(ValueError, match="the label says"):
            list(scores_of(KEPT, PAGE, [label]))


def test_labels_name_each_part_once_and_say_what_it_is() -> None:
    labels = read_labels()

    with LABELS.open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert len({(row["page"], row["part"]) for row in rows}) == len(rows)
    assert len(labels) >= 100
    assert {label.verdict for own in labels.values() for label in own} == {
        "kept", "prose", "left_out",
    }  # fmt: skip
