"""The four kinds with Chinese tokens: what each costs before and after, and what it changed.

python -m benchmarks.refinery.vocabulary_table DATA_FOLDER [--size 20000] [--only llama,t5,gpt2,bert]

Trains on 90 % of the Chinese documents of DATA_FOLDER/text (by hash), measures on lines of the other
10 % that are at least 70 % Han. Seconds are wall clock of one thread. One case for each base.
"""

from __future__ import annotations

import hashlib
import resource
import shutil
import tempfile
import time
from pathlib import Path

import regex

from benchmarks.corpora.text_files import read_texts
from benchmarks.record import argument_parser, record
from refinery.tokenizers.folder import read_tokenizer
from refinery.vocabulary.config import ExtendConfig
from refinery.vocabulary.extend.donor_from_text import donor_from_texts
from refinery.vocabulary.extend.publish import Texts, publish_extension
from refinery.vocabulary.extend.scripts import new_characters
from schemas.vocabulary import ExtendedVocabulary

CHINESE = ("docs-zh", "history-zh")
HAN = regex.compile(r"\p{Script=Han}")
BASES = {"llama": "llama", "t5": "t5", "gpt2": "gpt2", "bert": "bert-base-chinese"}
BASE_LINES = 10_000


def is_held_out(text: str) -> bool:
    return hashlib.sha256(text.encode()).digest()[0] % 10 == 0


def lines_of(texts: list[str]) -> list[str]:
    return sorted({line for text in texts for line in text.split("\n") if line.strip()})


def measure(
    name: str, base_folder: Path, chinese: list[str], english: list[str], num_tokens: int
) -> dict[str, object]:
    training = lines_of([text for text in chinese if not is_held_out(text)])
    held_out = [
        line
        for line in lines_of([text for text in chinese if is_held_out(text)])
        if len(HAN.findall(line)) >= 0.7 * len(line)
    ]
    base = read_tokenizer(base_folder)
    is_bert = base.kind == "wordpiece"
    scripts = ("Latin",) if is_bert else ("Han",)
    # Chinese is this base's own language: new are only the ideographs that it lacks.
    han = new_characters(("Han",)).characters
    lacking = sorted(c for c in han if HAN.match(c) and c not in base.vocab) if is_bert else []
    config = ExtendConfig(scripts=scripts, characters="".join(lacking), size=base.size + num_tokens)
    train_on = training + (english[BASE_LINES:] if is_bert else [])
    base_lines = held_out if is_bert else english[:BASE_LINES]
    began = time.perf_counter()
    donor = donor_from_texts(train_on, base, config)
    trained = time.perf_counter()
    out = Path(tempfile.mkdtemp()) / "extended"
    vocabulary = publish_extension(
        base, donor, config, texts=Texts(new=held_out, base=base_lines), out=out
    )
    proven = time.perf_counter()
    shutil.rmtree(out.parent)
    return {
        **summary(vocabulary),
        "held_out_lines": len(held_out),
        "seconds_training": round(trained - began, 1),
        "seconds_extending_and_proving": round(proven - trained, 1),
        "scripts": [*scripts, *(["Han that the base lacks"] if is_bert else [])],
    }


def summary(vocabulary: ExtendedVocabulary) -> dict[str, object]:
    proofs = {proof.name: proof for proof in vocabulary.proofs}
    fertility = vocabulary.fertility["new_language"]
    return {
        "kind": vocabulary.kind,
        "base_size": vocabulary.base.size,
        "size": vocabulary.size,
        **vocabulary.counts,
        "changed_encodings": proofs["base_text"].failures,
        "lines_compared": proofs["base_text"].checked,
        "unreachable": proofs["reachable"].failures,
        "library_differences": proofs["libraries"].failures,
        "all_proofs_hold": all(proof.holds for proof in vocabulary.proofs),
        **{
            f"{key}_{name}": round(fertility[name][key], 4)
            for key in ("tokens_per_character", "bytes_per_token", "unknown_fraction")
            for name in ("base", "extended")
        },
    }


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--size", type=int, default=20_000)
    parser.add_argument("--only", default=",".join(BASES))
    args = parser.parse_args()
    chinese = [text for name in CHINESE for text in read_texts(args.data / f"text/{name}.jsonl.gz")]
    english = sorted(
        lines_of(list(read_texts(args.data / "text/books-en.jsonl.gz"))),
        key=lambda line: hashlib.sha256(line.encode()).digest(),
    )
    for name in args.only.split(","):
        folder = args.data / "tokenizers" / BASES[name]
        size = 5_000 if name == "bert" else args.size
        row = measure(name, folder, chinese, english, size)
        row["peak_memory_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        record("vocabulary_table", row, case=name)


if __name__ == "__main__":
    main()
