"""The published form: docs/founding_studies.md and a chart for each study, made from recorded runs alone."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean

from benchmarks.interval_chart import Interval, write_intervals
from benchmarks.train.founding.comparisons import STUDIES, FoundingStudy
from benchmarks.train.founding.judged import BAG, FINETUNED, MAJORITY
from benchmarks.train.founding.tables import (
    ArmLine,
    ComparisonTable,
    FigureTables,
    figure_tables,
)
from benchmarks.train.run_records import Records, RunRecord
from train.statistics.paired import NOT_TOLD_APART
from train.studies.arms import study_arms
from train.studies.settings import BASE, StudySettings, load_study
from train.studies.verdicts import BETTER, WORSE

FIGURE_WORDS = {
    "heldout_loss": "held-out infilling, nats per label",
    "bits_per_byte": "held-out bits per byte",
}
_HEAD = """# The founding text's studies, rerun small

Made from [recorded runs](../benchmarks/results/founding_studies.jsonl) by `python -m benchmarks.train.founding --page`; no figure, verdict or chart is written by hand.

Four [studies](studies.md) on real English and Chinese text (1.4 M tokens, a vocabulary of 4,096), at a third to half a million parameters, in steps of 512 tokens. Models
of this size tell large effects apart and say nothing of large models: an order that holds here may turn around at a billion parameters.

| | |
|---|---|
| objectives, architectures | 614,400 tokens by each arm's own objective, then 153,600 tokens by one that all share (spans of all lengths and densities, and suffixes; no arm trained on just that), then the loss of that objective on held-out documents |
| schedules, depth | one objective, so held-out bits per byte are compared |
| beside it, all | fine-tuning what was pretrained on 1,000 sentences of SST-2 (6 passes, one rate), accuracy on 1,000 others; two seeds of one arm may differ by 3 points by chance of the sentences alone |
| intervals | 95 %, pairs of equal seeds, the variance of a run pooled over the study; probabilities adjusted over all comparisons of a study (Benjamini and Hochberg); `finds` is the smallest true difference that is found four times of five |
| over documents | how exactly these very runs were measured, which says nothing of other seeds |

"""


def write_page(records: Records, page: Path, charts: Path) -> None:
    """Write the page, and a chart of each study that has intervals.

    Args:
        records: The runs that are done.
        page: The file in docs/.
        charts: Folder of the charts; the page links to them by a relative path.
    """
    parts = [_HEAD]
    for study in STUDIES:
        settings = load_study(study.path)
        arms = [arm.name for arm in study_arms(settings)]
        tables = figure_tables(study, arms, records)
        tuned = figure_tables(study, arms, records, FINETUNED)
        parts += _study(study, settings, records, tables, tuned)
        chart = charts / f"founding_{study.name}.svg"
        if _write_chart(study, settings, tables, chart):
            parts.append(f"![Differences with their intervals]({_relative(chart, page)})\n\n")
    parts.append(_again())
    page.write_text("".join(parts).rstrip("\n") + "\n", encoding="utf-8")


def _study(
    study: FoundingStudy,
    settings: StudySettings,
    records: Records,
    tables: FigureTables,
    tuned: FigureTables,
) -> Iterator[str]:
    runs = records.of_study(study.name)
    yield f"## {settings.question}\n\n"
    yield f"{_state(study, settings, runs, tables)}\n\n"
    yield from (f"{sentence}\n\n" for sentence in _gates(study, runs, tables, tuned))
    figure = FIGURE_WORDS[settings.measure.figure]
    for table, beside in zip(tables.tables, tuned.tables, strict=True):
        if not any(line.by_seed or line.failed for line in table.lines):
            continue
        yield f"### {table.title}\n\n"
        yield _table(study, table, beside, runs, figure)
        yield f"{_sentence(table, study)}\n\n"


def _state(
    study: FoundingStudy,
    settings: StudySettings,
    runs: Sequence[RunRecord],
    tables: FigureTables,
) -> str:
    arms = len(study_arms(settings))
    planned, done = arms * len(settings.seeds), len(runs)
    base = f"`{BASE}` is {study.base}; [all arms](../benchmarks/train/founding/{study.path.name})."
    if not done:
        return f"{base} **Not run yet** ({planned} runs planned)."
    hours = sum(run.cpu_seconds for run in runs) / 3600
    noise = ""
    if math.isfinite(tables.deviation):
        noise = f" Runs differ by {tables.deviation:.4f} beyond arm and seed (standard deviation, {tables.freedom} degrees of freedom)."
    left = "" if done >= planned else f" **{planned - done} of {planned} runs are not done yet.**"
    return f"{base} {done} runs, {hours:.2g} CPU hours.{noise}{left}"


def _gates(
    study: FoundingStudy, runs: Sequence[RunRecord], tables: FigureTables, tuned: FigureTables
) -> Iterator[str]:
    """What the plain baselines allow to read from the tables."""
    if study.control is not None:
        gate = next(table for table in tables.tables if table.lines[0].arm == study.control)
        beaten = [line.arm for line in gate.lines[1:] if line.verdict == BETTER]
        judged = [line for line in gate.lines[1:] if line.by_seed]
        if judged and gate.lines[0].by_seed:
            yield (
                f"Gate of infilling: {len(beaten)} of {len(judged)} arms are better than {study.control}"
                f"{'' if beaten else ', so the orders below say nothing about pretraining'}."
            )
    bags = [run.figures for run in runs if BAG in run.figures]
    accuracies = _means(tuned)
    if not bags or not accuracies:
        return
    bag, majority = bags[0][BAG], bags[0][MAJORITY]
    best = max(accuracies, key=lambda arm: accuracies[arm])
    plain = max(bag, accuracies.get(study.control or "", 0.0))
    decides = accuracies[best] > plain
    yield (
        f"Gate of fine-tuning: a bag of words has {bag:.1%}, the majority {majority:.1%}, the best arm ({_name(best, study)}) "
        f"{accuracies[best]:.1%}. "
        + (
            "The column below may be read."
            if decides
            else "A plain baseline is as good, so **fine-tuning decides nothing here**."
        )
    )


def _means(tuned: FigureTables) -> dict[str, float]:
    lines = [line for table in tuned.tables for line in table.lines if line.by_seed]
    return {line.arm: line.value for line in lines}


def _table(
    study: FoundingStudy,
    table: ComparisonTable,
    beside: ComparisonTable,
    runs: Sequence[RunRecord],
    figure: str,
) -> str:
    head = (
        f"| arm | verdict | {figure} | difference | 95 % | finds | over documents | SST-2 | CPU s |"
    )
    rows = [head, "|---|---|---|---|---|---|---|---|---|"]
    for line, tuned in zip(table.lines, beside.lines, strict=True):
        rows.append(_row(study, line, tuned, runs))
    return "\n".join(rows) + "\n\n"


def _row(
    study: FoundingStudy,
    line: ArmLine,
    tuned: ArmLine,
    runs: Sequence[RunRecord],
) -> str:
    spent = [run.cpu_seconds for run in runs if run.arm == line.arm and run.state == "done"]
    difference = span = finds = documents = ""
    if line.difference is not None:
        difference = f"{line.difference.value:+.4f}"
        if math.isfinite(line.difference.low):
            span = f"{line.difference.low:+.4f} to {line.difference.high:+.4f}"
            finds = f"{line.smallest:.4f}"
    if line.documents is not None:
        documents = f"{line.documents.low:+.4f} to {line.documents.high:+.4f}"
    failed = f", {line.failed} failed" if line.failed and line.by_seed else ""
    cells = (
        _name(line.arm, study),
        (line.verdict or "reference") + failed,
        f"{line.value:.4f}" if line.by_seed else "",
        difference,
        span,
        finds,
        documents,
        f"{tuned.value:.1%}" if tuned.by_seed else "",
        f"{fmean(spent):.0f}" if spent else "",
    )
    return f"| {' | '.join(cells)} |"


def _sentence(table: ComparisonTable, study: FoundingStudy) -> str:
    reference, *others = table.lines
    if not reference.by_seed:
        return f"Nothing can be said: no run of {_name(reference.arm, study)} is done."
    words = []
    for verdict in (BETTER, WORSE, NOT_TOLD_APART):
        names = [_name(line.arm, study) for line in others if line.verdict == verdict]
        if names:
            how = f"**{verdict}** {'from' if verdict == NOT_TOLD_APART else 'than'}"
            words.append(f"{how} {_name(reference.arm, study)}: {', '.join(names)}")
    if words:
        return "; ".join(words) + "."
    if any(line.by_seed for line in others):
        return "With one seed nothing can be said: how far runs differ is not known yet."
    return "No other arm is done."


def _name(arm: str, study: FoundingStudy) -> str:
    return f"{study.base} (`{BASE}`)" if arm == BASE else arm


def _write_chart(
    study: FoundingStudy, settings: StudySettings, tables: FigureTables, path: Path
) -> bool:
    groups = {
        f"{table.title} (minus {_name(table.lines[0].arm, study).replace('`', '')})": [
            Interval(
                label=_name(line.arm, study).replace("`", ""),
                value=line.difference.value,
                low=line.difference.low,
                high=line.difference.high,
            )
            for line in table.lines
            if line.difference is not None and math.isfinite(line.difference.low)
        ]
        for table in tables.tables
        if table.lines[0].arm != study.control  # a gate, whose differences are of another size
    }
    if not any(groups.values()):
        return False
    figure = FIGURE_WORDS[settings.measure.figure]
    write_intervals(path, groups, x=f"difference of {figure}; less is better, 95 % over seeds")
    return True


def _relative(chart: Path, page: Path) -> str:
    return Path("..", chart.relative_to(page.parent.parent)).as_posix()


def _again() -> str:
    return """## How do I run them again?

```bash
python -m benchmarks.train.founding --plan       # what is left, its CPU hours, the smallest effects
python -m benchmarks.train.founding              # trains what is not recorded; a second terminal may help
python -m benchmarks.train.founding --page       # writes this page and its charts
```

A run is trained, measured, fine-tuned and recorded before the next one begins; whoever stops it loses nothing, and a fresh
machine takes the recorded runs as they are. The texts are not part of the repository: `--texts` and `--sst2` name their folders.
"""
