"""`refinery vocabulary train | extend | view`: tokenizers from files, without a recipe.

`train` counts with Spark; its result depends on the set of lines alone, not on their order.
"""

from __future__ import annotations

import argparse
from typing import get_args

from jobs.command.numbers import positive
from refinery.publish.fetched import input_path, output_path
from refinery.vocabulary.config import ExtendConfig, TrainConfig, TrainKind
from schemas.errors import SettingsError
from schemas.settings import apply_overrides, parse_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of each action."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    train = actions.add_parser("train", help="train a tokenizer of any kind")
    train.add_argument(
        "files", nargs="+", type=input_path, metavar="FILE", help=".txt, .jsonl, also .gz"
    )
    train.add_argument("--out", required=True, help="folder of the tokenizer")
    _train_arguments(train, size=16_384)
    train.add_argument(
        "--weight",
        action="append",
        default=[],
        metavar="FILE=SHARE",
        help="share of a file's lines, by hash; a file name without folder",
    )
    _extend_arguments(actions)
    view = actions.add_parser("view", help="show a text's tokens side by side")
    view.add_argument("tokenizers", nargs="+", type=input_path, metavar="TOKENIZER")
    view.add_argument("--text", action="append", default=[], help="a text; may be repeated")
    view.add_argument("--file", type=input_path, help="a text file")
    view.add_argument("--find", action="append", default=[], help="a token's text or id")
    view.add_argument("--html", help="write a page that works offline")


def _train_arguments(parser: argparse.ArgumentParser, *, size: int) -> None:
    parser.add_argument("--kind", choices=get_args(TrainKind), default="byte_level_bpe")
    parser.add_argument("--size", type=int, default=size, help="ids, special tokens included")
    parser.add_argument("--sentinels", type=int, default=100)
    parser.add_argument("--max-bytes", type=positive, default=500_000_000, help="of lines, by hash")
    parser.add_argument("--min-line-chars", type=positive, default=1)
    parser.add_argument("--max-line-chars", type=positive, default=100_000)
    parser.add_argument("--field", default="text", help="field of JSONL lines")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a key of the training settings, such as character_coverage=0.9995",
    )


def _extend_arguments(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    extend = actions.add_parser("extend", help="give a base tokenizer new tokens, and prove it")
    extend.add_argument(
        "--base", type=input_path, required=True, help="folder of the base tokenizer"
    )
    source = extend.add_mutually_exclusive_group(required=True)
    source.add_argument("--donor", type=input_path, help="folder or file of a donor tokenizer")
    source.add_argument(
        "--train",
        nargs="+",
        type=input_path,
        metavar="FILE",
        help="train the new tokens on these texts",
    )
    extend.add_argument("--out", required=True, help="folder of the extended tokenizer")
    extend.add_argument("--size", type=int, help="ids in all; needed with --train")
    extend.add_argument("--min-gain", type=int, help="tokens a piece must save on the sample")
    extend.add_argument(
        "--scripts", default="Han", help="Unicode scripts of the new tokens, comma-separated"
    )
    extend.add_argument("--characters", default="", help=r"more characters, as in \u2460-\u24ff")
    extend.add_argument("--all-scripts", action="store_true", help="tokens of any script")
    extend.add_argument("--exact", action="store_true", help="take the donor whole, no support")
    extend.add_argument("--allow", action="append", default=[], metavar="PROOF")
    extend.add_argument(
        "--sample", nargs="+", type=input_path, default=[], help="new-language text files"
    )
    extend.add_argument(
        "--base-sample", nargs="+", type=input_path, default=[], help="base-language text"
    )
    extend.add_argument("--field", default="text", help="field of JSONL lines")


def run(args: argparse.Namespace) -> int:
    actions = {"train": _train, "extend": _extend, "view": _view}
    target = args.html if args.action == "view" else args.out
    if target is None:
        return actions[args.action](args)
    with output_path(target) as path:
        if args.action == "view":
            args.html = path
        else:
            args.out = path
        return actions[args.action](args)


def _train(args: argparse.Namespace) -> int:
    flags = {"kind": args.kind, "size": args.size, "sentinels": args.sentinels}
    config = parse_settings(TrainConfig, apply_overrides(flags, args.set), where="train")
    if args.min_line_chars > args.max_line_chars:
        raise SettingsError(
            f"--min-line-chars {args.min_line_chars} is above --max-line-chars "
            f"{args.max_line_chars}: no line would be read"
        )
    from jobs.command.vocabulary_train import train_folder  # Spark is imported only now

    return train_folder(args, config)


def _extend(args: argparse.Namespace) -> int:
    from jobs.command.vocabulary_extend import extend_folder

    scripts = ("all",) if args.all_scripts else tuple(s.strip() for s in args.scripts.split(","))
    if args.train and args.size is None:
        raise SettingsError("--train: needs --size, the number of ids in all")
    flags = {
        "scripts": scripts,
        "characters": args.characters,
        "size": args.size,
        "min_gain": args.min_gain,
        "exact": args.exact,
        "allow": tuple(args.allow),
    }
    config = parse_settings(ExtendConfig, flags, where="extend")
    return extend_folder(args, config)


def _view(args: argparse.Namespace) -> int:
    from jobs.command.vocabulary_view import view_texts

    return view_texts(args)
