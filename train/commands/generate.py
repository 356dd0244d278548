"""`train generate`: text from a run, a checkpoint or a Hugging Face folder, as JSON lines."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schemas.plain_json import json_text
from schemas.settings import parse_settings
from train.commands.arguments import existing_folder
from train.generation.config import GenerationConfig

if TYPE_CHECKING:
    from train.generation.open_model import OpenModel

_SETTINGS = (
    "max_new_tokens", "temperature", "top_k", "top_p", "num_beams", "length_penalty", "seed",
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model", type=Path, required=True, help="run, checkpoint or Hugging Face folder"
    )
    parser.add_argument(
        "--prompt", nargs="+", required=True, help="texts to go on from; for t5, texts with ___"
    )
    parser.add_argument(
        "--tokenizer", type=existing_folder, help="folder; that of the model by default"
    )
    parser.add_argument("--max-new-tokens", type=int)
    parser.add_argument("--temperature", type=float, help="sample; without it, greedy")
    parser.add_argument("--top-k", type=int, help="sample among the k likeliest tokens")
    parser.add_argument("--top-p", type=float, help="sample among the likeliest of this mass")
    parser.add_argument("--num-beams", "--beams", type=int, help="search with so many lines")
    parser.add_argument("--length-penalty", type=float, help="rank beams by score / tokens ** it")
    parser.add_argument("--seed", type=int)


def run(args: argparse.Namespace) -> int:
    """Print one JSON line per prompt."""
    flags = {name: getattr(args, name) for name in _SETTINGS if getattr(args, name) is not None}
    config = parse_settings(GenerationConfig, flags, where="generate")
    from train.generation.open_model import open_model  # torch starts only now

    loaded = open_model(args.model, tokenizer=args.tokenizer)
    if args.max_new_tokens is None:
        config = _with_room(loaded, args.prompt, config)
    for record in write_texts(loaded, args.prompt, config):
        print(json_text(record))
    return 0


def _with_room(loaded: OpenModel, prompts: list[str], config: GenerationConfig) -> GenerationConfig:
    """By default, generate no more tokens than positions leave beside the longest prompt."""
    shape = loaded.model.config
    if shape.positions == "relative":
        return config
    longest = max(
        len(loaded.before) + len(loaded.tokenizer(text, add_special_tokens=False).input_ids)
        for text in prompts
    )
    room = max(1, shape.max_positions - longest)
    return config.model_copy(update={"max_new_tokens": min(config.max_new_tokens, room)})


def fitting(loaded: OpenModel, prompt: str, config: GenerationConfig) -> str:
    """The end of a prompt that leaves room for what is to be written."""
    shape = loaded.model.config
    if shape.positions == "relative":
        return prompt
    room = max(1, shape.max_positions - len(loaded.before) - config.max_new_tokens)
    coded = loaded.tokenizer(prompt, add_special_tokens=False, return_offsets_mapping=True)
    if len(coded["input_ids"]) <= room:
        return prompt
    return prompt[coded["offset_mapping"][-room][0] :]


def write_texts(
    loaded: OpenModel, prompts: list[str], config: GenerationConfig
) -> list[dict[str, Any]]:
    """What the model writes for each prompt; all prompts go on in one batch.

    Raises:
        ContractError: The family does not write text, or a prompt is empty.
    """
    from schemas.errors import ContractError
    from train.generation.incremental import CausalDecoder, TextToTextDecoder
    from train.generation.search import generate
    from train.model.encoder_decoder import EncoderDecoder
    from train.model.transformer import Transformer

    tokenizer, model = loaded.tokenizer, loaded.model
    if isinstance(model, EncoderDecoder):
        decoder = TextToTextDecoder(model, start_id=loaded.start_id)
        return _text_to_text(loaded, prompts, config, decoder)
    if not isinstance(model, Transformer):
        raise ContractError(
            f"generate: a {model.config.family} predicts masked tokens and writes no text; expected "
            "a decoder or a t5"
        )
    ids = [
        [*loaded.before, *tokenizer(text, add_special_tokens=False)["input_ids"]]
        for text in prompts
    ]
    causal = CausalDecoder(model, max_new_tokens=config.max_new_tokens)
    written = generate(causal, ids, config, ends=loaded.ends)
    return [
        {"prompt": text, "text": tokenizer.decode(line, skip_special_tokens=True)}
        for text, line in zip(prompts, written, strict=True)
    ]


def _text_to_text(
    loaded: OpenModel, prompts: list[str], config: GenerationConfig, decoder: Any
) -> list[dict[str, Any]]:
    from schemas.errors import ContractError
    from train.generation.infill import filled, spans_of, with_sentinels
    from train.generation.search import generate

    tokenizer = loaded.tokenizer
    blanks = [with_sentinels(text) for text in prompts]
    most = max(blank.count for blank in blanks)
    names = [f"<extra_id_{number}>" for number in range(most + 1)]
    sentinels = tokenizer.convert_tokens_to_ids(names) if most else []
    lacking = [name for name in names[:most] if name not in tokenizer.get_vocab()]
    if lacking:
        raise ContractError(f"generate: the tokenizer has no {lacking[0]} to stand for a blank")
    ids = [_encoded(loaded, blank.text) for blank in blanks]
    written = generate(decoder, ids, config, ends=loaded.ends)
    records = []
    for text, blank, line in zip(prompts, blanks, written, strict=True):
        record: dict[str, Any] = {"prompt": text}
        if blank.count:
            ids_by_blank = spans_of(line, sentinels, blank.count)
            spans = [tokenizer.decode(span, skip_special_tokens=True) for span in ids_by_blank]
            record |= {"blanks": spans, "text": filled(text, spans)}
        else:
            record["text"] = tokenizer.decode(line, skip_special_tokens=True)
        records.append(record)
    return records


def _encoded(loaded: OpenModel, text: str) -> list[int]:
    """Ids with the end mark that the encoder's inputs have in training."""
    ids: list[int] = loaded.tokenizer(text, add_special_tokens=False)["input_ids"]
    return [*ids, *sorted(loaded.ends)[:1]]
