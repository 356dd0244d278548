"""The founding studies: a run is trained once, judged, and taken as recorded by a fresh machine; the page says what the record does."""

from __future__ import annotations

import gzip
import json
import math
import random
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.train.founding import __main__ as module
from benchmarks.train.founding.__main__ import main, plan_text, run_founding
from benchmarks.train.founding.comparisons import STUDIES, FoundingStudy
from benchmarks.train.founding.corpus import BOOKS, CHINESE, Corpus, Sizes, write_corpus
from benchmarks.train.founding.page import write_page
from benchmarks.train.founding.tables import NOISE_UNKNOWN, NOT_RUN, figure_tables
from benchmarks.train.run_records import Records, RunRecord, append_record, read_records
from schemas.errors import ContractError
from train.statistics.paired import NOT_TOLD_APART
from train.studies.arms import study_arms
from train.studies.claims import AskedToStopError
from train.studies.outcome import Documents
from train.studies.settings import StudySettings, load_study
from train.studies.verdicts import BETTER, FAILED, WORSE

OBJECTIVES = STUDIES[0]
ROOT = Path(__file__).resolve().parents[2]
TOY = Sizes(
    vocabulary=460, english_bytes=40_000, chinese_bytes=20_000, heldout=6, pairs=(24, 8, 12)
)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Texts and sentences in the form of the real ones."""
    folder = tmp_path_factory.mktemp("sources")
    draw = random.Random(3)
    words = ["".join(draw.choices("abcdefgh", k=draw.randint(2, 7))) for _ in range(200)]
    books = [" ".join(draw.choices(words, k=1500)) for _ in range(8)]
    pages = ["".join(draw.choices("的一是在不了有和人这中大为上个国", k=1600)) for _ in range(20)]
    for name, texts in ((BOOKS, books), (CHINESE[0], pages[:12]), (CHINESE[1], pages[12:])):
        with gzip.open(folder / name, "wt", encoding="utf-8") as file:
            file.writelines(
                json.dumps({"id": str(n), "text": t}) + "\n" for n, t in enumerate(texts)
            )
    splits = zip(("train.tsv", "dev.tsv", "test.tsv"), TOY.pairs, strict=True)
    for number, (name, count) in enumerate(splits):
        rows = [f"{' '.join(draw.choices(words, k=6))} {number}\t{i % 2}" for i in range(count)]
        (folder / name).write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


def _corpus(sources: Path, folder: Path) -> Corpus:
    return write_corpus(folder / "corpus", texts=sources, sst2=sources, sizes=TOY)


def _toy(study: FoundingStudy) -> StudySettings:
    """The study with two arms, one seed and a few steps."""
    settings = load_study(study.path)
    assert settings.arms is not None
    return settings.model_copy(
        update={
            "seeds": (1,),
            "arms": {"mask": settings.arms["mask"]},
            "set": {"phases.0.stop": {"tokens": 2048}},
            "budget": settings.budget.model_copy(update={"tokens": 1024}),
        }
    )


@pytest.mark.slow
def test_a_recorded_run_is_trained_once_and_taken_by_a_fresh_machine(
    sources: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(ROOT)
    path, here, there = tmp_path / "runs.jsonl", tmp_path / "here", tmp_path / "there"
    corpus = _corpus(sources, here)

    with pytest.raises(AskedToStopError):
        run_founding(OBJECTIVES, _toy(OBJECTIVES), corpus, work=here, path=path, most_runs=1)
    first = read_records(path)
    other = _corpus(sources, there)
    run_founding(OBJECTIVES, _toy(OBJECTIVES), other, work=there, path=path)

    assert corpus.root == other.root
    assert [run.arm for run in first.of_study("objectives")] == ["base"]
    records = read_records(path)
    assert [run.arm for run in records.of_study("objectives")] == ["base", "mask"]
    assert not (there / "objectives" / "runs" / "base-seed-1").exists()
    assert "1 of 2 runs are recorded" in capsys.readouterr().out
    base, mask = records.of_study("objectives")
    assert base == first.runs["objectives", "base-seed-1"]
    assert base.tokens == 3072
    assert base.cpu_seconds > 0
    assert set(base.figures) == {"sst2", "sst2_bag_of_words", "sst2_majority"}
    assert base.figures["sst2_majority"] == 0.5
    assert base.documents == mask.documents
    assert base.value != mask.value
    documents = records.losses_of(base)
    assert documents is not None
    assert sum(documents.losses) / sum(documents.labels) == pytest.approx(base.value, abs=1e-4)
    # The study's own table holds both, whoever trained them.
    table = json.loads((there / "objectives" / "study.json").read_text())
    assert [list(row["by_seed"]) for row in table["table"]] == [["1"], ["1"]]


def _record(arm: str, seed: int, value: float | None, **changes: object) -> RunRecord:
    losses = () if value is None else (value - 0.2, value, 2 * value + 0.2)
    found = RunRecord(
        study="objectives", run=f"{arm}-seed-{seed}", arm=arm, seed=seed, key="k",
        state="failed" if value is None else "done", value=value, why=None, parameters=1, tokens=2,
        cpu_seconds=36.0, figures={"sst2": 0.5 if value is None else value / 10, "sst2_bag_of_words": 0.7, "sst2_majority": 0.5},
        documents=None if value is None else "d", losses=losses,
    )  # fmt: skip
    return replace(found, **changes)  # type: ignore[arg-type]


DOCUMENTS = Documents(root="r", names=("x", "y", "z"), labels=(1, 1, 2), losses=(0.0, 0.0, 0.0))
VALUES = {
    "base": (5.0, 5.02, 4.98), "no pretraining": (6.0, 6.03, 5.98), "10 %": (5.01, 4.99, 5.0), "25 %": (4.5, 4.52, 4.49),
    "BERT-style": (5.5, 5.51, 5.49),
}  # fmt: skip


def _records(*more: RunRecord) -> Records:
    runs = [_record(a, s, v) for a, by_seed in VALUES.items() for s, v in enumerate(by_seed, 1)]
    return Records(
        runs={("objectives", run.run): run for run in (*runs, *more)}, documents={"d": DOCUMENTS}
    )


def _arms() -> list[str]:
    return [arm.name for arm in study_arms(load_study(OBJECTIVES.path))]


def test_each_round_has_its_own_reference_and_the_noise_of_the_whole_study() -> None:
    failed = _record("50 %", 1, None, why="no number")

    found = figure_tables(OBJECTIVES, _arms(), _records(failed))

    gate, objective, corruption, density, _ = found.tables
    verdicts = {line.arm: line.verdict for line in density.lines}
    assert verdicts == {"base": "", "10 %": NOT_TOLD_APART, "25 %": BETTER, "50 %": FAILED}
    assert [line.arm for line in objective.lines] == ["BERT-style", "prefix LM", "deshuffling"]
    assert objective.lines[1].verdict == NOT_RUN
    assert {line.arm: line.verdict for line in corruption.lines}["base"] == BETTER
    assert {line.arm: line.verdict for line in gate.lines}["BERT-style"] == BETTER
    assert found.freedom == (len(VALUES) - 1) * 2
    base = corruption.lines[2]
    assert base.difference is not None
    assert base.difference.value == pytest.approx(-0.5)
    assert base.documents is not None
    assert base.documents.value == pytest.approx(-0.5)


def test_one_seed_tells_nothing() -> None:
    runs = {("objectives", a): _record(a, 1, v) for a, v in (("base", 5.0), ("10 %", 9.0))}

    found = figure_tables(OBJECTIVES, _arms(), Records(runs=runs, documents={"d": DOCUMENTS}))

    density = found.tables[3].lines
    assert density[1].arm == "10 %"
    assert density[1].verdict == NOISE_UNKNOWN


def test_more_of_a_figure_beside_the_measure_is_better() -> None:
    found = figure_tables(OBJECTIVES, _arms(), _records(), "sst2")

    verdicts = {line.arm: line.verdict for line in found.tables[3].lines}
    assert verdicts["25 %"] == WORSE
    assert found.tables[3].lines[2].documents is None


def test_probabilities_are_adjusted_over_all_rounds() -> None:
    found = figure_tables(OBJECTIVES, _arms(), _records())

    lines = [line for table in found.tables for line in table.lines if line.difference is not None]
    assert all(line.adjusted >= line.difference.p_value() for line in lines if line.difference)
    assert any(line.adjusted > line.difference.p_value() for line in lines if line.difference)


def test_the_file_holds_names_of_documents_once_and_a_later_line_replaces(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"

    for value in (5.0, 4.0):
        append_record(path, _record("base", 1, value), DOCUMENTS)

    assert len(path.read_text().splitlines()) == 3
    (run,) = read_records(path).of_study("objectives")
    assert run.value == 4.0
    documents = read_records(path).losses_of(run)
    assert documents is not None
    assert documents.names == ("x", "y", "z")


def test_what_a_killed_worker_left_of_a_line_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    append_record(path, _record("base", 1, 5.0), DOCUMENTS)
    with path.open("a", encoding="utf-8") as file:
        file.write('{"study": "objectives", "run": "其')

    assert len(read_records(path).runs) == 1
    append_record(path, _record("base", 2, 5.1), DOCUMENTS)

    assert [run.seed for run in read_records(path).of_study("objectives")] == [1, 2]
    assert len(path.read_text("utf-8").splitlines()) == 3


def test_a_line_of_something_else_is_named(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    path.write_text('{"study": "objectives"}\n', encoding="utf-8")

    with pytest.raises(ContractError, match=r"runs\.jsonl:1: no line of a finished run"):
        read_records(path)


def test_a_plan_says_cost_and_smallest_effect() -> None:
    head, objectives, *_ = plan_text(STUDIES, _records()).splitlines()

    assert "CPU h left" in head
    words = objectives.split()
    # 27 runs are left; those of a recorded arm cost what it did, 36 s, as do the others' mean.
    assert words[:6] == ["objectives", "14", "3", "15", "27", "0.27"]
    assert "deviations of a run" in objectives


def test_the_page_prints_verdicts_gates_and_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "charts").mkdir()
    page = tmp_path / "docs" / "page.md"

    write_page(_records(), page, tmp_path / "charts")

    text = page.read_text()
    assert "**27 of 42 runs are not done yet.**" in text
    assert "Gate of infilling: 4 of 4 arms are better than no pretraining." in text
    assert "**fine-tuning decides nothing here**" in text  # the bag of words has 70 %
    assert "**not told apart** from replace spans, 15 %, single tokens (`base`): 10 %" in text
    assert "**Not run yet** (39 runs planned)" in text
    assert "![Differences with their intervals](../charts/founding_objectives.svg)" in text
    assert "25 %" in (tmp_path / "charts" / "founding_objectives.svg").read_text()


def test_every_arm_of_a_comparison_is_one_of_its_study() -> None:
    for study in STUDIES:
        arms = {arm.name for arm in study_arms(load_study(study.path))}
        named = {arm for one in study.comparisons for arm in (one.reference, *one.arms)}
        assert named <= arms, study.name
        assert study.control is None or study.control in arms


def test_the_published_page_is_that_of_the_record(tmp_path: Path) -> None:
    folder = tmp_path / "repository"
    (folder / "docs").mkdir(parents=True)
    (folder / "benchmarks" / "results").mkdir(parents=True)
    page = folder / "docs" / module.PAGE.name

    write_page(read_records(module.RECORD), page, folder / "benchmarks" / "results")

    assert page.read_text("utf-8") == module.PAGE.read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["objective"], "no study objective"), (["--texts", "nowhere"], "nowhere is not there")],
)
def test_what_is_not_there_is_named(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)

    assert ended.value.code == 2
    assert words in capsys.readouterr().err


def test_a_mean_of_no_run_is_no_number() -> None:
    found = figure_tables(OBJECTIVES, _arms(), Records(runs={}, documents={}))

    assert math.isnan(found.deviation)
    assert {line.verdict for table in found.tables for line in table.lines} == {NOT_RUN}
