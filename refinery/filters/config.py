"""Settings of the rules: bounds by language from `bounds.yaml`, changed or switched off by name."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from schemas.settings import Bounded, Settings

GopherVariant = Literal["datatrove", "dolma", "dclm", "nemo"]
LineRules = Literal["c4", "c4_without_marks", "refinedweb"]
PiiKind = Literal["email", "ip", "phone", "mobile_zh", "id_zh"]


class UrlConfig(Settings):
    """Addresses whose documents are marked."""

    domains: tuple[str, ...] = Field(default=(), description="subdomains are blocked too")
    words: tuple[str, ...] = Field(default=(), description="whole words; one is enough")
    soft_words: tuple[str, ...] = Field(default=(), description="whole words; two are needed")
    lists: tuple[str, ...] = Field(
        default=(), description="files of domains or address starts, one per line"
    )


class PiiConfig(Settings):
    """Masks by kind of personal data; a kind that is left out is not looked for."""

    masks: dict[PiiKind, str] = Field(
        default={
            "email": "<EMAIL>",
            "ip": "<IP>",
            "phone": "<PHONE>",
            "mobile_zh": "<PHONE>",
            "id_zh": "<ID>",
        }
    )


class WordListConfig(Settings):
    """One category of words, e.g. insults, and what its words do to a document."""

    uri: str = Field(description="file of terms, one per line; # begins a comment")
    action: Literal["mark", "mask", "drop"] = Field(
        default="mark", description="mark counts them, mask makes edits, drop gives a reason"
    )
    mask: str = Field(default="<MASKED>", description="what stands for a word that is masked")
    min_count: int = Field(default=1, gt=0, description="drop from this many places on")


class RulesConfig(Settings):
    """Which rules run and where a recipe departs from the checked-in bounds."""

    enabled: bool = True
    # Not `off`: YAML reads that word as a boolean, in keys too.
    disabled: tuple[str, ...] = Field(default=(), description="rules that do not run")
    optional: tuple[str, ...] = Field(
        default=(), description="optional rules of `bounds.yaml` to run"
    )
    bounds: dict[str, Bounded] = Field(default={})
    gopher: GopherVariant | None = Field(
        default=None,
        description="take Gopher's rules as this program computes them (slow); None takes ours",
    )
    urls: UrlConfig = UrlConfig()
    lines: tuple[LineRules, ...] = Field(default=(), description="line rules that make edits")
    max_removed_words: float | None = Field(
        default=None, ge=0, le=1, description="drop where line rules took more (RefinedWeb: 0.05)"
    )
    pii: PiiConfig | None = Field(default=None, description="mask personal data; None leaves it")
    word_lists: dict[str, WordListConfig] = Field(
        default_factory=dict, description="harmful or biased words by category; none by default"
    )
