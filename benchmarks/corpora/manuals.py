"""Translated manuals from Debian packages: the same pages in many languages.

    apt-get download debian-handbook installation-guide-amd64 libreoffice-help-{de,ja,...}
    for file in *.deb; do dpkg -x $file ROOT; done

They are under free licences and stay where they are; nothing of them is in this repository.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from refinery.extract.config import ExtractConfig
from refinery.extract.limits import PageRejected
from refinery.extract.page import extract_page
from refinery.language.config import LanguageConfig
from refinery.language.mixture import read_languages
from refinery.text.language_labels import macro
from schemas.fingerprints import sha256_hex

# Folders below ROOT/usr/share by package; {} stands for the language.
_FOLDERS = (
    "libreoffice/help/{}/text",
    "doc/debian-handbook/html/{}",
    "doc/installation-guide-amd64/{}",
)
# Where packages name a language otherwise than lid.176 does.
_NAMES = {
    "en": ("en-US", "en"), "zh": ("zh-CN", "zh_CN"), "pt": ("pt-BR", "pt"), "ar": ("ar-MA",),
    "fa": ("fa-IR",), "ja": ("ja-JP", "ja"), "ko": ("ko-KR", "ko"), "cs": ("cs-CZ", "cs"),
    "vi": ("vi-VN", "vi"), "sv": ("sv-SE", "sv"), "da": ("da-DK", "da"), "el": ("el-GR", "el"),
}  # fmt: skip
LEAST_SCORE = 0.8


def manual_pages(root: Path, language: str, most: int) -> dict[str, str]:
    """Text by page, the same pages in each language: those of the handbook, and others by hash of their name.

    A page that is not (or only in part) translated is left out, and so is one whose text an earlier one has.
    """
    texts: dict[str, str] = {}
    for key, path in _chosen(root, language, most):
        try:
            text = extract_page(
                path.read_bytes(), mime="text/html", charset=None, config=ExtractConfig()
            ).text
        except (PageRejected, ValueError):
            continue
        if text.strip():
            texts.setdefault(text, key)
    readings = read_languages(list(texts), LanguageConfig())
    return {
        key: text
        for (text, key), reading in zip(texts.items(), readings, strict=True)
        if macro(reading.first.label) == language
        and reading.first.score >= LEAST_SCORE
        and (reading.second is None or reading.second.share < 0.2)
    }


def _chosen(root: Path, language: str, most: int) -> list[tuple[str, Path]]:
    found = [
        (sha256_hex(key.encode()), key, path)
        for key, path in _html_files(root / "usr/share", language)
    ]
    return [(key, path) for _, key, path in sorted(found)[:most]]


def _html_files(share: Path, language: str) -> Iterator[tuple[str, Path]]:
    for template in _FOLDERS:
        names = _NAMES.get(language, (language, f"{language}-{language.upper()}"))
        for folder in (share / template.format(name) for name in names):
            for path in sorted(folder.rglob("*.html")):
                yield f"{template}/{path.relative_to(folder)}", path
