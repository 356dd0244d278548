from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from pydantic import Field

from refinery.filters.rules_table import languages_with_bounds
from refinery.recipe import Recipe, Runtime
from schemas.settings import Settings
from tools.docs import PAGES, training_sections
from tools.rules_page import rules_page
from tools.settings_page import (
    Section,
    all_sections,
    in_yaml,
    read_examples,
    read_sources,
    value_in_words,
    wants_source,
)

DOCS = Path(__file__).resolve().parents[2] / "docs"
SECTIONS = {
    section.title: section
    for root in (
        Section(key="recipe", model=Recipe),
        Section(key="runtime", model=Runtime),
        *training_sections(),
    )
    for section in all_sections(root)
}


@pytest.mark.parametrize("name", PAGES)
def test_generated_pages_are_current(name: str) -> None:
    assert (DOCS / name).read_text("utf-8") == PAGES[name](), "run: python -m tools.docs"


@pytest.mark.parametrize(("title", "text"), read_examples().items())
def test_the_example_of_a_section_is_one(title: str, text: str) -> None:
    example = yaml.safe_load(text)
    if title == "model":
        del example["preset"]  # a name for other keys, no key of the class

    SECTIONS[title].model.model_validate(example)


@pytest.mark.parametrize("name", ["recipes.md", "training_settings.md", "study_settings.md"])
def test_no_word_of_python_is_shown_to_who_writes_yaml(name: str) -> None:
    page = (DOCS / name).read_text("utf-8")

    assert [word for word in ("Literal[", "tuple", "| None", "None:", "`()`") if word in page] == []


@pytest.mark.parametrize("name", ["recipes.md", "training_settings.md", "study_settings.md"])
def test_every_setting_has_a_meaning(name: str) -> None:
    lines = (DOCS / name).read_text("utf-8").splitlines()

    meanings = [line.split(" | ")[3] for line in lines if line.startswith("| `")]
    assert all(meaning.strip(" |") for meaning in meanings)


def test_every_number_and_choice_of_the_trainer_says_where_it_comes_from() -> None:
    sources = read_sources()
    first: dict[type[Settings], Section] = {}
    for root in training_sections():
        for section in all_sections(root):
            first.setdefault(section.model, section)

    unsaid = [
        f"{section.title}: {name}"
        for model, section in first.items()
        for name, info in model.model_fields.items()
        if wants_source(info) and not sources.get(section.title, {}).get(name)
    ]
    titles = {section.title: section for section in first.values()}
    of_nothing = [
        f"{title}: {name}"
        for title, names in sources.items()
        for name in names
        if title not in titles or name not in titles[title].model.model_fields
    ]

    assert unsaid == [], "write them into tools/setting_sources.yaml"
    assert of_nothing == []


def test_values_are_said_in_words() -> None:
    class Inner(Settings):
        size: int = 1

    class Sample(Settings):
        share: float | None = Field(default=None, gt=0, le=1)
        names: tuple[str, ...] = Field(default=(), min_length=1)
        parts: dict[str, Inner] = Field(default_factory=dict)
        pair: tuple[float, float] = (0.9, 0.95)

    words = {name: value_in_words(info) for name, info in Sample.model_fields.items()}

    assert words == {
        "share": "number or null, above 0, at most 1",
        "names": "list of texts, at least 1 of them",
        "parts": "mapping of names to sections",
        "pair": "list of 2: number, number",
    }


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "null"), (True, "true"), ((), "[]"), ("", '""'), (0.9999, "0.9999"), ("en", "en")],
)
def test_defaults_are_written_in_yaml(value: object, text: str) -> None:
    assert in_yaml(value) == text


def test_the_page_of_rules_has_every_language_and_its_own_bounds_alone() -> None:
    page = rules_page()

    for language in languages_with_bounds()[1:]:
        assert f"\n### {language}\n" in page
    chinese = page.split("\n### zh\n")[1].split("\n### ")[0]
    assert "| `gopher:words` | 100 to 200000 |" in chinese
    assert "| `gopher:mean_word_chars` | off |" in chinese
    assert "gopher:hash_ratio" not in chinese
