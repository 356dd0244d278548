"""Strict settings: YAML plus `--set dotted.key=value`, into frozen pydantic models.

An unknown key is an error that names the nearest valid one. Nothing here imports Spark or torch, so
a misspelt recipe costs less than a second.
"""

from __future__ import annotations

import copy
import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)
from pydantic_core import PydanticCustomError

from schemas.errors import SettingsError
from schemas.yaml_files import parse_yaml, read_yaml


class Settings(BaseModel):
    """Base of every configuration: frozen, strict, closed.

    Optional features are `Config | None`; no threshold is switched off by being 0 or false.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    @model_validator(mode="before")
    @classmethod
    def _name_unknown_keys(cls, data: Any) -> Any:
        """Report unknown keys with their nearest neighbour; pydantic alone only says 'extra'."""
        if not isinstance(data, dict):
            return data
        known = {field.alias or name for name, field in cls.model_fields.items()}
        for key in data:
            if key not in known:
                hint = nearest(str(key), known)
                raise PydanticCustomError(
                    "unknown_key",
                    "{key}: unknown key{hint}",
                    {"key": key, "hint": hint, "known": sorted(known)},
                )
        return data


# The type of an error whose message names the keys that it is about.
SEVERAL_KEYS = "several_keys"

SettingsT = TypeVar("SettingsT", bound=Settings)


def nearest(word: str, choices: Sequence[str] | set[str]) -> str:
    """Return "; did you mean 'x'?", or the list of choices where nothing resembles the word."""
    return closest(word, choices) or f"; known: {', '.join(sorted(choices))}"


def closest(word: str, choices: Iterable[str]) -> str:
    """Return "; did you mean 'x'?", or nothing where no choice resembles the word."""
    matches = difflib.get_close_matches(word, sorted(choices), n=1, cutoff=0.6)
    return f"; did you mean '{matches[0]}'?" if matches else ""


def apply_overrides(data: dict[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Return `data` with each `dotted.key=value` set; values are read as YAML.

    A number in the path indexes a list. Missing mappings on the way are created; the model then
    judges their keys.
    """
    merged = copy.deepcopy(data)
    for override in overrides:
        path, separator, raw = override.partition("=")
        if not separator or not path:
            raise SettingsError(f"--set {override}: expected dotted.key=value")
        try:
            value = parse_yaml(raw)
        except yaml.YAMLError as error:
            raise SettingsError(f"--set {path}: {raw!r} is not a YAML value") from error
        _set_path(merged, path, value)
    return merged


def _set_path(data: dict[str, Any], path: str, value: Any) -> None:
    *parents, last = path.split(".")
    node: Any = data
    for part in parents:
        if isinstance(node, list):
            node = node[_list_index(node, part, path)]
            continue
        if not isinstance(node.get(part), dict | list):
            node[part] = {}
        node = node[part]
    if isinstance(node, list):
        node[_list_index(node, last, path)] = value
    else:
        node[last] = value


def _list_index(node: list[Any], part: str, path: str) -> int:
    if not part.isdigit() or int(part) >= len(node):
        raise SettingsError(f"--set {path}: '{part}' is no index of a list of {len(node)}")
    return int(part)


def parse_settings(model: type[SettingsT], data: dict[str, Any], *, where: str) -> SettingsT:
    """Validate `data`; every fault is one line with its dotted key.

    Raises:
        SettingsError: With all faults, the unknown keys with their nearest valid one.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        lines = _all_faults(model, data, error)
        raise SettingsError(f"{where}: " + "\n  ".join(lines)) from error


def _all_faults(model: type[Settings], data: dict[str, Any], error: ValidationError) -> list[str]:
    """Faults of each section; an unknown key hides the others, so it is read as the nearest known one."""
    lines: list[str] = []
    plain = copy.deepcopy(data)
    while True:
        # A default that follows from a wrong value is no second fault.
        faults = [
            dict(fault)
            for fault in error.errors(include_url=False)
            if fault["type"] != "default_factory_not_called"
        ]
        lines += [line for fault in faults if (line := _fault(fault)) not in lines]
        unknown = [fault for fault in faults if fault["type"] == "unknown_key"]
        if not [fault for fault in unknown if _mend(plain, fault)]:
            return lines
        try:
            model.model_validate(plain)
        except ValidationError as further:
            error = further
        else:
            return lines


def _mend(data: Any, fault: dict[str, Any]) -> bool:
    """Rename an unknown key to what it resembles, or take it out; says whether it was there."""
    key, known = fault["ctx"]["key"], fault["ctx"]["known"]
    try:
        for part in fault["loc"]:
            data = data[part]
        value = data.pop(key)
    except (KeyError, IndexError, TypeError):
        return False
    if match := difflib.get_close_matches(
        str(key), sorted(set(known) - set(data)), n=1, cutoff=0.6
    ):
        data[match[0]] = value
    return True


def _fault(fault: dict[str, Any]) -> str:
    # Names of the forms that a value may have begin with "_"; nobody writes them.
    key = ".".join(str(part) for part in fault["loc"] if not str(part).startswith("_"))
    if fault["type"] == "unknown_key":
        return f"{key}.{fault['msg']}" if key else str(fault["msg"])
    message = str(fault["msg"]).removeprefix("Value error, ")
    if fault["type"] in ("model_type", "dict_type"):
        message = "expected a section of keys and values, {key: value}"
    # A rule about several keys, which its message names.
    if not fault["loc"] or fault["type"] == SEVERAL_KEYS:
        return message
    # A rule about several keys of a section names them and their values itself.
    is_rule = fault["type"] == "value_error" and isinstance(fault["input"], dict | BaseModel)
    is_named = fault["type"] == "missing" or is_rule
    found = "" if is_named else f", found {fault['input']!r:.80}"
    return f"{key}: {message}{found}{_quoting(fault)}"


def _quoting(fault: dict[str, Any]) -> str:
    """What to do where YAML took a text for a number, true, false or null."""
    wants_text = fault["type"] in ("string_type", "literal_error")
    is_plain = fault["input"] is None or isinstance(fault["input"], bool | int | float)
    return "; put a text that looks like this in quotes" if wants_text and is_plain else ""


def load_settings(model: type[SettingsT], path: Path, overrides: Sequence[str] = ()) -> SettingsT:
    """Read a YAML file, apply the overrides, validate."""
    return parse_settings(model, apply_overrides(read_yaml(path), overrides), where=str(path))


class Bounded(Settings):
    """An inclusive range whose ends may be open (`None`).

    An end that was not given is not written either: where a range changes another one, that end stays,
    while a null opens it.
    """

    minimum: float | None = Field(
        default=None, description="smallest value that is allowed; null: any"
    )
    maximum: float | None = Field(
        default=None, description="largest value that is allowed; null: any"
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if None not in (self.minimum, self.maximum) and self.minimum > self.maximum:  # type: ignore[operator]
            raise ValueError(f"need minimum <= maximum, got {self.minimum} and {self.maximum}")
        return self

    @model_serializer(mode="wrap")
    def _given_ends(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: end for name, end in write(self).items() if name in self.model_fields_set}
