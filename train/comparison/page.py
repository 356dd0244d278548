"""The page of evaluations: one file that loads nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pages.frame import Page, PageSection
from schemas.errors import ContractError
from schemas.plain_json import json_text
from train.comparison import sections as parts
from train.comparison.checkpoints import METRICS_NAME, curves
from train.comparison.compare import Recipe, Row
from train.comparison.results import Evaluation
from train.report.comparison import run_sections
from train.report.run_files import read_run

PAGE_NAME = "evaluation.html"


def write_page(target: Path, recipes: Sequence[Recipe], rows: Sequence[Row]) -> Path:
    """Write the page of one evaluation, or of several beside each other.

    Raises:
        ContractError: The file cannot be written.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(render(recipes, rows), encoding="utf-8")
    except OSError as error:
        raise ContractError(f"{target}: cannot be written ({error.strerror})") from error
    return target


def render(recipes: Sequence[Recipe], rows: Sequence[Row]) -> str:
    """The HTML of a page."""
    models: list[Evaluation] = [seed for recipe in recipes for seed in recipe.seeds]
    sections = [
        PageSection(key="verdicts", title="Verdicts", body=parts.verdicts(rows)),
        PageSection(key="scores", title="Scores", body=parts.scores(models)),
        PageSection(key="phenomena", title="By phenomenon", body=parts.phenomena(models)),
        PageSection(key="checkpoints", title="Over checkpoints", body=curves(models)),
        PageSection(key="clean", title="Whole and clean", body=parts.clean_subsets(models)),
        PageSection(key="heldout", title="Held-out split", body=parts.heldout(models)),
        PageSection(key="copying", title="Copying", body=parts.copying(models)),
        PageSection(key="answers", title="Answers to read", body=parts.answers(recipes)),
        *_training(models),
    ]
    names = [recipe.name for recipe in recipes]
    return Page(
        title=names[0] if len(names) == 1 else f"{len(names)} models",
        kind="evaluation" if len(names) == 1 else "comparison of evaluations",
        head=_head(models),
        sections=sections,
        footer="<p>The same numbers for machines: <code>evaluation.json</code> of each model, and the scores of "
        "each item in the folder <code>evaluation</code> beside it.</p>",
    ).render()


def _training(models: Sequence[Evaluation]) -> list[PageSection]:
    """Curves and settings of the models that lie in the folder of their run, where several do."""
    runs = [
        read_run(model.path.parent, model.name)
        for model in models
        if (model.path.parent / METRICS_NAME).is_file()
    ]
    return run_sections(runs) if len(runs) > 1 else []


def _head(models: Sequence[Evaluation]) -> str:
    few = [model for model in models if not model.tasks and model.heldout is None]
    return f"<p class=notice>{len(few)} models have no results.</p>" if few else ""


def as_json(rows: Sequence[Row]) -> str:
    """A comparison for machines; what is no number is null."""
    found = [
        {
            "task": row.task,
            "figure": row.figure,
            "first": row.first,
            "other": row.other,
            "values": list(row.values),
            "difference": row.difference.value,
            "low": row.difference.low,
            "high": row.difference.high,
            "p_value": row.p_value,
            "adjusted": row.adjusted,
            "test": row.test,
            "items": row.items,
            "smallest": row.smallest,
            "verdict": row.verdict,
            "bootstrap": None if row.bootstrap is None else list(row.bootstrap),
            "signal_to_noise": None if row.signal is None else row.signal.ratio,
            "warnings": list(row.warnings),
        }
        for row in rows
    ]
    return json_text({"comparison": found}, indent=1)
