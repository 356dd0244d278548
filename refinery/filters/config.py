"""Settings of the rules: bounds by language from `bounds.yaml`, changed or switched off by name."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from schemas.own_code import IMPORT_PATH
from schemas.settings import Bounded, Settings

GopherVariant = Literal["datatrove", "dolma", "dclm", "nemo"]
LineRules = Literal["c4", "c4_without_marks", "refinedweb"]
PiiKind = Literal["email", "ip", "phone", "mobile_zh", "id_zh"]


class UrlConfig(Settings):
    """Addresses whose documents are dropped."""

    domains: tuple[str, ...] = Field(
        default=(), description="domains that are blocked, with their subdomains"
    )
    words: tuple[str, ...] = Field(
        default=(), description="words of which one in an address is enough to block it"
    )
    soft_words: tuple[str, ...] = Field(
        default=(),
        description="words of which two different ones in an address are needed to block it",
    )
    lists: tuple[str, ...] = Field(
        default=(), description="files of domains or of starts of addresses, one per line"
    )


class PiiConfig(Settings):
    """What stands for personal data that is masked."""

    masks: dict[PiiKind, str] = Field(
        default={
            "email": "<EMAIL>",
            "ip": "<IP>",
            "phone": "<PHONE>",
            "mobile_zh": "<PHONE>",
            "id_zh": "<ID>",
        },
        description="mask by kind of data; a kind that is left out is not looked for",
    )


class WordListConfig(Settings):
    """A category of words, e.g. insults, and what they do to a document that holds them."""

    uri: str = Field(
        description="file of terms, one per line; a line that begins with # is a comment"
    )
    action: Literal["mark", "mask", "drop"] = Field(
        default="mark",
        description="mark: count the words; mask: replace each by an edit; drop: drop the document",
    )
    mask: str = Field(default="<MASKED>", description="what stands for a masked word")
    min_count: int = Field(
        default=1,
        gt=0,
        description="fewest occurrences of words of the list for which a document is dropped",
    )


def _kind_of_bounds(value: object) -> str:
    """Whether an entry of `bounds` is a rule's, or a language's with rules in it; by what it holds."""
    is_ends = isinstance(value, Bounded) or (
        isinstance(value, dict) and (not value or bool({"minimum", "maximum"} & set(value)))
    )
    return "_rule" if is_ends or not isinstance(value, dict) else "_language"


_OwnBounds = Annotated[
    Annotated[Bounded, Tag("_rule")] | Annotated[dict[str, Bounded], Tag("_language")],
    Discriminator(_kind_of_bounds),
]


class RulesConfig(Settings):
    """Which rules run, and where a recipe departs from the bounds in `bounds.yaml`."""

    enabled: bool = Field(default=True, description="false runs none of the rules with bounds")
    disabled: tuple[str, ...] = Field(default=(), description="names of rules that do not run")
    optional: tuple[str, ...] = Field(
        default=(), description="names of optional rules of `bounds.yaml` that run, too"
    )
    bounds: dict[str, _OwnBounds] = Field(
        default={},
        description="minimum, maximum or both of rules by name, for all languages, or by label of the "
        "language and name, which go first; an end that is not given stays, null opens it",
    )
    python: tuple[Annotated[str, Field(pattern=IMPORT_PATH)], ...] = Field(
        default=(),
        description="functions of one's own, package.module:function, that judge batches of documents; "
        "see own_rules_and_models.md",
    )
    gopher: GopherVariant | None = Field(
        default=None,
        description="compute Gopher's rules by this program's formulas (slow); None: by ours",
    )
    urls: UrlConfig = UrlConfig()
    lines: tuple[LineRules, ...] = Field(
        default=(), description="line rules that cut lines out, as edits"
    )
    max_removed_words: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="drop a document of whose words line rules cut a larger fraction (RefinedWeb: 0.05)",
    )
    pii: PiiConfig | None = Field(
        default=None, description="masks of personal data; None looks for none"
    )
    word_lists: dict[str, WordListConfig] = Field(
        default_factory=dict, description="lists of harmful or biased words by category"
    )

    @property
    def flat_bounds(self) -> dict[str, Bounded]:
        """Bounds for all languages, by rule."""
        return {n: b for n, b in self.bounds.items() if isinstance(b, Bounded)}

    @property
    def language_bounds(self) -> dict[str, dict[str, Bounded]]:
        """Bounds by language and rule."""
        return {n: b for n, b in self.bounds.items() if not isinstance(b, Bounded)}
