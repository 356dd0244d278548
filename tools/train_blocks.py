"""Train the block classifier of the extractor and write its weights with their provenance.

    python -m tools.train_blocks DATA_FOLDER [--folds 5]

DATA_FOLDER holds wcxb-dev.parquet, multilingual-articles.parquet, multilingual-segments.parquet.
Needs the extra `extraction-training` (lightgbm). With --folds, prints the F1 of pages whose domain
was not trained on, instead of writing weights.
"""

from __future__ import annotations

import argparse
import hashlib
import html
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from refinery.extract.blocks import read_blocks
from refinery.extract.cut import choose_cut, propose_cuts
from refinery.extract.feature_layout import FEATURES_VERSION, feature_names
from refinery.extract.features import compute_features
from refinery.extract.forest import Forest
from refinery.extract.units import settle
from refinery.text.charset import decode
from tools.block_labels import label_blocks, segment_counts, word_f1, words_of

Page = dict[str, Any]
Floats = NDArray[np.float32]

DEPTH = 8
# Numbers of trees and their learning rates: after steep first ones most blocks are sure.
RATES = ((16, 0.2), (24, 0.12), (90, 0.06))
NUM_TREES = sum(num for num, _ in RATES)
CUT_DEPTH = 5
NUM_CUT_TREES = 150
INNER_FOLDS = 3
SETS = ("wcxb-dev", "multilingual-articles", "multilingual-segments")
WEIGHTS = Path(__file__).parents[1] / "refinery" / "extract" / "weights"
PARAMETERS = {
    "objective": "cross_entropy", "num_leaves": 63, "max_depth": DEPTH,
    "min_data_in_leaf": 20, "feature_fraction": 0.3, "bagging_fraction": 0.8, "bagging_freq": 1,
    "lambda_l2": 5.0, "max_bin": 63, "num_threads": 1, "seed": 0, "deterministic": True,
    "force_col_wise": True, "verbose": -1,
}  # fmt: skip
CUT_PARAMETERS = {
    "objective": "l2", "learning_rate": 0.05, "num_leaves": 15, "max_depth": CUT_DEPTH,
    "min_data_in_leaf": 40, "feature_fraction": 0.5, "bagging_fraction": 0.7, "bagging_freq": 1,
    "lambda_l2": 5.0, "num_threads": 1, "seed": 0, "deterministic": True, "force_col_wise": True,
    "verbose": -1,
}  # fmt: skip
KNOWN_FAILURES = [
    "pages of a shop: descriptions in tabs and lists of the like are told apart poorly (see type: product)",
    "teasers of next articles behind the end of an article, and authors' boxes, are kept too often",
    "forums whose posts scripts load, pages whose text stands in images",
    "pages in languages other than those of the sets (mostly English, German, Chinese) were hardly tried",
]
# Most blocks are links of a word or two that weigh next to nothing: of seven hundred thousand so many are drawn by weight.
NUM_ROWS = 120_000
# What the blocks of one page weigh: whole truths of articles are few, segments tell of few blocks.
PAGE_WEIGHTS = {
    "wcxb-dev": 1.0,
    "multilingual-articles": 4.0,
    "multilingual-segments": 1.0,
    "bare": 1.0,
}
# Pages of content alone are made of one page in so many, in forms of their own.
BARE, BARE_OF = "bare", 4
_BARE_FORMS = (("", ""), ("<div>", "</div>"), ("<article>", "</article>"), ("<main>", "</main>"))
_COUNTRY_SECOND = {"co", "com", "org", "net", "ac", "gov", "edu", "or", "ne"}


@dataclass(frozen=True)
class Model:
    """Trees that judge blocks, and trees that judge cuts."""

    blocks: Forest
    cuts: Forest


def site_of(url: str | None) -> str:
    """Registered domain, roughly: grouping by it keeps sibling hosts in one fold."""
    if url is None:
        return "unknown"  # all in one fold: they may share a site
    parts = (urlsplit(url).hostname or url).split(".")
    keep = 3 if len(parts) > 2 and parts[-2] in _COUNTRY_SECOND and len(parts[-1]) == 2 else 2
    return ".".join(parts[-keep:])


def fold_of(url: str | None, num_folds: int) -> int:
    """Fold by hash of the domain."""
    return int(hashlib.sha256(site_of(url).encode()).hexdigest()[:8], 16) % num_folds


def read_pages(folder: Path) -> list[Page]:
    """Every labelled page with features, words and labels; -1 marks an unknown block."""
    pages = []
    for name in SETS:
        for row in pq.read_table(folder / f"{name}.parquet").to_pylist():
            blocks = read_blocks(decode(row["html"], None, is_html=True).text)
            page = {
                "set": name, "url": row["url"], "type": row.get("page_type"),
                "truth": row.get("main_content"), "texts": blocks.texts,
                "wanted": row.get("must_contain"), "unwanted": row.get("must_not_contain"),
            }  # fmt: skip
            if blocks.texts:
                page["page"] = compute_features(blocks)
                page["blocks"] = blocks
                page["y"] = np.array(_labels(name, row, blocks.texts), np.float32)
            pages.append(page)
    return pages


def bare_pages(pages: list[Page]) -> list[Page]:
    """Of a share of the pages what was marked as content, as pages that hold nothing else: all of it is to be kept.

    Nearly all labelled pages have menus and footers, so trees had learnt that something has to go: of novels as bare
    pages, a line of dialogue in a hundred.
    """
    made = []
    for page in pages:
        lines = [line.strip() for line in (page["truth"] or "").splitlines() if line.strip()]
        number = int(hashlib.sha256((page["truth"] or "").encode()).hexdigest()[:8], 16)
        if page["set"] == SETS[2] or number % BARE_OF or len(lines) < 3:
            continue
        begin, end = _BARE_FORMS[number // BARE_OF % len(_BARE_FORMS)]
        body = "".join(f"<p>{html.escape(line)}</p>\n" for line in lines)
        title = html.escape(lines[0][:80])
        blocks = read_blocks(
            f"<html><head><title>{title}</title></head><body>{begin}{body}{end}</body></html>"
        )
        if blocks.texts:
            made.append(
                {
                    "set": BARE, "url": page["url"], "type": None, "truth": "\n".join(lines), "texts": blocks.texts,
                    "page": compute_features(blocks), "blocks": blocks,
                    "y": np.ones(len(blocks.texts), np.float32),
                }
            )  # fmt: skip
    return made


def _labels(name: str, row: Page, texts: list[str]) -> list[float]:
    if name != "multilingual-segments":
        return label_blocks(texts, row["main_content"] or "")
    wanted, unwanted = (
        [" ".join(words_of(s)) for s in row[key]] for key in ("must_contain", "must_not_contain")
    )
    return [_segment_label(" ".join(words_of(text)), wanted, unwanted) for text in texts]


def _segment_label(text: str, wanted: list[str], unwanted: list[str]) -> float:
    def hits(segments: list[str]) -> bool:
        return any(s in text or (len(text) > 20 and text in s) for s in segments if s)

    return 1.0 if hits(wanted) else 0.0 if hits(unwanted) else -1.0


def train(pages: list[Page]) -> Model:
    """Fit the trees on the blocks of these pages, and those of the cut on the judgements.

    A cut is judged as it will be used: on pages that the judge of their blocks has not seen. Each page is
    given those judgements as `unseen`.
    """
    pages = [page for page in pages if "page" in page]
    for fold in range(INNER_FOLDS):
        judge = train_blocks([p for p in pages if _inner_fold(p) != fold])
        for page in pages:
            if _inner_fold(page) == fold:
                page["unseen"] = judge.predict(page["page"].rows)
    return Model(train_blocks(pages), train_cuts(map(cut_examples, filter(_is_whole, pages))))


def _is_whole(page: Page) -> bool:
    """Whether all of the page's text was marked, not only some segments."""
    return bool(page["set"] != "multilingual-segments")


def _inner_fold(page: Page) -> int:
    """Another hash than that of the outer folds, or one inner fold would hold all of an outer."""
    digest = hashlib.sha256(b"inner " + site_of(page["url"]).encode()).hexdigest()
    return int(digest[:8], 16) % INNER_FOLDS


def train_blocks(pages: list[Page]) -> Forest:
    """Fit the trees that judge blocks."""
    import lightgbm

    weights = []
    for page in pages:
        weight = page["page"].words
        weight = weight / weight.sum() * 100 * PAGE_WEIGHTS[page["set"]]
        weights.append(np.where(page["y"] < 0, 0, weight))
    chances = draw_chances(np.concatenate(weights), NUM_ROWS)
    drawn = np.random.default_rng(0).random(len(chances)) < chances
    weight = np.concatenate(weights)[drawn] / chances[drawn]
    labels = np.concatenate([page["y"] for page in pages])[drawn]
    ends = np.cumsum([len(page["y"]) for page in pages])
    parts = zip(pages, np.split(drawn, ends[:-1]), strict=True)
    rows = np.concatenate([page["page"].rows[part] for page, part in parts])
    data = lightgbm.Dataset(rows, labels, weight=weight)
    rates = [rate for num, rate in RATES for _ in range(num)]
    steps = lightgbm.reset_parameter(learning_rate=rates)
    trees = lightgbm.train(PARAMETERS, data, num_boost_round=NUM_TREES, callbacks=[steps])
    return export(trees, DEPTH)


def draw_chances(weight: NDArray[np.float64], num: int) -> NDArray[np.float64]:
    """Chance of each block to be drawn, so that about `num` are: in proportion to its weight, at most 1.

    A drawn block weighs its weight over its chance, so sums are right in the mean.
    """
    low, high = 0.0, float(weight.sum()) + 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if np.minimum(weight, middle).sum() / middle > num:
            low = middle
        else:
            high = middle
    return np.minimum(weight / high, 1.0)


def train_cuts(examples: Iterable[tuple[Floats, Floats]]) -> Forest:
    """Fit the trees that foretell the gain of a cut."""
    import lightgbm

    rows, gains = (np.concatenate(column) for column in zip(*examples, strict=True))
    data = lightgbm.Dataset(rows, gains)
    return export(lightgbm.train(CUT_PARAMETERS, data, num_boost_round=NUM_CUT_TREES), CUT_DEPTH)


def cut_examples(page: Page) -> tuple[Floats, Floats]:
    """Features of a page's cuts [C, G], and what each gains over the expected-best one [C]."""
    features = page["page"]
    cuts = propose_cuts(page["unseen"], features.words, features.facts)
    truth = Counter(words_of(page["truth"] or ""))
    have: Counter[str] = Counter()
    num, common, f1 = 0, 0, []
    for block in cuts.order[: int(cuts.lasts[-1]) + 1].tolist():
        for word in words_of(page["texts"][block]):
            num += 1
            common += have[word] < truth[word]
            have[word] += 1
        f1.append(2 * common / max(num + truth.total(), 1))
    gains = np.array(f1)[cuts.lasts] - f1[cuts.best]
    return cuts.rows, gains.astype(np.float32)


def export(booster, depth: int) -> Forest:  # type: ignore[no-untyped-def]
    """LightGBM's trees as complete trees in heap order, for `Forest`."""
    trees = booster.dump_model()["tree_info"]
    num_nodes = 2**depth - 1
    features = np.zeros((len(trees), num_nodes), np.int32)
    thresholds = np.full((len(trees), num_nodes), np.inf, np.float32)
    leaves = np.zeros((len(trees), num_nodes + 1), np.float32)

    def fill(tree: int, node: dict[str, Any], node_index: int) -> None:
        if "leaf_value" in node:
            while node_index < num_nodes:
                node_index = 2 * node_index + 1
            leaves[tree, node_index - num_nodes] = node["leaf_value"]
            return
        exact = node["threshold"]
        rounded = np.float32(exact)
        # Rows are float32: the largest float32 not above the bound sends each the same way.
        thresholds[tree, node_index] = (
            rounded if float(rounded) <= exact else np.nextafter(rounded, np.float32(-np.inf))
        )
        features[tree, node_index] = node["split_feature"]
        fill(tree, node["left_child"], 2 * node_index + 1)
        fill(tree, node["right_child"], 2 * node_index + 2)

    for number, tree in enumerate(trees):
        fill(number, tree["tree_structure"], 0)
    return Forest(features, thresholds, leaves)


def extract(page: Page, model: Model) -> str:
    """Text of a page by these trees."""
    if "page" not in page:
        return ""
    return keep_text(page, model.blocks.predict(page["page"].rows), model.cuts)


def keep_text(page: Page, probabilities: Floats, cuts: Forest) -> str:
    """Text of the blocks that a cut keeps, one on each line."""
    features = page["page"]
    kept = choose_cut(probabilities, features.words, features.facts, cuts)
    kept = settle(page["blocks"], kept, features.words)
    return "\n".join(text for text, keep in zip(page["texts"], kept, strict=True) if keep)


def evaluate(pages: list[Page], num_folds: int) -> list[Page]:
    """Per page: word F1 where the truth is whole, segments found where only they are known."""
    scores = []
    for fold in range(num_folds):
        model = train([p for p in pages if fold_of(p["url"], num_folds) != fold])
        for number, page in enumerate(pages):
            if fold_of(page["url"], num_folds) != fold:
                continue
            text = extract(page, model)
            score = {"page": number, "set": page["set"], "type": page["type"], "url": page["url"]}
            if page["set"] == "multilingual-segments":
                score["found"] = segment_counts(text, page["wanted"], page["unwanted"])
            else:
                score["f1"] = word_f1(text, page["truth"] or "")
            scores.append(score)
        for name in SETS[:2]:
            mean = np.mean([s["f1"] for s in scores if s["set"] == name])
            print(f"folds to {fold}: {name} {mean:.4f}", flush=True)
    return sorted(scores, key=lambda score: score["page"])


def main() -> None:
    """Write the weights, or with --folds print the F1 of pages that were not trained on."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--folds", type=int, default=None)
    parser.add_argument("--save-folds", type=Path, default=None, help="F1 per page, as JSON")
    options = parser.parse_args()
    pages = read_pages(options.data)
    pages += bare_pages(pages)
    if options.folds is None:
        model = train(pages)
        write(model, options.data, scores_by_inner_folds(pages))
        return
    scores = evaluate(pages, options.folds)
    if options.save_folds:
        options.save_folds.write_text(json.dumps(scores))


def scores_by_inner_folds(pages: list[Page]) -> dict[str, dict[str, float]]:
    """By set, by type of page and for Chinese: mean F1, precision and recall of trained pages by trees that had not seen them.

    These trees saw two thirds of the pages, so the shipped ones are a little better.
    """
    found: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    segments = [0, 0, 0]
    for fold in range(INNER_FOLDS):
        judged = [page for page in pages if "unseen" in page]
        others = [p for p in judged if _is_whole(p) and _inner_fold(p) != fold]
        cuts = train_cuts(map(cut_examples, others))
        for page in (page for page in pages if _inner_fold(page) == fold):
            text = keep_text(page, page["unseen"], cuts) if "unseen" in page else ""
            if not _is_whole(page):
                counts = segment_counts(text, page["wanted"], page["unwanted"])
                segments = [total + count for total, count in zip(segments, counts, strict=True)]
                continue
            score = (
                word_f1(text, page["truth"] or ""),
                *_precision_and_recall(text, page["truth"] or ""),
            )
            groups = [page["set"], *([f"type: {page['type']}"] if page["type"] else [])]
            is_chinese = len(re.findall("[\u4e00-\u9fff]", page["truth"] or "")) > 100
            if (
                is_chinese
                and page["set"] == SETS[1]
                and not re.search("[\u3040-\u30ff]", page["truth"])
            ):
                groups.append("Chinese articles")
            for group in groups:
                found[group].append(score)
    hits, missing, extra = segments
    table = {
        name: {
            "pages": len(scores),
            **dict(
                zip(
                    ("f1", "precision", "recall"), np.mean(scores, 0).round(4).tolist(), strict=True
                )
            ),
        }
        for name, scores in sorted(found.items())
    }
    table[SETS[2]] = {"f1": round(2 * hits / max(2 * hits + missing + extra, 1), 4)}
    return table


def _precision_and_recall(text: str, truth: str) -> tuple[float, float]:
    have, want = Counter(words_of(text)), Counter(words_of(truth))
    common = (have & want).total()
    return common / max(have.total(), 1), common / max(want.total(), 1)


def write(model: Model, folder: Path, scores: dict[str, dict[str, float]]) -> None:
    """The weights, and beside them where they come from, how good they are, and where they fail."""
    WEIGHTS.mkdir(exist_ok=True)
    path = WEIGHTS / "blocks.npz"
    arrays: dict[str, Any] = {**model.blocks.arrays("blocks"), **model.cuts.arrays("cuts")}
    np.savez_compressed(path, **arrays)
    digests = {
        name: hashlib.sha256((folder / f"{name}.parquet").read_bytes()).hexdigest() for name in SETS
    }
    facts = {
        "trained_by": "tools/train_blocks.py", "features_version": FEATURES_VERSION, "features": feature_names(),
        "num_rows": NUM_ROWS, "num_trees": NUM_TREES, "learning_rates": RATES, "depth": DEPTH, "page_weights": PAGE_WEIGHTS,
        "parameters": PARAMETERS, "num_cut_trees": NUM_CUT_TREES, "cut_depth": CUT_DEPTH,
        "cut_parameters": CUT_PARAMETERS, "inner_folds": INNER_FOLDS, "data_sha256": digests,
        "sources": {
            "wcxb-dev": "WCXB development pages, annotations CC-BY-4.0 (Murrough-Foley 2026)",
            "multilingual-articles": "magic-html benchmark, Apache-2.0",
            "multilingual-segments": "trafilatura evaluation, Apache-2.0",
        },
        "scores_by_inner_folds": scores, "known_failures": KNOWN_FAILURES,
        "weights_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }  # fmt: skip
    (WEIGHTS / "blocks.json").write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
