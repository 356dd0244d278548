"""Names of languages that the model does not know, and what was meant."""

from __future__ import annotations

import pytest

from refinery.language.config import LanguageConfig
from refinery.language.names import check_languages, model_labels
from schemas.errors import SettingsError


def test_every_label_of_the_model_is_a_language() -> None:
    labels = model_labels(LanguageConfig())

    assert len(labels) == 176
    check_languages(LanguageConfig(languages=tuple(sorted(labels))))


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("english", "did you mean 'en'?"),
        ("EN", "did you mean 'en'?"),
        ("zh_CN", "did you mean 'zh'?"),
        ("cmn", "did you mean 'zh'?"),
        ("chinse", "did you mean 'zh' (chinese)?"),
        ("pt-BR", "did you mean 'pt'?"),
        ("jp", "did you mean 'ja'?"),
        ("klingon", "labels such as"),
    ],
)
def test_another_name_leads_to_the_label(name: str, hint: str) -> None:
    with pytest.raises(SettingsError) as refused:
        check_languages(LanguageConfig(languages=(name,)))

    assert f"no language '{name}'" in str(refused.value)
    assert hint in str(refused.value)
