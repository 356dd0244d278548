"""What line rules ask of the characters inside a line, found in one pass.

Legend: C code points, L lines, M characters of a set.
"""

from __future__ import annotations

import numpy as np

from refinery.compiled import kernel
from refinery.filters.counting import Mask, is_in
from refinery.text.batch import KIND, SPACE, UPPER, Classes, Codes, Indices

_BRACKET = 0x5B


@kernel
def scan_inside(
    codes_C: Codes,
    classes_C: Classes,
    starts_L: Indices,
    ends_L: Indices,
    cited_M: Codes,
) -> tuple[Indices, Indices, Indices, Mask]:
    """[L] words between blanks, most characters between blanks, capital letters, brackets before `cited_M`."""
    words_L, longest_L = np.ones(len(starts_L), np.int64), np.zeros(len(starts_L), np.int64)
    capitals_L, cited_L = np.zeros(len(starts_L), np.int64), np.zeros(len(starts_L), np.bool_)
    for line in range(len(starts_L)):
        own_codes, own_classes = (
            codes_C[starts_L[line] : ends_L[line]],
            classes_C[starts_L[line] : ends_L[line]],
        )
        begin = capitals = longest = 0
        for char in range(len(own_codes)):
            found = own_classes[char]
            capitals += found & UPPER != 0
            if found & KIND == SPACE:
                longest = max(longest, char - begin)
                words_L[line] += char > begin
                begin = char + 1
            elif own_codes[char] == _BRACKET and char + 1 < len(own_codes):
                cited_L[line] |= is_in(own_codes[char + 1], cited_M)
        longest_L[line] = max(longest, len(own_codes) - begin)
        capitals_L[line] = capitals
    return words_L, longest_L, capitals_L, cited_L
