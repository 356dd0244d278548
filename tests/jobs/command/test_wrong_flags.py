"""Each verb answers a wrong key or value with exit code 2 and the nearest right one."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.command.main import main
from schemas.errors import run_main

EXTEND = "vocabulary extend --base . --donor . --out out"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("benchmarks --recipe recipe.yaml --set recipe.nmae=x", "did you mean 'name'"),
        ("clean", "name a run: its recipe"),
        ("doctor --output 1 2", "unrecognized arguments: 2"),
        ("estimate recipe.yaml --set recipe.nmae=x", "did you mean 'name'"),
        ("estimate recipe.yaml --cores 0", "expected a whole number above 0"),
        ("explain page.html --recipe recipe.yaml --set recipe.nmae=x", "did you mean 'name'"),
        ("export --recipe recipe.yaml --out x.jsonl --set recipe.nmae=x", "did you mean 'name'"),
        ("export --recipe recipe.yaml --out x.csv", "ends in .jsonl, .jsonl.gz"),
        ("gate report.json --max-rejected 2", "--max-rejected"),
        ("init . --out nowhere/recipe.yaml", "there is no folder nowhere"),
        ("plan recipe.yaml --set recipe.nmae=x", "did you mean 'name'"),
        ("refine --recipe recipe.yaml --set recipe.nmae=x", "did you mean 'name'"),
        ("report", "the following arguments are required"),
        ("trace . --row x", "invalid int value"),
        ("verify . --jobs x", "invalid int value"),
        ("whatif . --set quality.min_score=0.5", "no ledger there"),
        ("vocabulary train page.html --out out --set wrong.key=1", "wrong: unknown key"),
        (
            "vocabulary train page.html --out out --set charcter_coverage=.9",
            "did you mean 'character_coverage'",
        ),
        ("vocabulary train page.html --out out --set min_count", "expected dotted.key=value"),
        ("vocabulary train page.html --out out --size 10", "size: Input should be greater"),
        ("vocabulary train page.html --out out --max-bytes 0", "expected a whole number above 0"),
        ("vocabulary train page.html --out out --min-line-chars 9 --max-line-chars 3", "no line"),
        (f"{EXTEND} --size 0", "size: Input should be greater than 0"),
        (f"{EXTEND} --allow magic", "--allow magic: no such proof"),
        ("vocabulary extend --base . --train page.html --out out", "needs --size"),
        ("vocabulary view nowhere --text a", "expected a tokenizer"),
    ],
)
def test_a_wrong_flag_ends_with_2(
    line: str,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipe.yaml").write_text("recipe: {name: corpus}\n")
    (tmp_path / "page.html").write_text("<p>some text</p>")

    with pytest.raises(SystemExit) as leaving:
        run_main(main, line.split())

    assert leaving.value.code == 2
    assert message in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["page.html", "recipe.yaml"]
