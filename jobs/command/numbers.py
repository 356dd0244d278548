"""Numbers on the command line: argparse tells of a wrong one and ends with exit code 2."""

from __future__ import annotations

import argparse


def positive(text: str) -> int:
    """A whole number above 0."""
    number = int(text) if text.isascii() and text.isdigit() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number above 0, got '{text}'")
    return number
