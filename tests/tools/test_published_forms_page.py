"""The page of published models has a row for each form that a test holds to transformers."""

from __future__ import annotations

from tests.support.published_forms import FORMS
from tools.published_forms_page import published_forms_page


def test_every_form_that_is_tested_has_its_row_and_is_near_enough() -> None:
    rows = [line.split(" | ") for line in published_forms_page().splitlines() if " | `" in line]

    assert [row[0].removeprefix("| ") for row in rows] == list(FORMS)
    assert {row[1]: row[4] for row in rows}["`MistralForCausalLM`"] == "`LlamaForCausalLM`"
    differences = [cell.rstrip(" |") for row in rows for cell in (row[3], row[5])]
    assert max(0.0 if cell == "nothing" else float(cell) for cell in differences) <= 1e-5
