"""MathML as a line of text that says the same: `k=e^7`, `(a+b)/c`, `√(x+1)`, `∑_(i=1)^n`.

For formulas whose page gives no TeX. The bare characters would say `k=e7`.
Source of the element's meanings: MathML Core and MathML 3, chapter 3.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from refinery.extract.inline import plain_text

# A formula of more markup, or nested more deeply, gives its bare characters.
MOST_MARKUP_CHARS = 50_000
MOST_DEPTH = 60

_TOKEN = re.compile(r"<(/?)([\w:-]+)[^>]*?(/?)>|([^<]+)")
_HIDDEN = frozenset(
    ("annotation", "annotation-xml", "mphantom", "none", "mprescripts", "maligngroup")
)
# Function application, invisible times, invisible separator, invisible plus.
_INVISIBLE = dict.fromkeys(map(ord, "\u2061\u2062\u2063\u2064\u200b"))
_NO_LINE = re.compile(r' linethickness="0[a-z%]*"')
_OPEN, _CLOSE = re.compile(r' open="([^"]*)"'), re.compile(r' close="([^"]*)"')
_SCRIPT_END = re.compile(r"[_^](?:[^\W\d_]|\([^()]*\))$")
_ATOM = re.compile(r"\w+(?:[.,]\d+)?|.")


@dataclass
class _Node:
    name: str
    parts: list[_Node] = field(default_factory=list)
    text: str = ""
    is_bare: bool = False
    fences: tuple[str, str] = ("(", ")")


def linear_text(markup: str) -> str:
    """One line for a <math> element, given from its opening tag on; empty where it says nothing."""
    if len(markup) > MOST_MARKUP_CHARS:
        return _bare(markup)
    root = _Node("math")
    stack = [root]
    for token in _TOKEN.finditer(markup):
        is_closing, name, is_empty, text = token.groups()
        if text is not None:
            stack[-1].text += text
        elif is_closing:
            if len(stack) > 1 and stack[-1].name == name:
                stack.pop()
        else:
            node = _Node(name, is_bare=bool(_NO_LINE.search(token[0])))
            if name == "mfenced":
                node.fences = _fences(token[0])
            stack[-1].parts.append(node)
            if not is_empty:
                stack.append(node)
            if len(stack) > MOST_DEPTH:
                return _bare(markup)
    return " ".join(_draw(root).split())


def _bare(markup: str) -> str:
    return " ".join(plain_text(re.sub(r"<[^>]*>", "", markup)).split())


def _draw(node: _Node) -> str:
    if node.name in _HIDDEN:
        return ""
    if not node.parts and node.name != "mspace":
        text = plain_text(node.text)
        return (text if node.name == "mtext" else text.strip()).translate(_INVISIBLE)
    if node.name == "semantics":
        return _draw(node.parts[0])
    parts = [_draw(part) for part in node.parts]
    if node.name == "mfrac" and node.is_bare and len(parts) == 2:
        return f"C({parts[0]},{parts[1]})"
    if node.name in _WAYS and len(parts) == _WAYS[node.name][0]:
        return _WAYS[node.name][1].format(
            parts[0], *map(_grouped, parts[1:]), first=_grouped(parts[0])
        )
    if node.name == "mmultiscripts":
        return _draw_scripts(node)
    if node.name == "mspace":
        return " "
    if node.name == "msqrt":
        return f"√{_grouped(''.join(parts))}"
    if node.name in ("mtable", "mtr", "mlabeledtr"):
        return ("; " if node.name == "mtable" else ", ").join(parts)
    if node.name == "mfenced":
        return f"{node.fences[0]}{','.join(parts)}{node.fences[1]}"
    return _join(parts)


def _fences(tag: str) -> tuple[str, str]:
    before, after = _OPEN.search(tag), _CLOSE.search(tag)
    return plain_text(before[1]) if before else "(", plain_text(after[1]) if after else ")"


def _join(parts: list[str]) -> str:
    """Side by side; a name behind a script that ends with a letter would read as part of it."""
    line = ""
    for part in parts:
        if part[:1].isalnum() and _SCRIPT_END.search(line):
            line += " "
        line += part
    return line


def _draw_scripts(node: _Node) -> str:
    """A base with scripts behind it and, past <mprescripts>, before it; `_6^14 C` is carbon-14."""
    names = [part.name for part in node.parts]
    middle = names.index("mprescripts") if "mprescripts" in names else len(names)
    base = _draw(node.parts[0]) if node.parts else ""
    behind = _scripts([_draw(part) for part in node.parts[1:middle]])
    before = _scripts([_draw(part) for part in node.parts[middle + 1 :]])
    return f"{before} {base}{behind}" if before else base + behind


def _scripts(drawn: list[str]) -> str:
    marks = ("_", "^") * len(drawn)
    return "".join(
        mark + _grouped(text) for mark, text in zip(marks, drawn, strict=False) if text.strip()
    )


# By name: how many parts, and how they are written; {first} is the first one in brackets if need be.
_WAYS = {
    "msup": (2, "{first}^{1}"),
    "msub": (2, "{first}_{1}"),
    "msubsup": (3, "{first}_{1}^{2}"),
    "munderover": (3, "{first}_{1}^{2}"),
    "munder": (2, "{first}_{1}"),
    "mover": (2, "{first}^{1}"),
    "mfrac": (2, "{first}/{1}"),
    "mroot": (2, "{1}√{first}"),
}


def _grouped(text: str) -> str:
    """In brackets, unless it is one number, one name, one sign, or in brackets already."""
    text = text.strip()
    is_bracketed = text.startswith("(") and text.find(")") == len(text) - 1
    return text if is_bracketed or _ATOM.fullmatch(text) else f"({text})"
