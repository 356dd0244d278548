"""The arms of a study: the base recipe, and the base recipe with changes."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.errors import SettingsError
from schemas.plain_json import json_text
from schemas.settings import parse_settings
from schemas.yaml_files import read_yaml
from train.aliases import translate_recipe
from train.recipe_files import find_recipe
from train.settings import TrainSettings
from train.studies.settings import BASE, Changes, StudySettings, check_changes

# A study measures its runs itself, and keeps dozens of them; what a recipe says of these stays.
_OF_STUDIES: Changes = {
    "evaluation": None,
    "checkpoint.keep_last": 1,
    "checkpoint.export": False,
    "metrics.tensorboard": False,
}
_NAME_CHARS = 60


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One recipe of a study.

    Attributes:
        name: As the table and the folders of its runs have it.
        changes: What it does otherwise than the base recipe: dotted key -> value.
    """

    name: str
    changes: Changes

    @property
    def slug(self) -> str:
        """The name as a part of a folder's name."""
        plain = re.sub(r"[^\w.=+-]+", "-", self.name).strip("-.") or "arm"
        return plain[:_NAME_CHARS]


@dataclass(frozen=True, kw_only=True)
class BaseRecipe:
    """The recipe that all runs of a study share.

    Attributes:
        path: Its file.
        data: Its settings under their current names, with the changes that all runs share.
    """

    path: Path
    data: Mapping[str, Any]

    def settings(self, changes: Changes, *, where: str) -> TrainSettings:
        """The base recipe with some changes.

        Raises:
            SettingsError: With every fault; a key that the recipe does not have, with its nearest one.
        """
        return parse_settings(TrainSettings, changed(self.data, changes, where), where=where)


def read_base(study: StudySettings) -> BaseRecipe:
    """The base recipe of a study.

    Raises:
        SettingsError: It cannot be read, or the changes for all runs do not fit it.
    """
    path = find_recipe(Path(study.recipe), said_by="recipe")
    check_changes(study.set, "set")
    data, _ = translate_recipe(read_yaml(path))
    unsaid = {key: value for key, value in _OF_STUDIES.items() if not _says(data, key)}
    data = changed(data, unsaid, "recipe")
    data.pop("output", None)
    return BaseRecipe(path=path, data=changed(data, study.set, "set"))


def changed(data: Mapping[str, Any], changes: Changes, where: str) -> dict[str, Any]:
    """A recipe with dotted keys set; other names of settings are translated.

    Raises:
        SettingsError: A key leads through something that is no section.
    """
    overrides = [f"{key}={_as_yaml(value)}" for key, value in changes.items()]
    try:
        return translate_recipe(dict(data), overrides)[0]
    except SettingsError as error:
        raise SettingsError(f"{where}: {str(error).removeprefix('--set ')}") from error


def _says(data: Any, key: str) -> bool:
    for part in key.split("."):
        if not isinstance(data, Mapping) or part not in data:
            return False
        data = data[part]
    return True


def _as_yaml(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)  # JSON is YAML


def study_arms(study: StudySettings) -> list[Arm]:
    """The arms of a study, the reference first; those of a search are its trials.

    Raises:
        SettingsError: Two arms are one recipe or share a name, or one changes what the study sets.
    """
    if study.matrix is not None:
        arms = _combinations(study.matrix)
    else:
        named = study.arms or study.ablate or {}
        arms = [Arm(name=BASE, changes={})]
        arms += [Arm(name=name, changes=changes) for name, changes in named.items()]
    for arm in arms:
        check_changes(arm.changes, f"arm {arm.name}")
    _check_names(arms)
    return arms


def _combinations(matrix: Mapping[str, Sequence[Any]]) -> list[Arm]:
    for key, values in matrix.items():
        if not values:
            raise SettingsError(f"matrix.{key}: expected one or more values, got none")
    arms = []
    for values in itertools.product(*matrix.values()):
        changes = dict(zip(matrix, values, strict=True))
        name = ", ".join(f"{key}={_in_words(value)}" for key, value in changes.items())
        arms.append(Arm(name=name, changes=changes))
    return arms


def _in_words(value: Any) -> str:
    return value if isinstance(value, str) else json_text(value)


def _check_names(arms: Sequence[Arm]) -> None:
    seen: dict[str, str] = {}
    for arm in arms:
        before = seen.setdefault(arm.slug.casefold(), arm.name)
        if before != arm.name or sum(one.name == arm.name for one in arms) > 1:
            raise SettingsError(
                f"arms '{before}' and '{arm.name}': their runs would share the folder {arm.slug}; give one "
                "another name"
            )
