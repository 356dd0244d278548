"""Hosts: failures make a suspect, evidence alone takes it out, a spare takes its place."""

from __future__ import annotations

import itertools
import os
import time
from pathlib import Path

import pytest

from train.supervisor import sniff as sniff_module
from train.supervisor.hosts import HostBook
from train.supervisor.sniff import product_sha256, sniff


def test_three_of_four_attempts_within_ten_minutes_make_a_suspect() -> None:
    book = HostBook(hosts=["a", "b", "c"], wanted=2)

    suspicions = [book.note(host, at) for host, at in [("a", 0), ("b", 10), ("a", 20), ("a", 30)]]

    assert suspicions == [False, False, False, True]
    assert book.usable() == ["a", "b"]  # a suspect works on


def test_failures_far_apart_make_no_suspect() -> None:
    book = HostBook(hosts=["a"], wanted=1)

    assert [book.note("a", at) for at in (0, 500, 1000, 1500)] == [False] * 4


def test_failures_that_blame_no_host_make_no_suspect() -> None:
    book = HostBook(hosts=["a"], wanted=1)

    assert [book.note(None, at) for at in range(4)] == [False] * 4


def test_a_suspect_that_is_well_is_cleared_and_counted_anew() -> None:
    book = HostBook(hosts=["a", "b"], wanted=1)
    assert [book.note("a", at) for at in range(3)][-1]

    assert book.examined("a", []) == "works"

    assert not book.note("a", 4)
    assert book.usable() == ["a"]


def test_a_suspect_with_a_fault_is_out_and_the_spare_is_in() -> None:
    book = HostBook(hosts=["a", "b", "c"], wanted=2)
    assert [book.note("a", at) for at in range(3)][-1]

    assert book.examined("a", ["disk /x: Input/output error"]) == "excluded"
    assert book.usable() == ["b", "c"]

    book.lost("b", 0)
    assert book.usable() == ["c"]  # without spares the others go on


def test_a_host_that_comes_back_stands_behind_the_one_that_stood_in_for_it() -> None:
    book = HostBook(hosts=["a", "b", "c"], wanted=2)
    book.lost("a", 0)
    assert book.usable() == ["b", "c"]

    assert book.joined("a")
    assert book.usable() == ["b", "c"]
    assert not book.joined("a")  # it is here

    book.lost("c", 1)
    assert book.usable() == ["b", "a"]


def test_a_host_that_was_taken_out_does_not_come_back() -> None:
    book = HostBook(hosts=["a", "b"], wanted=1)
    assert [book.note("a", at) for at in range(3)][-1]
    book.examined("a", ["clock"])

    assert not book.joined("a")
    assert book.usable() == ["b"]


def test_a_host_that_comes_and_goes_is_not_steady() -> None:
    book = HostBook(hosts=["a"], wanted=1)
    for at in (0, 10, 20):
        book.lost("a", at)
        book.joined("a")

    assert not book.is_steady("a", 30)
    assert book.is_steady("a", 700)


def test_a_healthy_host_has_no_faults(tmp_path: Path) -> None:
    assert sniff(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_the_known_product_is_that_of_whole_numbers() -> None:
    """Checked against exact integers when it was written; any order of summation gives these bits."""
    assert product_sha256() == "5df6837276ed67d6605fec06e077f811f1dc86f241b8b1ef62285908574d560a"


def test_a_disk_that_cannot_be_written_is_a_fault(tmp_path: Path) -> None:
    (fault,) = sniff(tmp_path / "gone")

    assert fault == f"disk {tmp_path}/gone: No such file or directory"


def test_a_disk_that_gives_other_bytes_back_is_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda self: b"\x01" + read(self)[1:])
    monkeypatch.setattr(os, "urandom", lambda size: bytes(size))

    fault = sniff_module.wrong_disk(tmp_path)

    assert fault == f"disk {tmp_path}: 1 of 4194304 bytes differ from what was written"


def test_a_wrong_product_is_a_fault_with_both_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sniff_module, "product_sha256", lambda: "f" * 64)

    fault = sniff_module.wrong_product()

    assert fault == "matrix product: SHA-256 ffffffffffffffff..., expected 5df6837276ed67d6..."


def test_a_clock_that_runs_wrong_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sniff_module.time, "time", itertools.count(100.0, 60.0).__next__)

    fault = sniff_module.wrong_clock()

    assert fault is not None
    assert fault.startswith("clock: 60.000 s by the calendar while 0.2")


def test_a_wait_between_two_readings_is_no_fault_of_the_clock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steady, late = time.monotonic, iter([0.3])
    monkeypatch.setattr(sniff_module.time, "time", lambda: steady() + next(late, 0.0))

    assert sniff_module.wrong_clock() is None
