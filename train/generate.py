"""`train generate`: text from an exported checkpoint, batched, with a key-value cache.

Shapes: B prompts, T tokens of the longest prompt, V vocabulary.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from schemas.errors import ContractError
from train.model.layers import LayerCache

if TYPE_CHECKING:
    from train.model.transformer import Transformer

EXPORTS = ("", "export")


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How the next token is drawn; `None` for the temperature takes the likeliest."""

    max_new_tokens: int = 64
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    seed: int = 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--model", type=Path, required=True, help="exported folder, or its run")
    parser.add_argument("--prompt", nargs="+", required=True, help="texts to go on from")
    parser.add_argument("--max-new-tokens", type=int, default=64)
    parser.add_argument("--temperature", type=float, help="sample; without it, greedy")
    parser.add_argument("--top-k", type=int, help="sample among the k likeliest tokens")
    parser.add_argument("--top-p", type=float, help="sample among the likeliest of this mass")
    parser.add_argument("--seed", type=int, default=0)


def run(args: argparse.Namespace) -> int:
    """Print one JSON line per prompt."""
    from transformers import AutoTokenizer

    from train.exchange.describe import read_shape
    from train.exchange.folder import load_folder
    from train.model.transformer import Transformer

    folder = _model_folder(args.model)
    model = load_folder(folder, read_shape(folder))
    if not isinstance(model, Transformer):
        raise ContractError(f"{folder}: generation needs a decoder, this is {model.config.family}")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    prompts = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in args.prompt]
    sampling = Sampling(
        max_new_tokens=args.max_new_tokens,
        temperature=args.temperature,
        top_k=args.top_k,
        top_p=args.top_p,
        seed=args.seed,
    )
    described = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    found = generate(model, prompts, sampling, eos=described.get("eos_token_id"))
    for prompt, ids in zip(args.prompt, found, strict=True):
        text = tokenizer.decode(ids, skip_special_tokens=True)
        print(json.dumps({"prompt": prompt, "text": text}, ensure_ascii=False))
    return 0


def _model_folder(path: Path) -> Path:
    for name in EXPORTS:
        if (path / name / "config.json").is_file():
            return path / name
    raise ContractError(f"{path}: no exported model (config.json) there, nor in {EXPORTS[1:]}")


@torch.no_grad()
def generate(
    model: Transformer, prompts: list[list[int]], sampling: Sampling, *, eos: int | None
) -> list[list[int]]:
    """Continue each prompt until `eos` or the limit; the prompt and `eos` are not repeated.

    Prompts are padded on the left, so all of them go on in one batch; padding is never looked at.

    Raises:
        ContractError: A prompt is empty, or there are not enough learned positions.
    """
    longest = max(len(prompt) for prompt in prompts)
    _check_lengths(model, prompts, longest + sampling.max_new_tokens)
    model.eval()
    ids = torch.tensor([[0] * (longest - len(p)) + p for p in prompts])
    real = torch.tensor([[False] * (longest - len(p)) + [True] * len(p) for p in prompts])
    positions = (real.cumsum(1) - 1).clamp(min=0)
    # Padding keeps itself in sight: a query that sees nothing gives NaN.
    sight = real[:, None, :] & torch.ones(longest, longest, dtype=torch.bool).tril()
    mask = (sight | torch.eye(longest, dtype=torch.bool))[:, None]
    cache = [LayerCache() for _ in model.blocks]
    generator = torch.Generator().manual_seed(sampling.seed)
    done = torch.zeros(len(prompts), dtype=torch.bool)
    found: list[list[int]] = [[] for _ in prompts]
    for _ in range(sampling.max_new_tokens):
        chosen = _choose(model.decode(ids, positions, mask, cache), sampling, generator)
        done |= chosen == (-1 if eos is None else eos)
        if bool(done.all()):
            break
        for row in (~done).nonzero().flatten().tolist():
            found[row].append(int(chosen[row]))
        ids, positions = chosen[:, None], positions[:, -1:] + 1
        real = torch.cat((real, torch.ones(len(prompts), 1, dtype=torch.bool)), dim=1)
        mask = real[:, None, None, :]
    return found


def _check_lengths(model: Transformer, prompts: list[list[int]], tokens: int) -> None:
    if any(not prompt for prompt in prompts):
        raise ContractError("generate: a prompt has no tokens")
    limit = model.config.max_positions
    if model.config.positions == "learned" and tokens > limit:
        raise ContractError(f"generate: {tokens} tokens asked for, the model has {limit} positions")


def _choose(logits_BV: Tensor, sampling: Sampling, generator: torch.Generator) -> Tensor:
    """The next token of each row [B]: the likeliest, or drawn after top-k and top-p."""
    if sampling.temperature is None:
        return logits_BV.argmax(-1)
    scores = logits_BV.float() / sampling.temperature
    if sampling.top_k is not None:
        least = scores.topk(min(sampling.top_k, scores.shape[-1])).values[:, -1:]
        scores = scores.masked_fill(scores < least, -torch.inf)
    if sampling.top_p is not None:
        ordered, order = scores.sort(-1, descending=True)
        mass = ordered.softmax(-1)
        # A token stays while the mass before it is short of top_p, so the first always does.
        drop = mass.cumsum(-1) - mass >= sampling.top_p
        scores = scores.masked_fill(drop.scatter(1, order, drop), -torch.inf)
    return torch.multinomial(scores.softmax(-1), 1, generator=generator).squeeze(1)
