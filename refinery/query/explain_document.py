"""All that a run knows of a document: values and bounds, verdicts, edits, its pair, contamination."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from refinery.clean.config import CleanConfig
from refinery.datasets.runs import Run
from refinery.filters.rules import bounds_group, rules_for
from refinery.query.database import Database

MOST = 20  # documents of one address: fetches of several days
_FOUND = """
SELECT doc_id FROM ledger WHERE doc_id = $asked OR same_address(url, $asked)
UNION SELECT doc_id FROM rejects WHERE doc_id = $asked OR (doc_id IS NOT NULL AND same_address(url, $asked))
ORDER BY doc_id LIMIT $most::BIGINT
"""
_UNREADABLE = """
SELECT source, url, file, "offset", stage, reason, message FROM rejects
WHERE doc_id IS NULL AND same_address(url, $asked) ORDER BY source, file, "offset" LIMIT $most::BIGINT
"""
_DOCUMENT = """
SELECT d.doc_id, d.source, d.url, c.title, d.fate, d.reason, d.reasons, d.lang, d.lang_score, d.scores,
  d."values", d.num_chars, d.num_words, d.num_bytes, d.num_fetches, c.text
FROM (SELECT * FROM documents WHERE doc_id = $id) d
LEFT JOIN (SELECT doc_id, title, text FROM cleaned WHERE doc_id = $id) c USING (doc_id)
"""
_EDITS = """
SELECT stage, reason, start, "end", replacement FROM edits WHERE doc_id = $id ORDER BY start, "end", stage
"""
_PAIR = """
SELECT p.kept_id, c.url AS kept_url, c.title AS kept_title, p.kept_source, p.method, p.jaccard,
  p.containment, p.cluster
FROM (SELECT * FROM duplicates WHERE doc_id = $id) p
LEFT JOIN (SELECT doc_id, url, title FROM cleaned) c ON c.doc_id = p.kept_id
"""
_HITS = """
SELECT benchmark, item, ngram, start, "end", action FROM contamination WHERE doc_id = $id ORDER BY start, item
"""
_TOKENS = """
SELECT t.split, t.num_tokens, m.copies FROM (SELECT doc_id, split, num_tokens FROM tokens WHERE doc_id = $id) t
LEFT JOIN (SELECT doc_id, copies FROM mixture WHERE doc_id = $id) m USING (doc_id)
"""
_SAME_HOST = """
SELECT url FROM ledger WHERE host_of(url) = host_of($asked) ORDER BY jaro_winkler_similarity(url, $asked) DESC, url
LIMIT 3
"""


def explain_documents(run: Run, database: Database, asked: str) -> list[dict[str, Any]]:
    """What the run says of every document with an address or id; empty where it has none."""
    config = _clean_config(run)
    ids = [row["doc_id"] for row in database.rows(_FOUND, {"asked": asked, "most": MOST})]
    found = [_explained(database, doc_id, config) for doc_id in ids]
    unreadable = database.rows(_UNREADABLE, {"asked": asked, "most": MOST})
    return found + [{"doc_id": None, **row, "fate": "rejected"} for row in unreadable]


def nearest_addresses(database: Database, asked: str) -> list[str]:
    """Addresses of the same host that resemble one that is not there."""
    return [row["url"] for row in database.rows(_SAME_HOST, {"asked": asked})]


def _explained(database: Database, doc_id: str, config: CleanConfig | None) -> dict[str, Any]:
    def rows(sql: str) -> list[dict[str, Any]]:
        return database.rows(sql, {"id": doc_id})

    (document,) = rows(_DOCUMENT)
    text = document.pop("text") or ""
    values: Mapping[str, float] = document.pop("values") or {}
    tokens, pair = rows(_TOKENS), rows(_PAIR)
    rejects = 'SELECT stage, file, "offset", reason, message FROM rejects WHERE doc_id = $id'
    return {
        **document,
        "rules": _judged(document["lang"], values, config),
        "values": {name: round(value, 6) for name, value in values.items()},
        "edits": [{**edit, "removed": text[edit["start"] : edit["end"]]} for edit in rows(_EDITS)],
        "duplicate": pair[0] if pair else None,
        "resembled_by": rows("SELECT count(*) AS n FROM duplicates WHERE kept_id = $id")[0]["n"],
        "contamination": rows(_HITS),
        "rejects": rows(rejects),
        "tokens": tokens[0] if tokens else None,
    }


def _judged(
    language: str | None, values: Mapping[str, float], config: CleanConfig | None
) -> list[dict[str, Any]]:
    """Each rule of the document's language: the value, the bounds that hold, and the verdict."""
    if config is None or not values:
        return []
    judged = []
    for rule in rules_for(bounds_group(language, config.rules), config.rules):
        measured = values.get(rule.value)
        if measured is None:
            continue
        low, high = rule.bounds.minimum, rule.bounds.maximum
        failed = (low is not None and measured < low) or (high is not None and measured > high)
        judged.append(
            {
                "rule": rule.name,
                "value": rule.value,
                "measured": round(measured, 6),
                "minimum": low,
                "maximum": high,
                "failed": failed,
                "meaning": rule.meaning,
                "source": rule.source,
            }
        )
    return judged


def _clean_config(run: Run) -> CleanConfig | None:
    """The settings that cleaning ran with; None where an older run did not record them."""
    settings = run.records["clean"].settings if "clean" in run.records else {}
    return CleanConfig.model_validate(settings["clean"]) if "clean" in settings else None
