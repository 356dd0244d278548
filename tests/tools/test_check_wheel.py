"""What a wheel must hold, and must not."""

from __future__ import annotations

from tools.check_wheel import PACKAGES, ROOT, source_files, wheel_faults

TYPED = [f"{package}/py.typed" for package in PACKAGES]


def test_a_wheel_of_all_sources_has_no_fault() -> None:
    sources = source_files(ROOT)

    assert list(wheel_faults([*sources, "x-1.dist-info/METADATA"], sources)) == []
    assert {*TYPED, "train/__main__.py", "jobs/command/main.py"} <= sources
    assert any(name.endswith(".yaml") for name in sources)


def test_missing_data_types_and_tests_in_a_wheel_are_named() -> None:
    sources = {*TYPED, "refinery/a.py", "refinery/bounds.yaml"}
    names = [*TYPED[1:], "refinery/a.py", "tests/test_a.py", "x-1.dist-info/METADATA"]

    assert list(wheel_faults(names, sources)) == [
        f"{PACKAGES[0]} has no py.typed",
        "refinery/bounds.yaml is missing",
        f"{TYPED[0]} is missing",
        "tests/test_a.py does not belong there",
    ]
