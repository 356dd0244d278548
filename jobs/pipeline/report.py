"""Write the report of a finished run, and say where everything is."""

from __future__ import annotations

from jobs.pipeline.arguments import parse_recipe_arguments, recipe_parser
from jobs.pipeline.runner import RefineRun
from refinery.datasets.publish import dataset_uri
from refinery.datasets.runs import open_run
from refinery.publish import storage
from refinery.report.write import PAGE, write_report
from schemas.errors import run_main
from schemas.manifest import MANIFEST_NAME


def finish_run(run: RefineRun) -> None:
    """Write the report; the last lines name what the run made."""
    output = run.settings.runtime.output
    data = write_report(open_run(output))
    train = data.packing["train"]
    run.console.print(
        f"\n[bold]{data.total('kept'):,}[/bold] of {data.total('documents'):,} documents kept, "
        f"[bold]{train.packed:,}[/bold] training tokens in {train.rows:,} rows"
    )
    run.console.print(f"root      {data.root}", soft_wrap=True)
    for name, uri in (
        ("report", storage.join_uri(output, "report", PAGE)),
        ("manifest", storage.join_uri(dataset_uri(output), MANIFEST_NAME)),
    ):
        run.console.print(f"{name:<9} {uri}", soft_wrap=True)


def main(argv: list[str]) -> int:
    """Write it again from the published tables."""
    settings, _ = parse_recipe_arguments(argv, recipe_parser("report"))
    output = settings.runtime.output
    write_report(open_run(output))
    print(storage.join_uri(output, "report", PAGE))
    return 0


if __name__ == "__main__":
    run_main(main)
