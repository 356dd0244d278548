"""Quality and speed of main-content extraction against trafilatura and resiliparse.

    python -m benchmarks.races.extraction DATA_FOLDER --folds FOLDS_JSON [--speed-every 10]

FOLDS_JSON is what `tools.train_blocks DATA_FOLDER --folds 5 --save-folds FOLDS_JSON` writes: scores of
pages whose domain was not trained on. Word F1 of whole truths; on the segments, F1 over wanted and
unwanted segments. Differences carry 95 % intervals from a bootstrap over domains, page by page.
Speed: CPU time of one thread, engines alternating page by page, from decoded text to text.
"""

from __future__ import annotations

import json
import re
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import trafilatura
from resiliparse.extract.html2text import extract_plain_text

from benchmarks.record import argument_parser, record
from refinery.extract.classifier import extract_main_text
from refinery.text.charset import decode
from tools.block_labels import segment_counts, word_f1
from tools.train_blocks import BARE, SETS, site_of

NUM_BOOTSTRAPS = 2_000
PEERS = ("trafilatura", "resiliparse")
_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_KANA = re.compile(r"[\u3040-\u30ff]")


def blocks(html: str) -> str:
    """This repository's engine."""
    return extract_main_text(html, "plain").text


def by_trafilatura(html: str) -> str:
    """Trafilatura as it comes: with fallbacks and comments."""
    return trafilatura.extract(html) or ""


def by_trafilatura_fast(html: str) -> str:
    """Trafilatura without its fallbacks."""
    return trafilatura.extract(html, fast=True, include_comments=False) or ""


def by_resiliparse(html: str) -> str:
    """Resiliparse's main content, with the flags that give it its best F1."""
    return str(
        extract_plain_text(
            html, main_content=True, alt_texts=False, links=False, form_fields=False, comments=False
        )
    )


ENGINES: dict[str, Callable[[str], str]] = {
    "blocks": blocks, "trafilatura": by_trafilatura, "trafilatura_fast": by_trafilatura_fast,
    "resiliparse": by_resiliparse,
}  # fmt: skip


def is_chinese(truth: str) -> bool:
    """Mostly Han, without kana."""
    letters = len(re.findall(r"\w", truth))
    return len(_CHINESE.findall(truth)) > 0.3 * max(letters, 1) and not _KANA.search(truth)


def peers_of(row: dict) -> dict:  # type: ignore[type-arg]
    """Scores of the peers on one page."""
    html = decode(row["html"], None, is_html=True).text
    scores: dict[str, object] = {}
    for peer in PEERS:
        text = ENGINES[peer](html)
        if "main_content" in row:
            scores[peer] = word_f1(text, row["main_content"] or "")
        else:
            scores[peer] = segment_counts(text, row["must_contain"], row["must_not_contain"])
    return scores


def collect(folder: Path, folds: list[dict], cache: Path | None) -> list[dict]:  # type: ignore[type-arg]
    """One entry per page: group, site, and scores by engine.

    The peers take minutes and do not change with our weights: `cache` keeps their scores.
    """
    known: dict[str, dict] = {}  # type: ignore[type-arg]
    if cache is not None and cache.exists():
        known = json.loads(cache.read_text())
    rows = [
        (name, row)
        for name in SETS
        for row in pq.read_table(folder / f"{name}.parquet").to_pylist()
    ]
    entries = []
    for score in folds:
        if score["set"] == BARE:
            continue  # made for training, of the content of another page
        name, row = rows[score["page"]]
        groups = [name]
        if score["type"]:
            groups.append(f"type: {score['type']}")
        if name == "multilingual-articles" and is_chinese(row["main_content"] or ""):
            groups.append("Chinese articles")
        ours = score["f1"] if "f1" in score else score["found"]
        key = str(score["page"])
        if key not in known:
            known[key] = peers_of(row)
        entries.append(
            {"groups": groups, "site": site_of(row["url"]), "blocks": ours, **known[key]}
        )
    if cache is not None:
        cache.write_text(json.dumps(known))
    return entries


def quality(entries: list[dict]) -> dict:  # type: ignore[type-arg]
    """Mean by group and engine, and the differences with their intervals."""
    names = sorted({group for entry in entries for group in entry["groups"]})
    return {name: _compare([e for e in entries if name in e["groups"]]) for name in names}


def _compare(entries: list[dict]) -> dict:  # type: ignore[type-arg]
    sites: dict[str, list[int]] = defaultdict(list)
    for index, entry in enumerate(entries):
        sites[entry["site"]].append(index)
    members = [np.array(indices) for indices in sites.values()]
    values = {name: np.array([entry[name] for entry in entries]) for name in ("blocks", *PEERS)}
    generator = np.random.default_rng(0)
    draws = []
    for _ in range(NUM_BOOTSTRAPS):
        chosen = generator.integers(0, len(members), len(members))
        rows = np.concatenate([members[i] for i in chosen])
        draws.append({name: _score(array[rows]) for name, array in values.items()})
    found: dict = {"pages": len(entries), "sites": len(members)}  # type: ignore[type-arg]
    for name, array in values.items():
        found[name] = round(_score(array), 4)
    for peer in PEERS:
        spread = np.percentile([d["blocks"] - d[peer] for d in draws], [2.5, 97.5])
        found[f"minus_{peer}"] = [
            round(found["blocks"] - found[peer], 4), *(round(float(s), 4) for s in spread),
        ]  # fmt: skip
    return found


def _score(values: np.ndarray) -> float:
    """Mean F1 of pages, or F1 over the counts of segments."""
    if values.ndim == 1:
        return float(values.mean())
    found, missing, extra = values.sum(axis=0)
    return float(2 * found / max(2 * found + missing + extra, 1))


def speed(folder: Path, every: int) -> dict:  # type: ignore[type-arg]
    """MB of HTML per core-second by set and engine."""
    result = {}
    for name in SETS:
        rows = pq.read_table(folder / f"{name}.parquet", columns=["html"]).to_pylist()
        pages = [row["html"] for row in rows[:: every if len(rows) > 500 else max(1, every // 3)]]
        texts = [decode(page, None, is_html=True).text for page in pages]
        for engine in ENGINES.values():  # warm: imports, weights, caches
            engine(texts[0])
        seconds = dict.fromkeys(ENGINES, 0.0)
        for text in texts:
            for engine_name, engine in ENGINES.items():
                start = time.process_time()
                engine(text)
                seconds[engine_name] += time.process_time() - start
        megabytes = sum(map(len, pages)) / 1e6
        rates = {engine: round(megabytes / spent, 2) for engine, spent in seconds.items()}
        result[name] = {
            "pages": len(pages), "megabytes": round(megabytes, 1), **rates,
            "times_trafilatura": round(rates["blocks"] / rates["trafilatura"], 2),
            "times_trafilatura_fast": round(rates["blocks"] / rates["trafilatura_fast"], 2),
        }  # fmt: skip
    return result


def show(result: dict) -> None:  # type: ignore[type-arg]
    """Print both tables."""
    print(f"{'pages':28} {'n':>5} {'blocks':>7} {'trafil':>7} {'resili':>7}  minus trafilatura")
    for name, row in result.get("quality", {}).items():
        low, high = row["minus_trafilatura"][1:]
        print(
            f"{name:28} {row['pages']:5} {row['blocks']:7.3f} {row['trafilatura']:7.3f} "
            f"{row['resiliparse']:7.3f}  {row['minus_trafilatura'][0]:+.3f} [{low:+.3f}, {high:+.3f}]"
        )
    for name, row in result["speed"].items():
        print(name, row)


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--folds", type=Path, default=None, help="without it, speed only")
    parser.add_argument("--peers", type=Path, default=None, help="file that keeps peers' scores")
    parser.add_argument("--speed-every", type=int, default=10, help="take every n-th page")
    options = parser.parse_args()
    result: dict = {"speed": speed(options.data, options.speed_every)}  # type: ignore[type-arg]
    if options.folds is not None:
        result["quality"] = quality(
            collect(options.data, json.loads(options.folds.read_text()), options.peers)
        )
        result["trafilatura"] = trafilatura.__version__
        record("extraction", result)
    show(result)


if __name__ == "__main__":
    main()
