from __future__ import annotations

import hashlib
import math
import random
from typing import TYPE_CHECKING

from refinery.quality.config import TopFractionConfig
from refinery.quality.top_fraction import mark_beyond

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SCHEMA = (
    "doc_id string, source string, lang string, scores map<string,double>, reasons array<string>, "
    "drop_reason string"
)


def rows() -> list[tuple]:
    generator = random.Random(5)
    made = []
    for number in range(300):
        scores = {"quality": round(generator.random(), 1)}
        if number % 4:
            scores["like"] = round(generator.random(), 1)
        reasons = ["gopher:words"] if number % 5 == 0 else []
        doc_id = hashlib.sha256(str(number).encode()).hexdigest()[:32]
        source, lang = generator.choice(["web", "wiki"]), generator.choice(["en", "zh"])
        made.append((doc_id, source, lang, scores, reasons, reasons[0] if reasons else None))
    return made


def best(made: list[tuple], head: str, fraction: float, by: tuple[int, ...]) -> set[str]:
    """By sorting each group whole."""
    groups: dict[tuple, list[tuple[float, str]]] = {}
    for row in made:
        if not row[4] and head in row[3]:
            groups.setdefault(tuple(row[i] for i in by), []).append((-row[3][head], row[0]))
    return {
        doc_id
        for group in groups.values()
        for _, doc_id in sorted(group)[: math.ceil(fraction * len(group))]
    }


def test_the_marked_are_those_that_sorting_each_group_leaves_out(spark: SparkSession) -> None:
    made = rows()
    frame = spark.createDataFrame(made, SCHEMA)
    configs = {
        "quality": TopFractionConfig(fraction=0.25),
        "like": TopFractionConfig(fraction=0.5, by=()),
    }
    stay = {"quality": best(made, "quality", 0.25, (1, 2)), "like": best(made, "like", 0.5, ())}

    found = {row["doc_id"]: row for row in mark_beyond(frame, frame, configs).collect()}

    assert len(found) == len(made)
    for doc_id, _, _, scores, reasons, _ in made:
        wanted = reasons or [f"top:{h}" for h in configs if h in scores and doc_id not in stay[h]]
        assert found[doc_id]["reasons"] == wanted
        assert found[doc_id]["drop_reason"] == (wanted[0] if wanted else None)
