"""Public names of `schemas`: the manifest, the errors, and what an extended tokenizer says of itself.

What is not named here may change without notice.

Example:
    from pathlib import Path

    from schemas.api import read_manifest

    manifest = read_manifest(Path("runs/my-texts/dataset"))
    assert manifest.train.rows == sum(shard.rows for shard in manifest.train.shards)
"""

from schemas.errors import ContractError, PipelineError, QualityGateError, SettingsError
from schemas.manifest import Manifest, Shard, Split, read_manifest
from schemas.vocabulary import ExtendedVocabulary, read_vocabulary

__all__ = [
    "ContractError",
    "ExtendedVocabulary",
    "Manifest",
    "PipelineError",
    "QualityGateError",
    "SettingsError",
    "Shard",
    "Split",
    "read_manifest",
    "read_vocabulary",
]
