"""A small corpus in four formats, English and Chinese, made from a seed: about 300 documents."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

_SUBJECTS = [
    "the baker",
    "a young teacher",
    "our neighbour",
    "the river",
    "an old engine",
    "the committee",
]
_VERBS = [
    "carries",
    "describes",
    "remembers",
    "repairs",
    "watches",
    "finds",
    "teaches",
    "measures",
    "paints",
]
_OBJECTS = [
    "a wooden box",
    "the long letter",
    "seven maps",
    "the quiet garden",
    "cold water",
    "a red lamp",
]
_TAILS = (
    "before the rain comes|and that is enough|with great care|in the early morning|for his friends"
)
_HAN = "山水风云花草树木春夏秋冬日月星辰江河湖海城乡道路书画琴棋米面茶酒东西南北红黄蓝白"

QUESTION = (
    "Which of the following tools would a careful gardener take along in order to measure how deep "
    "the frost has reached into the ground this winter?"
)


def _english(generator: random.Random, sentences: int) -> str:
    lines = []
    for _ in range(sentences):
        subject, verb = generator.choice(_SUBJECTS), generator.choice(_VERBS)
        tail = generator.choice(_TAILS.split("|"))
        number = generator.randrange(10_000)
        lines.append(f"{subject.capitalize()} {verb} {generator.choice(_OBJECTS)} {number} {tail}.")
    return "\n".join(lines)


def _chinese(generator: random.Random, sentences: int) -> str:
    return "\n".join(
        "".join(generator.choice(_HAN) for _ in range(18)) + "的人是在年月有为中他。"
        for _ in range(sentences)
    )


def write_corpus(root: Path, *, seed: int = 3, documents: int = 300) -> Path:
    """Write WARC, HTML, JSONL and text sources and a benchmark; returns the recipe's path."""
    generator = random.Random(seed)
    each = documents // 4
    for name in ("web", "docs", "rows", "news", "bench"):
        (root / name).mkdir(parents=True)
    records = []
    for number in range(each):
        body = _english(generator, 14)
        page = f"<html><title>Page {number}</title><body><main><p>{'<p>'.join(body.splitlines())}</main>"
        records.append(_warc_record(f"https://a.example.org/{number}", page.encode()))
    records.append(records[0])
    (root / "web" / "pages.warc.gz").write_bytes(b"".join(records))
    (root / "web" / "cut.warc.gz").write_bytes(records[1][:-40])
    for number in range(each):
        body = _english(generator, 16)
        if number < 4:
            body += "\n" + QUESTION
        (root / "docs" / f"{number:03d}.html").write_text(f"<html><body><p>{body}</body></html>")
    texts = [_chinese(generator, 12) for _ in range(each)]
    texts += [text + "末尾不同。" for text in texts[:8]]
    rows = [{"text": text, "url": f"https://c.example.cn/{i}"} for i, text in enumerate(texts)]
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (root / "rows" / "zh.jsonl").write_text(lines + "{broken\n", "utf-8")
    for number in range(each):
        text = _chinese(generator, 10) + "今天😂很好。"
        (root / "news" / f"{number:03d}.txt").write_text(text, "utf-8")
    (root / "bench" / "q.jsonl").write_text(json.dumps({"id": "q0", "question": QUESTION}) + "\n")
    return _write_recipe(root)


def _warc_record(url: str, body: bytes) -> bytes:
    http = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + body
    head = (
        f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Record-ID: <urn:uuid:{len(url):032x}>\r\n"
        f"WARC-Date: 2026-01-01T00:00:00Z\r\nWARC-Target-URI: {url}\r\n"
        f"Content-Type: application/http; msgtype=response\r\nContent-Length: {len(http)}\r\n\r\n"
    )
    return gzip.compress(head.encode() + http + b"\r\n\r\n", mtime=0)


def _write_recipe(root: Path) -> Path:
    recipe = {
        "recipe": {
            "name": "small",
            "seed": 5,
            "sources": [
                {"name": "news", "uri": str(root / "news"), "format": "text"},
                {"name": "docs", "uri": str(root / "docs"), "format": "html"},
                {"name": "web", "uri": str(root / "web"), "format": "warc"},
                {"name": "rows", "uri": str(root / "rows"), "format": "jsonl"},
            ],
            "exclude": {"urls": ["https://a.example.org/5"]},
            "quality": {
                "positive": ["docs", "web"],
                "negative": ["rows"],
                "dim": 8,
                "bucket": 1000,
            },
            "clean": {"language": {"min_score": None}, "rules": {"enabled": False}},
            "decontaminate": {
                "benchmarks": [
                    {"name": "q", "path": str(root / "bench" / "q.jsonl"), "fields": ["question"]}
                ],
                "max_removal_fraction": 0.1,
            },
            "vocabulary": {"size": 800},
            "split": {"heldout_fraction": 0.1},
            "mixture": {"weights": {"news": 0.3, "docs": 0.3, "web": 0.2, "rows": 0.2}},
            "packing": {"seq_len": 64, "shard_tokens": 12_000},
        },
        "runtime": {"output": str(root / "out"), "partitions": 3},
    }
    path = root / "recipe.yaml"
    path.write_text(json.dumps(recipe, indent=1))  # JSON is YAML
    return path
