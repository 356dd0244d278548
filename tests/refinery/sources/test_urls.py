"""One normal form of addresses and hosts, and lists of them in the forms that people have."""

from __future__ import annotations

from pathlib import Path

import pytest

from refinery.clean.facts import CleanFacts
from refinery.sources.config import ExcludeConfig
from refinery.sources.exclusions import Exclusions
from refinery.sources.url_lists import entry_name, is_listed, parse_list
from refinery.sources.urls import address_key, host_of, names_of, normal_host, normalise_url


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://user:pw@Example.COM.:8080/x", "example.com"), ("例.cn/e", "xn--fsq.cn"),
        ("//a.example/x", "a.example"), ("http://BÜCHER.example", "xn--bcher-kva.example"),
        ("http://例。cn/", "xn--fsq.cn"), ("http://[2001:DB8::1]/x", "2001:db8::1"),
        ("http://[broken", ""), ("", ""), (None, ""), ("http://x:99999/", ""),
    ],
)  # fmt: skip
def test_a_host_has_one_form(url: str | None, host: str) -> None:
    assert host_of(url) == host


def test_a_label_that_no_name_may_have_stays() -> None:
    assert normal_host("ü" * 80 + ".example") == "ü" * 80 + ".example"
    assert normalise_url("http://例.cn:80?q") == "http://xn--fsq.cn/?q"


def test_scheme_and_www_count_by_choice() -> None:
    assert address_key("http://a.example") == address_key("https://a.example:443/#x")
    assert address_key("http://a.example", any_scheme=False) != address_key(
        "https://a.example", any_scheme=False
    )
    assert address_key("http://www.a.example", any_www=True) == address_key(
        "a.example/", any_www=True
    )
    assert address_key("http://www.a.example") != address_key("http://a.example")


LIST = """\ufeff# my list\r
Blocked.example\r
https://a.example/Bad/page#part   # a reason\r
*.wild.example\r
||ads.example^\r
0.0.0.0 one.example two.example\r
127.0.0.1 localhost\r
::1 ip6-localhost\r
! a rule's comment\r
[Adblock Plus]\r
www.three.example.\r
例.cn\r
http://q.example/x?y=1\r
||tracker.example^$third-party,script\r
@@||allowed.example^\r
.dot.example\r
"quoted.example"\r
left.example,right.example\r
http://t.example/%7Eann/a%2fb,c\r
\r
""".encode()


def test_lists_have_many_forms() -> None:
    assert list(parse_list(LIST)) == [
        "blocked.example", "a.example/bad/page", "wild.example", "ads.example", "one.example",
        "two.example", "three.example", "xn--fsq.cn", "q.example/x?y=1",
        "tracker.example", "dot.example", "quoted.example", "left.example", "right.example",
        "t.example/~ann/a%2fb,c",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("url", "listed"),
    [
        ("https://x.blocked.example/", True), ("https://notblocked.example/", False),
        ("http://www.a.example:8080/bad/page/2", True), ("http://a.example/bad/pages", False),
        ("http://q.example/x?y=1", True), ("http://q.example/x", False), (None, False),
        ("https://a.dot.example/", True), ("https://allowed.example/", False),
        ("https://t.example/~ann/a%2Fb,c", True), ("https://t.example/~ann/a/b,c", False),
    ],
)  # fmt: skip
def test_an_address_is_listed_by_host_domain_or_start(url: str | None, listed: bool) -> None:  # noqa: FBT001
    assert is_listed(url, frozenset(parse_list(LIST))) == listed


def test_names_go_from_the_host_to_the_whole_path() -> None:
    assert list(names_of("http://www.a.example/b/c")) == [
        "a.example", "example", "a.example/b", "a.example/b/c",
    ]  # fmt: skip
    assert entry_name("http://a.example/") == "a.example"
    assert entry_name("") == ""


def test_an_entry_that_means_no_document_is_said(tmp_path: Path) -> None:
    (tmp_path / "l.txt").write_text("blocked.example\n")
    config = ExcludeConfig(domains=("https://gone.example/",), lists=(str(tmp_path / "l.txt"),))

    assert Exclusions(config).find("http://a.gone.example") == ["domain https://gone.example/"]
    assert len(Exclusions(config).names) == 2
    facts = CleanFacts(address_entries={"exclude: domain a": 0, "exclude: url b": 2})
    assert facts.warnings == ["no document's id or address matches 'exclude: domain a'"]
    assert CleanFacts().warnings == []
