from __future__ import annotations

import pytest

from refinery.normalize.codes import _forms, replace_codes
from refinery.normalize.gate import needs


@pytest.mark.parametrize("kind", ["emoticons", "kaomoji"])
def test_every_form_is_found_between_blanks(kind: str) -> None:
    missed = []
    for form, (_, english) in _forms(kind).items():
        text = f"an English sentence {form} that goes on"
        if replace_codes(text, needs(text))[0] != f"an English sentence {english} that goes on":
            missed.append(form)

    assert missed == []
