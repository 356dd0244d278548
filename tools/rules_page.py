"""The page of all rules with their bounds by language."""

from __future__ import annotations

from refinery.filters.rules_table import (
    RuleRow,
    languages_with_bounds,
    provenance,
    range_in_words,
    rule_rows,
)
from refinery.filters.shipped_rules import DEFAULT

OPENING = """\
# Rules

Made by `python -m tools.docs` from `refinery/filters/rules.yaml`, `bounds.yaml` and `bounds_by_language.yaml`. A document whose value is outside of a
bound gets the rule's name as a reason, and the first reason drops it. `refinery rules [RECIPE] [--lang zh] [--json]` prints the same, also with a recipe's
changes. A recipe changes one end of a bound, for all languages or for one, or switches a rule off:

```yaml
recipe:
  clean:
    rules:
      bounds:
        "gopher:words": {minimum: 100}             # all languages; the maximum stays
        th: {"gopher:words": {minimum: 200}}       # one language
      disabled: ["fineweb:short_lines"]
```

Kinds of a language have its bounds (Cantonese and Wu those of `zh`); a language that no table below names has those of `default`. A page in several scripts is judged
by the lines in the script that most of it is in; its sizes are those of the whole page. Rules of one's own: [own_rules_and_models.md](own_rules_and_models.md)."""

METHOD = """\
Bounds that are *derived* follow a method of FineWeb-2 (Penedo et al. 2025): an English threshold is moved to the quantile that it is in English text. `python -m tools.language_bounds` takes manuals in Debian
packages, the same pages in each language: where an English bound cuts a share of the English pages, the language's bound cuts the same share of its own. Sizes in words follow the median ratio of the same
page's sizes. What would move by less than a fifth stays, and nothing becomes stricter than English by more than a third ([what it changes](../benchmarks/results/language_bounds.json)). Manuals are narrower than the web (a rule for prose cuts four in ten of their pages, in English
too): take these bounds as a start, and look at what they drop. A language with fewer than 100 such pages *borrows* its bounds:
Arabic, Persian, Romanian, Ukrainian, Norwegian, Thai, Lao and Burmese have no help of LibreOffice in Debian, and of the handbook and the installation guide too few translated pages; Hindi's
help is nearly all in English. Whoever has clean text of one of them: its pages in the folders that `benchmarks/corpora/manuals.py` names, and the same command."""


def rules_page() -> str:
    """Every rule, then each language with what is its own."""
    default = rule_rows([DEFAULT])
    lines = [OPENING, "", "## All rules", ""]
    lines += ["| rule | bounds | value | meaning | source |", "|---|---|---|---|---|"]
    for row in default:
        name = f"`{row['rule']}`" + (" (optional)" if row["optional"] else "")
        lines.append(
            f"| {name} | {_range(row)} | `{row['value']}` | {row['meaning']} | {row['source']} |"
        )
    lines += ["", "## Languages", "", METHOD]
    for language in languages_with_bounds()[1:]:
        lines += [
            "",
            f"### {language}",
            "",
            f"{provenance(language)[0].upper()}{provenance(language)[1:]}.",
        ]
        own = [
            row
            for row, usual in zip(rule_rows([language]), default, strict=True)
            if (row["minimum"], row["maximum"]) != (usual["minimum"], usual["maximum"])
        ]
        lines += ["", "| rule | bounds | source |", "|---|---|---|"]
        lines += [f"| `{row['rule']}` | {_range(row)} | {row['source']} |" for row in own]
    return "\n".join(lines) + "\n"


def _range(row: RuleRow) -> str:
    return range_in_words(row["minimum"], row["maximum"])
