"""Options of a recipe, two at a time or more: the smallest run that has them, and what refuses it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

from schemas.manifest import SpecialIds
from tests.support.datasets import DatasetShape
from tests.support.extended import BASE_SIZE, write_two_datasets
from train.exchange.folder import export_folder
from train.model.presets import resolve_model
from train.model.transformer import build_model

SEQ_LEN = 16
_SPECIAL = SpecialIds(
    pad=0, eos=1, mask=2, cls=3, sep=4, bos=5, sentinels=tuple(range(110, 90, -1))
)
_SHAPE = {"width": 32, "num_heads": 4, "mlp_width": 48}
_MOST_OPTIONS = 6
_OBJECTIVES = {"t5": "span_corruption", "bert": "masked"}


@dataclass(frozen=True, kw_only=True)
class Option:
    """One value of one setting.

    Attributes:
        axis: The setting; two options of one axis are alternatives, never a pair.
        name: What a refusal must name, as a pattern.
        changes: The recipe's blocks, merged into the base.
        ranks: Factor by which the option multiplies the world.
        family: Family of the model that it asks for; None where any will do.
        rows: Which dataset it reads.
    """

    axis: str
    name: str
    changes: dict[str, Any]
    ranks: int = 1
    family: str | None = None
    rows: str = "plain"

    @property
    def pattern(self) -> str:
        return self.name if self.family is None else rf"{self.name}|\b{self.family}\b"


def _model(name: str, value: Any, *, family: str | None = None, **more: Any) -> Option:
    changes = {"model": {name: value, **more}}
    return Option(axis=f"model.{name}", name=name, changes=changes, family=family)


def _objective(
    name: str, family: str, rows: str = "plain", pattern: str | None = None, **more: Any
) -> Option:
    changes: dict[str, Any] = {"objective": {"name": name, **more}}
    if name == "classify":
        changes["model"] = {"num_classes": 3}
    return Option(axis="objective", name=pattern or name, changes=changes, family=family, rows=rows)


def _parallel(axis: str, ranks: int = 2, name: str | None = None, **more: Any) -> Option:
    return Option(
        axis=axis, name=name or axis, changes={"parallel": {axis: 2, **more}}, ranks=ranks
    )


OPTIONS = (
    *(
        Option(axis="family", name=family, changes={}, family=family)
        for family in ("gpt2", "opt", "neox", "llama", "t5", "bert")
    ),
    _objective("causal", "gpt2"),
    _objective("span_corruption", "t5"),
    _objective(
        "span_corruption", "gpt2", pattern="span_corruption|arrangement", arrangement="prefix_lm"
    ),
    _objective("denoising", "t5", grid="iid_15_u_u"),
    _objective("ul2", "gpt2"),
    _objective("masked", "bert"),
    _objective("masked", "bert", augment={"token_dropout": 0.1}),
    _objective("unilm", "bert"),
    _objective("classify", "bert", rows="pairs"),
    _objective("classify", "bert", rows="pairs", at="tokens"),
    _objective("text_to_text", "t5", rows="pairs"),
    _parallel("tp"),
    _parallel("tp", name="sequence_parallel|tp", sequence_parallel=True),
    *(
        _parallel("pp", name=f"pp|{schedule}", pipeline_schedule=schedule)
        for schedule in ("gpipe", "1f1b", "interleaved", "zero_bubble")
    ),
    _parallel("dp_shard"),
    _parallel("dp_replicate"),
    Option(axis="diloco", name="diloco", changes={"diloco": {"inner_steps": 1}}, ranks=2),
    Option(
        axis="asynchronous",
        name="asynchronous",
        changes={"asynchronous": {"workers": 1}, "optimizer": {"name": "sgd"}},
        ranks=2,
    ),
    *(
        Option(
            axis="optimizer", name=f"optimizer.name {name}", changes={"optimizer": {"name": name}}
        )
        for name in ("adamw", "adafactor", "sgd", "lion", "muon")
    ),
    Option(axis="l1", name="optimizer.l1", changes={"optimizer": {"l1": 1e-3, "l2": 1e-3}}),
    *(
        Option(axis="precision", name="precision", changes={"precision": {"compute": compute}})
        for compute in ("bf16", "fp16")
    ),
    *(
        Option(axis="recompute", name="recompute", changes={"recompute": how})
        for how in ("selective", "full")
    ),
    Option(axis="compile", name="compile", changes={"compile": True}),
    Option(axis="start", name="warm_start|weights", changes={"warm_start": {"source": "here"}}),
    Option(
        axis="start",
        name="trainable|weights",
        changes={"warm_start": {"source": "here"}, "trainable": "new_embeddings"},
    ),
    Option(
        axis="ramp",
        name="ramp|batch",
        changes={"batch": {"ramp": {"start_sequences": 8, "over_tokens": 512, "quantum": 8}}},
    ),
    Option(axis="phases", name="phases", changes={"phases": [{"stop": {"steps": 1}}] * 2}),
    Option(
        axis="evaluation",
        name=r"evaluation\.every_steps",
        changes={"evaluation": {"every_steps": 1}},
    ),
    _model("z_loss", 1e-4),
    _model("label_smoothing", 0.1),
    _model("dropout", 0.1),
    _model("mup_base_width", 16, family="gpt2"),
    _model("norm", "batchnorm"),
    _model("norm", "none", init="tfixup", norm_position="pre"),
    _model("norm_position", "sandwich"),
    _model("norm_position", "post"),
    _model("tied_head", False),
    _model("share_stacks", True, family="t5"),
    _model("positions", "rotary", family="gpt2"),
    _model("attend_across_documents", True),
    _model("num_kv_heads", 2),
)


@dataclass(frozen=True, kw_only=True)
class Mix:
    """Two options or more, and the recipe that has them all."""

    options: tuple[Option, ...]
    recipe: dict[str, Any] = field(repr=False)

    @property
    def label(self) -> str:
        return " x ".join(_label(option) for option in self.options)

    @property
    def ranks(self) -> int:
        """The world: degrees multiply, but the replicas of DiLoCo are its data ranks."""
        if {"dp_replicate", "diloco"} <= self.axes:
            return 2
        return math.prod(option.ranks for option in self.options)

    @property
    def axes(self) -> set[str]:
        return {option.axis for option in self.options}

    @property
    def pairs(self) -> set[frozenset[str]]:
        """The pairs of options that a run of this recipe tries."""
        return {frozenset(pair) for pair in combinations(map(_label, self.options), 2)}

    def is_named_in(self, message: str) -> bool:
        """Whether one line of a refusal names all options."""
        return any(
            all(re.search(option.pattern, line) for option in self.options)
            for line in message.splitlines()
        )


def _label(option: Option) -> str:
    return f"{option.axis}={option.changes or option.family}"


@dataclass(frozen=True, kw_only=True)
class Datasets:
    """Folders of rows as they come (`plain`) and of supervised rows (`pairs`)."""

    folder: Path
    plain: Path
    pairs: Path
    base_tokenizer: Path


def write_datasets(folder: Path) -> Datasets:
    """Small datasets of an extended tokenizer that has all special tokens."""
    shape = DatasetShape(
        rows_per_shard=(64,), heldout_rows=5, seq_len=SEQ_LEN, special=_SPECIAL,
        columns=("word_starts", "sentence_starts"),
    )  # fmt: skip
    plain = write_two_datasets(folder / "plain", shape)
    supervised = DatasetShape(
        rows_per_shard=(64,), heldout_rows=5, seq_len=SEQ_LEN, special=_SPECIAL, layout="pairs",
        columns=("target_start", "class_label", "token_labels"), padded=False,
    )  # fmt: skip
    pairs = write_two_datasets(folder / "pairs", supervised)
    return Datasets(
        folder=folder,
        plain=plain.extended,
        pairs=pairs.extended,
        base_tokenizer=plain.base / "tokenizer",
    )


def all_pairs(datasets: Datasets) -> Iterator[Mix]:
    """Every two options of different axes."""
    for number, (first, second) in enumerate(combinations(OPTIONS, 2)):
        if first.axis != second.axis:
            yield _mix((first, second), datasets, f"pair-{number}")


def few_mixes(
    pairs: Sequence[Mix], datasets: Datasets, is_allowed: Callable[[Mix], bool]
) -> list[Mix]:
    """Few recipes that try every one of the pairs, each recipe with as many options as go together.

    Args:
        pairs: Pairs that are allowed and need one number of ranks.
        datasets: What the recipes read.
        is_allowed: Whether no rule refuses a recipe.
    """
    left = {pair: None for mix in pairs for pair in mix.pairs}
    ranks = pairs[0].ranks
    mixes: list[Mix] = []
    for start in pairs:
        if not start.pairs <= left.keys():
            continue
        mix = start
        for option in OPTIONS:
            if len(mix.options) == _MOST_OPTIONS or not _goes_with(option, mix):
                continue
            name = f"mix-{ranks}-{len(mixes)}-{len(mix.options)}"
            wider = _mix((*mix.options, option), datasets, name)
            is_worth_it = not left.keys().isdisjoint(wider.pairs - mix.pairs)
            if is_worth_it and wider.ranks == ranks and is_allowed(wider):
                mix = wider
        for pair in mix.pairs:
            left.pop(pair, None)
        mixes.append(mix)
    return mixes


def _goes_with(option: Option, mix: Mix) -> bool:
    """Whether an option changes nothing that an option of the mix has set to something else."""
    if option.axis in mix.axes:
        return False
    own = dict(_leaves(option.changes))
    theirs = {path: value for other in mix.options for path, value in _leaves(other.changes)}
    return all(theirs.get(path, value) == value for path, value in own.items())


def _leaves(changes: dict[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in changes.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


def _mix(options: tuple[Option, ...], datasets: Datasets, name: str) -> Mix:
    return Mix(options=options, recipe=_recipe(options, datasets, name))


def _recipe(options: tuple[Option, ...], datasets: Datasets, name: str) -> dict[str, Any]:
    families = [option.family for option in options if option.family is not None]
    family = next((o.family for o in options if o.axis == "family"), None)
    family = family or (families[0] if families else "gpt2")
    is_alone = all(option.ranks == 1 for option in options)
    is_supervised = any(option.rows == "pairs" for option in options)
    recipe: dict[str, Any] = {
        "manifest": str(datasets.pairs if is_supervised else datasets.plain),
        "output": str(datasets.folder / "runs" / name),
        # A pipeline of two ranks with two stages each needs four layers, and two micro-batches.
        "model": {"preset": f"{family}-test", "num_layers": 2 if is_alone else 4, **_SHAPE},
        "objective": {"name": _OBJECTIVES.get(family, "causal")},
        # Enough rows that some hold new tokens: with none, new_embeddings has nothing to learn.
        "batch": {"sequences": 16, "microbatch": 4},
        "stop": {"steps": 1},
        "schedule": {"peak_lr": 0.01, "lr_scheduler_type": "constant"},
        "evaluation": {"microbatch": 5},
        "checkpoint": {"every_steps": 10, "export": False},
        "metrics": {"peak_flops": 1e9, "tensorboard": False},
        "step_timeout_seconds": 60,
    }
    for option in options:
        for key, value in option.changes.items():
            block = recipe.get(key)
            is_block = isinstance(block, dict) and key != "objective"
            recipe[key] = {**block, **value} if is_block and block is not None else value
    if "warm_start" in recipe:
        recipe["warm_start"] = {"source": _source(recipe, datasets, name)}
    return recipe


def _source(recipe: dict[str, Any], datasets: Datasets, name: str) -> str:
    """A model of the base tokenizer in the recipe's shape, for a run to start from."""
    config = resolve_model(recipe["model"], vocab_size=BASE_SIZE, seq_len=SEQ_LEN)
    state = dict(build_model(config, seed=4).state_dict())
    folder = datasets.folder / "sources" / name
    export_folder(folder, state, config, _SPECIAL, datasets.base_tokenizer)
    return str(folder)
