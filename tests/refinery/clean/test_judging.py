"""Verdicts on pages do not depend on their neighbours, and name their reasons in order."""

from __future__ import annotations

import pytest

from refinery.clean import judging
from refinery.clean.config import CleanConfig
from refinery.clean.judging import Judge
from refinery.clean.pages import NormalizedPage
from refinery.filters.config import RulesConfig
from schemas.settings import parse_settings

ENGLISH = "The committee met in the early morning and wrote a long letter about the river. " * 8
CHINESE = "今天我们在山里看见了许多花草，大家都很高兴。" * 12


def page(text: str, url: str | None = None) -> NormalizedPage:
    return NormalizedPage(extracted_text=text, text=text, title=None, counters={}, url=url)


def test_groups_do_not_change_a_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = [page(ENGLISH), page("too short"), page(CHINESE), page(ENGLISH + "menu\nmenu\n")]
    config = CleanConfig(rules=RulesConfig(lines=("c4",)))

    together = Judge(config, {}).judge(pages)
    monkeypatch.setattr(judging, "GROUP_CHARS", 10)
    apart = Judge(config, {}).judge(pages)

    assert together == apart
    assert [document.lang for document in together] == ["en", "en", "zh", "en"]
    assert together[2].chinese is not None
    assert together[3].edits


def test_reasons_are_in_the_order_of_address_language_and_rules() -> None:
    plain = {
        "language": {"languages": ["zh"], "min_score": None},
        "rules": {"urls": {"domains": ["bad.example"]}},
    }
    config = parse_settings(CleanConfig, plain, where="test")

    (document,) = Judge(config, {}).judge([page("Only three words.", "https://bad.example/a")])

    address, language, *rules = document.reasons
    assert address.startswith("url:")
    assert language == "language:unwanted"
    assert "gopher:words" in rules
    assert document.drop_reason == address


def test_no_pages_give_no_verdicts() -> None:
    assert Judge(CleanConfig(), {}).judge([]) == []
