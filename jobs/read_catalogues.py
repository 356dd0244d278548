"""Sentence pairs out of gettext catalogues: `python -m jobs.read_catalogues FOLDER... --language zh_CN --out DIR`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from refinery.supervised.catalogues import PairRules, split_catalogues
from schemas.errors import ContractError, SettingsError, run_main


def main(argv: list[str]) -> int:
    """Write train.jsonl, dev.jsonl and test.jsonl, and say what was left out."""
    parser = argparse.ArgumentParser(prog="python -m jobs.read_catalogues", description=__doc__)
    parser.add_argument(
        "folders",
        nargs="+",
        type=Path,
        metavar="FOLDER",
        help="unpacked packages, one a folder; of one folder (/usr/share/locale) every catalogue is one",
    )
    parser.add_argument("--language", required=True, help="locale: de, zh_CN")
    parser.add_argument("--out", required=True, type=Path, help="folder of the three files")
    parser.add_argument(
        "--min-words", type=int, default=4, help="English words of a message at least"
    )
    parser.add_argument("--no-formats", action="store_true", help="leave out messages with formats")
    parser.add_argument(
        "--seed", type=int, default=0, help="decides which package is in which split"
    )
    args = parser.parse_args(argv)
    try:
        rules = PairRules(min_words=args.min_words, keeps_formats=not args.no_formats)
    except ValueError as error:
        raise SettingsError(f"--min-words: {error}") from error
    packages = _packages(args.folders, args.language)
    if not packages:
        raise ContractError(
            f"{', '.join(map(str, args.folders))}: no {args.language}/LC_MESSAGES/*.mo below; is the locale "
            "installed, and spelt as the folders are (zh_CN, pt_BR)?"
        )
    found = split_catalogues(packages, args.language, rules=rules, seed=args.seed)
    args.out.mkdir(parents=True, exist_ok=True)
    for split, pairs in found.pairs.items():
        path = args.out / f"{split}.jsonl"
        lines = (
            json.dumps(
                {"source": pair.source, "target": pair.target, "package": pair.package},
                ensure_ascii=False,
            )
            for pair in pairs
        )
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        names = sum(of == split for of in found.packages.values())
        print(f"{len(pairs):>8,} pairs of {names} packages: {path}")
    for reason, count in found.left_out.most_common():
        print(f"{count:>8,} messages left out: {reason}")
    return 0


def _packages(folders: list[Path], language: str) -> list[tuple[str, list[Path]]]:
    """Name and catalogues of each package; a folder without any is passed over."""
    found: dict[str, list[Path]] = {}
    for folder in folders:
        for path in sorted(folder.rglob(f"{language}/LC_MESSAGES/*.mo")):
            name = folder.resolve().name if len(folders) > 1 else path.stem
            found.setdefault(name, []).append(path)
    return list(found.items())


if __name__ == "__main__":
    run_main(main)
