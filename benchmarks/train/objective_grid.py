"""Every objective with one decoded example: a case for each.

    python -m benchmarks.train.objective_grid MANIFEST [--markdown]

Rows of 48 tokens, packed here from the
sentences below with the manifest's tokenizer, go through each cell of the T5 paper's grid, MASS, UL2,
UniLM, BERT and GPT.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from benchmarks.record import argument_parser, record
from refinery.packing.config import PackingConfig
from refinery.packing.shard_builder import ShardBuilder
from refinery.packing.shard_rows import ShardForm
from refinery.text.boundaries import sentence_starts, tokens_at, word_starts
from schemas.manifest import Manifest
from train.batch.batch import NO_LABEL, Batch
from train.data.config import LoaderConfig
from train.data.loader import shard_files
from train.data.packed import PackedRows
from train.data.remote import open_manifest
from train.objectives.build import build_checked
from train.objectives.config import PUBLISHED_GRID, parse_objective
from train.objectives.requirements import ObjectiveContext

TOKENS = 48
TEXTS = (
    "The ferry left the harbour before dawn. Nobody on the pier had seen who untied the ropes. "
    "By noon the wind had turned, and the captain ordered the sails down. 渡船在天亮之前离开了港口。"
    "码头上没有人看见是谁解开了缆绳。中午风向变了，船长下令收帆。",
    "Bread needs time more than it needs yeast. Fold the dough twice and let it rest. "
    "面包需要的时间比酵母更多。把面团折叠两次，然后让它静置。",
)
EXAMPLES: list[tuple[str, str, str, dict[str, Any]]] = [
    ("causal", "gpt2", "concat", {"name": "causal"}),
    *(
        (f"{name}, {family}", family, "concat", {"name": "denoising", "grid": name})
        for name in PUBLISHED_GRID
        for family in (("t5", "gpt2") if name in ("prefix_lm", "span_3_15_u_u") else ("t5",))
    ),
    ("span_corruption", "t5", "concat", {"name": "span_corruption"}),
    (
        "span_corruption, language_model",
        "gpt2",
        "concat",
        {"name": "span_corruption", "arrangement": "language_model"},
    ),
    ("ul2", "t5", "concat", {"name": "ul2"}),
    ("masked", "bert", "concat", {"name": "masked"}),
    ("masked, whole words", "bert", "concat", {"name": "masked", "whole_words": True}),
    (
        "masked, next_sentence",
        "bert",
        "next_sentence",
        {"name": "masked", "pairs": "next_sentence"},
    ),
    ("masked, sentence_order", "bert", "sentences", {"name": "masked", "pairs": "sentence_order"}),
    ("unilm", "bert", "concat", {"name": "unilm"}),
    (
        "causal, token dropout and shuffled spans",
        "gpt2",
        "concat",
        {"name": "causal", "augment": {"token_dropout": 0.1, "shuffled_span_tokens": 6}},
    ),
]


def main() -> None:
    """Print the examples."""
    parser = argument_parser(__doc__)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--markdown", action="store_true", help="print a table and write nothing")
    args = parser.parse_args()
    path: Path = args.manifest
    config = LoaderConfig()
    files = shard_files(str(path), config)
    manifest = open_manifest(files)
    folder = path.parent if path.name.endswith(".json") else path
    tokenizer = Tokenizer.from_file(str(folder / manifest.tokenizer.path / "tokenizer.json"))
    for name, family, layout, fields in EXAMPLES:
        rows, columns = _rows(TEXTS, tokenizer, manifest, layout)
        context = ObjectiveContext(
            special=manifest.tokenizer.special_ids,
            family=family,
            vocab_size=manifest.tokenizer.vocab_size,
            seq_len=TOKENS,
            layout=layout,
            columns=columns,
        )
        batch = build_checked(parse_objective(fields), context).build(rows, seed=1)
        example = _decoded(batch, tokenizer)
        if args.markdown:
            print(f"| {name} | `{example['read']}` | `{example['predicted']}` |")
        else:
            record("objective_grid", example, case=name)


def _rows(
    texts: tuple[str, ...], tokenizer: Tokenizer, manifest: Manifest, layout: str
) -> tuple[PackedRows, tuple[str, ...]]:
    """The fullest row that the texts give in a layout, and its optional columns."""
    special = manifest.tokenizer.special_ids
    config = PackingConfig(seq_len=TOKENS, layout=layout, word_starts=True)  # type: ignore[arg-type]
    form = ShardForm(
        config=config,
        eos=special.eos if layout == "concat" else None,
        pad=special.pad,
        keep_tail=True,
        cls=special.cls,
        sep=special.sep,
    )
    builder = ShardBuilder(form)
    for number, text in enumerate(texts):
        found = tokenizer.encode(text, add_special_tokens=False)
        offsets = np.asarray(found.offsets, np.int64)
        builder.add(
            doc_id=str(number),
            source="example",
            copy=0,
            input_ids=np.asarray(found.ids, np.int32),
            starts={
                "word_starts": tokens_at(word_starts(text), offsets).astype(np.int32),
                "sentence_starts": tokens_at(sentence_starts(text), offsets).astype(np.int32),
            },
        )
    made = [row for batch in builder.finish().row_groups() for row in batch.to_pylist()]
    row = max(
        made,
        key=lambda row: (
            len(row["input_ids"]) - row["input_ids"].count(special.pad),
            row["row_id"],
        ),
    )
    parts = row["segments"]
    rows = PackedRows(
        input_ids=np.array([row["input_ids"]], np.int32),
        next_token=np.array([row["next_token"]], np.int32),
        sample_index=np.zeros(1, np.int64),
        segment_row=np.zeros(len(parts), np.int32),
        segment_start=np.array([part["row_start"] for part in parts], np.int32),
        segment_length=np.array([part["length"] for part in parts], np.int32),
        segment_source=np.zeros(len(parts), np.int32),
        sources=("example",),
        extra={name: np.array([row[name]]) for name in config.columns},
    )
    return rows, config.columns


def _decoded(batch: Batch, tokenizer: Tokenizer) -> dict[str, Any]:
    """What is read and what is predicted; labels in the order of their positions."""
    read = batch.input_ids[0][batch.document[0] > 0].tolist()
    labels = batch.labels[0].tolist()
    if batch.token_types is not None or batch.decoder_ids is not None:
        predicted = tokenizer.decode(
            [t for t in labels if t != NO_LABEL], skip_special_tokens=False
        )
    else:
        kept = [tokenizer.decode([t], skip_special_tokens=False) for t in labels if t != NO_LABEL]
        predicted = "".join(kept)
    found: dict[str, Any] = {
        "read": tokenizer.decode(read, skip_special_tokens=False).replace("\n", " "),
        "predicted": predicted.replace("\n", " "),
        "tokens_read": len(read),
        "labels": sum(label != NO_LABEL for label in labels),
    }
    if batch.pair_labels is not None:
        found["pair"] = "apart" if int(batch.pair_labels[0]) else "follows"
    return found


if __name__ == "__main__":
    main()
