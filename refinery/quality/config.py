"""Settings of classifier training and of scoring."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from schemas.own_code import IMPORT_PATH
from schemas.settings import Settings

QUALITY = "quality"


class QualityTrainingConfig(Settings):
    """A fastText model of two classes, trained on positive and negative sources of the recipe.

    Parameters follow DCLM's baseline (Li et al. 2024). `bucket` is smaller, since every worker
    process loads the model.
    """

    positive: tuple[str, ...] = Field(min_length=1, description="sources of good text")
    negative: tuple[str, ...] = Field(min_length=1, description="sources of noisy text")
    max_documents: int = Field(
        default=20_000, gt=1, description="most documents of each class, by hash of the id"
    )
    max_chars: int = Field(
        default=4_000, gt=0, description="code points of each document that are read"
    )
    test_fraction: float = Field(
        default=0.1, gt=0, lt=1, description="fraction of the documents kept for the test, by hash"
    )
    dim: int = Field(default=50, gt=0, description="width of the word vectors")
    epochs: int = Field(default=5, gt=0, description="passes over the training documents")
    learning_rate: float = Field(default=0.1, gt=0, description="fastText's rate at the start")
    word_ngrams: int = Field(
        default=2, gt=0, description="longest n-gram of words that is a feature"
    )
    bucket: int = Field(
        default=100_000, gt=0, le=200_000, description="slots of the hash table of word n-grams"
    )
    min_count: int = Field(default=1, gt=0, description="fewest occurrences of a word to be used")


class GivenModelConfig(Settings):
    """A fastText classifier that exists already, e.g. one of DCLM or of FineWeb-Edu."""

    model: str = Field(description="file (.bin or .ftz) or URI of a fastText classifier")
    label: str | None = Field(
        default=None,
        description="label whose chance is the score; null: the one of hq, good, positive ..., or the mean "
        "of labels that are numbers",
    )
    lines: Literal["plain", "tokens"] = Field(
        default="plain",
        description="how the model was given its text: plain: on one line; tokens: in small letters, with "
        "blanks around CJK characters, as our own are",
    )
    max_chars: int = Field(
        default=1_000_000, gt=0, description="code points of each document that are read"
    )


class PythonScorerConfig(Settings):
    """A function of one's own that scores batches of texts, e.g. by a transformers classifier."""

    python: str = Field(
        pattern=IMPORT_PATH,
        description="package.module:function; gets a list of texts, returns a number for each",
    )
    batch: int = Field(default=32, gt=0, description="texts that one call gets")
    max_chars: int = Field(
        default=4_000, gt=0, description="code points of each document that are read"
    )


class TableScoresConfig(Settings):
    """Scores that a table has by document, e.g. the losses of `python -m train score-documents`."""

    table: str = Field(description="Parquet file or URI with a column doc_id")
    column: str = Field(
        description="column of numbers that is the score; a document without a row has none"
    )


def _kind_of_head(value: object) -> str:
    keys = (
        set(value)
        if isinstance(value, dict)
        else set(type(value).model_fields)
        if isinstance(value, Settings)
        else set()
    )
    kinds = {"model": "_given", "python": "_python", "table": "_table"}
    return next((kind for key, kind in kinds.items() if key in keys), "_trained")


# What gives a head its score: a classifier to train, a model that exists, a function, a table.
HeadSource = Annotated[
    Annotated[QualityTrainingConfig, Tag("_trained")]
    | Annotated[GivenModelConfig, Tag("_given")]
    | Annotated[PythonScorerConfig, Tag("_python")]
    | Annotated[TableScoresConfig, Tag("_table")],
    Discriminator(_kind_of_head),
]


class ParetoConfig(Settings):
    """Sampling by score as for GPT-3: most good documents stay, and a few of the others."""

    alpha: float = Field(
        default=9.0, gt=0, description="a document of score 0 stays with probability 2 ** -alpha"
    )
    seed: int = Field(default=0, description="another seed draws other documents")


class TopFractionConfig(Settings):
    """Keep the best of every group by score, among the documents that nothing else drops."""

    fraction: float = Field(gt=0, le=1, description="fraction of a group that stays, rounded up")
    by: tuple[Literal["source", "lang"], ...] = Field(
        default=("source", "lang"),
        description="what the documents of a group have in common; empty: all are one group",
    )


class QualityConfig(Settings):
    """What the score of `recipe.quality` does to a document."""

    min_score: float | None = Field(
        default=None, ge=0, le=1, description="drop documents below this score; None drops none"
    )
    pareto: ParetoConfig | None = Field(
        default=None, description="sample documents by score, as for GPT-3"
    )
    top: TopFractionConfig | None = Field(
        default=None, description="keep the best fraction by score; equal scores by id"
    )


class HeadConfig(Settings):
    """What the score of one of `recipe.heads` does to a document; without bounds it is only noted.

    A document outside of the bounds is dropped or counted; or its paragraphs are scored one by one,
    and those outside of the bounds are masked. A head that finds wanted text (its positive sources
    are examples of it) has a minimum, one that finds harmful text a maximum.
    """

    min_score: float | None = Field(default=None, description="smallest score inside the bounds")
    max_score: float | None = Field(default=None, description="largest score inside the bounds")
    action: Literal["mark", "mask", "drop"] = Field(
        default="drop",
        description="drop or mark (count) a document outside the bounds, or mask its paragraphs that are",
    )
    mask: str = Field(default="<MASKED>", description="what stands for a masked paragraph")
    pareto: ParetoConfig | None = Field(
        default=None, description="sample documents by score, as for GPT-3"
    )
    top: TopFractionConfig | None = Field(
        default=None, description="keep the best fraction by score; equal scores by id"
    )
