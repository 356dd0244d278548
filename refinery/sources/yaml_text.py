"""Texts of the user's world in YAML: quoted where YAML would read anything else."""

from __future__ import annotations

import json
import re

# Letters of any script, digits and a few signs that mean nothing inside of `{key: value}`.
_PLAIN = re.compile(r"(?:[^\W\d_]|/)[\w./-]*")
# YAML 1.1 and 1.2 read these as something else than a text, in any case.
_WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"}


def yaml_text(text: str | None) -> str:
    """A text as a YAML scalar in flow style, readable back by every version of YAML; None is null."""
    if text is None:
        return "null"
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    # A JSON string is a YAML scalar in double quotes; characters beyond ASCII stay readable.
    escaped = json.dumps(text, ensure_ascii=False)
    return re.sub(
        r"[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]", lambda m: f"\\u{ord(m[0]):04x}", escaped
    )
