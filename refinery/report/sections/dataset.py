"""The mixture, the rows and shards, and what each stage cost."""

from __future__ import annotations

from html import escape

from refinery.mixture.plot import mixture_chart
from refinery.publish.records import StageCost
from refinery.report import charts
from refinery.report.data import ReportData
from refinery.report.html import table


def mixture_section(data: ReportData) -> str:
    """Weights asked and got, epochs and warnings; how they become the tokens that are packed."""
    if not data.mixture:
        return "<p class=none>No mixture yet.</p>"
    rows = [
        (
            escape(row.source),
            f"{row.documents:,}",
            f"{row.tokens:,}",
            f"{row.weight_asked:.3f}",
            f"{row.weight_got:.3f}",
            f"{row.epochs:.2f}",
            f"{row.bytes_per_token:.2f}" if row.bytes_per_token else "",
        )
        for row in data.mixture
    ]
    notes = "".join(f"<li>{escape(note)}</li>" for note in data.mixture_warnings)
    head = ("source", "documents", "tokens", "weight asked", "weight got", "epochs")
    return (
        f'<div class="broad">{mixture_chart(data.mixture)}</div>'
        + table(
            "Training documents before copies, and their share of the mixture",
            (*head, "bytes per token"),
            rows,
            pinned=True,
        )
        + _copies_table(data)
        + (f'<ul class="notes" aria-label="Warnings">{notes}</ul>' if notes else "")
    )


def _copies_table(data: ReportData) -> str:
    """From epochs to packed tokens: the numbers of the dataset card, with those of the plan."""
    rows = [
        (
            escape(row.source),
            f"{row.epochs:.2f}",
            f"{row.tokens * row.epochs:,.0f}",
            f"{row.used_documents:,}",
            f"{row.used_tokens:,}",
            f"{row.packed_tokens + row.dropped_tokens - row.drawn_tokens:,}",
            f"{row.packed_tokens:,}",
        )
        for row in data.mixture
        if row.used_documents
    ]
    if not rows:
        return ""
    head = (
        "source", "epochs", "tokens x epochs", "documents with a copy", "their tokens, once",
        "tokens of all copies", "packed",
    )  # fmt: skip
    return table(
        "Epochs are of all training documents of a source: below 1, that share of them, drawn by hash, has "
        "one copy; their tokens with an end mark for each copy are the tokens of all copies, and packing "
        "leaves out tails",
        head,
        rows,
        pinned=True,
    )


def packing_section(data: ReportData) -> str:
    """The exact account of tokens by split, and by source."""
    if not data.packing:
        return "<p class=none>No dataset yet.</p>"
    has_pairs = any(split.drawn or split.control for split in data.packing.values())
    rows = [
        (
            "held out" if name == "heldout" else name,
            f"{split.shards:,}",
            f"{split.rows:,}",
            f"{split.tokens_in:,}",
            *((f"{split.drawn:,}",) if has_pairs else ()),
            f"{split.packed:,}",
            f"{split.dropped:,}",
            *((f"{split.control:,}",) if has_pairs else ()),
            f"{split.padding:,}",
            f"{split.packed / max(1, split.tokens_in + split.drawn):.2%}",
            f"{1 - split.padding / max(1, split.rows * data.seq_len):.2%}",
            f"{split.bytes / max(1, split.packed):.2f}",
        )
        for name, split in data.packing.items()
    ]
    head = (
        "split",
        "shards",
        "rows",
        "tokens in",
        *(("drawn again",) if has_pairs else ()),
        "packed",
        "dropped",
        *(("[CLS], [SEP]",) if has_pairs else ()),
        "padding",
        "tokens packed",
        "rows filled",
        "bytes per token",
    )
    caption = (
        "tokens in + drawn again = packed + dropped; special tokens and padding stand apart"
        if has_pairs
        else "tokens in = packed + dropped; padding stands apart"
    )
    return table(caption, head, rows, pinned=True) + _tokens_by_source(data, has_pairs=has_pairs)


def _tokens_by_source(data: ReportData, *, has_pairs: bool) -> str:
    rows = [
        (
            escape(row.source),
            f"{row.packed_tokens + row.dropped_tokens - row.drawn_tokens:,}",
            *((f"{row.drawn_tokens:,}",) if has_pairs else ()),
            f"{row.packed_tokens:,}",
            f"{row.dropped_tokens:,}",
        )
        for row in data.mixture
    ]
    drawn = ("drawn again",) if has_pairs else ()
    head = ("source", "tokens in", *drawn, "packed", "dropped")
    return table("Training tokens by source, all copies and end marks", head, rows, pinned=True)


def stages_section(data: ReportData) -> str:
    """Seconds, CPU, shuffle and rows by stage."""
    slowest = max((stage.seconds for stage in data.stages), default=1.0)
    rows = [
        (
            escape(stage.stage),
            charts.meter(stage.seconds, slowest, stage.stage),
            f"{stage.seconds:.1f}",
            *_cost(stage.cost),
            charts.number(stage.bytes),
            escape(", ".join(f"{name} {count:,}" for name, count in stage.rows.items())),
        )
        for stage in data.stages
    ]
    costs = [stage.cost for stage in data.stages if stage.cost is not None]
    python = [c.python_cpu_seconds for c in costs if c.python_cpu_seconds is not None]
    whole = (
        "all",
        "",
        f"{sum(stage.seconds for stage in data.stages):.1f}",
        f"{sum(python):.1f}" if python else "",
        f"{sum(cost.jvm_cpu_seconds for cost in costs):.1f}" if costs else "",
        charts.number(sum(cost.shuffle_bytes for cost in costs)) if costs else "",
        charts.number(sum(stage.bytes for stage in data.stages)),
        "",
    )
    head = ("stage", "", "seconds", "Python CPU s", "JVM CPU s", "shuffled bytes", "bytes written")
    return table(
        "Time by stage, without Spark's start; CPU seconds are those of tasks, on a cluster Python's "
        "are not known",
        (*head, "rows"),
        [*rows, whole],
        words=2,
        pinned=True,
        ends_in_words=True,
    )


def _cost(cost: StageCost | None) -> tuple[str, str, str]:
    if cost is None:
        return "", "", ""
    python = "" if cost.python_cpu_seconds is None else f"{cost.python_cpu_seconds:.1f}"
    return python, f"{cost.jvm_cpu_seconds:.1f}", charts.number(cost.shuffle_bytes)
