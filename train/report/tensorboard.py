"""Scalars for TensorBoard, written without its package: event files are framed protocol buffers.

Frame: length (uint64), masked CRC-32C of it, the bytes, masked CRC-32C of them (TFRecord). Event:
wall_time = 1 (double), step = 2 (int64), file_version = 3 (string), summary = 5; a summary's value = 1
has tag = 1 and simple_value = 2 (float).
"""

from __future__ import annotations

import struct
import time
from collections.abc import Mapping
from pathlib import Path

from train.report.patient_file import PatientFile

_POLYNOMIAL = 0x82F63B78  # CRC-32C (Castagnoli) with its bits reversed


def _table() -> list[int]:
    entries = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
        entries.append(value)
    return entries


_CRC = _table()


def _masked_crc(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _CRC[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _text(field: int, data: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(data)) + data


class TensorBoardFile:
    """One event file of a run; a resumed run adds another, which TensorBoard joins."""

    def __init__(self, folder: Path, *, first_step: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        now = time.time()
        # TensorBoard replaces what earlier files say of the steps that a later file repeats.
        self._file = PatientFile(
            folder / f"events.out.tfevents.{int(now * 1000):016d}.{first_step}"
        )
        self._record(struct.pack("<Bd", 9, now) + _text(3, b"brain.Event:2"))

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Append the scalars of a step to the file."""
        parts = [
            _text(1, _text(1, tag.encode()) + struct.pack("<Bf", 0x15, value))
            for tag, value in values.items()
        ]
        head = struct.pack("<Bd", 9, time.time()) + b"\x10" + _varint(step)
        self._record(head + _text(5, b"".join(parts)))

    def close(self) -> None:
        self._file.close()

    def _record(self, data: bytes) -> None:
        length = struct.pack("<Q", len(data))
        self._file.write(length + struct.pack("<I", _masked_crc(length)))
        self._file.write(data + struct.pack("<I", _masked_crc(data)))


def scalars(record: Mapping[str, object]) -> dict[str, float]:
    """The numbers in one line of metrics; nested ones are named like `loss_by_source/web`."""
    numbers: dict[str, float] = {}
    for name, value in record.items():
        if isinstance(value, Mapping):
            numbers |= {f"{name}/{key}": inner for key, inner in scalars(value).items()}
        elif isinstance(value, int | float) and name not in ("step", "time"):
            numbers[name] = float(value)
    return numbers
