"""`refinery vocabulary view`: tokens side by side, in the terminal or as an offline page."""

from __future__ import annotations

import argparse

from rich.console import Console
from rich.text import Text

from refinery.tokenizers.view import Box, ViewedTokenizer, open_tokenizers, view_page
from schemas.errors import SettingsError
from schemas.terminal import open_console

_STYLES = {
    "base": ("black on grey82", "black on grey70"),
    "new": ("black on pale_green1", "black on pale_green3"),
    "support": ("black on light_goldenrod1", "black on light_goldenrod3"),
    "special": ("black on light_pink1", "black on pink3"),
    "control": ("black on light_pink1", "black on pink3"),
    "unknown": ("black on light_pink1", "black on pink3"),
}


def view_texts(args: argparse.Namespace) -> int:
    """Show texts and found tokens.

    Raises:
        SettingsError: Neither a text nor a token to find, or an unreadable file.
    """
    texts = list(args.text)
    if args.file:
        try:
            texts.append(args.file.read_text("utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"--file {args.file}: cannot be read: {error}") from error
    if not texts and not args.find:
        raise SettingsError("nothing to view: give --text, --file or --find")
    tokenizers = open_tokenizers(args.tokenizers)
    console = open_console(highlight=False)
    for wanted in args.find:
        _show_found(wanted, tokenizers, console)
    if args.html:
        args.html.write_text(view_page(tokenizers, texts), "utf-8")
        console.print(f"{args.html}: {len(texts)} texts, {len(tokenizers)} tokenizers")
        return 0
    for text in texts:
        for viewed in tokenizers:
            _show(text, viewed, console)
    return 0


def _show(text: str, viewed: ViewedTokenizer, console: Console) -> None:
    boxes = viewed.boxes(text)
    console.print(
        f"\n{viewed.name}: {len(boxes):,} tokens for {len(text):,} characters "
        f"({len(boxes) / max(1, len(text)):.2f} a character)",
        markup=False,
    )
    line = Text()
    for index, box in enumerate(boxes):
        line.append(f" {_visible(box)} {box.id} ", style=_STYLES[box.origin][index % 2])
        line.append(f"{box.bytes_hex.replace(' ', '')} ", style="dim")
    console.print(line)


def _show_found(wanted: str, tokenizers: list[ViewedTokenizer], console: Console) -> None:
    for viewed in tokenizers:
        found = viewed.find(wanted)
        if not found:
            console.print(f"{viewed.name}: no token {wanted!r}", markup=False)
        for box in found:
            console.print(
                f"{viewed.name}: id {box.id}  {_visible(box)!r}  entry {box.piece!r}  {box.origin}  "
                f"bytes {box.bytes_hex}",
                markup=False,
            )


def _visible(box: Box) -> str:
    text = box.text or f"<{box.bytes_hex}>"
    return text.replace(" ", "␣").replace("\n", "⏎").replace("\t", "⇥")
