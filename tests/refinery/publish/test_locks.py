"""Locks between processes: one run in an output, several beside each other over shared tables."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from refinery.publish.locks import claimed, exclusive, shared
from schemas.errors import PipelineError


@contextmanager
def held_elsewhere(expression: str) -> Iterator[int]:
    """Another process inside the context that the expression makes; gives its number."""
    code = (
        "from pathlib import Path\nfrom refinery.publish.locks import *\n"
        f"with {expression}:\n    print('held', flush=True)\n    input()"
    )
    pipe = subprocess.PIPE
    other = subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, text=True)
    assert other.stdout is not None
    assert other.stdout.readline() == "held\n"
    try:
        yield other.pid
    finally:
        other.kill()
        other.wait()


def test_sharing_runs_are_beside_each_other_and_only_the_first_is_alone(tmp_path: Path) -> None:
    cleaned: list[str] = []

    with held_elsewhere(f"shared(Path({str(tmp_path)!r}), lambda: None)"):
        with shared(tmp_path, lambda: cleaned.append("x")):
            pass
        with pytest.raises(PipelineError, match="in use by another run"), exclusive(tmp_path):
            pass
    with shared(tmp_path, lambda: cleaned.append("alone")):
        pass

    assert cleaned == ["alone"]


def test_who_holds_a_folder_for_itself_keeps_sharing_runs_out(tmp_path: Path) -> None:
    with (
        held_elsewhere(f"exclusive(Path({str(tmp_path)!r}))") as holder,
        pytest.raises(PipelineError, match=f"process {holder}"),
        shared(tmp_path, lambda: None),
    ):
        pass


def test_one_name_is_waited_for_and_another_is_not(tmp_path: Path) -> None:
    waited: list[str] = []
    name, other = "a" * 64, "b" * 64
    holder = f"claimed(Path({str(tmp_path)!r}), {name!r}, lambda: None)"

    with held_elsewhere(holder) as pid:

        def end_holder() -> None:
            waited.append("a")
            subprocess.run(["kill", str(pid)], check=True)

        with claimed(tmp_path, other, lambda: waited.append("b")):
            pass
        with claimed(tmp_path, name, end_holder):
            pass

    assert waited == ["a"]
