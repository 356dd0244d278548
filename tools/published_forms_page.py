"""The page of published models, from what was measured."""

from __future__ import annotations

import json
from pathlib import Path

RESULT = Path("benchmarks/results/published_forms.json")
_OPENING = """# Published models

Made by `python -m tools.docs` from [a measurement](../benchmarks/results/published_forms.json) by
[benchmarks/train/published_forms.py](../benchmarks/train/published_forms.py): tiny random models as transformers saves them, loaded by
`--from FOLDER`, compared in fp32, exported, and loaded by transformers again. Differences are the largest ones, relative to
the largest logit; a test holds them below {tolerance:g}.

| published form | class in transformers | our family | logits differ by | written by an export as | there they differ by |
|---|---|---|---|---|---|
"""
_END = """
Mistral is written as a LLaMA, which has no sliding window: rows are never longer than the window, so it changes nothing. A folder may be of any size. What such a model has beyond these is refused by name when the folder is opened: other kinds of
rotary scaling than `linear` and `llama3`, windows in some layers only, biases in attention where a LLaMA has none. Real weights that
tests load where their packages are installed: MiniLM (BERT) and SmolLM2-135M
([test_real_checkpoints.py](../tests/train/exchange/test_real_checkpoints.py)). How weights are exchanged: [models.md](models.md).
"""


def published_forms_page() -> str:
    """Every form that was measured, with how far it is from transformers."""
    result = json.loads(RESULT.read_text("utf-8"))
    rows = (
        f"| {row['form']} | `{row['class']}` | `{row['family']}` | {_shown(row['logits'])} | `{row['written_as']}` "
        f"| {_shown(row['round_trip'])} |\n"
        for row in result["forms"]
    )
    return _OPENING.format(tolerance=result["tolerance"]) + "".join(rows) + _END


def _shown(difference: float) -> str:
    return f"{difference:.1e}" if difference else "nothing"
