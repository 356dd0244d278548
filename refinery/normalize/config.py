"""Settings of normalisation."""

from __future__ import annotations

from typing import Literal

from schemas.settings import Settings


class NormalizeConfig(Settings):
    """Each step on or off; their order is fixed: see `text.py`."""

    repair_encoding: bool = True
    unicode_form: Literal["NFC", "NFKC"] | None = "NFC"
    emoji: Literal["words", "shortcodes", "keep", "remove"] = "words"
    symbols: bool = True
    fold_width: bool = True
    remove_controls: bool = True
    tidy_space: bool = True
