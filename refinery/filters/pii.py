"""Find personal data in text: e-mail, IP, phone and Chinese ID numbers, as spans to mask.

Every kind has a gate of literal characters, then one pattern, then a check of the number (a check
digit, an octet, a public address) and of what stands around it (`pii_context.py`): a section number
has the form of an address, a part number that of a telephone. Masks that hit such numbers would harm
more text than they protect. What has no such form (a street, a name) is not looked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from refinery.filters.config import PiiConfig, PiiKind
from refinery.filters.pii_context import (
    Found,
    is_address_v4,
    is_address_v6,
    is_landline,
    is_mail,
    is_mobile,
    is_phone,
)
from refinery.text.marked_edit import MarkedEdit

PII_VERSION = 2

# The top-level domain ends where its letters change their case: pod writes `E<lt>a@b.orgE<gt>`.
_EMAIL = re.compile(
    r"(?<![A-Za-z0-9.+\-/%])[A-Za-z0-9][\w.+\-]{0,63}@"
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9\-]{0,61}[A-Za-z0-9])?\.)+"
    r"(?:[A-Za-z][a-z]{1,23}|[A-Z]{2,24})(?=E<|(?![A-Za-z0-9\-]))",
    re.ASCII,
)
_IPV4 = re.compile(r"(?<![\w.\-])(?:\d{1,3}\.){3}\d{1,3}(?![\w\-]|\.\d)", re.ASCII)
_IPV6 = re.compile(r"(?<![:\w.])[23][0-9A-Fa-f]{3}:(?:[0-9A-Fa-f]{0,4}:){1,6}[0-9A-Fa-f]{0,4}(?![:\w])", re.ASCII)  # fmt: skip
_MOBILE_ZH = re.compile(
    r"(?<![\w.\-+/=#])(?:(?:\+|00)86[\- ]?)?1[3-9]\d(?:\d{8}|-\d{4}-\d{4}| \d{4} \d{4})"
    r"(?![\w\-]|\.\d)",
    re.ASCII,
)
_ID_ZH = re.compile(
    r"(?<![\dA-Za-z])[1-8]\d{5}(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dXx]"
    r"(?![\dA-Za-z])",
    re.ASCII,
)
# North America with its separators, or an international number with its plus sign.
_PHONE = re.compile(
    r"(?<![\dA-Za-z._\-+/=#])(?:\+1[\-. ]?)?(?:\([2-9]\d{2}\) ?|[2-9]\d{2}[\-.])"
    r"[2-9]\d{2}[\-. ]\d{4}"
    r"(?![\w\-]|\.\d)"
    r"|(?<![\w+])\+[1-9]\d{0,2}(?:[\-. /]\(?\d{1,8}\)?){2,5}(?![\w\-]|\.\d)",
    re.ASCII,
)
# China and Germany by their area codes; without words about telephones these are numbers of anything.
_LANDLINE = re.compile(
    r"(?<![\dA-Za-z._\-+/=#])(?:\(0\d{2,5}\) ?|0\d{2,5}[\-/ ])\d{3,8}(?:[\- ]\d{2,8}){0,3}(?![\w\-]|\.\d)",
    re.ASCII,
)
_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ID_CHECKS = "10X98765432"


def is_chinese_id(number: str) -> bool:
    """Whether the check digit is right (GB 11643-1999, ISO 7064 MOD 11-2)."""
    total = sum(int(digit) * weight for digit, weight in zip(number, _ID_WEIGHTS, strict=False))
    return _ID_CHECKS[total % 11] == number[-1].upper()


@dataclass(frozen=True)
class _Kind:
    """A kind of personal data: what the text must hold, its pattern and its check."""

    name: PiiKind
    gate: re.Pattern[str]
    pattern: re.Pattern[str]
    is_real: Callable[[Found], bool]


_KINDS = (
    _Kind("email", re.compile("@"), _EMAIL, is_mail),
    _Kind(
        "id_zh", re.compile(r"\d{17}", re.ASCII), _ID_ZH, lambda found: is_chinese_id(found.text)
    ),
    _Kind("mobile_zh", re.compile(r"1[3-9]\d[ \-]?\d{4}", re.ASCII), _MOBILE_ZH, is_mobile),
    _Kind("ip", re.compile(r"\d\.\d{1,3}\.\d", re.ASCII), _IPV4, is_address_v4),
    _Kind("ip", re.compile("[0-9a-fA-F]:[0-9a-fA-F:]"), _IPV6, is_address_v6),
    _Kind("phone", re.compile(r"\d[\-. )/]+\d", re.ASCII), _PHONE, is_phone),
    _Kind("phone", re.compile(r"0\d{2,5}[\-/ )]", re.ASCII), _LANDLINE, is_landline),
)


def find_pii(text: str, config: PiiConfig) -> list[MarkedEdit]:
    """Masks of personal data, sorted; where two kinds overlap, the one that is first in `_KINDS` stays."""
    taken: list[tuple[int, int]] = []
    masks: list[MarkedEdit] = []
    for kind in _KINDS:
        mask = config.masks.get(kind.name)
        if mask is None or not kind.gate.search(text):
            continue
        for start, end in _spans(kind, text):
            if not any(start < other_end and other < end for other, other_end in taken):
                taken.append((start, end))
                masks.append(MarkedEdit.of(start, end, mask, f"pii:{kind.name}"))
    return sorted(masks)


def _spans(kind: _Kind, text: str) -> Iterator[tuple[int, int]]:
    for match in kind.pattern.finditer(text):
        if kind.is_real(Found(text, match.start(), match.end())):
            yield match.span()
