"""Answers that a model wrote, compared with references: exact, normalised, F1, BLEU, chrF, pass@k."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

from train.evaluation.borders import is_unspaced
from train.evaluation.items import Item, WrittenItem
from train.evaluation.load import LoadedTask
from train.evaluation.programs import run_program
from train.evaluation.task import GenerationTask
from train.evaluation.templates import filled

_ARTICLES = frozenset({"a", "an", "the"})


def cut_at(text: str, until: Sequence[str]) -> str:
    """The text before the first of some stops."""
    ends = [text.index(stop) for stop in until if stop in text]
    return text[: min(ends, default=len(text))]


def normalised(text: str) -> str:
    """Lower case without punctuation and articles, single blanks, as SQuAD compares (Rajpurkar et al. 2016)."""
    return " ".join(word for word in _words(text) if word not in _ARTICLES)


def _words(text: str) -> list[str]:
    """Words of spaced scripts, and the characters of others."""
    plain = unicodedata.normalize("NFKC", text).lower()
    spaced = []
    for character in plain:
        if unicodedata.category(character)[0] in "PS":
            spaced.append(" ")
        else:
            spaced.append(f" {character} " if is_unspaced(character) else character)
    return "".join(spaced).split()


def overlap_f1(text: str, reference: str) -> float:
    """F1 of the words of both, characters in Chinese (DRCD and SQuAD count so)."""
    own = [word for word in _words(text) if word not in _ARTICLES]
    theirs = [word for word in _words(reference) if word not in _ARTICLES]
    common = sum((Counter(own) & Counter(theirs)).values())
    if not common:
        return float(own == theirs)
    return 2 * common / (len(own) + len(theirs))


def pass_at_k(samples: int, passed: int, k: int) -> float:
    """Probability that one of k drawn samples passes (Chen et al. 2021, equation 1)."""
    if samples - passed < k:
        return 1.0
    return 1.0 - math.comb(samples - passed, k) / math.comb(samples, k)


def answer_in(text: str, pattern: str | None) -> str:
    """The answer that a pattern finds in a text: its last group, or the whole text without a pattern.

    A text that the pattern does not match has no answer: the result is empty.
    """
    if pattern is None:
        return text.strip()
    found = re.search(pattern, text)
    if found is None:
        return ""
    return (found.group(found.re.groups) or "").strip().rstrip(".")


def judge(loaded: LoadedTask, item: Item, texts: Sequence[str]) -> WrittenItem:
    """What the answers to one item are worth, as means over the answers.

    BLEU and chrF are of the whole task (`corpus_metrics`).
    """
    task = loaded.task
    assert isinstance(task, GenerationTask), "only generation is written"
    reference = item.candidates[0].text
    wanted = answer_in(reference, task.extract)
    metrics: dict[str, float] = {}
    outcome = "ok"
    answers = [answer_in(text, task.extract) for text in texts]
    for name in task.metrics:
        if name == "exact_match":
            values = [
                float(bool(answer) and _plain(answer) == _plain(wanted)) for answer in answers
            ]
        elif name == "normalised_match":
            values = [float(normalised(answer) == normalised(wanted)) for answer in answers]
        elif name == "f1":
            values = [overlap_f1(answer, wanted) for answer in answers]
        elif name == "pass_at_k":
            assert task.program is not None, "checked by the settings"
            row = loaded.rows[item.id]
            outcomes = [
                run_program(filled(task.program, row, {"output": text}), seconds=task.seconds)
                for text in texts
            ]
            outcome = next((one for one in outcomes if one != "ok"), "ok")
            values = [pass_at_k(len(outcomes), outcomes.count("ok"), task.k)]
            metrics[f"pass_at_{task.k}"] = values[0]
            continue
        else:
            continue
        metrics[name] = sum(values) / len(values)
    return WrittenItem(
        id=item.id,
        text=texts[0],
        references=(reference,),
        metrics=metrics,
        outcome=outcome,
        cluster=item.cluster,
        group=item.group,
    )


def _plain(answer: str) -> str:
    """Numbers with and without commas are one number."""
    return answer.replace(",", "").replace("$", "").strip().lower()


def corpus_metrics(
    task: GenerationTask, items: Sequence[WrittenItem]
) -> dict[str, tuple[float, str]]:
    """BLEU and chrF of all items together, with sacrebleu's signature; Chinese is cut by its `zh`."""
    asked = [name for name in task.metrics if name in ("bleu", "chrf")]
    if not asked:
        return {}
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    texts = [answer_in(one.text, task.extract) for one in items]
    references = [[one.references[0] for one in items]]
    result: dict[str, tuple[float, str]] = {}
    for name in asked:
        tokenizer = "zh" if task.language.split("-")[0] == "zh" else "13a"
        metric = BLEU(tokenize=tokenizer) if name == "bleu" else CHRF()
        score = metric.corpus_score(texts, references)
        result[name] = (float(score.score), str(metric.get_signature()))
    return result
