"""Settings of normalisation."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from refinery.normalize.spelling import SpellingConfig
from schemas.settings import Settings

EmojiStyle = Literal["words", "shortcodes", "keep", "remove"]
ChineseConversion = Literal[
    "s2t", "t2s", "s2tw", "tw2s", "s2hk", "hk2s", "s2twp", "tw2sp", "t2tw", "tw2t", "t2hk", "hk2t",
    "t2jp", "jp2t",
]  # fmt: skip


class NormalizeConfig(Settings):
    """Each step on or off; their order is fixed: see `text.py`."""

    repair_encoding: bool = True
    unicode_form: Literal["NFC", "NFKC"] | None = "NFC"
    emoji: EmojiStyle = "words"
    emoji_counts: bool = Field(default=False, description="write a run's length behind its name")
    codes: bool = Field(default=True, description="sticker codes, shortcodes, emoticons to words")
    symbols: bool = True
    homoglyphs: bool = Field(default=True, description="words of mixed scripts to one script")
    fold_width: bool = True
    remove_controls: bool = True
    tidy_space: bool = True
    chinese: ChineseConversion | None = Field(
        default=None, description="OpenCC conversion; it is counted where it changes a text"
    )
    spelling: SpellingConfig | None = Field(
        default=None, description="correct misspelt English words; counted by word"
    )
