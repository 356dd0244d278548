from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.command.affected_stage import affected_stage
from jobs.command.main import main
from refinery.clean.cleaner import Cleaner
from refinery.clean.config import CleanConfig
from refinery.clean.pages import CleanDocument, Payload
from refinery.quality.config import ParetoConfig
from refinery.quality.sampling import is_sampled_out
from refinery.tables import arrow_schema
from refinery.whatif.maps import map_columns
from schemas.errors import SettingsError
from schemas.manifest import read_manifest
from schemas.tables import LEDGER
from tests.support.datasets import DatasetShape, write_dataset

TEXTS = [
    "The dog and the cat that have been with us in the house of the man. " * 8,
    "word " * 300,
    "短文。",
    "今天天气很好，我们和他们在公园里见到了很多的人，大家都是朋友。" * 1,
    "To be or not to be, that is the question that we have with the old man and his boat.",
]


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return write_ledger(tmp_path)


def write_ledger(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    with Cleaner(CleanConfig(), {}) as cleaner:
        payloads = [Payload(text.encode(), "text/plain", "utf-8") for text in TEXTS]
        rows = [_row(n, doc) for n, doc in enumerate(cleaner.clean(payloads))]
    schema = arrow_schema({column.name: column.type for column in LEDGER.columns})
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), folder / "part.parquet")
    return folder


def _row(number: int, document: object) -> dict[str, object]:
    assert isinstance(document, CleanDocument)
    return {
        "doc_id": str(number), "source": "web", "lang": document.lang,
        "lang_score": document.lang_score, "num_bytes": len(document.page.text.encode()),
        "values": list(document.values.items()), "scores": [], "reasons": document.reasons,
        "drop_reason": document.drop_reason,
    }  # fmt: skip


def ask(capsys: pytest.CaptureFixture[str], ledger: Path, *settings: str) -> dict[str, dict]:
    sets = [part for one in settings for part in ("--set", one)]
    assert main(["whatif", str(ledger), "--json", *sets]) == 0
    return json.loads(capsys.readouterr().out)


def test_an_unchanged_setting_gives_the_ledgers_own_verdicts(capsys, ledger: Path) -> None:
    answer = ask(capsys, ledger, "rules.enabled=true")

    assert answer["then"] == answer["now"]
    assert answer["now"]["documents"] == {"web": 5}


@pytest.mark.parametrize(
    "setting",
    [
        "rules.bounds={'gopher:words': {minimum: 5}}",
        "rules.disabled=['gopher:words','fineweb:short_lines']",
        "rules.enabled=false",
        "language.min_score=0.99",
        "language.languages=['zh']",
    ],
)
def test_the_answer_is_what_cleaning_again_gives(capsys, ledger: Path, setting: str) -> None:
    from schemas.settings import apply_overrides, parse_settings

    config = parse_settings(CleanConfig, apply_overrides({}, [setting]), where="test")
    with Cleaner(config, {}) as cleaner:
        payloads = [Payload(text.encode(), "text/plain", "utf-8") for text in TEXTS]
        verdicts = [doc.drop_reason for doc in cleaner.clean(payloads)]  # type: ignore[union-attr]

    answer = ask(capsys, ledger, setting)["then"]

    assert answer["kept"]["web"] == verdicts.count(None)
    assert answer["dropped_by"] == {n: verdicts.count(n) for n in set(verdicts) - {None}}


def test_a_setting_that_changes_text_names_the_stage_to_run_again(ledger: Path) -> None:
    with pytest.raises(SettingsError, match="run the stage 'clean' again"):
        main(["whatif", str(ledger), "--set", "normalize.emoji=keep"])


@pytest.mark.parametrize(
    ("setting", "stage"),
    [
        ("dedup.threshold=0.9", "dedup"),
        ("recipe.dedup.threshold=0.9", "dedup"),
        ("packing.seq_len=128", "pack"),
        ("mixture.max_epochs=9", "mixture"),
        ("decontaminate.max_ngram=9", "benchmarks"),
        ("limits.max_document_bytes=9", "ingest"),
        ("recipe.quality.dim=4", "quality"),
        ("language.sample_chars=9", "clean"),
        ("recipe.clean.normalize.emoji=keep", "clean"),
    ],
)
def test_a_setting_of_another_stage_names_that_stage(
    ledger: Path, setting: str, stage: str
) -> None:
    with pytest.raises(SettingsError, match=f"--from {stage}\\)"):
        main(["whatif", str(ledger), "--set", setting])


def test_where_classifiers_are_trained_their_texts_change_first() -> None:
    assert affected_stage("clean.normalize.emoji=keep", ("quality", "clean")) == "quality"
    assert affected_stage("clean.normalize.emoji=keep", ("clean",)) == "clean"


def test_a_misspelt_setting_names_its_neighbour(ledger: Path) -> None:
    with pytest.raises(SettingsError, match="did you mean 'threshold'"):
        main(["whatif", str(ledger), "--set", "dedup.thresold=1"])


def test_masks_of_a_head_need_the_text(ledger: Path) -> None:
    with pytest.raises(SettingsError, match="run the stage 'clean' again"):
        main(["whatif", str(ledger), "--set", "heads.harm={max_score: 0.5, action: mask}"])


def test_a_misspelt_rule_names_its_neighbour(ledger: Path) -> None:
    with pytest.raises(SettingsError, match="did you mean 'gopher:words'"):
        main(["whatif", str(ledger), "--set", "rules.disabled=['gopher:word']"])


def test_sampling_by_score_is_answered_as_the_stage_decides(capsys, tmp_path: Path) -> None:
    ids = [f"{n * 0x9E3779B97F4A7C15 % 2**64:032x}"[::-1] for n in range(1, 401)]
    schema = arrow_schema({column.name: column.type for column in LEDGER.columns})
    rows = [
        {"doc_id": i, "source": "web", "num_bytes": 1, "values": [], "reasons": [],
         "scores": [("quality", n / 400)]}
        for n, i in enumerate(ids)
    ]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), tmp_path / "part.parquet")
    out = is_sampled_out(np.arange(400) / 400, ids, ParetoConfig(alpha=2.0))

    answer = ask(capsys, tmp_path, "quality.pareto={alpha: 2.0}")

    assert answer["then"]["dropped_by"] == {"pareto:quality": int(out.sum())}
    assert 0 < out.sum() < 400


def test_ranks_by_score_are_taken_among_what_the_other_rules_leave(capsys, tmp_path: Path) -> None:
    ids = [f"{n * 0x9E3779B97F4A7C15 % 2**64:032x}"[::-1] for n in range(1, 401)]
    scores = [round(n % 7 / 7, 6) for n in range(400)]
    sources = ["web" if n % 3 else "wiki" for n in range(400)]
    schema = arrow_schema({column.name: column.type for column in LEDGER.columns})
    rows = [
        {"doc_id": i, "source": source, "lang": "en", "num_bytes": 1, "values": [],
         "reasons": ["top:quality"], "scores": [("quality", score)]}
        for i, score, source in zip(ids, scores, sources, strict=True)
    ]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), tmp_path / "part.parquet")
    left = sorted(
        (-score, i, source)
        for i, score, source in zip(ids, scores, sources, strict=True)
        if score >= 0.2
    )
    sizes = {name: sum(source == name for *_, source in left) for name in ("web", "wiki")}

    answer = ask(capsys, tmp_path, "quality.top={fraction: 0.1}", "quality.min_score=0.2")["then"]

    kept = {name: -(-size // 10) for name, size in sizes.items()}
    assert answer["kept"] == kept
    assert answer["dropped_by"] == {
        "quality:score": 400 - len(left), "top:quality": len(left) - sum(kept.values()),
    }  # fmt: skip


@pytest.mark.parametrize("kind", [pa.string(), pa.dictionary(pa.int32(), pa.string())])
def test_maps_with_other_keys_in_some_row_are_read_key_by_key(kind: pa.DataType) -> None:
    rows = [
        [("ab", 1.0), ("c", 2.0)],
        [("a", 3.0), ("bc", 4.0)],  # the same bytes, cut elsewhere
        [("ab", 5.0), ("c", 6.0)],
    ]

    for chosen in (rows, [rows[0], rows[2]], [*rows, []]):
        maps = pa.array([[], *chosen], pa.map_(kind, pa.float64())).slice(1)
        columns = map_columns(maps)

        for name, column in columns.items():
            expected = [dict(row).get(name) for row in chosen]
            assert [None if np.isnan(x) else x for x in column] == expected
        assert set(columns) == {name for row in chosen for name, _ in row}


def test_tokens_are_estimated_by_the_ratio_of_the_dataset_beside(capsys, tmp_path: Path) -> None:
    folder = write_dataset(tmp_path / "dataset", DatasetShape()).parent
    sources = read_manifest(folder).train.sources
    name, source = next(iter(sources.items()))
    schema = arrow_schema({column.name: column.type for column in LEDGER.columns})
    row = {"doc_id": "0" * 32, "source": name, "num_bytes": 9000, "values": [], "reasons": []}
    tables = tmp_path / "tables" / "clean" / "a" / "table=ledger"
    tables.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist([row], schema=schema), tables / "part.parquet")

    answer = ask(capsys, tables, "language.min_score=0.0")

    ratio = source.text_bytes / source.tokens
    assert answer["now"]["tokens_estimated"] == {name: round(9000 / ratio)}
    assert answer["bytes_per_token"] == {name: round(ratio, 3)}
