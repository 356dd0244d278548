"""One corpus and one undisturbed run of it, for all tests that compare with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.manifest import Manifest, read_manifest
from tests.support.corpus import write_corpus
from tests.support.submitting import refine


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recipe of about 300 documents."""
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="session")
def undisturbed_output(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a run on two cores put its tables and its dataset."""
    output = tmp_path_factory.mktemp("two") / "out"
    refine(corpus, output, "local[2]")
    return output


@pytest.fixture(scope="session")
def undisturbed(undisturbed_output: Path) -> Manifest:
    """What that run made."""
    return read_manifest(undisturbed_output / "dataset")
