"""Facts between stages: validated when written and read; those of earlier versions can be read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from refinery.datasets.facts import PackFacts
from refinery.decontaminate.facts import BenchmarksFacts, DecontaminateFacts
from refinery.dedup.facts import DedupFacts
from refinery.mixture.facts import MixtureFacts
from refinery.mixture.plan import SourcePlan
from refinery.publish.facts import StageFacts
from refinery.publish.records import StageRecord
from refinery.publish.store import Store
from refinery.quality.facts import QualityFacts
from schemas.errors import ContractError

PLAN = {
    "source": "news", "documents": 70, "tokens": 13908,
    "weight_asked": 0.3, "weight_got": 0.3, "epochs": 1.242320966350302,
}  # fmt: skip
CURVE = {
    "bands": 14, "rows": 8, "threshold": 0.8, "false_negative_area": 0.002063,
    "false_positive_area": 0.128284, "points": [[0.0, 0.0], [1.0, 1.0]],
}  # fmt: skip
COVERAGE = {
    "q": {"ngram_tokens": 13, "items": 1, "whole_line": 0, "uncovered": 0, "share": 0.0}
}  # fmt: skip
CARD = {
    "auc": None, "precision": None, "recall": None, "classifier_version": 1, "max_chars": 4000,
    "normalizer_version": 4, "training_documents": 9, "test_documents": 0, "settings": {"dim": 8},
}  # fmt: skip
RECALL = {
    "recall": {"verbatim": {"planted": 1, "found": 1}},
    "recall_by_group": {"en": {"verbatim": {"planted": 1, "found": 1}}},
    "clean_documents": 5, "false_positives": 0, "false_positives_per_million_below": 450000.0,
}  # fmt: skip

# What each stage of version 0.1.0 wrote: strings, with JSON inside of all but names.
EARLIER: dict[type[StageFacts], dict[str, Any]] = {
    QualityFacts: {"cards": {"quality": CARD}},
    DedupFacts: {
        "s_curve": CURVE,
        "scheme": "affine32-v3-text2-seed1-14x8-shingle5",
        "largest_buckets": [{"band": 3, "key": -9, "size": 70, "doc_id": "d"}],
        "cluster_sizes": {"2-3": 8},
        "largest_clusters": [
            {
                "cluster": "c",
                "kept": 1,
                "removed": 1,
                "weakest_jaccard": 0.9848,
                "sample": {"kept_id": "k", "doc_id": "d", "source": "rows"},
            }
        ],
        "index_buckets": 64,
        "earlier": ["f" * 64],
        "recurring_examples": [{"kind": "line", "documents": 4, "text": "menu"}],
    },
    BenchmarksFacts: {
        "coverage": COVERAGE,
        "templates": [{"ngram": "which of these", "items": 25}],
        "uncovered": [["q", "7"]],
    },
    DecontaminateFacts: {
        "ignored_ngrams": [{"ngram": "all rights", "documents": 4}],
        "last_ngrams": [{"benchmark": "q", "item": "0", "ngram": "a b", "documents": 4}],
        "recall": RECALL,
        "coverage": COVERAGE,
    },
    MixtureFacts: {"plan": [PLAN], "warnings": ["source 'news' is repeated 5.0 times"]},
    PackFacts: {"manifest": "out/dataset/manifest.json", "root": "0" * 64},
}


def record(stage: str, facts: dict[str, Any]) -> StageRecord:
    return StageRecord(
        stage=stage, fingerprint="f", attempt="a", tables={}, artefacts={}, inputs={}, facts=facts,
        seconds=1.0, started_at="t", code_version="0",
    )  # fmt: skip


def as_strings(facts: dict[str, Any]) -> dict[str, str]:
    return {k: v if isinstance(v, str) else json.dumps(v) for k, v in facts.items()}


@pytest.mark.parametrize(
    ("model", "plain"), EARLIER.items(), ids=lambda one: getattr(one, "stage", "")
)
def test_facts_in_strings_read_like_facts(model: type[StageFacts], plain: dict[str, Any]) -> None:
    now = record(model.stage, plain).facts_of(model)
    earlier = record(model.stage, as_strings(plain)).facts_of(model)

    assert earlier == now
    assert now.model_dump(mode="json", exclude_unset=True) == plain


def test_facts_of_an_earlier_run_without_an_index_have_none() -> None:
    strings = as_strings({"s_curve": CURVE, "scheme": "s"})

    facts = record("dedup", strings).facts_of(DedupFacts)

    assert (facts.index_buckets, facts.earlier) == (None, None)
    assert facts.largest_clusters == ()


def test_facts_survive_publishing(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    facts = MixtureFacts(plan=(SourcePlan.model_validate(PLAN),), warnings=("häufig",))

    store.publish(record("mixture", facts.model_dump(mode="json")))

    published = store.record("mixture", "f")
    assert published is not None
    assert published.facts["plan"] == [PLAN]
    assert published.facts_of(MixtureFacts) == facts


@pytest.mark.parametrize(
    ("facts", "fault"),
    [
        ({"plan": [{**PLAN, "tokens": "13908"}], "warnings": []},
         "facts.plan.0.tokens: Input should be a valid integer, found '13908'"),
        ({"plan": [{**PLAN, "weight": 1.0}], "warnings": []},
         "facts.plan.0.weight: Extra inputs are not permitted, found 1.0"),
        ({"warnings": []}, "facts.plan: missing"),
        ({"plan": "[{", "warnings": "[]"}, "facts.plan: Input should be a valid array, found '[{'"),
        ({"plan": 3}, "facts.plan: Input should be a valid array, found 3"),
    ],
)  # fmt: skip
def test_wrong_facts_name_stage_field_found_and_expected(facts: dict[str, Any], fault: str) -> None:
    with pytest.raises(ContractError) as caught:
        record("mixture", facts).facts_of(MixtureFacts)

    assert str(caught.value).startswith("the record of stage 'mixture': ")
    assert fault in str(caught.value)
    assert caught.value.exit_code == 3


def test_a_record_has_no_facts_of_another_stage() -> None:
    with pytest.raises(ContractError, match="of stage 'pack', not 'mixture'"):
        record("pack", {}).facts_of(MixtureFacts)


def test_what_is_written_is_checked_too() -> None:
    with pytest.raises(ValidationError, match="tokens"):
        SourcePlan(**{**PLAN, "tokens": "13908"})  # type: ignore[arg-type]
    with pytest.raises(ValidationError, match="root"):
        PackFacts(manifest="m", root=None)  # type: ignore[arg-type]
