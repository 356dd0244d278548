"""Build the wheel, install it alone and look at what people get.

    python -m tools.check_wheel build/wheel      leaves the wheel there

The environment is new and empty but for this one's libraries, so nothing is downloaded; it is used
from an empty folder, so nothing of the checkout is imported.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

from schemas.errors import ContractError, run_main
from tools.archive import PACKAGES

ROOT = Path(__file__).resolve().parents[1]
LEFT_BEHIND = (".git", ".venv*", "runs", "build", "dist", "*.egg-info", "__pycache__", ".*_cache")
# The demo runs in a checkout.
NOT_SHIPPED = {".sh"}
IMPORTS = """
import importlib, sys, sysconfig
for name in sys.argv[1:]:
    file = importlib.import_module(name).__file__
    assert file.startswith(sysconfig.get_path("purelib")), file
"""


def main(argv: list[str]) -> int:
    """Build into the folder that the argument names, then check."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    args = parser.parse_args(argv)
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    with tempfile.TemporaryDirectory() as scratch:
        wheel = build_wheel(args.folder, Path(scratch) / "source")
        with zipfile.ZipFile(wheel) as archive:
            faults = list(wheel_faults(archive.namelist(), source_files(ROOT)))
        if faults:
            raise ContractError(f"{wheel}: {'; '.join(faults)}")
        use_alone(wheel, Path(scratch), version)
    print(f"{wheel}: version {version}, {wheel.stat().st_size / 2**20:.1f} MB, works alone")
    return 0


def build_wheel(folder: Path, source: Path) -> Path:
    """Build from a copy: an older `build/lib` would leave removed modules in the wheel."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(*LEFT_BEHIND))
    _run([sys.executable, "-m", "pip", "wheel", "-q", "--disable-pip-version-check", "--no-deps",
          "--no-build-isolation", "-w", str(folder.resolve()), str(source)])  # fmt: skip
    (wheel,) = folder.glob("*.whl")
    return wheel


def source_files(root: Path) -> set[str]:
    """What the wheel has to hold: modules and data of the five packages."""
    return {
        path.relative_to(root).as_posix()
        for package in PACKAGES
        for path in (root / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix not in NOT_SHIPPED
    }


def wheel_faults(names: list[str], sources: set[str]) -> Iterator[str]:
    """What is missing from the wheel, and what has no business in it."""
    held = {name for name in names if ".dist-info/" not in name}
    for package in PACKAGES:
        if f"{package}/py.typed" not in held:
            yield f"{package} has no py.typed"
    yield from (f"{name} is missing" for name in sorted(sources - held))
    yield from (f"{name} does not belong there" for name in sorted(held - sources))


def use_alone(wheel: Path, scratch: Path, version: str) -> None:
    """Install the wheel into an empty environment, import it and call both programs."""
    home, elsewhere = scratch / "venv", scratch / "elsewhere"
    elsewhere.mkdir()
    venv.create(home, with_pip=False)
    bin_folder = home / "bin"
    python = str(bin_folder / "python")
    libraries = sysconfig.get_path("purelib", vars={"base": str(home), "platbase": str(home)})
    # Folders that a .pth file names are searched last, and their own .pth files are not read: the
    # editable checkout of this environment stays unseen.
    Path(libraries, "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    _run([sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps", "--no-index",
          "--disable-pip-version-check", str(wheel.resolve())])  # fmt: skip
    _run([python, "-c", IMPORTS, *PACKAGES], folder=elsewhere)
    _run([str(bin_folder / "refinery"), "doctor", "--help"], folder=elsewhere)
    for program in ([str(bin_folder / "refinery")], [python, "-m", "train"]):
        said = _run([*program, "--version"], folder=elsewhere).split()
        if said[-1:] != [version]:
            raise ContractError(f"{' '.join(program)} --version said {said}, not {version}")


def _run(command: list[str], folder: Path | None = None) -> str:
    """Run without the variables through which Python or coverage.py would see the checkout."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "COVERAGE"))}
    done = subprocess.run(
        command, cwd=folder, env=kept, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise ContractError(f"{' '.join(command)}: exit {done.returncode}\n{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    run_main(main)
