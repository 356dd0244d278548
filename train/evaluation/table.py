"""Print an evaluation; needs no torch."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table


def print_result(result: dict[str, Any]) -> None:
    """Print the tables of a result."""
    console = Console()
    figures = result["heldout"]
    table = Table("held out", "loss", "perplexity", "bits per byte", "labels")
    for name, row in [*sorted(figures["sources"].items()), ("all", figures)]:
        bits = "" if row["bits_per_byte"] is None else f"{row['bits_per_byte']:.3f}"
        table.add_row(
            name, f"{row['loss']:.4f}", f"{row['perplexity']:.1f}", bits, f"{row['labels']:,}"
        )
    console.print(table)
    if not result.get("tasks"):
        return
    tasks = Table("task", "items", "shots", "accuracy", "per byte", "per token", "chance")
    for task in result["tasks"]:
        tasks.add_row(
            task["name"],
            str(task["items"]),
            str(task["shots"]),
            f"{task['accuracy']:.3f} ± {task['standard_error']:.3f}",
            f"{task['accuracy_per_byte']:.3f}",
            f"{task['accuracy_per_token']:.3f}",
            f"{task['chance']:.3f}",
        )
    console.print(tasks)
