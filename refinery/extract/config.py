"""Settings of extraction and of its guard."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from schemas.settings import Settings


class PageLimits(Settings):
    """Bounds on the bytes of a page, checked before a parser sees it; machines do not change them.

    200,000 nested <div> take a fast parser over 15 s, 50,000 attributes on one tag every parser 5
    to 10 s (measured); real pages stay far below all of these.
    """

    max_bytes: int = Field(default=10_000_000, gt=0)
    max_tags: int = Field(default=200_000, gt=0)
    max_depth: int = Field(default=2_000, gt=0, description="opening tags of containers in a row")
    max_attributes: int = Field(default=10_000, gt=0, description="in one tag")
    max_run_bytes: int = Field(
        default=2_000_000, gt=0, description="without a blank or an end of a tag"
    )
    max_tag_bytes: int = Field(default=2_000_000, gt=0, description="longest single tag")


class GuardConfig(Settings):
    """Limits of the child process that parses; far above any page that passes `PageLimits`."""

    cpu_seconds: float = Field(default=30.0, gt=0, description="per document")
    memory_bytes: int = Field(default=2_000_000_000, gt=0, description="address space added")


class ExtractConfig(Settings):
    """How pages become text."""

    engine: Literal["blocks", "resiliparse", "trafilatura", "plain"] = "blocks"
    structure: Literal["plain", "markdown"] = Field(
        default="plain", description="form of headings, lists, tables and code (engine blocks)"
    )
    tables: Literal["plain", "markdown", "drop"] | None = Field(
        default=None, description="form of tables; None: as `structure` (engine blocks)"
    )
    formulas: Literal["tex", "drawn", "drop"] = Field(
        default="tex",
        description="MathML: its TeX where the page gives it, else what is drawn; always what is drawn; "
        "nothing (engine blocks)",
    )
    image_text: bool = Field(
        default=False, description="alternative text of all images, not of stickers alone (blocks)"
    )
    limits: PageLimits = PageLimits()
    guard: GuardConfig = GuardConfig()
