"""Pages of settings in the words of YAML, made from the settings' classes.

A section of the page is a settings class: what it is for, an example that a test parses, and its
keys with their values, defaults and meanings.
"""

from __future__ import annotations

import re
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import yaml
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from schemas.settings import Settings
from schemas.yaml_files import parse_yaml

EXAMPLES = Path(__file__).with_name("setting_examples.yaml")
SOURCES = Path(__file__).with_name("setting_sources.yaml")
# Where defaults come from, by section and key.
Sources = Mapping[str, Mapping[str, str]]
_WORDS = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    Any: "any value",
}
_PYTHON = {"None": "null", "True": "true", "False": "false"}
# Names of pydantic's constraints, and how the page says them.
_BOUNDS = {
    "gt": "above {}",
    "ge": "at least {}",
    "lt": "below {}",
    "le": "at most {}",
    "min_length": "at least {} of them",
    "pattern": "matching `{}`",
}


@dataclass(frozen=True, kw_only=True)
class Section:
    """One settings class where a settings file has it.

    Attributes:
        key: Its dotted key; `[]` stands for the items of a list, `NAME` for a name of one's own.
        inner: Classes of fields that the settings type as a plain mapping, by the field's name.
        heading: Of the page; None: the key.
    """

    key: str
    model: type[Settings]
    inner: Mapping[str, type[Settings]] = field(default_factory=dict)
    heading: str | None = None

    @property
    def title(self) -> str:
        return self.key if self.heading is None else self.heading


def read_examples() -> dict[str, str]:
    """Examples by the key of their section, as written."""
    examples: dict[str, str] = parse_yaml(EXAMPLES.read_text("utf-8"))
    return examples


def read_sources() -> Sources:
    """Where the trainer's defaults come from."""
    sources: Sources = parse_yaml(SOURCES.read_text("utf-8"))
    return sources


def wants_source(info: FieldInfo) -> bool:
    """Whether a default is a number or a choice between methods, which somebody has to have made."""
    if info.is_required() or (
        get_origin(info.annotation) is Literal and len(get_args(info.annotation)) == 1
    ):
        return False
    if info.default_factory_takes_validated_data:
        return True
    value = info.get_default(call_default_factory=True)
    is_choice = isinstance(value, str) and "Literal" in str(info.annotation)
    return is_choice or (isinstance(value, int | float) and not isinstance(value, bool))


def settings_page(
    roots: list[Section], *, opening: list[str], sources: Sources | None = None
) -> str:
    """The page of the root sections and of all sections in them.

    Args:
        roots: Sections that nothing else holds, in the order of the page.
        opening: Lines from the title to the first section.
        sources: Where defaults come from, for a column of its own; None: no such column.
    """
    examples, first_titles = read_examples(), dict[type[Settings], str]()
    lines = [*opening]
    for root in roots:
        for section in all_sections(root):
            example = examples.get(section.title)
            of_section = None if sources is None else sources.get(section.title, {})
            lines += _section_lines(section, example, first_titles, of_section)
            first_titles.setdefault(section.model, section.title)
    return "\n".join(lines) + "\n"


def all_sections(root: Section) -> Iterator[Section]:
    """The section and all sections below it, each where a settings file has it."""
    yield root
    for name, info in root.model.model_fields.items():
        key = f"{root.key}.{name}".lstrip(".")
        inner = root.inner.get(name)
        if inner is not None:
            yield from all_sections(Section(key=key, model=inner))
        models = list(_models_in(info.annotation))
        for model, suffix in models:
            forms = [other for other, its in models if its == suffix]
            heading = f"{key}{suffix} with {_first_key(model)}" if len(forms) > 1 else None
            yield from all_sections(Section(key=key + suffix, model=model, heading=heading))


def _first_key(model: type[Settings]) -> str:
    """The key by which a section is told from others that may stand in its position."""
    return next(iter(model.model_fields))


def _models_in(annotation: Any, suffix: str = "") -> Iterator[tuple[type[Settings], str]]:
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        yield annotation, suffix
        return
    below = {tuple: "[]", list: "[]", dict: ".NAME"}.get(get_origin(annotation), "")
    for part in get_args(annotation):
        yield from _models_in(part, suffix + below)


def _section_lines(
    section: Section,
    example: str | None,
    first_titles: Mapping[type[Settings], str],
    sources: Mapping[str, str] | None,
) -> list[str]:
    lines = ["", f"## {section.title}", ""]
    if section.model in first_titles:
        first = first_titles[section.model]
        return [*lines, f"The same keys as [`{first}`](#{anchor(first)})."]
    lines += _prose(section.model.__doc__ or "")
    if example is not None:
        lines += ["", "```yaml", example.rstrip("\n"), "```"]
    more = "" if sources is None else " the default's source |"
    lines += [
        "",
        f"| key | value | default | meaning |{more}",
        "|---|---|---|---|" + "---|" * bool(more),
    ]
    for name, info in section.model.model_fields.items():
        meaning = _cell(info.description or _summary(info) or _constant(info))
        value = _cell(value_in_words(info))
        source = "" if sources is None else f" {_cell(sources.get(name, ''))} |"
        lines.append(f"| `{name}` | {value} | {_cell(_default(info))} | {meaning} |{source}")
    return lines


def anchor(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    kept = re.sub(r"[^\w\- ]", "", heading.strip().lower())
    return kept.replace(" ", "-")


def _prose(docstring: str) -> list[str]:
    """A docstring as paragraphs, without the parts that only programmers read."""
    text = re.split(r"\n\s*(?:Attributes|Args|Raises):", docstring)[0]
    paragraphs = [" ".join(part.split()) for part in text.split("\n\n") if part.strip()]
    return [line for part in paragraphs for line in ("", _yaml_words(part))][1:]


def _summary(info: FieldInfo) -> str:
    """The first sentence of a section's class stands for a missing description."""
    models = list(_models_in(info.annotation))
    return " ".join((models[0][0].__doc__ or "").split("\n\n")[0].split()) if models else ""


def _constant(info: FieldInfo) -> str:
    """A key with one possible value tells this section from others that may stand in its position."""
    return "chooses these settings" if len(get_args(info.annotation)) == 1 else ""


def _yaml_words(text: str) -> str:
    return re.sub(r"\b(None|True|False)\b", lambda match: _PYTHON[match[1]], text)


def _cell(text: str) -> str:
    return _yaml_words(text.replace("\n", " ")).replace("|", "\\|")


def value_in_words(info: FieldInfo) -> str:
    """What may be written, e.g. "number or null, above 0, at most 1"."""
    words = _annotation_in_words(info.annotation)
    bounds = [
        template.format(_number(bound))
        for constraint in info.metadata
        for name, template in _BOUNDS.items()
        if (bound := getattr(constraint, name, None)) is not None
    ]
    return ", ".join([words, *bounds])


def _annotation_in_words(annotation: Any) -> str:
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        return "section"
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Literal and len(parts) == 1:
        return f"`{parts[0]}`"
    if origin is Literal:
        return "one of " + ", ".join(f"`{part}`" for part in parts)
    if origin in (Union, types.UnionType):
        words = [_annotation_in_words(part) for part in parts if part is not type(None)]
        return " or ".join([*dict.fromkeys(words), *(["null"] if type(None) in parts else [])])
    if origin in (tuple, list):
        return _list_in_words(parts)
    if origin is dict:
        value = _annotation_in_words(parts[1])
        names = _annotation_in_words(parts[0]) if get_origin(parts[0]) is Literal else ""
        mapping = "section" if parts[1] is Any else f"mapping of names to {_plural(value)}"
        return mapping + (f"; names are {names}" if names else "")
    if origin is not None:  # Annotated
        return _annotation_in_words(parts[0])
    return _WORDS.get(annotation, getattr(annotation, "__name__", str(annotation)))


def _list_in_words(parts: tuple[Any, ...]) -> str:
    if parts[-1] is Ellipsis or len(parts) == 1:
        return f"list of {_plural(_annotation_in_words(parts[0]))}"
    items = ", ".join(_annotation_in_words(part) for part in parts)
    return f"list of {len(parts)}: {items}"


def _plural(words: str) -> str:
    if words.startswith("one of"):
        return words.removeprefix("one of ").replace(", ", " or ")
    if words.startswith("list of"):
        return f"lists{words.removeprefix('list')}"
    if words in ("true or false", "any value"):
        return words.replace("value", "values")
    head, separator, tail = words.partition(" or ")
    return f"{head}s{separator}{tail}"


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "required"
    if info.default_factory_takes_validated_data:
        return "`null`"  # the value follows from other keys, as the description says
    value = info.get_default(call_default_factory=True)
    if value is PydanticUndefined or isinstance(value, Settings):
        return "its defaults"
    if isinstance(value, tuple) and any(isinstance(item, Settings) for item in value):
        return f"{len(value)} sections"
    return f"`{in_yaml(value)}`"


def in_yaml(value: Any) -> str:
    """A value as one writes it in YAML, on one line."""
    plain = _plain(value)
    if plain == "":
        return '""'
    text = yaml.safe_dump(plain, default_flow_style=True, width=10_000, sort_keys=False)
    return text.removesuffix("\n").removesuffix("\n...")


def _plain(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return _rounded(value) if isinstance(value, float) else value


def _rounded(value: float) -> float | int:
    return int(value) if value.is_integer() and abs(value) >= 1000 else float(f"{value:.6g}")


def _number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
