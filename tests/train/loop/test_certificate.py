"""What a run says that it has read is what its plan says, step by step."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch

from schemas.fingerprints import canonical_json, sha256_hex
from schemas.manifest import read_manifest
from tests.support.datasets import write_dataset
from tests.support.poisoned import build_poisoned
from tests.train.loop.test_resume import settings
from tests.train.loop.test_spikes import records
from tests.train.loop.test_spikes import train as train_poisoned
from train.data.config import LoaderConfig
from train.data.loader import open_split, shard_files
from train.distributed.world import World
from train.loop import open_run as open_module
from train.loop.certificate import Consumed, joined_ranges
from train.loop.replay import open_replay
from train.report.events import read_events

ALONE = World(rank=0, size=1, device=torch.device("cpu"))
ROLL_BACK = {"kind": "roll_back", "steps_back": 1, "batches": 4}


def tokens_of(data: str, samples: range) -> Counter[str]:
    """Tokens by source, counted from the shards."""
    files = shard_files(data, LoaderConfig())
    split = open_split(files, read_manifest(Path(data)), LoaderConfig(), split="train", seed=1)
    rows = split.read(np.array(samples))
    found: Counter[str] = Counter()
    for source, length in zip(rows.segment_source, rows.segment_length, strict=True):
        found[rows.sources[source]] += int(length)
    return found


def certificate_of(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "certificate.json").read_text())
    return found


def test_neighbouring_ranges_are_one() -> None:
    assert joined_ranges([(0, 4), (4, 8), (10, 12), (12, 12), (12, 13)]) == [[0, 8], [10, 13]]
    assert not Consumed.of_state(None, step=7).is_complete


@pytest.mark.parametrize("counts", [(100,), (2, 1, 100)])
def test_counters_by_source_are_those_of_the_plan_at_every_step(
    tmp_path: Path, counts: tuple[int, ...]
) -> None:
    data = str(write_dataset(tmp_path / "data").parent)
    train_poisoned(data, str(tmp_path / "run"), {"kind": "note"}, counts)

    for record in records(tmp_path / "run"):
        start = record["consumed_start"]
        assert start == 12 * record["step"]
        assert record["tokens_by_source"] == tokens_of(data, range(start, start + 12))
    found = certificate_of(tmp_path / "run")
    assert found["tokens_by_source"] == tokens_of(data, range(72))
    assert found["samples_read"] == [[0, 72]]


def test_a_run_that_went_back_certifies_what_its_weights_have_seen(tmp_path: Path) -> None:
    data = str(write_dataset(tmp_path / "data").parent)
    train_poisoned(data, str(tmp_path / "run"), ROLL_BACK)

    found = certificate_of(tmp_path / "run")
    assert found["samples_read"] == [[0, 24], [72, 120]]
    assert found["samples_jumped_over"] == [[24, 72]]
    assert found["tokens_by_source"] == tokens_of(data, range(24)) + tokens_of(data, range(72, 120))
    assert (found["steps_without_update"], found["is_complete"]) == (0, True)
    with (
        mock.patch.object(open_module, "build_run", build_poisoned(set())),
        open_replay(settings(Path(data), tmp_path / "run"), ALONE) as replay,
    ):
        replay.go_to(3)  # from step 2, whose checkpoint does not know of the return to it
        assert replay.run.trainer.plan.span(3).start == 84
    body = {key: value for key, value in found.items() if key != "sha256"}
    assert found["sha256"] == sha256_hex(canonical_json(body))
    *_, before, last = read_events(tmp_path / "run" / "events.jsonl")
    assert (before["sha256"], last["certificate"]) == (found["last_event_sha256"], found["sha256"])


def test_updates_that_were_left_out_are_counted_apart(tmp_path: Path) -> None:
    data = str(write_dataset(tmp_path / "data").parent)
    train_poisoned(data, str(tmp_path / "run"), {"kind": "skip_update"})

    found = certificate_of(tmp_path / "run")
    assert found["steps_without_update"] == 1
    assert found["tokens_without_update"] == sum(tokens_of(data, range(48, 60)).values())
