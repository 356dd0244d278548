"""The features from what a page says of its own parts: its title, its description, and the marks around an article.

Shapes: N blocks, E elements, K marks, F features.
"""

from __future__ import annotations

import numpy as np

from refinery.compiled import Filled, Matrix, bare_kernel
from refinery.extract.feature_layout import LANDMARKS, MARK_LEVELS, NUM_MARK_LEVELS, OWN
from refinery.extract.feature_rows import LandmarkRow, OwnRow, TextRow
from refinery.extract.marks import Mark
from refinery.extract.page_arrays import Floats, Ints, PageArrays, Sums
from refinery.extract.position_rows import WORDS
from refinery.extract.tag_kinds import TAG_IDS

# What stands for the distance to what the page does not have.
FAR = np.float32(1000)
# Shorter texts stand in a title by chance.
TITLE_CHARS = 8
NUM_MARKS = len(Mark)

_H1 = TAG_IDS["h1"]
_LOG_CHARS, _TITLE_MATCH, _SAID_MATCH = (
    int(row) for row in (TextRow.LOG_CHARS, TextRow.TITLE_MATCH, TextRow.SAID_MATCH)
)
_IS_HEADING = OWN + OwnRow.IS_HEADING
_LEAST_LOG_CHARS = np.float32(np.log1p(TITLE_CHARS))
(_SINCE, _UNTIL_MARK, _SINCE_TITLE, _WORDS_SINCE_TITLE, _LEVELS_TO_TITLE, _SHARE_WITH_TITLE, _PAGE_LOG_SAID,
 _SAID_FRACTION, _SINCE_FIRST_SAID, _SINCE_LAST_SAID) = (
    LANDMARKS + row for row in (LandmarkRow.SINCE_COMMENTS, *tuple(LandmarkRow)[NUM_MARKS:])
)  # fmt: skip


@bare_kernel
def find_title(page: PageArrays, rows_NF: Matrix[Floats]) -> int:
    """The block that is most likely the page's title; -1 where none is.

    Headings that the title holds come first, then other texts that it holds, then the first <h1>.
    """
    found, best = -1, 0
    for n in range(len(rows_NF)):
        row, rank = rows_NF[n], 0
        is_h1 = page.tag_ids[page.elements[n]] == _H1
        if row[_TITLE_MATCH] > 0 and row[_LOG_CHARS] >= _LEAST_LOG_CHARS:
            rank = 4 if is_h1 else 3 if row[_IS_HEADING] > 0 else 2
        elif is_h1:
            rank = 1
        if rank > best:
            found, best = n, rank
    return found


@bare_kernel
def find_common(
    page: PageArrays, tops_E: Ints, title: int, levels_E: Filled[Ints], common_E: Filled[Ints]
) -> None:
    """Fill, for each element, the innermost around it that holds the title too, and the distinct ones below that."""
    for e in range(len(levels_E)):
        parent = int(page.parents[e])
        if e == 0 or (page.starts[e] <= title and title < page.ends[e]):
            levels_E[e], common_E[e] = 0, e
        else:
            levels_E[e] = levels_E[parent] + (1 if tops_E[e] == e else 0)
            common_E[e] = common_E[parent]


@bare_kernel
def write_marks(
    page: PageArrays, tops_E: Ints, marks_N: Ints, rows_NF: Matrix[Filled[Floats]]
) -> None:
    """Fill the distances to the marks, and the marks with which containers begin."""
    num, ahead = len(rows_NF), -1
    for n in range(num):
        row, e = rows_NF[n], int(tops_E[page.elements[n]])
        for k in range(NUM_MARKS):
            since = min(rows_NF[n - 1, _SINCE + k] + 1, FAR) if n > 0 else FAR
            row[_SINCE + k] = 0 if marks_N[n] == k + 1 else since
        for level in range(NUM_MARK_LEVELS):
            row[MARK_LEVELS + level] = marks_N[page.starts[e]]
            e = int(tops_E[page.parents[e]])
    for back in range(num):
        n = num - 1 - back
        rows_NF[n, _UNTIL_MARK] = min(np.float32(ahead - n), FAR) if ahead >= 0 else FAR
        if marks_N[n] > 0:
            ahead = n


@bare_kernel
def write_title(
    page: PageArrays, title: int, levels_E: Ints, common_E: Ints, sums_NS: Matrix[Sums],
    rows_NF: Matrix[Filled[Floats]],
) -> None:  # fmt: skip
    """Fill how each block stands to the page's title; without one -1000 or -1."""
    num = len(rows_NF)
    for n in range(num):
        row, e = rows_NF[n], int(page.elements[n])
        if title < 0:
            row[_SINCE_TITLE] = row[_WORDS_SINCE_TITLE] = -FAR
            row[_LEVELS_TO_TITLE] = row[_SHARE_WITH_TITLE] = -1
            continue
        words = sums_NS[n, WORDS] - sums_NS[title, WORDS]
        row[_SINCE_TITLE] = n - title
        row[_WORDS_SINCE_TITLE] = np.log1p(words) if words >= 0 else -np.log1p(-words)
        box = int(common_E[e])
        shared = sums_NS[page.ends[box], WORDS] - sums_NS[page.starts[box], WORDS]
        row[_LEVELS_TO_TITLE], row[_SHARE_WITH_TITLE] = levels_E[e], shared / sums_NS[num, WORDS]


@bare_kernel
def write_said(log_said: float, sums_NS: Matrix[Sums], rows_NF: Matrix[Filled[Floats]]) -> None:
    """Fill how each block stands to those that begin like the page's description."""
    num, first, last, said = len(rows_NF), -1, -1, 0.0
    for n in range(num):
        if rows_NF[n, _SAID_MATCH] > 0:
            first, last = n if first < 0 else first, n
            said += sums_NS[n + 1, WORDS] - sums_NS[n, WORDS]
    for n in range(num):
        row = rows_NF[n]
        row[_PAGE_LOG_SAID], row[_SAID_FRACTION] = log_said, said / sums_NS[num, WORDS]
        row[_SINCE_FIRST_SAID] = n - first if first >= 0 else -FAR
        row[_SINCE_LAST_SAID] = n - last if first >= 0 else -FAR
