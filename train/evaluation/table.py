"""Print an evaluation; needs no torch."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from schemas.terminal import open_console


def print_results(results: dict[str, dict[str, Any]]) -> None:
    """Print the results of some models, one under the other in each table."""
    # A pipe has no width; a table that is cut there loses its figures.
    console = open_console()
    heldout = {name: result["heldout"] for name, result in results.items() if "heldout" in result}
    several = len(results) > 1
    if heldout:
        console.print(_heldout_table(heldout, several=several))
    tasks = [(name, task) for name, result in results.items() for task in result.get("tasks", [])]
    if tasks:
        console.print(_tasks_table(tasks, several=several))
        for form in dict.fromkeys(f"{name}: {task['form']}" for name, task in tasks):
            console.print(form, highlight=False, soft_wrap=True)


def _heldout_table(heldout: dict[str, dict[str, Any]], *, several: bool) -> Table:
    table = Table(
        *(["model"] if several else []), "held out", "loss", "perplexity", "bits per byte", "labels"
    )
    for model, figures in heldout.items():
        for name, row in [*sorted(figures["sources"].items()), ("all", figures)]:
            cells = [
                name,
                f"{row['loss']:.4f}",
                f"{row['perplexity']:.1f}",
                "" if row["bits_per_byte"] is None else f"{row['bits_per_byte']:.3f}",
                f"{row['labels']:,}",
            ]
            table.add_row(*([model] if several else []), *cells)
    return table


def _tasks_table(tasks: list[tuple[str, dict[str, Any]]], *, several: bool) -> Table:
    heads = ("task", "items", "shots", "accuracy", "per byte", "per token", "chance", "cut")
    table = Table(*(["model"] if several else []), *heads)
    for model, task in tasks:
        cells = [
            task["name"],
            str(task["items"]),
            str(task["shots"]),
            f"{task['accuracy']:.3f} \u00b1 {task['standard_error']:.3f}",
            f"{task['accuracy_per_byte']:.3f}",
            f"{task['accuracy_per_token']:.3f}",
            f"{task['chance']:.3f}",
            str(task["prompts_cut"]),
        ]
        table.add_row(*([model] if several else []), *cells)
    return table
