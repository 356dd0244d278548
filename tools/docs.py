"""Generated pages of `docs/`: tables, settings and public names.

python -m tools.docs          writes them
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import get_args

from refinery.query.questions import questions
from refinery.recipe import Recipe, Runtime
from schemas.errors import run_main
from schemas.settings import Settings
from schemas.tables import TABLES
from tools.api_page import api_page
from tools.published_forms_page import published_forms_page
from tools.rules_page import rules_page
from tools.settings_page import Section, read_sources, settings_page
from train.finetune.settings import FinetuneSettings
from train.generation.config import GenerationConfig
from train.model.config import ModelConfig
from train.objectives.config import ObjectiveConfig
from train.settings import TrainSettings
from train.studies.settings import StudySettings

DOCS = Path("docs")


def tables_page() -> str:
    """Every table with its columns."""
    lines = [
        "# Tables",
        "",
        "Made by `python -m tools.docs` from `schemas/tables.py`. Parquet, one folder per table.",
    ]
    for table in TABLES.values():
        lines += [
            "",
            f"## {table.name}",
            "",
            f"One row per {table.row}. Written by: {table.stage}.",
            "",
        ]
        lines += ["| column | type | meaning |", "|---|---|---|"]
        lines += [
            f"| {c.name} | `{c.type}` | {c.meaning.replace('|', chr(92) + '|')} |"
            for c in table.columns
        ]
    return "\n".join(lines) + "\n"


def recipes_page() -> str:
    """Every setting of the refinery with its value, default and meaning."""
    opening = [
        "# Recipes",
        "",
        "Made by `python -m tools.docs` from the settings' classes. A settings file has two halves: `recipe`",
        "(what the data is; fingerprinted) and `runtime` (where and how it runs; never fingerprinted). Any key",
        "can be set on the command line: `--set recipe.dedup.threshold=0.7`. An unknown key is an error that",
        "names the nearest one. `refinery init FOLDER` writes a first recipe; whole ones with reasons are in",
        "[examples/](../examples). `null` switches an optional section or bound off. Files are YAML 1.2: `no`,",
        "`on` and `2024-01-01` are texts, keys are names as written; a text that is all digits, or `true`,",
        "stands in quotes. Boolean settings also take yes, no, on and off.",
    ]
    roots = [Section(key="recipe", model=Recipe), Section(key="runtime", model=Runtime)]
    return settings_page(roots, opening=opening)


def training_page() -> str:
    """Every setting of the trainer with its value, default and meaning."""
    opening = [
        "# Settings of the trainer",
        "",
        "Made by `python -m tools.docs` from the settings' classes. Any key can be set on the command line:",
        "`--set schedule.warmup=200`. An unknown key is an error that names the nearest one; names of older",
        "recipes and of LAVIS load with a warning. How to use them: [training.md](training.md),",
        "[training_engine.md](training_engine.md), [models.md](models.md). Recipes that ship with the package:",
        "[training_recipes.md](training_recipes.md). The last column says where a default comes from: a paper, a",
        "program, a measurement of ours, or the reason of a choice; it is empty where nothing was to be chosen.",
    ]
    return settings_page(training_sections(), opening=opening, sources=read_sources())


def training_sections() -> list[Section]:
    """The trainer's recipe, each objective that it may name, and the options of `train generate`."""
    recipe = Section(
        key="", heading="The recipe", model=TrainSettings, inner={"model": ModelConfig}
    )
    kinds: list[type[Settings]] = list(get_args(ObjectiveConfig))
    objectives = [
        Section(
            key="objective", heading=f"objective: {kind.model_fields['name'].default}", model=kind
        )
        for kind in kinds
    ]
    generation = Section(key="", heading="Generation", model=GenerationConfig)
    return [recipe, *objectives, generation]


def studies_page() -> str:
    """Every setting of a study, and of a study of fine-tuning."""
    opening = [
        "# Settings of studies",
        "",
        "Made by `python -m tools.docs` from the settings' classes. How to use them: [studies.md](studies.md), and for",
        "fine-tuning [evaluation.md](evaluation.md). Keys of changes and of spaces are those of the",
        "[training recipe](training_settings.md).",
    ]
    roots = [
        Section(key="", heading="A study", model=StudySettings),
        Section(key="", heading="A study of fine-tuning", model=FinetuneSettings),
    ]
    return settings_page(roots, opening=opening)


def main(argv: list[str]) -> int:
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args(argv)
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")
    return 0


def query_page() -> str:
    """How to ask the tables of a run, and the ready questions with their SQL."""
    lines = [
        "# Ask the tables of a run",
        "",
        "Made by `python -m tools.docs` from `refinery/query/questions.yaml`.",
        "",
        "```bash",
        "refinery query runs/demo \"select source, count(*) from documents where fate = 'dropped' group by source\"",
        "refinery query runs/demo --ask why-dropped --url https://docs.example.org/library/abc.html",
        "refinery query s3://bucket/run --ask top-domains-dropped --format csv > domains.csv",
        "refinery query runs/demo \"select * from ledger where lang = 'zh'\" --format parquet --out zh.parquet",
        "refinery query runs/demo --ask list",
        "```",
        "",
        "RUN is the `runtime.output` of a run, finished or not. The SQL is DuckDB's; Spark is not started. Every",
        "table of [tables.md](tables.md) is a view of its name: all stages that write it, the published attempts of",
        "this run only, and no row where the stage has not run yet. Two views are made for questions:",
        "",
        "| view | a row is |",
        "|---|---|",
        '| `documents` | a document of any fate: `doc_id`, `source`, `url`, `host`, `lang`, `num_bytes`, `"values"`, `scores`, `reasons`, `fate`, `reason`, and `kept_id`, `jaccard` of a duplicate |',
        "| `stages` | a stage that ran: `fingerprint`, `attempt`, `started_at`, `seconds`, `rows` by table |",
        "",
        'Values and scores are maps: `"values"[\'words\'] > 100`, `scores[\'quality\'] >= 0.7`. Put `"values"`, `"end"`, `"offset"`,',
        '`"left"` and `"right"` into double quotes: they are words of SQL. `host_of(url)` and `same_address(one, other)` take',
        "addresses as they are written. `$name` in your SQL is a value that `--name` gives, of the names below.",
        "",
        "A query reads. Only one SELECT is accepted; the connection reaches no file outside of the run's tables, no",
        "network and no extension. Sorting and grouping of more than memory holds goes to a temporary folder.",
        "",
        "All that is known of one document, with every value and the bounds that held for its language, is",
        "`refinery explain RUN URL`; of a record that is in no run yet, `refinery explain FILE --record N` or `--url URL`.",
        "",
        "`--format table` (the first 1,000 rows; column by column where the terminal is narrow; control characters of",
        "web text replaced), `csv` (all rows; lists and maps as text) or `parquet` (types kept; needs `--out`).",
        "",
        "## Ready questions",
    ]
    for name, one in questions().items():
        options = " ".join(
            f"--{key} {key.upper() if value is None else value}"
            for key, value in one.values.items()
        )
        lines += ["", f"### {name}", "", one.question, "", "```bash"]
        lines += [f"refinery query RUN --ask {name} {options}".rstrip(), "```", ""]
        lines += ["```sql", one.sql.rstrip(), "```"]
    return "\n".join(lines) + "\n"


PAGES = {
    "query.md": query_page,
    "tables.md": tables_page,
    "recipes.md": recipes_page,
    "rules.md": rules_page,
    "training_settings.md": training_page,
    "study_settings.md": studies_page,
    "api.md": api_page,
    "published_models.md": published_forms_page,
}

if __name__ == "__main__":
    run_main(main)
