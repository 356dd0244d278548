"""Write the report of a run."""

from __future__ import annotations

from jobs.runner import Run


def finish_run(run: Run) -> None:
    """Write the report and say where everything is."""
