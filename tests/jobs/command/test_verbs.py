"""Every verb: a module with arguments that say what they are, and a sentence in the list."""

from __future__ import annotations

import argparse
from types import ModuleType

import pytest

from jobs.command import (
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
    trace,
    verify,
    vocabulary,
    whatif,
)

MODULES = {
    module.__name__.rsplit(".", 1)[1]: module
    for module in (
        benchmarks, check, clean, doctor, estimate, explain, export, gate, init, plan, query, refine, report,
        trace, verify, vocabulary, whatif,
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


def test_an_unknown_verb_is_an_error_of_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main.main(["refien"])

    assert ended.value.code == 2
    assert "invalid choice" in capsys.readouterr().err
