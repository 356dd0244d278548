"""Build the archive for `spark-submit --py-files`: our five packages with their data files.

python -m tools.archive dist/refinery.zip
"""

from __future__ import annotations

import argparse
import sys
import zipfile
from importlib.resources import files
from pathlib import Path

from schemas.errors import run_main

PACKAGES = ("schemas", "pages", "refinery", "jobs", "train")
SKIPPED = ("__pycache__", ".egg-info")
EPOCH = (1980, 1, 1, 0, 0, 0)


def build_archive(target: Path) -> int:
    """Write the archive; the same files give the same bytes. Returns the number of files."""
    target.parent.mkdir(parents=True, exist_ok=True)
    names = 0
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for package in PACKAGES:
            root = Path(str(files(package)))
            for path in sorted(root.rglob("*")):
                if path.is_file() and not any(part in str(path) for part in SKIPPED):
                    name = f"{package}/{path.relative_to(root).as_posix()}"
                    archive.writestr(zipfile.ZipInfo(name, EPOCH), path.read_bytes())
                    names += 1
    return names


def main(argv: list[str]) -> int:
    """Build the archive that the argument names."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("archive", type=Path)
    args = parser.parse_args(argv)
    count = build_archive(args.archive)
    print(f"{args.archive}: {count} files", file=sys.stderr)
    return 0


if __name__ == "__main__":
    run_main(main)
