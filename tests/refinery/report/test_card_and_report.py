"""The dataset card and the report tell the same numbers of the same source, and say how they are made."""

from __future__ import annotations

from refinery.datasets.publish import dataset_card
from refinery.report.data import MixtureRow
from refinery.report.sections.dataset import mixture_section
from schemas.manifest import SourceSummary
from tests.refinery.report.test_funnel import manifest
from tests.refinery.report.test_sections import Cells, report


def test_tokens_become_packed_tokens_by_the_same_numbers_in_both() -> None:
    # 333 of 492 documents have one copy: 1,200,186 tokens and 333 end marks.
    made = manifest(crawl=333)
    summary = SourceSummary(
        documents=333, tokens=1_200_186, text_bytes=9, packed_tokens=1_200_019, dropped_tokens=500,
        epochs=0.63,
    )  # fmt: skip
    made = made.model_copy(
        update={"train": made.train.model_copy(update={"sources": {"crawl": summary}})}
    )
    row = MixtureRow(
        source="crawl", documents=492, tokens=1_892_779, weight_asked=1, weight_got=1, epochs=0.63,
        packed_tokens=1_200_019, dropped_tokens=500, used_documents=333, used_tokens=1_200_186,
        bytes_per_token=4.0,
    )  # fmt: skip

    card = [cell.strip() for cell in dataset_card(made).split("| crawl |")[1].split("|")]
    tables = Cells(mixture_section(report(mixture=(row,)))).tables

    assert card[:5] == ["333", "1,200,186", "0.63", "1,200,519", "1,200,019"]
    copies = next(rows for caption, rows in tables.items() if caption.startswith("Epochs are"))
    assert copies[1] == [
        "crawl", "0.63", "1,192,451", "333", "1,200,186", "1,200,519", "1,200,019",
    ]  # fmt: skip
