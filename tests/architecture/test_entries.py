"""Every `python -m` entry says how it is used, and does nothing else when asked."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("jobs", "tools", "benchmarks", "train", "schemas")
GUARD = '\nif __name__ == "__main__":\n'
# Programs that another virtual environment runs, with the peer that it holds.
OF_PEERS = ("_datatrove.py", "_lm_eval.py")
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__main__")
    for folder in FOLDERS
    for path in (ROOT / folder).rglob("*.py")
    if GUARD in path.read_text("utf-8") and not path.name.endswith(OF_PEERS)
)


@pytest.mark.filterwarnings("ignore:.*found in sys.modules")
@pytest.mark.parametrize("module", MODULES)
def test_help_is_printed_and_nothing_is_done(
    module: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", [module, "--help"])
    monkeypatch.chdir(tmp_path)

    with pytest.raises(SystemExit) as ended:
        runpy.run_module(module, run_name="__main__", alter_sys=False)

    assert not ended.value.code
    said = capsys.readouterr().out
    assert "usage:" in said
    if module.startswith("benchmarks."):
        assert f"python -m {module}" in said
    assert list(tmp_path.iterdir()) == []


def test_scripts_have_a_guard() -> None:
    bare = [
        str(path.relative_to(ROOT))
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*.py")
        if "\nmain(" in (text := path.read_text("utf-8")) or "\nrun_main(" in text
    ]

    assert bare == []
