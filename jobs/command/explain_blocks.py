"""The blocks of one page as `refinery explain --html` shows them: which were kept, and how likely each was."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from refinery.extract.blocks import Blocks, read_blocks
from refinery.extract.classifier import Judgement, judge_blocks
from refinery.extract.config import ExtractConfig
from refinery.extract.page import MARKUP_TYPES
from refinery.extract.tag_kinds import TAGS
from refinery.extract.walls import WALL_NAMES
from refinery.text.charset import decode

if TYPE_CHECKING:
    from jobs.command.explain_file import Explained

MOST_BLOCKS, MOST_BLOCK_CHARS = 3_000, 2_000
# So many elements around a block are named, the innermost ones.
_PATH_ELEMENTS = 4
BLOCK_STYLE = """
.blocks{border:1px solid var(--line);border-radius:6px;padding:.5rem .7rem}
.blocks p{margin:.25rem 0;padding:.1rem .6rem;border-left:.3rem solid var(--line);white-space:pre-wrap;
  overflow-wrap:anywhere}
.blocks .cut{color:var(--soft)}.blocks .kept{border-left-color:var(--good)}
.blocks .h{font-weight:600}.blocks .code{font-family:ui-monospace,monospace;font-size:.88em}
.blocks b{display:inline-block;min-width:2.9em;font-weight:500;font-variant-numeric:tabular-nums;
  color:var(--soft)}.blocks i{font-style:normal;color:var(--soft);font-size:.82em}
.blocks input:checked~.cut{display:none}.blocks label{cursor:pointer}
"""


def show_blocks(found: Explained, extract: ExtractConfig) -> str:
    """The blocks of a page in their order; empty for what the default engine did not read.

    Pages that went beyond a bound, or that ended the guarded child, are not read again here.
    """
    is_page = found.mime in MARKUP_TYPES and extract.engine == "blocks"
    was_read = found.document is not None or found.row["drop_reason"] in WALL_NAMES
    if not is_page or not was_read:
        return ""
    html = decode(found.payload, found.charset, is_html=True).text
    blocks = read_blocks(html, image_text=extract.image_text, formulas=extract.formulas)
    if not blocks.texts:
        return "<h3>Blocks of the page</h3><p>The page shows no text.</p>"
    judged = judge_blocks(blocks)
    num, num_kept = len(blocks.texts), int(judged.kept.sum())
    lines = "".join(_block(blocks, judged, block) for block in range(min(num, MOST_BLOCKS)))
    more = f"<p><i>{num - MOST_BLOCKS} more blocks</i></p>" if num > MOST_BLOCKS else ""
    return (
        f"<details open><summary>Blocks of the page: {num_kept} of {num} kept</summary>"
        "<p><small>Each with the probability that it is content; a green bar marks what was kept.</small></p>"
        '<div class="blocks"><input type="checkbox" id="kept-' + _id(found) + '"> '
        f'<label for="kept-{_id(found)}">only what was kept</label>{lines}{more}</div></details>'
    )


def _id(found: Explained) -> str:
    return escape(found.row["doc_id"] or "page", quote=True)


def _block(blocks: Blocks, judged: Judgement, block: int) -> str:
    element = int(blocks.elements[block])
    path = _path(blocks, element)
    names = ["kept" if judged.kept[block] else "cut"]
    if path[-1][:1] == "h" and path[-1][1:].isdigit():
        names.append("h")
    if "pre" in path:
        names.append("code")
    text = blocks.texts[block]
    shown = escape(text[:MOST_BLOCK_CHARS]) + (" …" if len(text) > MOST_BLOCK_CHARS else "")
    note = _note(judged, block)
    return (
        f'<p class="{" ".join(names)}"><b>{judged.probabilities[block]:.2f}</b> {shown} '
        f"<i>{escape(' › '.join(path))}{escape(note)}</i></p>"
    )


def _path(blocks: Blocks, element: int) -> list[str]:
    """Names of the elements around a block, the outermost of the last ones first."""
    path = [TAGS[int(blocks.tag_ids[element])]]
    while element and len(path) < _PATH_ELEMENTS:
        element = int(blocks.parents[element])
        path.append(TAGS[int(blocks.tag_ids[element])])
    return path[::-1]


def _note(judged: Judgement, block: int) -> str:
    if judged.kept[block] == judged.cut[block]:
        return ""
    if judged.kept[block]:
        return "; kept with the table, list of terms or question that it belongs to"
    return "; left out: hidden, said before, or behind the article"
