"""Run `jobs/refine.py` on this machine: Spark starts while the driver's modules are read.

    python -m jobs.launch RECIPE [--set KEY=VALUE ...] [--ui] [--conf spark.KEY=VALUE ...]

What the recipe says is checked first. Spark's log goes to a file beside the results.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.resources import as_file, files
from importlib.util import find_spec
from pathlib import Path

from jobs.pipeline.arguments import local_parser, parse_recipe_arguments
from jobs.spark.launcher import launcher_environment
from refinery.preflight.checks import check_settings
from refinery.publish import storage
from refinery.recipe import Runtime
from schemas.errors import SettingsError, run_main
from schemas.manifest import MANIFEST_NAME


def main(argv: list[str]) -> int:
    """Run in this process; errors and exit codes are those of the job."""
    settings, args = parse_recipe_arguments(argv, local_parser("refine"))
    check_settings(settings, packs=args.until in (None, "pack"))
    with local_spark(settings.runtime.output, with_ui=args.ui, conf=args.conf):
        if not storage.exists(storage.join_uri(settings.runtime.output, "dataset", MANIFEST_NAME)):
            started = (settings.recipe.name, settings.runtime)
            threading.Thread(target=_start_silently, args=started, daemon=True).start()
        from jobs import refine  # reads its modules while the JVM starts

        return refine.run(settings, first=args.first, last=args.until)


@contextmanager
def local_spark(output: str, *, with_ui: bool, conf: Sequence[str]) -> Iterator[None]:
    """What a JVM that the block starts is started with; its log lies beside the results.

    Raises:
        SettingsError: pyspark is not installed.
    """
    if find_spec("pyspark") is None:
        raise SettingsError("pyspark is not installed: pip install -e '.[refinery]'")
    log = _log_path(output)
    log.parent.mkdir(parents=True, exist_ok=True)
    with as_file(files("jobs").joinpath("log4j2.properties")) as log_settings:
        os.environ.update(launcher_environment(log, log_settings, with_ui=with_ui, conf=conf))
        yield


def _log_path(output: str) -> Path:
    """Spark's log lies beside the results, and in the working directory where those lie on a store."""
    if storage.is_local(output):
        return storage.local_path(output) / "spark.log"
    name = output.rstrip("/").rpartition("/")[2] or "run"
    return Path("runs", name).absolute() / "spark.log"


def _start_silently(app: str, runtime: Runtime) -> None:
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    from jobs.spark.session import build_session, start_python

    # A JVM that does not start, ends or refuses a setting fails again where a stage asks for it.
    with suppress(OSError, PySparkException, Py4JError):
        start_python(build_session(app, runtime))


if __name__ == "__main__":
    run_main(main)
