"""A signature table is opened as what datasketch itself would have made of the same shingles."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasketch import MinHash

from refinery.dedup.config import DedupConfig
from refinery.dedup.facts import CurveFacts, DedupFacts
from refinery.dedup.lsh import SignatureScheme, scheme_name
from refinery.dedup.opened import open_signatures
from refinery.dedup.signing import _sign_batches
from refinery.publish.records import StageRecord
from refinery.publish.store import Store
from schemas.errors import ContractError

STORY = "the old captain counted his coins by the light of a candle while the storm went on outside"
TEXTS = {
    "a1": STORY,
    "b2": STORY + " until the morning came",
    "c3": "一个与前面毫无关系的句子，讲的是茶叶的种植和采摘",
    "d4": "",
}


def publish(output: Path, *, scheme: str, buckets: int | None = 4) -> None:
    curve = CurveFacts(
        bands=14, rows=8, threshold=0.8, false_negative_area=0.0, false_positive_area=0.0, points=()
    )
    facts = DedupFacts(s_curve=curve, scheme=scheme, index_buckets=buckets, earlier=())
    record = StageRecord(
        stage="dedup", fingerprint="f" * 8, attempt="1", tables={}, artefacts={}, inputs={},
        counts={"dumps": 1}, facts=facts.model_dump(mode="json"), seconds=1.0,
        started_at="2026-01-01T00:00:00+00:00", code_version="1",
    )  # fmt: skip
    folder = output / "tables" / "dedup"
    folder.mkdir(parents=True)
    (folder / "ffffffff.json").write_text(record.model_dump_json())
    documents = pa.RecordBatch.from_pydict(
        {
            "doc_id": list(TEXTS),
            "source": ["web"] * 4,
            "text": list(TEXTS.values()),
            "spans": pa.nulls(4),
        }
    )
    table = pa.Table.from_batches(_sign_batches(iter([documents]), config=DedupConfig()))
    duplicate = pa.table({"doc_id": ["e5"], "shingles": pa.nulls(1, pa.list_(pa.int32()))})
    uri = Store(str(output / "tables")).table_uri(record, "signatures")
    for bucket, rows in enumerate((table.slice(0, 2), table.slice(2), duplicate)):
        target = Path(uri) / f"bucket={bucket}"
        target.mkdir(parents=True)
        pq.write_table(rows.select(["doc_id", "shingles"]), target / "part-0.parquet")


@pytest.fixture
def output(tmp_path: Path) -> str:
    publish(tmp_path, scheme=scheme_name(DedupConfig()))
    return str(tmp_path)


def test_signatures_are_those_that_datasketch_makes(output: str) -> None:
    found = dict(open_signatures(output))

    plain = MinHash(112, seed=1, scheme="affine32", hashfunc=int)
    words = STORY.split()
    assert list(found) == ["a1", "b2", "c3", "d4"]
    assert found["d4"].is_empty()
    assert found["a1"].jaccard(found["b2"]) == pytest.approx(
        (len(words) - 4) / len(words), abs=0.15
    )
    assert (found["a1"].permutations == plain.permutations).all()
    assert found["a1"].scheme == plain.scheme


def test_an_index_answers_which_documents_are_alike(output: str) -> None:
    signatures = open_signatures(output)
    near = signatures.minhash(STORY + " until morning")

    assert set(signatures.lsh().query(near)) == {"a1", "b2"}
    assert set(signatures.lsh(threshold=0.5).query(near)) == {"a1", "b2"}
    assert set(signatures.forest().query(near, 2)) == {"a1", "b2"}
    assert signatures.lsh().query(signatures.minhash("something else that nobody wrote")) == []


def test_signatures_of_an_earlier_scheme_are_refused_by_name(tmp_path: Path) -> None:
    publish(tmp_path, scheme="affine32-v3-text3-seed1-14x8-shingle5")

    with pytest.raises(ContractError, match=r"affine32-v3-text3-seed1-14x8-shingle5.*affine32-v4"):
        open_signatures(str(tmp_path))


def test_a_run_without_an_index_is_refused_with_the_setting(tmp_path: Path) -> None:
    publish(tmp_path, scheme=scheme_name(DedupConfig()), buckets=None)

    with pytest.raises(ContractError, match=r"dedup\.keep_index"):
        open_signatures(str(tmp_path))


def test_the_name_of_a_scheme_says_all_that_signatures_share() -> None:
    config = DedupConfig(seed=7, num_bands=20, rows_per_band=5, shingle_tokens=3)

    scheme = SignatureScheme.read(scheme_name(config))

    assert scheme == SignatureScheme(seed=7, num_bands=20, rows_per_band=5, shingle_tokens=3)
    assert scheme.num_permutations == 100
