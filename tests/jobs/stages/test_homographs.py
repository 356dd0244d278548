"""A run with domains: a label for each document, a prefix as an edit, the table of homographs."""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.dataset as ds

from jobs.pipeline.runner import run_stages
from jobs.refine import STAGES
from refinery.recipe import RefineSettings
from refinery.report.homographs import homograph_rows
from refinery.report.sections.homographs import homographs_section
from refinery.report.tables import Tables
from schemas.settings import parse_settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

AROUND = {
    "bio": ["membrane", "nucleus", "protein", "gene"],
    "jail": ["guard", "door", "key", "wall"],
}


def write_texts(root: Path) -> None:
    generator = random.Random(1)
    for domain, own in AROUND.items():
        (root / domain).mkdir()
        for number in range(30):
            words = [w for _ in range(12) for w in (*generator.choices(own, k=2), "cell", "<&>")]
            (root / domain / f"{number}.txt").write_text(" ".join(words))


def test_domains_label_prefix_and_compare(spark: SparkSession, tmp_path: Path) -> None:
    write_texts(tmp_path)
    plain = {
        "recipe": {
            "name": "domains",
            "sources": [{"name": n, "uri": str(tmp_path / n), "format": "text"} for n in AROUND],
            "domains": {
                "sources": {"biology": ["bio"], "prison": ["jail"]},
                "epochs": 40,
                "homographs": {"min_count": 5, "stop_words": 0, "window": 2},
            },
            "clean": {
                "language": {"min_score": None},
                "rules": {"enabled": False},
                "domain_prefix": "[{domain}] ",
            },
        },
        "runtime": {"output": str(tmp_path / "out"), "partitions": 1},
    }
    asked = parse_settings(RefineSettings, plain, where="test")

    run = run_stages(asked, STAGES, last="homographs")

    def rows(table: str) -> list[dict]:
        return ds.dataset(run.store.table_uri(run.records["clean"], table)).to_table().to_pylist()

    labels = {row["doc_id"]: (row["source"], row["domain"]) for row in rows("cleaned")}
    assert set(labels.values()) == {("bio", "biology"), ("jail", "prison")}
    prefixes = {e["doc_id"]: (e["start"], e["end"], e["replacement"]) for e in rows("edits")}
    assert prefixes == {i: (0, 0, f"[{domain}] ") for i, (_, domain) in labels.items()}
    words = homograph_rows(Tables(run.store, run.records))
    first = words[0]
    assert (first.word, first.domain, first.other_domain) == ("cell", "biology", "prison")
    assert first.divergence == 1.0  # nothing in common but marks, which are no words
    page = homographs_section(words)
    assert "<&>" not in page
    assert "membrane" in page
