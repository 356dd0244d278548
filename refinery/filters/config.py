"""Settings of the rules: bounds by language from `bounds.yaml`, changed or switched off by name."""

from __future__ import annotations

from schemas.settings import Bounded, Settings


class RulesConfig(Settings):
    """Which rules run and where a recipe departs from the checked-in bounds."""

    enabled: bool = True
    off: tuple[str, ...] = ()
    bounds: dict[str, Bounded] = {}
    url_words: tuple[str, ...] = ()
    blocked_domains: tuple[str, ...] = ()
