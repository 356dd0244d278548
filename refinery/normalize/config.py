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
    """Steps of normalisation; the settings switch them on and off, their order is fixed."""

    repair_encoding: bool = Field(
        default=True, description="mend UTF-8 that was read as another encoding, by ftfy"
    )
    unicode_form: Literal["NFC", "NFKC"] | None = Field(
        default="NFC", description="Unicode normalisation form; None leaves characters as they are"
    )
    emoji: EmojiStyle = Field(default="words", description="what a run of one emoji becomes")
    emoji_counts: bool = Field(
        default=False, description="write the length of a run of emoji behind its name"
    )
    codes: bool = Field(
        default=True,
        description="write sticker codes, shortcodes and emoticons as words where the text is talk; code, "
        "mathematics and references stay as they are",
    )
    symbols: bool = Field(
        default=True,
        description="write arrows, list marks at the start of a line and words of styled letters in plain "
        "characters",
    )
    homoglyphs: bool = Field(
        default=True, description="write words of mixed look-alike letters in one script"
    )
    fold_width: bool = Field(
        default=True, description="write full-width digits and Latin letters in normal width"
    )
    remove_controls: bool = Field(
        default=True, description="remove invisible characters: controls, zero-width and bidi marks"
    )
    tidy_space: bool = Field(
        default=True, description="one kind of blank and line end, at most one empty line in a row"
    )
    chinese: ChineseConversion | None = Field(
        default=None,
        description="OpenCC conversion between kinds of Chinese, e.g. t2s; None converts nothing",
    )
    spelling: SpellingConfig | None = Field(
        default=None, description="correct misspelt English words; None corrects none"
    )
