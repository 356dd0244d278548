"""Names in a recipe that must be names of something else in it: sources and trained classifiers.

Works on plain data, also where other parts of the recipe are wrong, so that all mistakes are named
at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from schemas.settings import nearest


def misspelt_names(recipe: Any) -> list[str]:
    """One line for each name that nothing of the recipe has, with the nearest that something has."""
    if not isinstance(recipe, Mapping):
        return []
    sources = {
        str(name) for name in (_get(one, "name") for one in _list(recipe, "sources")) if name
    }
    faults = []
    for where, name in _source_names(recipe) if sources else ():
        if name not in sources:
            faults.append(f"{where}: no source '{name}'{nearest(name, sources)}")
    left_out = [name for name in sorted(sources) if name not in _in_dumps(recipe)]
    if _get(recipe, "dedup", "dumps") and left_out:
        faults.append(f"recipe.dedup.dumps: no dump holds {', '.join(left_out)}")
    heads = {str(name) for name in _mapping(recipe, "heads")}
    for name in map(str, _mapping(recipe, "clean", "heads")):
        if name not in heads:
            faults.append(_no_head("recipe.clean.heads", name, heads))
    scores = heads | _other_scores(recipe)
    score = _get(recipe, "mixture", "weight_by", "score")
    if isinstance(score, str) and score not in scores:
        faults.append(_no_head("recipe.mixture.weight_by.score", score, scores))
    if not _mapping(recipe, "quality"):
        bounds = [
            key for key, value in _mapping(recipe, "clean", "quality").items() if value is not None
        ]
        faults += [
            f"recipe.clean.quality.{key}: no document has that score without recipe.quality, "
            "which names the sources to train it on"
            for key in bounds
        ]
    return faults


def _no_head(where: str, name: str, heads: set[str]) -> str:
    hint = nearest(name, heads) if heads else "; it trains none: see recipe.heads"
    return f"{where}: no head '{name}' is trained by this recipe{hint}"


def _source_names(recipe: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(where, name) wherever a recipe names one of its sources."""
    if not recipe.get("runs"):  # their sources have weights, too
        for name in _mapping(recipe, "mixture", "weights"):
            yield "recipe.mixture.weights", str(name)
    training = {"recipe.quality": _mapping(recipe, "quality")}
    training |= {
        f"recipe.heads.{head}": _mapping(recipe, "heads", head)
        for head in _mapping(recipe, "heads")
    }
    for where, head in training.items():
        for side in ("positive", "negative"):
            for name in _list(head, side):
                yield f"{where}.{side}", str(name)
    for domain in _mapping(recipe, "domains", "sources"):
        for name in _list(recipe, "domains", "sources", domain):
            yield f"recipe.domains.sources.{domain}", str(name)
    for name in sorted(_in_dumps(recipe)):
        yield "recipe.dedup.dumps", name


def _in_dumps(recipe: Mapping[str, Any]) -> set[str]:
    dumps = _list(recipe, "dedup", "dumps")
    return {str(name) for dump in dumps if isinstance(dump, list | tuple) for name in dump}


def _other_scores(recipe: Mapping[str, Any]) -> set[str]:
    """Scores of documents beside those of recipe.heads."""
    domains = {f"domain.{name}" for name in _mapping(recipe, "domains", "sources")}
    return domains | ({"quality"} if _mapping(recipe, "quality") else set())


def _get(data: Any, *keys: str) -> Any:
    """The value below nested keys; None where one of them is missing or holds no mapping."""
    for key in keys:
        data = data.get(key) if isinstance(data, Mapping) else None
    return data


def _mapping(data: Any, *keys: str) -> Mapping[Any, Any]:
    found = _get(data, *keys)
    return found if isinstance(found, Mapping) else {}


def _list(data: Any, *keys: str) -> list[Any] | tuple[Any, ...]:
    found = _get(data, *keys)
    return found if isinstance(found, list | tuple) else ()
