"""`refinery explain RUN URL...`: all that a run knows of documents, by address or id."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from jobs.command.query_output import shown
from refinery.datasets.runs import open_run
from refinery.query.database import open_database
from refinery.query.explain_document import explain_documents, nearest_addresses
from schemas.errors import SettingsError

MARKS = {True: "FAILS", False: "holds"}
SHOWN_EDITS = 20


def explain_run(output: str, asked: Sequence[str], *, as_json: bool) -> int:
    """Print what the run says of each address or id; for people on a terminal, else JSON lines.

    Raises:
        SettingsError: The run has no document of that address or id; names the nearest addresses.
    """
    run = open_run(output)
    with open_database(run) as database:
        for one in asked:
            found = explain_documents(run, database, one)
            if not found:
                near = nearest_addresses(database, one)
                hint = f"; of that host: {', '.join(near)}" if near else ""
                raise SettingsError(f"{output}: no document with the address or id '{one}'{hint}")
            for row in found:
                lines = [json.dumps(row, ensure_ascii=False)] if as_json else _lines(row)
                sys.stdout.write("\n".join(lines) + "\n")
    return 0


def _lines(row: dict[str, Any]) -> list[str]:
    """A document for people: the verdict first, then what led to it."""
    reason = f" ({shown(row['reason'])})" if row.get("reason") else ""
    lines = [f"{row['fate'].upper()}{reason}  {shown(row.get('url') or row['doc_id'])}"]
    for name in (
        "doc_id",
        "title",
        "source",
        "lang",
        "lang_score",
        "scores",
        "num_words",
        "reasons",
        "message",
    ):
        if row.get(name) not in (None, [], {}):
            lines.append(f"  {name:<11}{shown(row[name])}")
    for name, one in (("duplicate", row.get("duplicate")), ("tokens", row.get("tokens"))):
        if one is not None:
            lines.append(f"  {name:<11}{shown(one)}")
    if row.get("resembled_by"):
        lines.append(
            f"  {'resembled':<11}by {row['resembled_by']:,} that dedup took for duplicates"
        )
    for name in ("contamination", "rejects"):
        lines += [f"  {name:<11}{shown(one)}" for one in row.get(name, ())]
    if row.get("rules"):
        lines.append(f"  {'rule':<30}{'measured':>12}{'minimum':>12}{'maximum':>12}")
        lines += [
            f"  {rule['rule']:<30}{rule['measured']:>12.4g}{_bound(rule['minimum']):>12}"
            f"{_bound(rule['maximum']):>12}  {MARKS[rule['failed']]}"
            for rule in row["rules"]
        ]
    edits = row.get("edits", ())
    lines += [
        f"  edit       {edit['stage']} {edit['reason']} at {edit['start']:,}: "
        f"'{shown(edit['removed'])}' -> '{shown(edit['replacement'] or '')}'"
        for edit in edits[:SHOWN_EDITS]
    ]
    if len(edits) > SHOWN_EDITS:
        lines.append(f"  ... {len(edits) - SHOWN_EDITS:,} more edits")
    return lines


def _bound(value: float | None) -> str:
    return "" if value is None else f"{value:g}"
