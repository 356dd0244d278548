"""Make all arms of an ablation, the table of what they remove, and the study that trains on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from pyspark.sql import SparkSession

from jobs.ablation.arms import MadeArm, make_arm, shards_for
from jobs.ablation.base import BaseRun
from jobs.refine import STAGES
from refinery.ablation.costs import measure_costs
from refinery.ablation.counts import ArmTables, count_arm
from refinery.ablation.decisions import BASE, Arm, Changes, changed, folder_of
from refinery.ablation.table import RESULT_NAME, Ablation, ArmEntry
from refinery.ablation.yields import kept_after
from refinery.datasets.publish import dataset_uri
from refinery.publish import storage
from schemas.yaml_files import dump_yaml

STUDY_NAME, STUDY_FOLDER, ARMS_FOLDER = "study.yaml", "study", "arms"


@dataclass(frozen=True, kw_only=True)
class StudyRequest:
    """What the study file asks for.

    Attributes:
        recipe: The training recipe of all arms: a file, or a name of `train recipes`.
        seeds: Of each arm.
        tokens: Packed tokens of each run; None: one pass over the smallest arm.
        heldout: Manifest whose held-out split judges all arms; None: the base's.
    """

    recipe: str
    seeds: int
    tokens: int | None = None
    heldout: str | None = None


def run_ablation(
    base: BaseRun,
    arms: Sequence[Arm],
    output: str,
    request: StudyRequest,
    *,
    session: Callable[[], SparkSession],
) -> Ablation:
    """Make what is not there yet; arms that an earlier try published are taken as they are."""
    num_shards = shards_for(base.manifest.train.account.tokens_in, base.settings.recipe.packing)
    asked = [Arm(name=BASE, changes=Changes()), *arms]
    made = {arm.name: _make(base, arm, output, num_shards, session) for arm in asked}
    costs = measure_costs(base.settings.recipe, base.store, base.records)
    tables = {name: _tables(base, one) for name, one in made.items()}
    entries = []
    for arm in asked:
        cost = costs.of(arm)
        entries.append(
            ArmEntry(
                arm=arm.name,
                decisions=arm.decisions,
                kept_after=_kept_after(arm, base),
                manifest=made[arm.name].manifest_uri,
                root=made[arm.name].manifest.root,
                **asdict(count_arm(tables[BASE], tables[arm.name])),
                cpu_seconds=cost.seconds,
                cost_of=cost.how,
            )
        )
    study = storage.join_uri(output, STUDY_NAME)
    ablation = Ablation(
        recipe=base.settings.recipe.name,
        arms=tuple(entries),
        study=study,
        study_output=storage.join_uri(output, STUDY_FOLDER),
    )
    least = min(one.manifest.train.account.packed for one in made.values())
    storage.replace(study, study_file(ablation, request, tokens=request.tokens or least).encode())
    storage.replace(
        storage.join_uri(output, RESULT_NAME), (ablation.model_dump_json(indent=1) + "\n").encode()
    )
    return ablation


def _make(
    base: BaseRun, arm: Arm, output: str, num_shards: int, session: Callable[[], SparkSession]
) -> MadeArm:
    folder = storage.join_uri(output, ARMS_FOLDER, folder_of(arm.name))
    settings = changed(base.settings, arm, output=folder, tables=base.store.root)
    return make_arm(base, settings, stages=STAGES, num_shards=num_shards, session=session)


def _kept_after(arm: Arm, base: BaseRun) -> tuple[str, ...]:
    has_other_settings = arm.name != BASE and not arm.decisions
    return () if has_other_settings else kept_after(arm.decisions, base.settings.recipe)


def _tables(base: BaseRun, arm: MadeArm) -> ArmTables:
    return ArmTables(
        store=base.store,
        records=arm.records,
        dataset=dataset_uri(arm.settings.runtime.output),
        manifest=arm.manifest,
    )


def study_file(ablation: Ablation, request: StudyRequest, *, tokens: int) -> str:
    """The YAML of a study whose arms are the manifests, the base the reference."""
    first, *others = ablation.arms
    study = {
        "question": f"What does each decision of the recipe '{ablation.recipe}' buy, at equal tokens?",
        "recipe": request.recipe,
        "set": {"manifest": first.manifest},
        "output": ablation.study_output,
        "seeds": request.seeds,
        "budget": {"tokens": tokens},
        "measure": {"figure": "bits_per_byte", "manifest": request.heldout or first.manifest},
        "arms": {one.arm: {"manifest": one.manifest} for one in others},
    }
    return f"# Made by `refinery ablate`; every line may be changed.\n{dump_yaml(study)}"
