from __future__ import annotations

import pytest

from benchmarks.refinery.pii import PLANTED
from refinery.filters.config import PiiConfig
from refinery.filters.pii import find_pii, is_chinese_id
from refinery.filters.pii_context import Found, is_address_v4
from refinery.text.edits import apply_edits


def mask(text: str) -> str:
    return apply_edits(text, [one.edit for one in find_pii(text, PiiConfig())])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("write to jane.doe+x@mail.example.co.uk.", "write to <EMAIL>."),
        ("邮箱是bob@example.com，谢谢", "邮箱是<EMAIL>，谢谢"),
        ("server 8.8.8.8 answered", "server <IP> answered"),
        ("2606:4700:4700::1111 is public", "<IP> is public"),
        ("call (212) 555-0142 or 212-555-0142", "call <PHONE> or <PHONE>"),
        ("call +44 20 7946 0958 today", "call <PHONE> today"),
        ("手机13812345678，", "手机<PHONE>，"),
        ("电话：+86 138 1234 5678。", "电话：<PHONE>。"),
        ("身份证11010519491231002X号", "身份证<ID>号"),
    ],
)
def test_personal_data_is_masked(text: str, expected: str) -> None:
    assert mask(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "version 1.2.3.4.5 and 192.168.0.1 and 127.0.0.1",
        "at 10:20:30 on 2024-01-02, ratio 3.14159265358",
        "user@localhost and @handle and a@b",
        "身份证110105194912310021号",  # wrong check digit
        "订单号 138123456789012",  # longer than a phone number
        "std::vector and Foo::bar",
        "ISBN 978-3-16-148410-0, price 1,234-5,678",
        "pages 123-456-789",
    ],
)
def test_what_only_looks_like_it_stays(text: str) -> None:
    assert mask(text) == text


def test_a_kind_that_is_left_out_is_not_looked_for() -> None:
    only_mail = PiiConfig(masks={"email": "[mail]"})

    found = find_pii("a@b.com 13812345678", only_mail)

    assert [(one.edit.replacement, one.reason) for one in found] == [("[mail]", "pii:email")]


def test_check_digit_of_the_standards_own_example() -> None:
    assert is_chinese_id("11010519491231002X")  # GB 11643-1999
    assert not is_chinese_id("110105194912310020")


@pytest.mark.parametrize(("text", "data"), PLANTED)
def test_context_tells_data_from_numbers_of_the_same_form(text: str, data: list[str]) -> None:
    spans = [text[one.edit.start : one.edit.end] for one in find_pii(text, PiiConfig())]

    assert spans == data


@pytest.mark.parametrize(
    ("before", "after", "is_address"),
    [
        ("the server ", "", True),
        ("", "/24 is ours", True),
        ("", "/10", False),
        ("Abschnitt ", "", False),
        ("第", "条", False),
        ("nginx/", "", False),
    ],
)
def test_what_stands_around_four_parts_decides(
    before: str, after: str, *, is_address: bool
) -> None:
    text = f"{before}5.9.12.33{after}"

    assert is_address_v4(Found(text, len(before), len(before) + 9)) is is_address
