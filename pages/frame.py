"""The frame of a page: head, style, navigation, sections, and the scripts that draw its charts.

A page is one file that loads nothing. Its policy allows three scripts, by their hashes: the plotting
library out of its wheel, and the kit's own for charts and for tables. Text that reached the page as markup would not run.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib.resources import files

from pages.charts import CHART_MARK


@dataclass(frozen=True, kw_only=True)
class PageSection:
    """A part of a page.

    Attributes:
        key: Its address within the page: a word without spaces.
        body: HTML; a section without any is left out.
    """

    key: str
    title: str
    body: str


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page.

    Attributes:
        title: The heading; plain text.
        kind: What is said behind the title in the browser's tab.
        head: HTML between the heading and the navigation.
        footer: HTML.
    """

    title: str
    kind: str
    sections: Sequence[PageSection]
    head: str = ""
    footer: str = ""

    def render(self) -> str:
        """The whole page as HTML; it holds the plotting library and the sorting where it needs them."""
        shown = [section for section in self.sections if section.body]
        body = "".join(map(_section, shown))
        links = "".join(f'<li><a href="#{s.key}">{escape(s.title)}</a></li>' for s in shown)
        scripts = (
            *(_chart_scripts() if CHART_MARK in body else ()),
            *((_script("tables.js"),) if "<table" in body else ()),
        )
        allowed = " ".join(f"'sha256-{_sha256(script)}'" for script in scripts) or "'none'"
        policy = (
            f"default-src 'none'; style-src 'unsafe-inline'; img-src data: blob:; "
            f"script-src {allowed}"
        )
        code = "".join(f"<script>{script}</script>" for script in scripts)
        return (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">'
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            '<meta name="color-scheme" content="light dark">'
            f"<title>{escape(self.title)}: {escape(self.kind)}</title>"
            f"<style>{_resource('page.css')}</style></head><body>"
            '<a class="skip" href="#main">Skip to the report</a>'
            f"<header><h1>{escape(self.title)}</h1>{self.head}"
            f'<nav aria-label="Sections"><ul>{links}</ul></nav></header>'
            f'<main id="main">{body}</main><footer>{self.footer}</footer>{code}</body></html>\n'
        )


def _section(section: PageSection) -> str:
    key = section.key
    return (
        f'<section id="{key}" aria-labelledby="{key}-title">'
        f'<h2 id="{key}-title">{escape(section.title)}</h2>{section.body}</section>'
    )


@cache
def _chart_scripts() -> tuple[str, str]:
    """The plotting library and the kit's script."""
    library = files("plotly").joinpath("package_data/plotly.min.js").read_text("utf-8")
    return _checked(library), _script("charts.js")


def _script(name: str) -> str:
    return _checked(_resource(name))


def _checked(script: str) -> str:
    """A script that does not end the element that holds it."""
    assert "</script" not in script
    assert "<!--" not in script
    return script


def _resource(name: str) -> str:
    return files("pages").joinpath(name).read_text("utf-8")


def _sha256(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
