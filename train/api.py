"""Public names of `train`: shapes, models, exchange with transformers, generation. Loads torch.

What is not named here may change without notice. Runs over several ranks are started by
`torchrun -m train pretrain`, not from Python.

Example:
    from pathlib import Path

    from train.api import GenerationConfig, open_model, write_texts

    model = open_model(Path("runs/my-texts/model"))  # a run, a checkpoint or a Hugging Face folder
    (answer,) = write_texts(model, ["The statement"], GenerationConfig(max_new_tokens=8))
    assert answer["prompt"] == "The statement" and answer["text"]
"""

from train.batch.batch import Batch
from train.commands.generate import write_texts
from train.data.packed import PackedRows
from train.exchange.describe import read_shape
from train.exchange.folder import export_folder, load_folder
from train.generation.config import GenerationConfig
from train.generation.open_model import OpenModel, open_model
from train.loop.run import pretrain
from train.model.config import ModelConfig
from train.model.presets import resolve_model
from train.model.transformer import Transformer, build_model
from train.objectives.build import build_causal
from train.objectives.requirements import ObjectiveContext
from train.optim.config import ScheduleConfig
from train.optim.schedules import Progress
from train.settings import TrainSettings, load_train_settings

__all__ = [
    "Batch",
    "GenerationConfig",
    "ModelConfig",
    "ObjectiveContext",
    "OpenModel",
    "PackedRows",
    "Progress",
    "ScheduleConfig",
    "TrainSettings",
    "Transformer",
    "build_causal",
    "build_model",
    "export_folder",
    "load_folder",
    "load_train_settings",
    "open_model",
    "pretrain",
    "read_shape",
    "resolve_model",
    "write_texts",
]
