import json
import resource
from pathlib import Path

import pytest

from refinery.clean.cleaner import Cleaner
from refinery.clean.config import CleanConfig
from refinery.clean.guarded_child import Killed
from refinery.clean.pages import NormalizedPage, Payload, Rejected
from refinery.clean.stored_verdicts import StoredVerdicts
from schemas.errors import ContractError

FAST = Payload(b"one two three", "text/plain", None, None, "aa")
# Every fourth character is an emoji: some seconds of work within the bounds on bytes.
SLOW = Payload("😂 a ".encode() * 1_000_000, "text/plain", None, None, "bb")


def config(cpu_seconds: float) -> CleanConfig:
    return CleanConfig.model_validate({"extract": {"guard": {"cpu_seconds": cpu_seconds}}})


def outcomes(folder: Path, cpu_seconds: float, *payloads: Payload) -> list[str]:
    verdicts = StoredVerdicts(str(folder))
    with Cleaner(config(cpu_seconds), {}, verdicts=verdicts) as cleaner:
        results = cleaner.normalize(payloads)
    return [r.reason if isinstance(r, Rejected) else r.text for r in results]


def children_cpu_seconds() -> float:
    """Of the guarded processes that have ended; a busy machine does not lengthen it."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


@pytest.mark.slow
def test_a_slow_page_meets_the_same_end_on_a_machine_that_could_read_it(tmp_path: Path) -> None:
    with Cleaner(config(60), {}) as cleaner:
        assert isinstance(cleaner.normalize([SLOW])[0], NormalizedPage)

    first = outcomes(tmp_path, 1.0, FAST, SLOW, FAST)
    before = children_cpu_seconds()
    again = outcomes(tmp_path, 60, FAST, SLOW, FAST)

    assert first == again == ["one two three", "guard:timeout", "one two three"]
    assert children_cpu_seconds() - before < 1.0  # it was not tried
    row = json.loads((tmp_path / "bb.json").read_text())
    assert row == {"doc_id": "bb", "reason": "guard:timeout", "message": "over 1 s of CPU time"}


def test_the_first_verdict_on_a_document_stays(tmp_path: Path) -> None:
    one, other = StoredVerdicts(str(tmp_path)), StoredVerdicts(str(tmp_path))

    one.store("aa", Killed("guard:timeout", "first"))
    taken = other.store("aa", Killed("guard:memory", "second"))

    assert taken == other.find("aa") == Killed("guard:timeout", "first")
    assert StoredVerdicts(str(tmp_path)).find("aa") == taken


def test_a_document_without_an_id_is_not_stored(tmp_path: Path) -> None:
    verdicts = StoredVerdicts(str(tmp_path / "none"))

    verdicts.store(None, Killed("guard:crash", "x"))

    assert verdicts.find(None) is None
    assert not (tmp_path / "none").exists()


def test_a_damaged_verdict_is_named(tmp_path: Path) -> None:
    (tmp_path / "aa.json").write_text("{")

    with pytest.raises(ContractError, match=r"aa\.json: not a verdict of the guard"):
        StoredVerdicts(str(tmp_path))
