"""The page of what may be imported, made from the public modules and their docstrings."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from typing import Any

from pydantic import BaseModel

PUBLIC_MODULES = ("schemas.api", "refinery.api", "train.api")
WIDTH = 100
# Settings are tables of pages of their own.
SETTINGS_PAGES = {"refinery": "recipes.md", "train": "training_settings.md"}
_SECTIONS = re.compile(r"^(Args|Returns|Raises|Attributes|Source|Example):", re.MULTILINE)


def api_page() -> str:
    """Every public name with its signature and docstring."""
    lines = [
        "# Names to import",
        "",
        "Made by `python -m tools.docs` from the modules that declare what may be imported: `schemas.api`,",
        "`refinery.api` (text and tokenizers; no Spark) and `train.api` (models; loads torch). Other modules are",
        "internal: their names may change in any release. `import refinery` and `import train` load nothing.",
        "The examples run in the folder that the [quickstart](quickstart.md) leaves.",
        "",
        "| module | names |",
        "|---|---|",
    ]
    modules = [import_module(name) for name in PUBLIC_MODULES]
    for module in modules:
        names = ", ".join(f"[`{name}`](#{name.lower()})" for name in module.__all__)
        lines.append(f"| `{module.__name__}` | {names} |")
    for module in modules:
        lines += ["", f"## {module.__name__}", "", *_docstring(module)]
        for name in module.__all__:
            lines += ["", *_entry(module, name)]
    return "\n".join(lines) + "\n"


def _entry(module: ModuleType, name: str) -> list[str]:
    thing = getattr(module, name)
    call = f"from {module.__name__} import {name}"
    lines = [f"### {name}", "", "```py", call]
    if not _has_own_signature(thing):
        return [*lines, "```", "", *_docstring(thing), *_members(thing, module)]
    return [
        *lines,
        *_signature(name, thing),
        "```",
        "",
        *_docstring(thing),
        *_members(thing, module),
    ]


def _has_own_signature(thing: Any) -> bool:
    """Settings take the keys of their tables, errors a message."""
    return not (isinstance(thing, type) and issubclass(thing, BaseModel | Exception))


def _signature(name: str, thing: Any) -> list[str]:
    signature = inspect.signature(thing)
    parts, is_keyword_only = [], False
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and not is_keyword_only:
            is_keyword_only = True
            parts.append("*")
        parts.append(_parameter(parameter))
    returned = signature.return_annotation
    is_function = not isinstance(thing, type) and returned is not signature.empty
    end = f" -> {_annotation(returned)}" if is_function else ""
    line = f"{name}({', '.join(parts)}){end}"
    if len(line) <= WIDTH:
        return ["", line]
    return ["", f"{name}(", *(f"    {part}," for part in parts), f"){end}"]


def _parameter(parameter: inspect.Parameter) -> str:
    text = parameter.name
    if parameter.annotation is not parameter.empty:
        text += f": {_annotation(parameter.annotation)}"
    if parameter.default is parameter.empty:
        return text
    is_factory = "factory" in repr(parameter.default).lower()
    return f"{text} = {'...' if is_factory else repr(parameter.default)}"


def _annotation(annotation: Any) -> str:
    """As the source has it: modules of this project postpone their annotations."""
    if isinstance(annotation, str):
        return annotation
    # Named tuples wrap them.
    return str(getattr(annotation, "__forward_arg__", None) or annotation.__name__)


def _docstring(thing: Any) -> list[str]:
    """The docstring; its sections become lists."""
    text = inspect.getdoc(thing) or ""
    first, *sections = _SECTIONS.split(text)
    lines = first.strip().splitlines()
    for title, body in zip(sections[::2], sections[1::2], strict=True):
        lines += ["", f"{title}:", "", *_items(title, body)]
    return lines


def _items(title: str, body: str) -> Iterator[str]:
    """A list of a section's entries; what is not `name: text` stays a paragraph."""
    text = inspect.cleandoc(body)
    if title == "Example":  # a test runs the blocks of this language, those of `py` are to be read
        yield from ("```python", *text.splitlines(), "```")
        return
    if title in ("Returns", "Source"):
        yield from text.splitlines()
        return
    for entry in re.split(r"\n(?=\S)", text):
        name, separator, meaning = " ".join(entry.split()).partition(": ")
        yield f"- `{name}`: {meaning}" if separator else f"- {name}"


def _members(thing: Any, module: ModuleType) -> Iterator[str]:
    """Public methods and properties that a class defines itself, and where its settings are."""
    if not isinstance(thing, type) or issubclass(thing, Exception):
        return
    if issubclass(thing, BaseModel):
        package = module.__name__.split(".", maxsplit=1)[0]
        page = SETTINGS_PAGES.get(package, "manifest.md")
        yield from ("", f"Its keys: [{page}]({page}).")
    fields = (
        {field.name for field in dataclasses.fields(thing)}
        if dataclasses.is_dataclass(thing)
        else set()
    )
    members = [
        (name, member)
        for name, member in vars(thing).items()
        if not name.startswith("_") and name not in fields and _summary(member)
    ]
    if members:
        yield ""
    for name, member in members:
        call = "" if _is_value(member) else "()"
        yield f"- `.{name}{call}`: {_summary(member)}"


def _is_value(member: Any) -> bool:
    return isinstance(member, property) or hasattr(member, "attrname")


def _summary(member: Any) -> str:
    """The first sentence of a method's docstring; validators of settings are not called by people."""
    function = getattr(member, "__func__", member)
    if not (inspect.isroutine(member) or isinstance(member, classmethod) or _is_value(member)):
        return ""
    return " ".join((inspect.getdoc(function) or "").split("\n\n")[0].split())
