"""Log-likelihoods of choices against transformers on the same weights."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from schemas.errors import ContractError, PipelineError, SettingsError
from train.evaluation.readings import TextMarks, make_scorer
from train.evaluation.scoring import Choices, RowScorer
from train.exchange.compare import load_in_transformers
from train.model.presets import resolve_model
from train.model.transformer import Model, build_model
from train.objectives.config import parse_objective

PAD, END, CLS, SEP, MASK, SENTINEL = 0, 1, 2, 3, 4, 5


class CharacterTokenizer:
    """A character is a token, but 京都 is one."""

    cls_token_id, sep_token_id, mask_token_id = CLS, SEP, MASK

    def __call__(self, text: str, *, add_special_tokens: bool) -> dict[str, list[int]]:
        assert not add_special_tokens
        return {"input_ids": [6 + ord(c) % 90 for c in text.replace("京都", "Z")]}

    def get_vocab(self) -> dict[str, int]:
        return {"<extra_id_0>": SENTINEL}


def ids(text: str) -> list[int]:
    return CharacterTokenizer()(text, add_special_tokens=False)["input_ids"]


def model_of(preset: str) -> Model:
    config = resolve_model({"preset": preset}, vocab_size=96, seq_len=16)
    model = build_model(config, seed=2)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    return model


def scorer(model: Model, objective: dict[str, Any] | None = None, **more: Any) -> RowScorer:
    marks = TextMarks(pad=PAD, start=PAD, end=END, before=more.pop("before", ()))
    return make_scorer(
        model,
        model.config,
        CharacterTokenizer(),
        marks,
        objective=None if objective is None else parse_objective(objective),
        max_tokens=more.pop("max_tokens", model.config.max_positions),
        **more,
    )


ASKED = [
    Choices(prompt="The river", choices=("opens", "is long and slow", "x")),
    Choices(prompt="河", choices=("流", "山川")),
]


def log_likelihoods(logits: Tensor, targets: list[int]) -> float:
    chosen = logits.double().log_softmax(-1)[range(len(targets)), targets]
    return float(chosen.sum())


def decoder_reference(theirs: Any, context: list[int], target: list[int], **more: Any) -> float:
    whole = torch.tensor([context + target])
    logits = theirs(whole, **more).logits[0, len(context) - 1 : -1]
    return log_likelihoods(logits, target)


@torch.no_grad()
@pytest.mark.parametrize("preset", ["gpt2-test", "llama-test", "neox-test", "opt-test"])
def test_a_decoder_scores_as_transformers_whatever_its_objective_was(preset: str) -> None:
    model = model_of(preset)
    theirs = load_in_transformers(model)
    expected = [
        [decoder_reference(theirs, ids("The river"), ids(f" {c}")) for c in ASKED[0].choices],
        [decoder_reference(theirs, ids("河"), ids(c)) for c in ASKED[1].choices],
    ]

    for objective in ({"name": "causal"}, {"name": "span_corruption"}, None):
        found = scorer(model, objective).score_all(ASKED)

        for one, wanted in zip(found, expected, strict=True):
            assert one.log_likelihoods == pytest.approx(wanted, rel=1e-5)
            assert max(one.log_likelihoods) < 0
    assert [one.tokens for one in found] == [(6, 17, 2), (1, 2)]


@torch.no_grad()
def test_marks_that_the_tokenizer_writes_stand_before_the_prompt() -> None:
    model = model_of("llama-test")
    theirs = load_in_transformers(model)

    (found,) = scorer(model, before=(END,)).score_all(ASKED[:1])

    context = [END, *ids("The river")]
    wanted = [decoder_reference(theirs, context, ids(f" {c}")) for c in ASKED[0].choices]
    assert found.log_likelihoods == pytest.approx(wanted, rel=1e-5)


@torch.no_grad()
def test_an_empty_prompt_begins_with_the_mark() -> None:
    model = model_of("gpt2-test")
    theirs = load_in_transformers(model)

    (found,) = scorer(model).score_all([Choices(prompt="", choices=("x", "yz"))])

    wanted = [decoder_reference(theirs, [END], ids(c)) for c in ("x", "yz")]
    assert found.log_likelihoods == pytest.approx(wanted, rel=1e-5)


@torch.no_grad()
def test_a_token_over_the_border_is_scored_for_all_choices() -> None:
    """The prompt's last letter is part of a token with the first choice alone."""
    model = model_of("gpt2-test")
    theirs = load_in_transformers(model)

    (found,) = scorer(model).score_all([Choices(prompt="北京", choices=("都", "市"))])

    wanted = [decoder_reference(theirs, ids("北"), ids(text)) for text in ("京都", "京市")]
    assert found.log_likelihoods == pytest.approx(wanted, rel=1e-5)
    assert found.tokens == (1, 2)


@torch.no_grad()
def test_a_prefix_language_model_sees_the_whole_prompt() -> None:
    model = model_of("gpt2-test")
    theirs = load_in_transformers(model)
    context, target = ids("The river"), ids(" opens")
    size = len(context) + len(target)
    mask = torch.ones(size, size, dtype=torch.bool).tril()
    mask[:, : len(context)] = True
    floats = torch.zeros(1, 1, size, size).masked_fill(~mask, torch.finfo(torch.float32).min)

    made = scorer(model, {"name": "denoising", "grid": "prefix_lm"})
    (found,) = made.score_all([Choices(prompt="The river", choices=("opens",))])

    wanted = decoder_reference(theirs, context, target, attention_mask=floats)
    assert found.log_likelihoods[0] == pytest.approx(wanted, rel=1e-5)
    assert found.log_likelihoods[0] != pytest.approx(
        decoder_reference(theirs, context, target), rel=1e-3
    )
    assert "whole prompt seen" in made.form


def t5_reference(theirs: Any, read: list[int], written: list[int], targets: list[int]) -> float:
    output = theirs(
        input_ids=torch.tensor([read]), decoder_input_ids=torch.tensor([written])
    ).logits[0]
    return log_likelihoods(output[-len(targets) :], targets)


@torch.no_grad()
@pytest.mark.parametrize("preset", ["t5-test", "t5-v1.1-test"])
def test_a_t5_of_pairs_writes_the_choice(preset: str) -> None:
    model = model_of(preset)
    theirs = load_in_transformers(model)

    for objective in (None, {"name": "text_to_text"}):
        (found, _) = scorer(model, objective).score_all(ASKED)

        read = [*ids("The river"), END]
        wanted = [t5_reference(theirs, read, [PAD, *ids(c)[:-1]], ids(c)) for c in ASKED[0].choices]
        assert found.log_likelihoods == pytest.approx(wanted, rel=1e-5)
    assert found.tokens == (5, 16, 1)


@torch.no_grad()
def test_a_t5_of_spans_is_asked_for_a_blank_and_refused_without_it() -> None:
    model = model_of("t5-test")
    theirs = load_in_transformers(model)

    with pytest.raises(SettingsError, match=r"trained on spans \(objective span_corruption\)"):
        scorer(model, {"name": "span_corruption"})
    for name in ("ul2", "denoising"):
        with pytest.raises(SettingsError, match="--read span"):
            scorer(model, {"name": name})
    (found, _) = scorer(model, {"name": "span_corruption"}, reading="span").score_all(ASKED)

    read = [*ids("The river"), SENTINEL, END]
    wanted = [
        t5_reference(theirs, read, [PAD, SENTINEL, *ids(c)[:-1]], ids(c)) for c in ASKED[0].choices
    ]
    assert found.log_likelihoods == pytest.approx(wanted, rel=1e-5)


@torch.no_grad()
def test_a_bert_is_refused_or_gives_pseudo_log_likelihoods() -> None:
    model = model_of("bert-test")
    theirs = load_in_transformers(model)

    with pytest.raises(SettingsError, match="a choice has no likelihood"):
        scorer(model, {"name": "masked"})
    (found,) = scorer(model, {"name": "masked"}, reading="pseudo").score_all(ASKED[1:])

    wanted = []
    for choice in ("流", "山川"):
        whole = [CLS, *ids("河"), *ids(choice), SEP]
        total = 0.0
        for index in range(2, len(whole) - 1):
            masked = [*whole[:index], MASK, *whole[index + 1 :]]
            logits = theirs(torch.tensor([masked])).prediction_logits[0, index]
            total += float(logits.double().log_softmax(-1)[whole[index]])
        wanted.append(total)
    assert found.log_likelihoods == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize(
    ("preset", "reading", "message"),
    [
        ("gpt2-test", "span", "--read span: not for a decoder; expected --read likelihood"),
        ("bert-test", "span", "--read span: not for a bert; expected --read pseudo"),
        ("t5-test", "pseudo", "--read pseudo: not for an encoder-decoder"),
    ],
)
def test_a_reading_of_another_family_is_refused(preset: str, reading: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        scorer(model_of(preset), reading=reading)


@torch.no_grad()
def test_all_choices_of_a_question_see_the_same_part_of_a_long_prompt() -> None:
    model = model_of("gpt2-test")
    theirs = load_in_transformers(model)
    asked = Choices(prompt="abcdefghij", choices=("xy", "z"))

    (found,) = scorer(model, max_tokens=6).score_all([asked])

    # Six tokens are read, the last one of a choice is not: four of the prompt beside " xy".
    context = ids("abcdefghij")[-4:]
    wanted = [decoder_reference(theirs, context, ids(f" {c}")) for c in ("xy", "z")]
    assert found.log_likelihoods == pytest.approx(wanted, rel=1e-5)
    assert found.cut_tokens == 6


@pytest.mark.parametrize("preset", ["gpt2-test", "t5-test"])
def test_a_choice_that_leaves_no_room_for_a_prompt_is_named(preset: str) -> None:
    asked = Choices(prompt="p", choices=("short", "q" * 40), where="task: 'p'")

    with pytest.raises(ContractError, match=r"task: 'p': the choice 'qqq.* has 4\d tokens"):
        scorer(model_of(preset), max_tokens=20).score_all([asked])


def test_weights_that_give_no_number_are_told() -> None:
    model = model_of("gpt2-test")
    with torch.no_grad():
        model.final_norm.weight.fill_(float("nan"))

    with pytest.raises(PipelineError, match="5 of 5 log-likelihoods are not finite"):
        scorer(model).score_all(ASKED)


def test_a_tokenizer_without_the_needed_token_is_refused() -> None:
    model = model_of("bert-test")
    bare: Any = SimpleNamespace(get_vocab=dict)

    with pytest.raises(SettingsError, match="the tokenizer has no cls token"):
        make_scorer(
            model, model.config, bare, TextMarks(pad=0, start=0, end=1),
            objective=None, max_tokens=9, reading="pseudo",
        )  # fmt: skip
