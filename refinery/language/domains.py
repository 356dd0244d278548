"""Domains of documents: their settings, and labels by the heads that the recipe trains for them.

Each domain has a head of its own (`domain.NAME`, one against the rest), trained as all others are;
a document's domain is the head with the highest score.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Self

from pydantic import Field, model_validator

from refinery.quality.config import QualityTrainingConfig
from schemas.settings import Settings

DOMAIN_HEAD = "domain."

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


class HomographsConfig(Settings):
    """Which words are compared between domains, and on how much text."""

    max_documents: int = Field(
        default=2_000, gt=1, description="most documents of each domain, by hash of the id"
    )
    max_chars: int = Field(
        default=4_000, gt=0, description="code points of each document that are read"
    )
    window: int = Field(
        default=4, gt=0, description="words on each side of a word that are its neighbours"
    )
    min_count: int = Field(
        default=20, gt=0, description="fewest occurrences of a word in each of two domains"
    )
    stop_words: int = Field(
        default=100, ge=0, description="so many of the most frequent words are nobody's neighbours"
    )
    max_words: int = Field(default=50, gt=0, description="most words in the table")


class DomainsConfig(Settings):
    """Domains, e.g. law or medicine, each by the sources whose documents are examples of it."""

    sources: dict[str, tuple[str, ...]] = Field(
        min_length=2, description="by name of the domain: names of its sources"
    )
    max_documents: int = Field(
        default=20_000, gt=1, description="most documents on each side of each domain's classifier"
    )
    dim: int = Field(
        default=16,
        gt=0,
        description="width of the word vectors; small, since a worker loads one model per domain",
    )
    bucket: int = Field(
        default=20_000, gt=0, le=200_000, description="slots of the hash table of word n-grams"
    )
    epochs: int = Field(default=5, gt=0, description="passes over the training documents")
    homographs: HomographsConfig | None = Field(
        default=HomographsConfig(),
        description="table of words that differ between domains; None writes none",
    )

    @model_validator(mode="after")
    def _each_source_shows_one_domain(self) -> Self:
        named = [name for names in self.sources.values() for name in names]
        twice = sorted({name for name in named if named.count(name) > 1})
        if twice:
            raise ValueError(f"a source shows one domain, got twice: {', '.join(twice)}")
        for domain in self.sources:
            if not _NAME.fullmatch(domain):
                raise ValueError(f"domain '{domain}': letters a-z, digits, - and _ make its name")
        if empty := [domain for domain, names in self.sources.items() if not names]:
            raise ValueError(f"no source shows the domain {', '.join(empty)}; name at least one")
        return self

    @property
    def heads(self) -> dict[str, QualityTrainingConfig]:
        """Training settings by head: one per domain, its sources against those of all others."""
        return {
            DOMAIN_HEAD + domain: QualityTrainingConfig(
                positive=own,
                negative=tuple(
                    n for other, names in self.sources.items() if other != domain for n in names
                ),
                max_documents=self.max_documents,
                dim=self.dim,
                bucket=self.bucket,
                epochs=self.epochs,
            )
            for domain, own in self.sources.items()
        }


def domain_of(scores: Mapping[str, float]) -> str | None:
    """The domain with the highest score, the first of equal ones; None without heads of domains."""
    heads = [head for head in scores if head.startswith(DOMAIN_HEAD)]
    best = max(heads, key=lambda head: scores[head], default=None)
    return None if best is None else best.removeprefix(DOMAIN_HEAD)
