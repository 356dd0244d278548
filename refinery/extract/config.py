"""Settings of extraction and of its guard."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from schemas.settings import Settings

Engine = Literal["blocks", "resiliparse", "trafilatura", "plain"]
Style = Literal["plain", "markdown"]
Tables = Literal["plain", "markdown", "drop"]
Formulas = Literal["tex", "drawn", "drop"]


class PageLimits(Settings):
    """Bounds on the bytes of a page, checked before a parser sees it; machines do not change them.

    200,000 nested <div> take a fast parser over 15 s, 50,000 attributes on one tag every parser 5
    to 10 s (measured); real pages stay far below all of these.
    """

    max_bytes: int = Field(default=10_000_000, gt=0, description="size of the page")
    max_tags: int = Field(default=200_000, gt=0, description="tags of the page, counted by `<`")
    max_depth: int = Field(
        default=2_000, gt=0, description="elements nested in each other, as far as they are closed"
    )
    max_attributes: int = Field(default=10_000, gt=0, description="attributes of one tag")
    max_run_bytes: int = Field(
        default=2_000_000, gt=0, description="bytes in a row without a blank, `<` or `>`"
    )
    max_tag_bytes: int = Field(default=2_000_000, gt=0, description="size of one tag")


class GuardConfig(Settings):
    """Limits of the child process that parses; a page within `limits` stays far below them."""

    cpu_seconds: float = Field(default=30.0, gt=0, description="CPU time for one document")
    memory_bytes: int = Field(
        default=2_000_000_000,
        gt=0,
        description="address space on top of what the process starts with",
    )


class ExtractConfig(Settings):
    """How the main text of a page is found, and in which form it is written."""

    engine: Engine = Field(
        default="blocks",
        description="blocks: our trained classifier of blocks; plain: all text of the page; the others "
        "are libraries",
    )
    structure: Style = Field(
        default="plain",
        description="how headings, lists, tables and code are written (engine blocks)",
    )
    tables: Tables | None = Field(
        default=None,
        description="how tables are written; None: as `structure` says (engine blocks)",
    )
    formulas: Formulas = Field(
        default="tex",
        description="what stands for a formula, whatever draws it: tex: its TeX where the page has it, else its "
        "MathML on a line (`e^(−x)`); drawn: that line always; drop: nothing (engine blocks)",
    )
    image_text: bool = Field(
        default=False,
        description="keep the alternative text of all images, not only of emoji and stickers (engine blocks)",
    )
    limits: PageLimits = PageLimits()
    guard: GuardConfig = GuardConfig()
