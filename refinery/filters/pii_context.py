"""Whether a number or address that has the form of personal data is some, by what stands around it.

Technical text is full of other things of the same form: section numbers and versions (4.2.13.1), names
of Perl and C++ (DB::DB), part numbers, counts, file names (icon@2x.png). Words in English, Chinese and
German decide, in this order: a word for the kind of data before the number, a word for another kind of
number, then the number's own form.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

BEFORE_CHARS, AFTER_CHARS = 40, 20
# Below it, four parts are a section or a version unless a word says otherwise: 4.2.13.1, 2.5.29.15.
SECTION_PARTS = 40
# Releases begin with smaller numbers, and few networks do: 4.5.103.35 is one of V8.
VERSION_PARTS = 10


@dataclass(frozen=True)
class Found:
    """A match in its text."""

    whole: str
    start: int
    end: int

    @property
    def text(self) -> str:
        return self.whole[self.start : self.end]

    @property
    def before(self) -> str:
        """The end of the line before the match."""
        return self.whole[max(0, self.start - BEFORE_CHARS) : self.start].rsplit("\n", 1)[-1]

    @property
    def after(self) -> str:
        """The beginning of the line behind the match."""
        return self.whole[self.end : self.end + AFTER_CHARS].split("\n", 1)[0]

    @property
    def begins_line(self) -> bool:
        """Whether only blanks and marks stand before the match on its line."""
        line = self.whole[self.whole.rfind("\n", 0, self.start) + 1 : self.start]
        return not line.strip(" \t#*>-=·•")


_PHONE_WORD = re.compile(
    r"(?:\b(?:tel|telephone|phone|phones|fax|mobile|cell|call|calls|dial|sms|whatsapp|contact|hotline|"
    r"telefon|telefonnummer|handy|mobil|mobilfunk|rufnummer|telefax|anrufen|ruf)\b\.?"
    r"|电话|電話|手机|手機|座机|传真|傳真|热线|熱線|致电|致電|拨打|联系方式|联系人|微信)"
    r"[^\d\n]{0,25}(?:[\d\-() +/]{6,25}[^\d\n]{1,8})?$",
    re.IGNORECASE,
)
_ADDRESS_WORD = re.compile(
    r"(?:(?<![.\w])(?:ips?|ipv[46]|addr|address|addresses|servers?|hosts?|hostname|dns|nameserver|ping|pinged|"
    r"gateway|route|router|client|clients|proxy|login|logged|banned|blocked|traceroute|inet|"
    r"adresse|rechner|anmeldung|zugriff)(?:\b|_)"
    r"|地址|服务器|伺服器|主机|主機|网关|客户端|登录|登錄|访问)[^\d\n]{0,25}$|(?://|@)$",
    re.IGNORECASE,
)
_SECTION_WORD = (
    r"(?:§+|\b(?:sections?|sect?|chapters?|chap|clauses?|appendix|annex|versions?|ver|v|release|releases|"
    r"figures?|fig|tables?|tab|articles?|art|paragraphs?|para|parts?|rules?|items?|steps?|oid|firmware|"
    r"driver|build|kernel|revision|rev|patch|examples?|listing|abschnitt|abschnitte|kapitel|anhang|"
    r"absatz|punkt|ziffer|fassung|abbildung|abb|tabelle|schritt|teil|nr)\b\.?"
    r"|[第章节節条條款版图圖表]|版本|附录|附錄|步骤)"
    r"\s{0,2}(?:(?:\d+\.){1,5}\d+(?:\s?(?:,|;|and|or|to|und|bis|oder|–|-|、|和|至)\s?)){0,4}$"
)
# Names with their version (nginx/1.9.7.1), and numbers that are set without blanks in drawings.
_OTHER_BEFORE = re.compile(
    rf"{_SECTION_WORD}|[A-Za-z0-9)]/$|(?<!\d)-?\d*\.\d+\s-?$"
    r"|\b(?:upgraded?|updated?|patch|bump|requires?|c\d\d)\b[^\d\n]{0,12}(?:v\d+ to )?$",
    re.IGNORECASE,
)
_OTHER_AFTER = re.compile(
    r"\s?[节節章条條款版]|\s?(?:release|version)\b|\.in-addr|\s-?\d*\.\d+(?![\d.])", re.IGNORECASE
)
_PORT_OR_NETWORK = re.compile(r":\d{2,5}\b|/(?:8|1[2-9]|2\d|3[0-2])\b")
_NUMBER_WORD = re.compile(
    r"(?:\b(?:isbn|issn|part|parts|serial|sku|order|orders|model|case|doi|invoice|ticket|bug|issue|item|"
    r"id|ids|ref|code|codes|version|page|pages|pp|patent|licen[cs]e|seed|offset|bytes|size|count|total|"
    r"bestellung|bestellnummer|artikel|artikelnummer|rechnung|seiten?|seriennummer)\b"
    r"|订单|訂單|单号|編號|编号|序列|流水|型号|型號|版本|书号|总数|大小|偏移|种子|时间戳)[^\d\n]{0,12}$",
    re.IGNORECASE,
)
_UNIT_AFTER = re.compile(
    r"\s?(?:bytes?|[KMGT]i?B|bits?|ns|ms|[µu]s|hz|documents?|tokens?|rows?|元|个|個|次|字节|位元|条|行|人)(?![a-z])",
    re.IGNORECASE,
)
_NUMBER_BESIDE = (re.compile(r"\d[,;|\s]{1,4}$"), re.compile(r"[,;|\s]{1,4}\d"))
_HAN = re.compile("[\u4e00-\u9fff]")
_FILE_ENDINGS = frozenset(
    [
        "png",
        "jpg",
        "jpeg",
        "gif",
        "svg",
        "webp",
        "ico",
        "css",
        "scss",
        "js",
        "mjs",
        "ts",
        "json",
        "xml",
        "html",
        "htm",
        "txt",
        "md",
        "yaml",
        "yml",
        "toml",
        "py",
        "so",
        "dll",
        "exe",
        "tgz",
        "zip",
        "gz",
        "bz2",
        "xz",
        "tar",
        "whl",
        "jar",
        "conf",
        "cfg",
        "ini",
        "log",
        "pdf",
        "local",
        "localdomain",
        "internal",
        "class",
    ]
)
_PUBLIC_V6 = ipaddress.ip_network("2000::/3")


def is_mail(found: Found) -> bool:
    """Not a file at a resolution or version, a remote path of ssh, or a product of matrices."""
    local, _, domain = found.text.partition("@")
    if domain.rpartition(".")[2].lower() in _FILE_ENDINGS:
        return False
    after = found.after
    is_remote_path = after[:1] == ":" and bool(after[1:2].strip()) and after[1:2] != ":"
    return not (after[:1] in ("(", "[") or is_remote_path or ".." in local or local[-1] == ".")


def is_address_v4(found: Found) -> bool:
    """Whether four parts are a public address, and not a section, a version or an object identifier."""
    try:
        address = ipaddress.IPv4Address(found.text)
    except ValueError:
        return False
    # Masks of networks and what is private, loopback or reserved for examples name nobody.
    if not address.is_global or address.is_multicast or found.text.endswith(".0.0"):
        return False
    if _OTHER_BEFORE.search(found.before) or _OTHER_AFTER.match(found.after):
        return False
    if _ADDRESS_WORD.search(found.before) or _PORT_OR_NETWORK.match(found.after):
        return True
    parts = [int(part) for part in found.text.split(".")]
    is_section = max(parts) < SECTION_PARTS or (found.begins_line and max(parts) < 100)
    return not is_section and parts[0] >= VERSION_PARTS


def is_address_v6(found: Found) -> bool:
    """Whether it lies in the space of public addresses and says more than one word of a program."""
    try:
        address = ipaddress.IPv6Address(found.text)
    except ValueError:
        return False
    groups = [group for group in found.text.split(":") if any(map(str.isdigit, group))]
    is_clock = "::" not in found.text and not re.search("[A-Fa-f]", found.text)
    return len(groups) >= 2 and not is_clock and address in _PUBLIC_V6 and address.is_global


def is_mobile(found: Found) -> bool:
    """A Chinese mobile number: by its country code, a word before it, or Chinese text around it."""
    digits = "".join(filter(str.isdigit, found.text))
    if found.text.startswith(("+86", "0086")) or _PHONE_WORD.search(found.before):
        return True
    if _is_made_up(digits) or _is_counted(found):
        return False
    return bool(_HAN.search(found.before) or _HAN.search(found.after))


def is_phone(found: Found) -> bool:
    """A North American number with its separators, or one with a plus sign."""
    digits = "".join(filter(str.isdigit, found.text))
    if not 7 <= len(digits) <= 15:
        return False
    if _PHONE_WORD.search(found.before):
        return True
    if _is_made_up(digits) or _is_counted(found):
        return False
    groups = re.findall(r"\d+", found.text)
    if found.text.startswith("+"):
        # Groups of three are thousands; a telephone has eight digits or more.
        is_number = all(len(group) == 3 for group in groups[1:]) and "(" not in found.text
        return len(digits) >= 8 and not is_number and max(map(len, groups[1:])) >= 2
    return "." not in found.text


def is_landline(found: Found) -> bool:
    """A number with an area code: a word before it, or the form of China in Chinese text."""
    digits = "".join(filter(str.isdigit, found.text))
    if not 7 <= len(digits) <= 13:
        return False
    if _PHONE_WORD.search(found.before):
        return True
    is_chinese = re.fullmatch(r"0\d{2,3}-[2-9]\d{6,7}", found.text) is not None
    is_beside = _HAN.search(found.before[-6:]) or _HAN.search(found.after[:6])
    return is_chinese and bool(is_beside) and not (_is_made_up(digits) or _is_counted(found))


def _is_made_up(digits: str) -> bool:
    """Whether nearly all digits are one: 17777777777 and 13800000000 are examples and masks."""
    return max(map(digits.count, set(digits))) >= len(digits) - 3


def _is_counted(found: Found) -> bool:
    """Whether it is a number of something else, or one of several in a row."""
    return bool(
        _NUMBER_WORD.search(found.before)
        or _UNIT_AFTER.match(found.after)
        or _NUMBER_BESIDE[0].search(found.before)
        or _NUMBER_BESIDE[1].match(found.after)
    )
