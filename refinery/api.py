"""Public names of `refinery`: text and tokenizers in one process, without Spark.

What is not named here may change without notice. Runs over many files are started by the command
`refinery refine`, not from Python.

Example:
    from refinery.api import CleanConfig, Cleaner, Payload, apply_edits

    page = b"<html><body><p>" + b"This is the bread that we had with our tea. " * 3
    with Cleaner(CleanConfig(), models={}) as cleaner:
        (document,) = cleaner.clean([Payload(page, "text/html", charset=None)])

    text = apply_edits(document.page.text, [marked.edit for marked in document.edits])
    assert text.startswith("This is the bread") and document.lang == "en"
    assert document.drop_reason == "gopher:words"  # fewer than fifty
"""

from refinery.clean.cleaner import Cleaner
from refinery.clean.config import CleanConfig
from refinery.clean.pages import CleanDocument, NormalizedPage, Payload, Rejected
from refinery.datasets.verify import Verification, verify_dataset
from refinery.extract.config import ExtractConfig
from refinery.extract.limits import PageRejected
from refinery.extract.page import Page, extract_page
from refinery.filters.python_rules import RuleInput
from refinery.filters.values import compute_values
from refinery.normalize.config import NormalizeConfig
from refinery.normalize.text import Normalized, normalize_text
from refinery.recipe import RefineSettings, load_recipe
from refinery.text.batch import TextBatch
from refinery.text.edits import Edit, apply_edits
from refinery.tokenizers.folder import TokenizerFolder, read_tokenizer

__all__ = [
    "CleanConfig",
    "CleanDocument",
    "Cleaner",
    "Edit",
    "ExtractConfig",
    "NormalizeConfig",
    "Normalized",
    "NormalizedPage",
    "Page",
    "PageRejected",
    "Payload",
    "RefineSettings",
    "Rejected",
    "RuleInput",
    "TextBatch",
    "TokenizerFolder",
    "Verification",
    "apply_edits",
    "compute_values",
    "extract_page",
    "load_recipe",
    "normalize_text",
    "read_tokenizer",
    "verify_dataset",
]
