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
        objectives = {name: str(results[name].get("objective")) for name in heldout}
        if len(set(objectives.values())) > 1:
            said = ", ".join(f"{name} {objective}" for name, objective in objectives.items())
            console.print(
                f"losses of different objectives do not compare: {said}",
                highlight=False,
                soft_wrap=True,
            )
    for name, result in results.items():
        if copied := result.get("copy"):
            saved = copied["saved"]
            console.print(
                f"{f'{name}: ' if several else ''}copy: {copied['first']['value']:.3f} nats per random token, "
                f"{copied['second']['value']:.3f} where the string stands again: {saved['value']:.3f} less "
                f"({saved['low']:.3f} to {saved['high']:.3f})",
                highlight=False,
                soft_wrap=True,
            )
    tasks = [(name, task) for name, result in results.items() for task in result.get("tasks", [])]
    if tasks:
        console.print(_tasks_table(tasks, several=several))
        for form in dict.fromkeys(f"{name}: {task['form']}" for name, task in tasks):
            console.print(form, highlight=False, soft_wrap=True)
        for name, task in tasks:
            for warning in task["warnings"]:
                console.print(f"{name}: {task['name']}: {warning}", highlight=False, soft_wrap=True)


def heldout_interval(row: dict[str, Any]) -> str:
    """The interval over documents: of bits per byte where there are some, else of the loss."""
    ends = row.get("bits_per_byte_interval") or row.get("loss_interval")
    return "" if ends is None else f"{ends[0]:.3f} to {ends[1]:.3f}"


def _heldout_table(heldout: dict[str, dict[str, Any]], *, several: bool) -> Table:
    table = Table(
        *(["model"] if several else []), "held out", "loss", "perplexity", "bits per byte", "95 %",
        "labels", "documents",
    )  # fmt: skip
    for model, figures in heldout.items():
        for name, row in [*sorted(figures["sources"].items()), ("all", figures)]:
            cells = [
                name,
                f"{row['loss']:.4f}",
                f"{row['perplexity']:.1f}",
                "" if row["bits_per_byte"] is None else f"{row['bits_per_byte']:.3f}",
                heldout_interval(row),
                f"{row['labels']:,}",
                f"{row['documents']:,}" if "documents" in row else "",
            ]
            table.add_row(*([model] if several else []), *cells)
    return table


# The figure that a task of a kind is read by, and the one behind it.
_MAIN = {
    "multiple_choice": (
        "acc",
        "acc_norm",
        "acc_bytes",
        "acc_tokens",
        "acc_pmi",
        "gold_probability",
    ),
    "classification": ("acc", "macro_f1", "majority", "pearson", "spearman"),
    "minimal_pairs": ("acc", "acc_tokens", "acc_slln", "acc_equal_length"),
    "last_word": ("acc", "perplexity"),
    "generation": ("exact_match", "normalised_match", "f1", "bleu", "chrf", "pass_at_1"),
}


def _tasks_table(tasks: list[tuple[str, dict[str, Any]]], *, several: bool) -> Table:
    heads = ("task", "items", "shots", "figure", "value", "95 %", "chance", "cut")
    table = Table(*(["model"] if several else []), *heads)
    for model, task in tasks:
        parts = [(task["name"], task["items"], task["metrics"])]
        if task.get("clean", {}).get("metrics"):
            parts.append(
                (f"{task['name']} (clean)", task["clean"]["items"], task["clean"]["metrics"])
            )
        for name, items, metrics in parts:
            shown = [one for one in _MAIN[task["kind"]] if one in metrics]
            shown += [one for one in metrics if one not in shown and one.startswith("pass_at")]
            for number, figure in enumerate([*shown, "bits_per_byte"]):
                first = number == 0
                cells = [
                    name if first else "",
                    str(items) if first else "",
                    str(task["shots"]) if first else "",
                    figure,
                    _number(metrics[figure]["value"]),
                    _interval(metrics[figure]),
                    _number(task["chance"]) if first else "",
                    str(task["prompts_cut"]) if first else "",
                ]
                table.add_row(*([model] if several else []), *cells)
    return table


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _interval(figure: dict[str, Any]) -> str:
    if figure.get("low") is None:
        return ""
    return f"{figure['low']:.3f} to {figure['high']:.3f}"
