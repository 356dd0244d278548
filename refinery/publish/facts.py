"""Facts: what a stage's record says beyond its tables and counts, for later stages and the report.

Each stage that has any declares one model of them beside the code that they describe. The model is
validated when the stage returns it and again when somebody reads it from a record, so a renamed
field is an error of mypy and a wrong record ends the run before any stage has worked.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from schemas.errors import ContractError


class Facts(BaseModel):
    """Base of facts and of their parts: frozen, closed, strict (a number in a string is none)."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class StageFacts(Facts):
    """Base of the facts of one stage, whose name the subclass gives."""

    stage: ClassVar[str]


FactsT = TypeVar("FactsT", bound=StageFacts)


def read_facts(model: type[FactsT], facts: Mapping[str, Any]) -> FactsT:
    """Facts from the JSON object of a record.

    Raises:
        ContractError: They are not of this form; names the stage, each field, what was found and
            what was expected.
    """
    try:
        return model.model_validate_json(json.dumps(_decoded(model, facts)))
    except ValidationError as error:
        faults = "; ".join(_fault(fault) for fault in error.errors(include_url=False))
        raise ContractError(f"the record of stage '{model.stage}': {faults}") from error


def _fault(fault: Mapping[str, Any]) -> str:
    field = ".".join(map(str, ("facts", *fault["loc"])))
    if fault["type"] == "missing":
        return f"{field}: missing"
    return f"{field}: {fault['msg']}, found {fault['input']!r:.80}"


def _decoded(model: type[StageFacts], facts: Mapping[str, Any]) -> dict[str, Any]:
    """Plain values. Versions up to 0.1.0 wrote every fact as a string, with JSON inside of most."""
    if not all(isinstance(value, str) for value in facts.values()):
        return dict(facts)
    texts = {name for name, field in model.model_fields.items() if field.annotation is str}
    return {name: value if name in texts else _json_or_text(value) for name, value in facts.items()}


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
