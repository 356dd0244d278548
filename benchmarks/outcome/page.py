"""The published form: docs/outcome.md, and one HTML page that works without a network; both from records alone."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any

from benchmarks.outcome.contamination import (
    CUT,
    DOSES,
    ITEMS,
    PAIRS,
    PLANTED,
    responses,
)
from benchmarks.outcome.contamination import FIGURES as DOSE_FIGURES
from benchmarks.outcome.runs import PAIR_TASKS
from benchmarks.outcome.studies import STUDIES, OutcomeStudy
from benchmarks.outcome.tables import OutcomeTable, outcome_table
from benchmarks.record import ROOT
from benchmarks.train.founding.tables import NOT_RUN, ArmLine
from benchmarks.train.run_records import Records
from pages.charts import Dots, Intervals, LineChart, Series, interval_chart, line_chart
from pages.frame import Page, PageSection
from pages.tables import escaped, table
from train.statistics.intervals import LEVEL
from train.statistics.paired import NOT_TOLD_APART
from train.studies.verdicts import BETTER, WORSE

PAGE = ROOT / "docs" / "outcome.md"
KINDS = {"labelled": "marked main content of unseen domains", "books": "English books", "history": "Chinese histories"}  # fmt: skip
MEASURES = {"bits_per_byte": "held-out bits per byte", "heldout_loss": "held-out infilling, nats per label"}  # fmt: skip
HEAD = (
    "arm",
    "mean",
    "difference",
    "95 %",
    "finds",
    "verdict",
    "over documents",
    "seeds",
    "passes",
)
DOSE_QUESTION = "What do copies of a benchmark's items in the training text buy?"
DOSE_HEAD = ("figure", "copies", "planted", "after our search cut what it found")
_INTRODUCTION = """# Does refining help?

Made from [recorded runs](../benchmarks/results/outcome.jsonl) by `python -m benchmarks.outcome page`; no figure or verdict is written by hand.

One raw corpus, refined in several ways; a model is trained on each at **equal tokens**, with one tokenizer (trained on the raw text), and judged on texts that no arm has. Models of a third of a million to a million
parameters tell raw text from refined text; most single rules are smaller than what they can tell apart, and that is then the result. Nothing here says what a model of a billion parameters would gain.

| | |
|---|---|
| corpus | labelled web pages of three quarters of the domains, and Debian's manuals in English and Chinese, as WARC (`benchmarks.corpora.web_and_manuals`); nothing of it is in the repository |
| *raw* | all text of the pages, every document |
| *datatrove* | trafilatura, the filters of Gopher, C4 and FineWeb with English settings, MinHash: its published defaults, as in [the race](../benchmarks/races/pipeline_datatrove.py) |
| *ours* | the defaults of a recipe: the classifier of blocks, language, rules, dedup |
| *ours, all text* | ours on all text of the pages: filters without extraction |
| *ours, weighted by commonness* | duplicates stay; documents are drawn by weights inverse to how common their 4-grams are in the corpus ([SoftDedup](https://arxiv.org/abs/2407.06654)), in groups of a twentieth of the tokens |
| *rehydrated* | duplicates are removed; what stands for 2 or 3 and more documents gets so many copies |
| *without ...* | ours without a decision, by [`refinery ablate`](ablation.md); `without rules+language+dedup` is extraction alone |
| judged on | main content that people marked on pages of the other domains, English books, Chinese histories; documents of whose shingles one page holds half are left out |
| runs | steps of 512 tokens, warm-up 15 %, cosine; rate 1e-2 (0.4 M), 6e-3 (1 M and T5) |
| equal documents | one study reads so many documents of each arm instead of so many tokens: rows lie in the order of the documents' hashes, so the first rows of each arm are a sample of its documents |
| not compared | quality by cut, by Pareto sampling, by weight: a classifier needs good texts in both languages that are neither refined nor judged on here, and the corpus has none |
| intervals | 95 % over seeds, the variance of a run pooled over the study, pairs of equal seeds; probabilities adjusted over a study (Benjamini and Hochberg); *finds* is the smallest true difference that is found four times of five |
| over documents | paired by evaluation document: how exactly these very runs were measured, which says nothing of other seeds |

**What is not fair, and how.** Our classifier of blocks was trained on the labels of these very pages, evaluation domains among them, so its extraction is a little better here than on pages that it has not seen (its F1 by
folds is in [extraction.md](extraction.md)); the arm *ours, all text* does without it. datatrove's filters are for English, and drop Chinese text that our rules judge by Chinese bounds.

"""
_AGAIN = """## How do I repeat it, on my own corpus?

On your own corpus it is three commands ([ablation.md](ablation.md)):

```bash
refinery refine recipe.yaml
refinery ablate recipe.yaml --without dedup --without rules --without language --without rules+language+dedup
python -m train study runs/mine/ablation/study.yaml && refinery ablate recipe.yaml --show
```

These very figures:

```bash
python -m benchmarks.corpora.web_and_manuals CORPUS --manuals MANUALS     # its help says which packages
python -m benchmarks.outcome arms --corpus CORPUS --work WORK --peer PEER/bin/python
export MALLOC_TRIM_THRESHOLD_=1073741824          # glibc keeps the memory of a step instead of giving it back: fewer page faults
python -m benchmarks.outcome run --work WORK      # prints cost and the smallest effect first; goes on where it stopped
python -m benchmarks.outcome page
```
"""


def write_page(records: Records, facts: Mapping[str, Any], planted: Records, *, html: Path) -> Path:
    """Write docs/outcome.md and the page in HTML.

    Args:
        records: The runs that are done.
        facts: What `arms` wrote of the corpus and the arms; empty where it has not run.
        planted: The runs with planted benchmark items that are done.
        html: File of the page.
    """
    PAGE.write_text(markdown(records, facts, planted), encoding="utf-8")
    html.parent.mkdir(parents=True, exist_ok=True)
    html.write_text(render(records, facts, planted), encoding="utf-8")
    return PAGE


def markdown(records: Records, facts: Mapping[str, Any], planted: Records) -> str:
    """The text of docs/outcome.md."""
    parts = [_INTRODUCTION, *_corpus(facts)]
    for study in STUDIES:
        whole = outcome_table(study, records, facts.get("evaluation", {}))
        parts += [f"## {study.question}\n\n", f"{sentence(study, whole, records)}\n\n"]
        if any(line.by_seed for line in whole.lines):
            parts += _rows(HEAD, _cells(study, whole, facts))
            parts += _by_kind(study, records, facts)
            parts += _pairs(study, records)
    parts.append(f"## {DOSE_QUESTION}\n\n{dose_sentence(planted)}\n\n")
    if rows := list(_dose_rows(planted)):
        parts += _rows(DOSE_HEAD, rows)
    return "".join([*parts, _AGAIN])


def dose_sentence(planted: Records) -> str:
    """What the runs with planted items are, and how many there are."""
    done = sum(run.state == "done" for run in planted.runs.values())
    hours = sum(run.cpu_seconds for run in planted.runs.values()) / 3600
    return (
        f"{ITEMS} questions of ARC-Easy, planted 0, 1, 2, 4 or 8 times with their answers; each figure is held against "
        f"questions without a copy in the same run, for the form alone is learnt as well. {done} of {2 * PAIRS} runs, "
        f"{hours:.2f} CPU hours; intervals over pairs of runs."
    )


def _dose_rows(planted: Records) -> Iterator[list[str]]:
    found = {arm: responses(planted, arm) for arm in (PLANTED, CUT)}
    for figure, name in DOSE_FIGURES.items():
        for dose in DOSES[1:]:
            cells = [name, str(dose)]
            for by_figure in found.values():
                one = by_figure[figure][dose] if by_figure else None
                value = "" if one is None else f"{one.value:+.4f}"
                has_ends = one is not None and math.isfinite(one.low)
                cells.append(f"{value} ({one.low:+.4f} to {one.high:+.4f})" if one and has_ends else value)  # fmt: skip
            if any(found.values()):
                yield cells


def sentence(study: OutcomeStudy, found: OutcomeTable, records: Records) -> str:
    """The verdict, and what it rests on."""
    done = [run for run in records.of_study(study.name) if run.state == "done"]
    asked = len(study.arms) * study.seeds
    size = f"{done[0].parameters:,} parameters, " if done else ""
    read = (
        f"{study.tokens:,} tokens" if study.documents is None else f"{study.documents:,} documents"
    )
    rest = (
        f"{MEASURES[study.figure]}, {size}{read} a run, {len(done)} of {asked} runs, "
        f"{found.cpu_hours:.2f} CPU hours"
    )
    if not done:
        return f"Not run yet ({rest}); about {asked * study.cpu_seconds / 3600:.1f} CPU hours."
    words = []
    for verdict in (BETTER, WORSE, NOT_TOLD_APART, NOT_RUN):
        names = [line.arm for line in found.lines if line.verdict == verdict]
        if names:
            words.append(f"{_phrase(verdict, study.arms[0])}: {', '.join(f'*{n}*' for n in names)}")
    noise = ""
    if math.isfinite(found.deviation):
        noise = f"; a run deviates by {found.deviation:.4f} ({found.freedom} degrees of freedom)"
    return f"**{'; '.join(words) or 'no other arm yet'}.** {rest}{noise}.{_pairing(found)}"


def _pairing(found: OutcomeTable) -> str:
    """Whether runs of equal seeds, with equal weights and orders at the start, are worth pairing."""
    one = found.pairing
    if one is None:
        return ""
    seen = "saves" if one.p_value < 1 - LEVEL else "is not seen to save"
    return (
        f" Pairing runs of equal seeds {seen} variance: {one.paired:.4f} beside {one.unpaired:.4f} unpaired "
        f"({one.saved_fraction:+.0%} of the variance, p {one.p_value:.2f})."
    )


def _phrase(verdict: str, reference: str) -> str:
    beside = {BETTER: f"better than {reference}", WORSE: f"worse than {reference}", NOT_TOLD_APART: f"not told apart from {reference}"}  # fmt: skip
    return beside.get(verdict, verdict)


def _cells(
    study: OutcomeStudy, found: OutcomeTable, facts: Mapping[str, Any]
) -> Iterator[list[str]]:
    arms = facts.get("arms", {})
    for line in found.lines:
        passes = ""
        if line.arm in arms and line.arm in found.tokens:
            passes = f"{found.tokens[line.arm] / arms[line.arm]['packed_tokens']:.2f}"
        yield [
            line.arm,
            "" if math.isnan(line.value) else f"{line.value:.4f}",
            *_spans(line),
            line.verdict or "reference",
            "" if line.documents is None else f"{line.documents.low:+.4f} to {line.documents.high:+.4f}",
            str(len(line.by_seed)),
            passes,
        ]  # fmt: skip


def _spans(line: ArmLine) -> list[str]:
    one = line.difference
    if one is None:
        return ["", "", ""]
    has_ends = math.isfinite(one.low)
    return [
        f"{one.value:+.4f}",
        f"{one.low:+.4f} to {one.high:+.4f}" if has_ends else "not known",
        f"{line.smallest:.4f}" if math.isfinite(line.smallest) else "",
    ]


def _by_kind(study: OutcomeStudy, records: Records, facts: Mapping[str, Any]) -> Iterator[str]:
    """The differences by evaluation text; only bits per byte can be compared so."""
    kinds = facts.get("evaluation", {})
    if study.figure != "bits_per_byte" or not kinds:
        return
    tables = {kind: outcome_table(study, records, kinds, kind=kind) for kind in KINDS}
    yield "By evaluation text:\n\n"
    rows = []
    for number, arm in enumerate(study.arms):
        cells = [arm]
        for found in tables.values():
            line = found.lines[number]
            value = "" if math.isnan(line.value) else f"{line.value:.4f}"
            change, span, _ = _spans(line)
            cells.append(f"{value} {change} ({span})" if change else value)
        rows.append(cells)
    yield from _rows(("arm", *KINDS.values()), rows)


def _pairs(study: OutcomeStudy, records: Records) -> Iterator[str]:
    """Minimal pairs: the share whose good sentence is the likelier one, by language."""
    tables = {name: outcome_table(study, records, {}, figure=name) for name in PAIR_TASKS}
    if not any(line.by_seed for found in tables.values() for line in found.lines):
        return
    yield "Minimal pairs, share whose good sentence is the likelier one; more is better:\n\n"
    rows = []
    for number, arm in enumerate(study.arms):
        cells = [arm]
        for found in tables.values():
            line = found.lines[number]
            change, span, _ = _spans(line)
            value = "" if math.isnan(line.value) else f"{line.value:.4f}"
            cells += [
                f"{value} {change} ({span})" if change else value,
                line.verdict or "reference",
            ]
        rows.append(cells)
    head = ("arm", *(cell for name in PAIR_TASKS for cell in (name, "verdict")))
    yield from _rows(head, rows)


def _corpus(facts: Mapping[str, Any]) -> Iterator[str]:
    if not facts:
        yield "The arms have not been built yet.\n\n"
        return
    counts = facts["corpus"]
    pages = sum(one.get("pages", 0) for one in counts.values())
    text = sum(one["text_bytes"] for one in counts.values() if "pages" in one)
    yield f"{pages:,} pages, {text / 1e6:.1f} MB of text. What each arm keeps of it:\n\n"
    rows = [
        [arm, f"{one['documents']:,}", f"{one['text_bytes'] / 1e6:.2f}", f"{one['tokens']:,}"]
        for arm, one in facts["arms"].items()
    ]
    yield from _rows(("arm", "documents", "MB of text", "tokens"), rows)
    if reasons := facts.get("reasons"):
        yield "Documents that *ours* drops, by the first rule that they fail: "
        yield ", ".join(f"`{name}` {count:,}" for name, count in reasons.items()) + ".\n\n"
    decisions = [one for one in facts.get("decisions", ()) if one["arm"] != "base"]
    if decisions:
        yield "What each decision removes, and its cost in the run:\n\n"
        yield from _rows(
            ("decision", "documents", "tokens", "kept instead", "rows shared", "CPU s", "cost of"),
            (
                [
                    one["arm"], f"{one['more_documents']:,}", f"{one['more_tokens']:,}",
                    f"{one['fewer_documents']:,}", f"{one['shared_rows'] / max(one['rows'], 1):.0%}",
                    "" if one["cpu_seconds"] is None else f"{one['cpu_seconds']:.1f}", one["cost_of"],
                ]
                for one in decisions
            ),
        )  # fmt: skip


def _rows(
    head: tuple[str, ...], rows: Iterator[list[str]] | list[list[str]] | Any
) -> Iterator[str]:
    yield f"| {' | '.join(head)} |\n|---|{'---:|' * (len(head) - 1)}\n"
    for row in rows:
        yield f"| {' | '.join(row)} |\n"
    yield "\n"


def render(records: Records, facts: Mapping[str, Any], planted: Records) -> str:
    """The HTML: the verdicts first, then a table and a chart for each study, and what each decision removes."""
    kinds = facts.get("evaluation", {})
    found = {study.name: outcome_table(study, records, kinds) for study in STUDIES}
    verdicts = "".join(
        f"<li><a href='#{study.name}'>{escape(study.question)}</a> "
        f"{escape(sentence(study, found[study.name], records)).replace('*', '')}</li>"
        for study in STUDIES
    )
    sections = [
        PageSection(
            key=study.name, title=study.title, body=_section(study, found[study.name], records, facts)
        )
        for study in STUDIES
    ]  # fmt: skip
    return Page(
        title="Does refining help?",
        kind="outcome",
        head=f"<ul class=verdicts>{verdicts}</ul>",
        sections=[
            *sections,
            PageSection(key="doses", title="Dose and response", body=_doses(planted)),
            PageSection(key="arms", title="What each arm keeps", body=_arms(facts)),
        ],
        footer="<p>The same as text, with what is not fair and how to repeat it: docs/outcome.md.</p>",
    ).render()


def _section(
    study: OutcomeStudy, found: OutcomeTable, records: Records, facts: Mapping[str, Any]
) -> str:
    notice = f'<p class="notice">{escape(sentence(study, found, records)).replace("*", "")}</p>'
    others = [line for line in found.lines if line.difference is not None]
    if not others:
        return notice
    tables = {"all texts": others}
    kinds = facts.get("evaluation", {})
    if study.figure == "bits_per_byte" and kinds:
        names = {line.arm for line in others}
        for kind, words in KINDS.items():
            lines = outcome_table(study, records, kinds, kind=kind).lines
            tables[words] = [line for line in lines if line.arm in names]
    chart = interval_chart(
        Intervals(
            title=f"{MEASURES[study.figure]}: arm minus {study.arms[0]}",
            unit="less is better; 95 % over seeds",
            labels=[line.arm for line in others],
            dots=[
                Dots(
                    name=words,
                    values=[_end(line, "value") for line in lines],
                    lows=[_end(line, "low") for line in lines],
                    highs=[_end(line, "high") for line in lines],
                )
                for words, lines in tables.items()
            ],
            zero=True,
        )
    )
    rows = (escaped(row) for row in _cells(study, found, facts))
    return notice + chart + table(f"Arms, {study.arms[0]} the reference", HEAD, rows, pinned=True)


def _doses(planted: Records) -> str:
    """The table of planted items, and a curve of each figure over the copies, for both runs of the pairs."""
    notice = f'<p class="notice">{escape(dose_sentence(planted))}</p>'
    found = {arm: responses(planted, arm) for arm in (PLANTED, CUT)}
    if not any(found.values()):
        return notice
    charts = [
        line_chart(
            LineChart(
                title=f"{name}: with copies minus without",
                unit="over copies in the training text; dashed: ends of the intervals",
                series=[
                    Series(
                        name=arm if end == "value" else f"{arm}, {end} end",
                        x={"copies": [0.0, *map(float, by_figure[figure])]},
                        y=[0.0, *(getattr(one, end) for one in by_figure[figure].values())],
                        colour=number,
                        dashed=end != "value",
                        markers=end == "value",
                    )
                    for number, (arm, by_figure) in enumerate(found.items())
                    if by_figure
                    for end in ("value", "low", "high")
                ],
            )
        )
        for figure, name in DOSE_FIGURES.items()
    ]
    rows = map(escaped, _dose_rows(planted))
    return notice + "".join(charts) + table("Dose and response", DOSE_HEAD, rows, pinned=True)


def _end(line: ArmLine, name: str) -> float | None:
    value = math.nan if line.difference is None else float(getattr(line.difference, name))
    return value if math.isfinite(value) else None


def _arms(facts: Mapping[str, Any]) -> str:
    rows = (
        escaped((arm, f"{one['documents']:,}", f"{one['text_bytes'] / 1e6:.2f}", f"{one['tokens']:,}"))
        for arm, one in facts.get("arms", {}).items()
    )  # fmt: skip
    return table(
        "Documents and tokens once each", ("arm", "documents", "MB of text", "tokens"), rows
    )
