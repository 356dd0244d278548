"""YAML as people mean it: the core schema of YAML 1.2, and an error for a key that is given twice.

PyYAML reads YAML 1.1, where `no`, `on` and `off` are booleans, `12:30:00` is a number of seconds,
`010` is eight and `2024-01-01` a date. Here they are text, as in YAML 1.2: only `true` and `false` are
booleans, and a language may be called `no`. Keys are names, so a key is always the text that was
written. `1_000_000` stays a number, which YAML 1.2 leaves out.
"""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from schemas.errors import ContractError, SettingsError

ShapeT = TypeVar("ShapeT")

# Words that YAML 1.1 took for booleans. Fields that are booleans still take them.
OLD_BOOLEANS = {"yes": True, "on": True, "y": True, "no": False, "off": False, "n": False}

_INT, _FLOAT = "tag:yaml.org,2002:int", "tag:yaml.org,2002:float"
_SIGNS_AND_DIGITS = "-+0123456789"
# Tag, form and first characters, from YAML 1.2.2, section 10.3.2.
_CORE_SCHEMA = (
    ("tag:yaml.org,2002:null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("tag:yaml.org,2002:bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    (
        _INT,
        r"[-+]?[0-9]+|[-+]?[0-9]{1,3}(?:_[0-9]{3})+|0o[0-7]+|0x[0-9a-fA-F]+",
        list(_SIGNS_AND_DIGITS),
    ),
    (
        _FLOAT,
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        list(_SIGNS_AND_DIGITS + "."),
    ),
    ("tag:yaml.org,2002:merge", "<<", ["<"]),
)


class _Loader(yaml.SafeLoader):
    """Reads the core schema; a mapping's keys are the text that stands there."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 (PyYAML's name)

    def construct_mapping(  # PyYAML fixes the signature
        self,
        node: yaml.MappingNode,
        deep: bool = False,  # noqa: FBT001
    ) -> dict[Any, Any]:
        seen: set[str] = set()
        for key_node, _ in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise yaml.YAMLError(f"line {line}: a key must be a name, found a {key_node.id}")
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            if key_node.value in seen:
                raise yaml.YAMLError(f"line {line}: key '{key_node.value}' is given twice")
            seen.add(key_node.value)
        self.flatten_mapping(node)
        for key_node, _ in node.value:
            key_node.tag = "tag:yaml.org,2002:str"
        return super().construct_mapping(node, deep)


def _construct_int(loader: _Loader, node: yaml.ScalarNode) -> int:
    text = str(node.value)
    base = {"0o": 8, "0x": 16}.get(text[:2], 10)
    return int(text, base)


def _construct_float(loader: _Loader, node: yaml.ScalarNode) -> float:
    text = str(node.value).lower()
    return float(text.replace(".inf", "inf").replace(".nan", "nan"))


class _Dumper(yaml.SafeDumper):
    """Quotes a text that either version of YAML would read as something else."""

    yaml_implicit_resolvers = {  # noqa: RUF012 (PyYAML's name)
        first: list(forms) for first, forms in yaml.SafeDumper.yaml_implicit_resolvers.items()
    }


for _tag, _form, _first in _CORE_SCHEMA:
    _pattern = re.compile(f"(?:{_form})\\Z")
    _Loader.add_implicit_resolver(_tag, _pattern, _first)
    _Dumper.add_implicit_resolver(_tag, _pattern, _first)
_Loader.add_constructor(_INT, _construct_int)
_Loader.add_constructor(_FLOAT, _construct_float)


def parse_yaml(text: str) -> Any:
    """The value of one YAML document.

    Raises:
        yaml.YAMLError: It is not YAML, repeats a key, or holds a number that is none.
    """
    try:
        return yaml.load(text, _Loader)
    except (ValueError, RecursionError) as error:
        raise yaml.YAMLError(str(error)) from error


def dump_yaml(data: Any) -> str:
    """The text from which `parse_yaml`, and any reader of YAML 1.1, gets the data back."""
    return yaml.dump(data, Dumper=_Dumper, allow_unicode=True, sort_keys=False)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read one YAML mapping.

    Raises:
        SettingsError: The file is missing, is not YAML, repeats a key, or holds no mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: not valid YAML: {error}") from error
    return parse_mapping(text, where=str(path))


def parse_mapping(text: str, *, where: str) -> dict[str, Any]:
    """The mapping that a YAML text holds; `where` names the text in errors.

    Raises:
        SettingsError: The text is not YAML, repeats a key, or holds no mapping.
    """
    try:
        data = parse_yaml(text)
    except yaml.YAMLError as error:
        raise SettingsError(f"{where}: not valid YAML: {error}") from error
    if not isinstance(data, dict):
        raise SettingsError(f"{where}: expected a mapping of settings, found {type(data).__name__}")
    return data


def read_list(package: str, name: str, shape: type[ShapeT]) -> ShapeT:
    """A list that ships with a package, checked against its declared shape.

    Raises:
        ContractError: A value has another type, as a word that YAML took for a number.
    """
    data = parse_mapping(files(package).joinpath(name).read_text("utf-8"), where=name)
    try:
        return TypeAdapter(shape).validate_python(data)
    except ValidationError as error:
        faults = [
            f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}, found {fault['input']!r:.80}"
            for fault in error.errors(include_url=False)
        ]
        raise ContractError(f"{name}: " + "\n  ".join(faults)) from error
