"""The page of `refinery explain --html`: what was taken from where, and why."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from jobs.command.explain_blocks import BLOCK_STYLE, show_blocks
from refinery.clean.pages import CleanDocument
from refinery.extract.config import ExtractConfig
from refinery.text.edits import merge_edits

if TYPE_CHECKING:
    from jobs.command.explain_file import Explained

MAX_DIFF_LINES = 4000
_STYLE = """
:root{color-scheme:light dark;--ink:#1c2430;--soft:#5b6675;--line:#d5dbe3;--paper:#fff;
  --bad:#a3261b;--good:#14713a;--del:#ffd9d6;--ins:#d3f0d8}
@media(prefers-color-scheme:dark){:root{--ink:#e6eaf0;--soft:#9aa7b6;--line:#2e3947;--paper:#131a22;
  --bad:#ff8a80;--good:#5fd39a;--del:#4d2220;--ins:#17402a}}
body{font:15px/1.55 system-ui,sans-serif;max-width:68rem;
  margin:2rem auto;padding:0 1rem;color:var(--ink);background:var(--paper)}
h1{font-size:1.3rem}h2{font-size:1.05rem;margin:2rem 0 .4rem;overflow-wrap:anywhere}
.pre{white-space:pre-wrap;overflow-wrap:anywhere;border:1px solid var(--line);
  border-radius:6px;padding:.8rem}
del{background:var(--del);text-decoration-color:var(--bad)}ins{background:var(--ins);text-decoration:none}
.bad{color:var(--bad);font-weight:600}.good{color:var(--good);font-weight:600}
table{border-collapse:collapse;margin:.4rem 0}
td,th{border:1px solid var(--line);padding:.15rem .6rem;text-align:left;overflow-wrap:anywhere;font-weight:400}
td.n{text-align:right;font-variant-numeric:tabular-nums}small{color:var(--soft)}
summary{cursor:pointer}
"""


def render_page(explained: Sequence[Explained], extract: ExtractConfig | None = None) -> str:
    """One section per file; pages that the default engine reads are shown block by block."""
    sections = "".join(_section(found, extract or ExtractConfig()) for found in explained)
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><title>refinery explain</title>'
        f"<style>{_STYLE}{BLOCK_STYLE}</style><main><h1>What the clean stage does to these files</h1>{sections}</main></html>"
    )


def _section(found: Explained, extract: ExtractConfig) -> str:
    row = found.row
    verdict = (
        f'<span class="bad">{"rejected" if row["rejected"] else "dropped"}: '
        f"{escape(', '.join(row['reasons']))}</span>"
        if row["drop_reason"]
        else '<span class="good">kept</span>'
    )
    head = f"<h2>{escape(row['path'])}</h2><p>{verdict} <small>{row['doc_id'] or ''}</small></p>"
    if found.document is None:
        return f"{head}<p>{escape(row['message'] or '')}</p>{show_blocks(found, extract)}"
    facts = {"title": row["title"] or "", "lang": row["lang"], "lang_score": row["lang_score"]}
    return (
        head
        + _table("Facts", {**facts, **row["scores"]})
        + show_blocks(found, extract)
        + "<h3>Text: masked and removed spans</h3>"
        + f'<div class="pre">{_with_edits(found.document)}</div>'
        + "<h3>What normalisation changed</h3>"
        + f'<div class="pre">{_changes(found.document)}</div>'
        + _table("Counters", row["counters"])
        + _table("Values", row["values"])
    )


def _table(title: str, facts: Mapping[str, object]) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td class="n">{escape(str(value))}</td></tr>'
        for name, value in facts.items()
    )
    return f"<details open><summary>{title}</summary><table>{rows}</table></details>"


def _with_edits(document: CleanDocument) -> str:
    """The normalised text; cut spans struck out with their rule, replacements beside them."""
    text, pieces, end = document.page.text, [], 0
    reasons = {one.edit.start: one.reason for one in reversed(document.edits)}
    for edit in merge_edits([one.edit for one in document.edits]):
        reason = escape(reasons[edit.start], quote=True)
        pieces.append(escape(text[end : edit.start]))
        removed = text[edit.start : edit.end]
        shown = removed.rstrip("\n")
        pieces.append(f'<del title="{reason}">{escape(shown)}</del>')
        if edit.replacement:
            pieces.append(f'<ins title="{reason}">{escape(edit.replacement)}</ins>')
        pieces.append(f"<small>[{reason}]</small>{removed[len(shown) :]}")
        end = edit.end
    return "".join([*pieces, escape(text[end:])])


def _changes(document: CleanDocument) -> str:
    """Changed lines of extracted against normalised text, in the manner of a diff."""
    before = document.page.extracted_text.split("\n")[:MAX_DIFF_LINES]
    after = document.page.text.split("\n")[:MAX_DIFF_LINES]
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    pieces = []
    for kind, first, last, start, end in matcher.get_opcodes():
        if kind != "equal":
            pieces += [
                f"<del>{escape(line)}</del>\n" for line in before[first:last] if line.strip()
            ]
            pieces += [f"<ins>{escape(line)}</ins>\n" for line in after[start:end] if line.strip()]
    return "".join(pieces) or "<small>nothing</small>"
