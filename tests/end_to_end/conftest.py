"""One corpus and one undisturbed run of it, for all tests that compare with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.manifest import Manifest
from tests.support.corpus import write_corpus
from tests.support.submitting import refine


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recipe of about 300 documents."""
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="session")
def undisturbed(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """What a run on two cores makes of it."""
    return refine(corpus, tmp_path_factory.mktemp("two") / "out", "local[2]")
