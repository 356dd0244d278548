"""Join the chunks of an HTTP body as archives keep them, damaged ones too."""

from __future__ import annotations

import re

# A line with a size in hexadecimal digits; extensions may be long, and some servers end it by LF.
_SIZE = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\n]{0,8192})?\r?\n")
_LINE_END = re.compile(rb"\r?\n")
_NEXT_SIZE = re.compile(rb"\r?\n(?=[ \t]*[0-9A-Fa-f]{1,8}[ \t]*(?:;[^\n]{0,8192})?\r?\n)")
_MOST_JUNK = 64
_MOST_CANDIDATES = 1000


def join_chunks(body: bytes) -> tuple[bytes, bool]:
    """The body without its chunk lines, and whether a chunk was damaged.

    A body that has no chunks, whatever its header says, is returned as it is. Where a size is wrong
    or no size, reading goes on at the next line that is one (its chunk ends where it says so); what
    lies between is kept, and so is all that follows where there is no such line.
    """
    first = _SIZE.match(body)
    if first is None:
        return body, False
    pieces: list[bytes] = []
    position, is_damaged = 0, False
    while position < len(body):
        line = _SIZE.match(body, position)
        if line is not None:
            size, start = int(line[1], 16), line.end()
            if size == 0:
                break  # trailers follow
            if (end := _end_of_chunk(body, start, size)) is not None:
                pieces.append(body[start : start + size])
                position = end
                continue
        elif not pieces:
            return body, False
        else:
            start = _behind_junk(body, position)
        is_damaged = True
        border = _next_border(body, start)
        if border is None:
            if not pieces:
                return body, False  # its first line only looked like a size
            pieces.append(body[start:])
            break
        pieces.append(body[start : border[0]])
        position = border[1]
    return b"".join(pieces), is_damaged


def _end_of_chunk(body: bytes, start: int, size: int) -> int | None:
    """Where the next size stands behind a chunk; None where the chunk does not end as it says.

    The last chunk of a cut body ends where the body does, unless another chunk lies inside of it.
    """
    end = start + size
    if end >= len(body):
        return None if _next_border(body, start) else len(body)
    line_end = _LINE_END.match(body, end)
    return line_end.end() if line_end else None


def _behind_junk(body: bytes, position: int) -> int:
    """Behind a short line that stands where a size should, and is none."""
    end = body.find(b"\n", position, position + _MOST_JUNK)
    if end >= 0:
        return end + 1
    return len(body) if len(body) - position <= _MOST_JUNK // 8 else position


def _next_border(body: bytes, start: int) -> tuple[int, int] | None:
    """The end of what lies before the next sound chunk, and where that one's size stands."""
    for number, found in enumerate(_NEXT_SIZE.finditer(body, start)):
        if number == _MOST_CANDIDATES:
            return None
        line = _SIZE.match(body, found.end())
        if line is None:
            continue
        end = line.end() + int(line[1], 16)
        if line.end() == end:  # the last one: nothing but trailers may follow
            if len(body) - end <= 2 or b":" in body[end : end + 200] or not body[end:].strip():
                return found.start(), found.end()
        elif end == len(body) or _LINE_END.match(body, end):
            return found.start(), found.end()
    return None
