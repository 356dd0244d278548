"""What may be imported is declared, imports what it must and no more, and is documented."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from refinery import api as refinery_api
from schemas import api as schemas_api
from tools.api_page import PUBLIC_MODULES, api_page
from train import api as train_api

ROOT = Path(__file__).resolve().parents[2]
NAMES = [
    pytest.param(module, name, id=f"{module}:{name}")
    for module in PUBLIC_MODULES
    for name in import_module(module).__all__
]


def test_each_program_and_what_they_share_declare_their_names() -> None:
    modules = [module.__name__ for module in (schemas_api, refinery_api, train_api)]

    assert modules == list(PUBLIC_MODULES)


@pytest.fixture(scope="module")
def page() -> str:
    return api_page()


@pytest.mark.parametrize(("module", "name"), NAMES)
def test_a_public_name_can_be_imported_and_says_what_it_is_for(
    module: str, name: str, page: str
) -> None:
    thing = getattr(import_module(module), name)

    assert thing.__doc__, f"{module}.{name} has no docstring"
    assert f"### {name}\n" in page


@pytest.mark.parametrize("module", PUBLIC_MODULES)
def test_declared_names_are_sorted_and_named_once(module: str) -> None:
    declared = import_module(module).__all__

    assert list(declared) == sorted(set(declared))


@pytest.mark.parametrize(
    ("imported", "absent"),
    [
        ("refinery", ("pyspark", "torch", "numpy", "resiliparse")),
        ("train", ("pyspark", "torch", "numpy")),
        ("schemas.api", ("pyspark", "torch", "numpy")),
        ("refinery.api", ("pyspark", "torch")),
        ("train.api", ("pyspark",)),
    ],
)
def test_an_import_loads_no_engine_that_it_does_not_need(
    imported: str, absent: tuple[str, ...]
) -> None:
    script = f"import sys, {imported}; print([m for m in {absent!r} if m in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert result.stdout.strip() == "[]"
