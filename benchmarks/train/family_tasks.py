"""Four labelled tasks, two in each language, as datasets for fine-tuning: train, dev and test apart.

A text that stands in two splits, or with two labels, is left out of the later one.
"""

from __future__ import annotations

import csv
import hashlib
import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from refinery.supervised.pack import pack_pairs
from refinery.supervised.tasks import PairsRecipe, TaskConfig

Row = dict[str, str]
Splits = dict[str, list[Row]]
DEV, TEST = 500, 1000


@dataclass(frozen=True, kw_only=True)
class LabelledTask:
    """A task of classes.

    Attributes:
        read: Reads its splits from the folder of the data.
        input: Template of what the model reads.
        labels: Class to the word that text-to-text models write.
        seq_len: Longest row; longer inputs are cut.
    """

    read: Callable[[Path], Splits]
    input: str
    labels: dict[str, str]
    seq_len: int


def _sst2(data: Path) -> Splits:
    folder = data / "benchmarks" / "sst2" / "data" / "SST2"
    found = {}
    for split in ("train", "dev", "test"):
        with (folder / f"{split}.tsv").open(encoding="utf-8", newline="") as lines:
            rows = csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
            found[split] = [{"text": text, "label": label} for text, label in rows]
    return found


def _waimai(data: Path) -> Splits:
    path = data / "text" / "reviews-zh" / "waimai_10k.csv"
    with path.open(encoding="utf-8", newline="") as lines:
        rows = [{"text": one["review"], "label": one["label"]} for one in csv.DictReader(lines)]
    rows.sort(key=_rank)
    return {"test": rows[:2000], "dev": rows[2000:3000], "train": rows[3000:]}


def _rte(data: Path) -> Splits:
    files = {
        "test": ["rte3_test"],
        "dev": ["rte3_dev"],
        "train": ["rte1_dev", "rte1_test", "rte2_dev", "rte2_test"],
    }
    with zipfile.ZipFile(data / "benchmarks" / "rte" / "rte.zip") as archive:
        return {
            split: [
                row for name in names for row in _pairs(archive.read(f"rte/{name}.xml"))
            ]
            for split, names in files.items()
        }  # fmt: skip


def _pairs(text: bytes) -> Iterator[Row]:
    for pair in ElementTree.fromstring(text).iter("pair"):
        answer = pair.get("entailment") or pair.get("value") or ""
        label = "1" if answer.upper() in ("YES", "TRUE") else "0"
        yield {"first": pair.findtext("t", ""), "second": pair.findtext("h", ""), "label": label}


def _stsb(data: Path) -> Splits:
    found = {}
    for split in ("train", "dev", "test"):
        path = data / "benchmarks" / "stsb" / "data" / f"stsb-zh-{split}.csv"
        with path.open(encoding="utf-8", newline="") as lines:
            found[split] = [
                {"first": a, "second": b, "label": str(round(float(score)))}
                for a, b, score in csv.reader(lines)
            ]
    return found


TASKS = {
    "sst2": LabelledTask(
        read=_sst2, input="{text}", labels={"0": "negative", "1": "positive"}, seq_len=64
    ),
    "waimai": LabelledTask(read=_waimai, input="{text}", labels={"0": "差", "1": "好"}, seq_len=64),
    "rte": LabelledTask(
        read=_rte, input="{first} Question: {second}", labels={"0": "no", "1": "yes"}, seq_len=128
    ),
    "stsb-zh": LabelledTask(
        read=_stsb, input="{first} {second}", labels={str(n): str(n) for n in range(6)}, seq_len=80
    ),
}


@dataclass(frozen=True, kw_only=True)
class PackedTask:
    """Folders of a task's datasets; `train` by number of labels."""

    train: dict[int, str]
    dev: str
    test: str


def packed_task(name: str, data: Path, tokenizer: Path, work: Path, labels: tuple[int, ...]) -> PackedTask:  # fmt: skip
    """The datasets of a task, made unless they are there; smaller training sets are parts of larger ones."""
    task = TASKS[name]
    folder = work / "tasks" / name
    splits = _apart(task.read(data))
    folder.mkdir(parents=True, exist_ok=True)
    for split, rows in splits.items():
        lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
        (folder / f"{split}.jsonl").write_text("".join(lines), "utf-8")

    def pack(split: str, most: int) -> str:
        output = folder / f"{split}-{most}"
        pack_pairs(
            PairsRecipe(
                name=name,
                output=str(output),
                tokenizer=str(tokenizer),
                tasks=(
                    TaskConfig(
                        name=name, files=(str(folder / f"{split}.jsonl"),), input=task.input,
                        target="{label}", labels=task.labels,
                    ),
                ),
                seq_len=task.seq_len, target_tokens=8, heldout_fraction=0, max_examples=most,
            )
        )  # fmt: skip
        return str(output)

    return PackedTask(
        train={count: pack("train", count) for count in labels},
        dev=pack("dev", DEV),
        test=pack("test", TEST),
    )


def _apart(splits: Splits) -> Splits:
    """Each text once: in the first of test, dev and train that has it."""
    seen: set[str] = set()
    found = {}
    for split in ("test", "dev", "train"):
        kept = []
        for row in splits[split]:
            text = json.dumps({**row, "label": None})
            if text not in seen:
                kept.append(row)
            seen.add(text)
        found[split] = kept
    return found


def _rank(row: Row) -> str:
    return hashlib.sha256(json.dumps(row).encode()).hexdigest()
