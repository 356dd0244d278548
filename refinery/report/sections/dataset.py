"""The mixture, the rows and shards, and what each stage cost."""

from __future__ import annotations

from html import escape

from refinery.mixture.plot import mixture_svg
from refinery.publish.records import StageCost
from refinery.report import charts
from refinery.report.data import ReportData
from refinery.report.html import table


def mixture_section(data: ReportData) -> str:
    """Weights asked and got, epochs and warnings."""
    rows = [
        (
            escape(row.source),
            f"{row.documents:,}",
            f"{row.tokens:,}",
            f"{row.weight_asked:.3f}",
            f"{row.weight_got:.3f}",
            f"{row.epochs:.2f}",
            f"{row.packed_tokens:,}",
            f"{row.bytes_per_token:.2f}" if row.bytes_per_token else "",
        )
        for row in data.mixture
    ]
    notes = "".join(f"<li>{escape(note)}</li>" for note in data.mixture_warnings)
    head = (
        "source",
        "documents",
        "tokens",
        "weight asked",
        "weight got",
        "epochs",
        "packed tokens",
    )
    return (
        f'<figure class="broad">{mixture_svg(data.mixture)}</figure>'
        + table("Asked and got", (*head, "bytes per token"), rows)
        + (f'<ul class="notes" aria-label="Warnings">{notes}</ul>' if notes else "")
    )


def packing_section(data: ReportData) -> str:
    """The exact account of tokens by split."""
    rows = [
        (
            "held out" if name == "heldout" else name,
            f"{split.shards:,}",
            f"{split.rows:,}",
            f"{split.tokens_in:,}",
            f"{split.packed:,}",
            f"{split.dropped:,}",
            f"{split.padding:,}",
            f"{split.packed / max(1, split.tokens_in):.2%}",
            f"{split.packed / max(1, split.rows * data.seq_len):.2%}",
            f"{split.bytes / max(1, split.packed):.2f}",
        )
        for name, split in data.packing.items()
    ]
    head = (
        "split",
        "shards",
        "rows",
        "tokens in",
        "packed",
        "dropped",
        "padding",
        "tokens packed",
        "rows filled",
        "bytes per token",
    )
    return table("tokens in = packed + dropped; padding stands apart", head, rows)


def stages_section(data: ReportData) -> str:
    """Seconds, CPU, shuffle and rows by stage."""
    slowest = max((stage.seconds for stage in data.stages), default=1.0)
    rows = [
        (
            escape(stage.stage),
            charts.meter(stage.seconds, slowest, stage.stage),
            escape(", ".join(f"{name} {count:,}" for name, count in stage.rows.items())),
            f"{stage.seconds:.1f}",
            *_cost(stage.cost),
            charts.number(stage.bytes),
        )
        for stage in data.stages
    ]
    head = ("stage", "time", "rows", "seconds", "Python CPU s", "JVM CPU s", "shuffled bytes")
    return table(
        "Stages; CPU seconds are those of tasks, on a cluster Python's are not known",
        (*head, "bytes written"),
        rows,
        words=3,
    )


def _cost(cost: StageCost | None) -> tuple[str, str, str]:
    if cost is None:
        return "", "", ""
    python = "" if cost.python_cpu_seconds is None else f"{cost.python_cpu_seconds:.1f}"
    return python, f"{cost.jvm_cpu_seconds:.1f}", charts.number(cost.shuffle_bytes)
