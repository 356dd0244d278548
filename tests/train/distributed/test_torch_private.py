"""Private names of torch: all in one module, and all still there."""

from __future__ import annotations

import ast
import inspect
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.distributed.pipelining import schedules

from train.distributed import torch_private
from train.distributed.torch_private import CHECKED_VERSION, PRIVATE_NAMES

ROOT = Path(__file__).resolve().parents[3]
OWN_OBJECTS = {"self", "cls"}
# Of the standard library, and a private name of the class whose method reads it.
ALLOWED = {"os._exit", "both._moved"}


def resolve(name: str) -> Any:
    """The object of a dotted name: the longest module that can be imported, then attributes."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found = import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            found = getattr(found, part)
        return found
    raise AssertionError(name)


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def private_uses(path: Path) -> list[str]:
    """Private attributes of other objects, and imports of private names of torch."""
    uses = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            owner = ast.unparse(node.value)
            if owner not in OWN_OBJECTS and ast.unparse(node) not in ALLOWED:
                uses.append(f"{path.name}:{node.lineno} {ast.unparse(node)}")
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "torch":
            names = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
            uses += [f"{path.name}:{node.lineno} {name}" for name in names if is_private(name)]
    return uses


def test_no_other_module_touches_a_private_name() -> None:
    own = Path(torch_private.__file__)
    files = [path for path in sorted((ROOT / "train").rglob("*.py")) if path != own]

    assert [use for path in files for use in private_uses(path)] == []


def test_the_search_finds_the_names_of_the_module_that_may_have_them() -> None:
    found = " ".join(private_uses(Path(torch_private.__file__)))

    for name in ("_foreach_norm", "_pytree", "_checkpoint", "_step_microbatches", "_init_group"):
        assert name in found


@pytest.mark.parametrize("name", sorted(PRIVATE_NAMES))
def test_each_private_name_is_still_in_torch(name: str) -> None:
    assert resolve(name) is not None


def test_the_installed_torch_is_the_one_that_the_names_were_checked_in() -> None:
    assert torch.__version__.startswith(f"{CHECKED_VERSION}.")


@pytest.mark.parametrize(
    ("kind", "attribute"),
    [
        (schedules.PipelineScheduleSingle, "self._stage ="),
        (schedules.PipelineScheduleMulti, "self._stages ="),
    ],
)
def test_schedules_still_keep_their_stages_under_the_names_that_are_read(
    kind: type, attribute: str
) -> None:
    assert attribute in inspect.getsource(kind)


def test_kernels_over_lists_are_those_of_single_tensors() -> None:
    tensors = [torch.tensor([3.0, 4.0]), torch.tensor([[1.0], [0.0]])]

    assert [float(norm) for norm in torch_private.norms(tensors)] == [5.0, 1.0]
    torch_private.scale_in_place(tensors, 0.5)
    assert [tensor.flatten().tolist() for tensor in tensors] == [[1.5, 2.0], [0.5, 0.0]]


def test_the_gradient_of_a_softmax_is_that_of_autograd() -> None:
    scores = torch.randn(3, 5, dtype=torch.float64, requires_grad=True)
    weights = scores.softmax(-1)
    upstream = torch.randn(3, 5, dtype=torch.float64)
    weights.backward(upstream)  # type: ignore[no-untyped-call]

    found = torch_private.softmax_backward(upstream, weights.detach())

    torch.testing.assert_close(found, scores.grad)


def test_a_wrapped_block_has_the_names_of_the_block() -> None:
    block = torch.nn.Linear(2, 2)
    wrapped = torch_private.wrap_for_recompute(block)

    names = [torch_private.unwrapped_name(name) for name, _ in wrapped.named_parameters()]
    assert names == ["weight", "bias"]
    assert sorted(wrapped.state_dict()) == ["bias", "weight"]
