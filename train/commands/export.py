"""`train export`: any checkpoint as a Hugging Face folder, in the type that its users want."""

from __future__ import annotations

import argparse
from pathlib import Path

from schemas.errors import SettingsError
from train.commands.arguments import existing_folder

DTYPES = ("fp32", "bf16", "fp16")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", type=Path, help="run, checkpoint or folder of a model")
    parser.add_argument("--out", type=Path, required=True, help="folder to write; it must be new")
    parser.add_argument(
        "--dtype", choices=DTYPES, default="fp32", help="type of the weights in the files"
    )
    parser.add_argument(
        "--tokenizer", type=existing_folder, help="folder; that of the model by default"
    )


def run(args: argparse.Namespace) -> int:
    """Write the folder, and print where it is."""
    if args.out.exists() and (not args.out.is_dir() or any(args.out.iterdir())):
        raise SettingsError(f"--out {args.out}: is there already; name a new folder")
    from train.generation.export import export_model  # torch starts only now

    export_model(args.model, args.out, dtype=args.dtype, tokenizer=args.tokenizer)
    print(args.out)
    return 0
