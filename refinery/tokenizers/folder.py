"""Read tokenizer folders and single files of every kind into one form, and write whole folders.

One form: the contents of `tokenizer.json`, and the SentencePiece model beside it where there is one.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, normalizers

from refinery.tokenizers import tokenizer_json
from refinery.tokenizers.sentencepiece_file import SentencePieceModel, parse_model
from refinery.tokenizers.special_tokens import guard_special_tokens, special_token_texts
from schemas.errors import ContractError, SettingsError
from schemas.fingerprints import sha256_file, sha256_files
from schemas.vocabulary import Kind

_MODEL_NAMES = ("tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "sentencepiece.model")
_CONFIG = "tokenizer_config.json"
_NAMES = ("bos", "eos", "unk", "pad", "cls", "sep", "mask")


@dataclass(frozen=True)
class TokenizerFolder:
    """A tokenizer as its files give it; `definition` is what its `tokenizer.json` holds or would hold."""

    name: str
    kind: Kind
    definition: dict[str, Any]
    model: SentencePieceModel | None
    config: dict[str, Any] = field(default_factory=dict)
    fingerprint: str = ""
    model_name: str = "tokenizer.model"

    @functools.cached_property
    def tokenizer(self) -> Tokenizer:
        """The bare library's tokenizer for plain text: special tokens in it stay text."""
        return build_tokenizer(self.definition)

    @functools.cached_property
    def vocab(self) -> dict[str, int]:
        """Every entry with its id, special tokens included."""
        return dict(self.tokenizer.get_vocab(with_added_tokens=True))

    @functools.cached_property
    def size(self) -> int:
        """One more than the highest id: the first free one."""
        return max(self.vocab.values()) + 1

    @functools.cached_property
    def special_tokens(self) -> dict[str, int]:
        """Ids of the special tokens by text."""
        return {text: self.vocab[text] for text in special_token_texts(self.definition)}

    @functools.cached_property
    def text_normalizer(self) -> normalizers.Normalizer | None:
        """The normaliser without the steps that strip spaces or replace them by SentencePiece's mark."""
        steps = _steps(self.definition.get("normalizer"))
        kept = [step for step in steps if step["type"] not in ("Prepend", "Replace", "Strip")]
        if not kept:
            return None
        whole = {"type": "Sequence", "normalizers": kept}
        model = {"type": "WordLevel", "vocab": {"?": 0}, "unk_token": "?"}
        definition = {"version": "1.0", "added_tokens": [], "normalizer": whole, "model": model}
        normalizer: normalizers.Normalizer = Tokenizer.from_str(json.dumps(definition)).normalizer
        return normalizer

    @property
    def unk_id(self) -> int | None:
        """The id of the unknown token."""
        model = self.definition["model"]
        if self.kind == "sentencepiece_unigram":
            unk_id: int | None = model.get("unk_id")
            return unk_id
        return self.vocab.get(model.get("unk_token") or "")


def _steps(normalizer: Mapping[str, Any] | None) -> list[Any]:
    if normalizer is None:
        return []
    if normalizer["type"] == "Sequence":
        return [step for inner in normalizer["normalizers"] for step in _steps(inner)]
    return [normalizer]


def build_tokenizer(definition: Mapping[str, Any]) -> Tokenizer:
    """The library's tokenizer for plain text; `definition` is what a `tokenizer.json` holds."""
    tokenizer = Tokenizer.from_str(json.dumps(definition))
    tokenizer.encode_special_tokens = True
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def read_tokenizer(path: Path) -> TokenizerFolder:
    """Read a folder or a single `.model`, `tokenizer.json` or `vocab.txt`.

    Raises:
        SettingsError: Nothing there that is a tokenizer.
        ContractError: A file that is not what its name says.
    """
    if not path.exists():
        raise SettingsError(f"{path}: no such file or folder; expected a tokenizer")
    folder = path if path.is_dir() else path.parent
    names = sorted(p.name for p in path.iterdir()) if path.is_dir() else [path.name]
    model_name = _model_name(names)
    model = (
        parse_model((folder / model_name).read_bytes(), str(folder / model_name))
        if model_name
        else None
    )
    definition = _definition(folder, names, model)
    kind = tokenizer_json.kind_of(definition, str(path))
    config = _json(folder / _CONFIG) if _CONFIG in names else {}
    files = [folder / name for name in names if (folder / name).is_file()]
    return TokenizerFolder(
        name=path.resolve().name,
        kind=kind,
        definition=guard_special_tokens(_with_special_tokens_in_vocabulary(definition)),
        model=model,
        config=config,
        fingerprint=sha256_files(files, base=folder) if path.is_dir() else sha256_file(path),
        model_name=model_name or "tokenizer.model",
    )


def _model_name(names: list[str]) -> str | None:
    known = [name for name in _MODEL_NAMES if name in names]
    others = [name for name in names if name.endswith(".model")]
    return next(iter(known + others), None)


def _definition(folder: Path, names: list[str], model: SentencePieceModel | None) -> dict[str, Any]:
    if "tokenizer.json" in names or (len(names) == 1 and names[0].endswith(".json")):
        name = "tokenizer.json" if "tokenizer.json" in names else names[0]
        definition = _json(folder / name)
        if "model" not in definition:
            raise ContractError(f"{folder / name}: no tokenizer.json (no key 'model')")
        return tokenizer_json.with_listed_merges(definition)
    if model is not None:
        return tokenizer_json.from_sentencepiece(model)
    for vocab, merges in (("encoder.json", "vocab.bpe"), ("vocab.json", "merges.txt")):
        if vocab in names and merges in names:
            lines = (folder / merges).read_text("utf-8").split("\n")
            return tokenizer_json.from_byte_level(_json(folder / vocab), lines)
    if "vocab.txt" in names or (len(names) == 1 and names[0].endswith(".txt")):
        name = "vocab.txt" if "vocab.txt" in names else names[0]
        config = _json(folder / _CONFIG) if _CONFIG in names else {}
        return tokenizer_json.from_wordpiece((folder / name).read_text("utf-8"), config)
    raise SettingsError(
        f"{folder}: no tokenizer among {', '.join(names) or 'no files'}; expected tokenizer.json, a "
        "SentencePiece .model, encoder.json + vocab.bpe, vocab.json + merges.txt or vocab.txt"
    )


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ContractError(f"{path}: not JSON: {error}") from error
    if not isinstance(value, dict):
        raise ContractError(f"{path}: expected a JSON object, found {type(value).__name__}")
    return value


def _with_special_tokens_in_vocabulary(definition: dict[str, Any]) -> dict[str, Any]:
    """Enter special tokens that lie behind the model's entries into its vocabulary.

    The library numbers such tokens after the model's entries, so a longer model would move them.
    """
    vocab = definition["model"]["vocab"]
    for token in sorted(definition.get("added_tokens") or (), key=lambda t: t["id"]):
        if isinstance(vocab, dict):
            vocab.setdefault(token["content"], token["id"])
        elif token["id"] == len(vocab):
            vocab.append([token["content"], 0.0])
    return definition


def write_folder(
    definition: Mapping[str, Any], *, base: TokenizerFolder, model_bytes: bytes | None, folder: Path
) -> None:
    """Write `tokenizer.json`, its configuration, and the SentencePiece model where there is one."""
    folder.mkdir(parents=True, exist_ok=True)
    _write_json(folder / "tokenizer.json", definition)
    if model_bytes is not None:
        (folder / base.model_name).write_bytes(model_bytes)
    config = _output_config(base)
    _write_json(folder / _CONFIG, config)
    special = {k: v for k, v in config.items() if k.endswith("_token") and isinstance(v, str)}
    extra = config.get("additional_special_tokens")
    special_map = {**special, **({"additional_special_tokens": extra} if extra else {})}
    _write_json(folder / "special_tokens_map.json", special_map)


def _output_config(base: TokenizerFolder) -> dict[str, Any]:
    """A configuration that makes transformers load `tokenizer.json` as it stands."""
    dropped = ("added_tokens_decoder", "vocab_file", "name_or_path", "extra_ids", "auto_map")
    kept = {key: value for key, value in base.config.items() if key not in dropped}
    config = {
        "clean_up_tokenization_spaces": False,
        **kept,
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    for name, text in tokenizer_json.usual_names(base.kind, base.special_tokens).items():
        config.setdefault(name, text)
    for name in _NAMES:
        token = config.get(f"{name}_token")
        if isinstance(token, dict):
            config[f"{name}_token"] = token["content"]
    sentinels = sorted(
        (text for text in base.special_tokens if text.startswith("<extra_id_")),
        key=lambda text: int(text[10:-1]),
    )
    if sentinels:
        config["additional_special_tokens"] = sentinels
    return config


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", "utf-8")
