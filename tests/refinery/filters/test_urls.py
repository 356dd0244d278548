"""Blocked domains, words and lists of addresses."""

from __future__ import annotations

import pytest

from refinery.filters.config import UrlConfig
from refinery.filters.urls import url_reasons


def test_domains_block_their_subdomains_and_words_are_whole() -> None:
    config = UrlConfig(domains=("bad.example",), words=("casino",), soft_words=("free", "win"))

    assert url_reasons("https://a.bad.example/x", config) == ["url:domain"]
    assert url_reasons("https://notbad.example/x", config) == []
    assert url_reasons("https://ok.example/casino-royale", config) == ["url:word"]
    assert url_reasons("https://ok.example/casinos", config) == []
    assert url_reasons("https://ok.example/free/win", config) == ["url:soft_words"]
    assert url_reasons("https://ok.example/free", config) == []


def test_lists_of_the_user_hold_domains_and_address_starts(tmp_path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("# mine\nblocked.example\nok.example/bad/path\n", encoding="utf-8")
    config = UrlConfig(lists=(str(path),))

    assert url_reasons("http://www.blocked.example/", config) == ["url:domain"]
    assert url_reasons("http://ok.example/bad/path/page.html", config) == ["url:domain"]
    assert url_reasons("http://ok.example/bad", config) == []


@pytest.mark.parametrize("url", [None, "", "http://[broken", "no address at all"])
def test_what_is_no_address_is_blocked_by_its_words_alone(url: str | None) -> None:
    assert url_reasons(url, UrlConfig(domains=("example",))) == []
    assert url_reasons(url, UrlConfig(words=("broken",))) == (
        ["url:word"] if url and "broken" in url else []
    )


def test_reasons_come_in_one_order_and_case_does_not_count() -> None:
    config = UrlConfig(domains=("Bad.Example",), words=("Casino",), soft_words=("FREE", "Win"))

    assert url_reasons("HTTPS://WWW.BAD.EXAMPLE/casino?free&win", config) == [
        "url:domain", "url:word", "url:soft_words",
    ]  # fmt: skip


def test_words_of_other_scripts_are_whole_words_too() -> None:
    config = UrlConfig(words=("赌场",))

    assert url_reasons("https://ok.example/赌场/1", config) == ["url:word"]
    assert url_reasons("https://ok.example/赌场大全", config) == []
