"""Every verb: a module with arguments that say what they are, and a sentence in the list."""

from __future__ import annotations

import argparse
from pathlib import Path
from types import ModuleType

import pytest

from jobs.command import (
    ablate,
    benchmarks,
    check,
    clean,
    doctor,
    estimate,
    explain,
    export,
    gate,
    init,
    main,
    plan,
    query,
    refine,
    report,
    rules,
    trace,
    verify,
    vocabulary,
    whatif,
)
from schemas.errors import SettingsError

MODULES = {
    module.__name__.rsplit(".", 1)[1]: module
    for module in (
        ablate, benchmarks, check, clean, doctor, estimate, explain, export, gate, init, plan, query, refine, report,
        rules, trace, verify, vocabulary, whatif,
    )
}  # fmt: skip


def test_the_list_names_every_verb() -> None:
    assert set(main.VERBS) == set(MODULES)


@pytest.mark.parametrize("verb", MODULES.values(), ids=MODULES)
def test_help_names_every_argument(verb: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    name = verb.__name__.rsplit(".", 1)[1]

    with pytest.raises(SystemExit) as ended:
        main.main([name, "--help"])

    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert f"usage: refinery {name}" in shown
    parser = argparse.ArgumentParser()
    verb.add_arguments(parser)
    for action in parser._actions:
        assert all(option in shown for option in action.option_strings)


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("refien", "did you mean 'refine'?"),
        ("int .", "did you mean 'init'?"),
        ("refine r.yaml --untill clean", "did you mean '--until'?"),
        ("export r.yaml --outt x.jsonl --out x.jsonl", "did you mean '--out'?"),
        ("clean a --kep-latest", "did you mean '--keep-latest'?"),
        ("vocabulary tran a.txt", "did you mean 'train'?"),
        ("vocabulary train a.txt --out o --kind wordpeice", "did you mean 'wordpiece'?"),
    ],
)
def test_a_wrong_verb_flag_or_choice_names_the_nearest(
    line: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main.main(line.split())

    assert ended.value.code == 2
    assert hint in capsys.readouterr().err


@pytest.mark.parametrize("line", ["--version", "refine --version", "init --version"])
def test_every_verb_tells_the_version(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main.main(line.split())

    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("refinery ")


def test_two_recipes_or_none_are_refused() -> None:
    for line in ("plan", "plan a.yaml --recipe b.yaml"):
        with pytest.raises(SettingsError, match="name one recipe"):
            main.main(line.split())


@pytest.mark.parametrize(
    ("verb", "argument", "expected"),
    [
        ("report", "output", "{root}/out"),
        ("query", "run", "{root}/out"),
        ("whatif", "ledger", "{root}/out"),
        ("verify", "manifest", "{root}/out/dataset"),
        ("trace", "manifest", "{root}/out/dataset"),
        ("gate", "report", "{root}/out/report/report.json"),
    ],
)
def test_verbs_on_a_run_take_its_recipe(
    verb: str, argument: str, expected: str, tmp_path: Path
) -> None:
    recipe = tmp_path / "r.yaml"
    recipe.write_text(
        f"recipe: {{name: r, sources: [{{name: a, uri: a, format: text}}]}}\n"
        f"runtime: {{output: {tmp_path}/out}}\n"
    )
    more = {"query": ["select 1"], "trace": ["--row", "0"], "whatif": ["--set", "a=1"]}
    parser = argparse.ArgumentParser()
    MODULES[verb].add_arguments(parser)

    named = parser.parse_args([str(recipe), *more.get(verb, [])])
    plain = parser.parse_args(["elsewhere", *more.get(verb, [])])

    assert str(getattr(named, argument)) == expected.format(root=tmp_path)
    assert str(getattr(plain, argument)) == "elsewhere"
