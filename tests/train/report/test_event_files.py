"""Event files as TensorBoard reads them."""

from __future__ import annotations

from pathlib import Path

import pytest

from train.report.tensorboard import TensorBoardFile, _masked_crc, scalars

PIECES = pytest.importorskip("tensorboard.backend.event_processing.event_file_loader")


def test_tensorboard_reads_what_was_written(tmp_path: Path) -> None:
    file = TensorBoardFile(tmp_path, first_step=3)
    file.write(3, {"loss": 2.5, "loss_by_source/web": 0.125})
    file.write(300, {"loss": 2.25})
    file.close()

    (path,) = tmp_path.iterdir()
    events = list(PIECES.RawEventFileLoader(str(path)).Load())

    from tensorboard.compat.proto.event_pb2 import Event

    head, first, second = (Event.FromString(one) for one in events)
    assert head.file_version == "brain.Event:2"
    assert (first.step, second.step) == (3, 300)
    assert {v.tag: v.simple_value for v in first.summary.value} == {
        "loss": 2.5,
        "loss_by_source/web": 0.125,
    }


def test_the_checksum_is_crc_32c() -> None:
    # RFC 3720, appendix B.4: 32 bytes of zeros have the CRC-32C 0x8a9136aa.
    crc = 0x8A9136AA
    rotated = (crc >> 15 | crc << 17) & 0xFFFFFFFF

    assert _masked_crc(bytes(32)) == (rotated + 0xA282EAD8) & 0xFFFFFFFF


def test_scalars_are_the_numbers_of_a_line() -> None:
    line = {"step": 3, "time": 9.0, "loss": 2, "skipped": False, "note": "x", "by": {"a": 0.5}}

    assert scalars(line) == {"loss": 2.0, "skipped": 0.0, "by/a": 0.5}
