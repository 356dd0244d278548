"""Write symbols in plain characters where nothing is lost: list marks, arrows, ticks, styled letters, icons.

A round or square sign is a list mark at the start of a line only. Inside of a line it means something:
a zero of a Chinese year (二○○八), a missing character (□), a rating (★★★★☆), a masked digit, a
product (F∙s); there it stays, and full and empty signs never become the same.
"""

from __future__ import annotations

import re
import unicodedata

_ARROWS = {**dict.fromkeys("→➔➜➡⟶", "->"), "⇒": "=>", **dict.fromkeys("←⬅⟵", "<-")}
_TICKS = {**dict.fromkeys("✓✔☑", "[x]"), "☐": "[ ]"}
# These draw the eye to an item, also without a blank behind them; those mean something to a line that
# they begin without one, as in ○八年.
_BULLETS = "•‣⁃►▶➢➤❖"
_SHAPES = "●○■□◆◇▪▫◦∙★☆✩✪✭✮✯"
_MARKS = _BULLETS + _SHAPES + "".join(_TICKS)
# Characters of this step that are emoji too: text here, unless a variation selector asks otherwise.
SYMBOLS = frozenset(_MARKS) | frozenset(_ARROWS) | frozenset("⇐✗✘☒")

_LIST_MARK = re.compile(
    rf"^([ \t\u3000]*)(?:([{_BULLETS}])(?![{_MARKS}])|([{_SHAPES}{''.join(_TICKS)}]))"
    rf"(?:[ \t\u00a0\u3000]+(?=[^\s{_MARKS}])|(?<=[{_BULLETS}])(?=\w))",
    re.MULTILINE,
)
_MARK = re.compile(f"[{_MARKS}]")
# In a form a full square is a choice that was made: where both stand, neither is a list mark.
_FORM = (frozenset("■□"), frozenset("▪▫"))
_ARROW = re.compile(f"[{''.join(_ARROWS)}]")
# Mathematical, circled and squared Latin letters: people write words with them; one or two together are
# the vectors and sets of a formula, where the style is the meaning.
_STYLES = "\U0001d400-\U0001d7ff\U0001f130-\U0001f149\u24b6-\u24e9"
_STYLED = re.compile(f"[{_STYLES}]")
_STYLED_WORD = re.compile(f"[{_STYLES}]{{3}}")
_DRAWN = re.compile("[\u2500-\u257f]")
# Lines that draw a frame, a table or a tree. In running text they are dashes (──) and stay.
_DRAWN_EDGE = re.compile("^[ \t]*[\u2500-\u257f]+(?:[ \t]*[\u2500-\u257f]+)*|[\u2500-\u257f]+[ \t]*$", re.M)  # fmt: skip
_DRAWN_BAR = re.compile("(?<=[ \t])[\u2502\u2503\u2551]+(?=[ \t])")
# Private characters, mostly of icon fonts: only the page's own font knows what they show. Between two
# Han characters one is a rare character of a name, whose loss nobody would see.
_PRIVATE_USE = re.compile("[\ue000-\uf8ff\U000f0000-\U000ffffd\U00100000-\U0010fffd]")
_PRIVATE = re.compile(
    "(?<![\u3400-\u9fff])[\ue000-\uf8ff\U000f0000-\U000ffffd\U00100000-\U0010fffd]+"
    "|[\ue000-\uf8ff\U000f0000-\U000ffffd\U00100000-\U0010fffd]+(?![\u3400-\u9fff])"
)


def replace_symbols(text: str, among: str | None = None) -> tuple[str, int]:
    """Text without symbols that plain text has a sign for, and how many were changed.

    `among` are the different symbols of the text, so that it is not searched for those that it has not.
    """
    among = text if among is None else among
    num_marks = num_arrows = num_styled = num_drawn = num_private = 0
    if _MARK.search(among):
        text, num_marks = _replace_marks(text)
    if _ARROW.search(among):
        text, num_arrows = _ARROW.subn(lambda match: _ARROWS[match[0]], text)
    if _STYLED.search(among):
        text, num_styled = _replace_styled(text)
    if _DRAWN.search(among):
        # As wide as before: what stands behind the branches of a tree is indented by them.
        text, num_edges = _DRAWN_EDGE.subn(lambda match: " " * len(match[0]), text)
        text, num_bars = _DRAWN_BAR.subn("|", text)
        num_drawn = num_edges + num_bars
    if _PRIVATE_USE.search(among):
        text, num_private = _PRIVATE.subn("", text)
    return text, num_marks + num_arrows + num_styled + num_drawn + num_private


def _replace_marks(text: str) -> tuple[str, int]:
    marks = {mark for match in _LIST_MARK.finditer(text) for mark in match.groups()[1:] if mark}
    if not marks:
        return text, 0
    kept = {mark for pair in _FORM if pair <= marks for mark in pair}
    count = 0

    def plain(match: re.Match[str]) -> str:
        nonlocal count
        mark = match[2] or match[3]
        if mark in kept:
            return match[0]
        count += 1
        return f"{match[1]}{_TICKS.get(mark, '-')} "

    return _LIST_MARK.sub(plain, text), count


def _replace_styled(text: str) -> tuple[str, int]:
    """Styled letters of lines in which words are written with them."""
    if not _STYLED_WORD.search(text):
        return text, 0
    lines, count = [], 0
    for line in text.split("\n"):
        if _STYLED_WORD.search(line):
            line, changed = _STYLED.subn(_plain_letter, line)
            count += changed
        lines.append(line)
    return "\n".join(lines), count


def _plain_letter(match: re.Match[str]) -> str:
    plain = unicodedata.normalize("NFKC", match[0])
    # Squared letters have no compatibility form: 🄰 is "SQUARED LATIN CAPITAL LETTER A".
    return plain if plain != match[0] else unicodedata.name(match[0], match[0])[-1]
