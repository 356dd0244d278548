"""Render pydoc's HTML pages of the standard library; run in a child with an empty environment.

`pydoc` prints os.environ and memory addresses: the environment is empty here, and the pages are
rendered once and kept, since two runs never give the same bytes.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import pydoc
import sys
import warnings
from pathlib import Path

# They open a browser, a window, or print when imported.
SKIPPED = {"antigravity", "this", "idlelib", "turtle", "turtledemo", "tkinter", "test", "lib2to3"}


def main() -> None:
    """Write one page per module into the folder that is the first argument."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("ignore")
    for name in sorted(sys.stdlib_module_names - SKIPPED):
        if name.startswith("_"):
            continue
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            try:
                resolved = pydoc.resolve(name)
                if resolved is None:
                    continue
                found, page_name = resolved
                page = pydoc.html.page(page_name, pydoc.html.document(found, page_name))
            except (ImportError, pydoc.ErrorDuringImport, AttributeError, ValueError, TypeError):
                continue
        (folder / f"{name}.html").write_text(page, encoding="utf-8", errors="replace")


if __name__ == "__main__":
    main()
