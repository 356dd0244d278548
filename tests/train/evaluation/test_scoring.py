"""Log-likelihoods of choices against transformers on the same weights."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from schemas.errors import ContractError, PipelineError, SettingsError
from train.evaluation.branches import branch_mask, joined, joined_positions
from train.evaluation.items import Candidate, Item, ItemScore
from train.evaluation.readings import TextMarks, make_scorer
from train.evaluation.rows import ScoredRow
from train.evaluation.scoring import RowScorer
from train.exchange.compare import load_in_transformers
from train.model.presets import resolve_model
from train.model.transformer import Model, build_model
from train.objectives.config import parse_objective

PAD, END, CLS, SEP, MASK, SENTINEL, SECOND = 0, 1, 2, 3, 4, 5, 6


class CharacterTokenizer:
    """A character is a token, but 京都 is one."""

    cls_token_id, sep_token_id, mask_token_id = CLS, SEP, MASK

    def __call__(
        self, text: str, *, add_special_tokens: bool, return_offsets_mapping: bool = False
    ) -> dict[str, Any]:
        assert not add_special_tokens
        plain = text.replace("京都", "Z")
        coded: dict[str, Any] = {"input_ids": [7 + ord(c) % 89 for c in plain]}
        if return_offsets_mapping:
            assert plain == text
            coded["offset_mapping"] = [(at, at + 1) for at in range(len(text))]
        return coded

    def get_vocab(self) -> dict[str, int]:
        return {"<extra_id_0>": SENTINEL, "<extra_id_1>": SECOND}


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
        CharacterTokenizer(),
        marks,
        objective=None if objective is None else parse_objective(objective),
        max_tokens=more.pop("max_tokens", model.config.max_positions),
        **more,
    )


def item(context: str, *texts: str, delimiter: str = " ", name: str = "one") -> Item:
    candidates = tuple(Candidate(context=context, text=t, delimiter=delimiter) for t in texts)
    return Item(id=name, candidates=candidates, gold=(0,))


RIVER = ("opens", "is long and slow", "x")
ASKED = [item("The river", *RIVER), item("河", "流", "山川", delimiter="")]


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
        [decoder_reference(theirs, ids("The river"), ids(f" {c}")) for c in RIVER],
        [decoder_reference(theirs, ids("河"), ids(c)) for c in ("流", "山川")],
    ]

    for objective in ({"name": "causal"}, {"name": "span_corruption"}, None):
        found = scorer(model, objective).score(ASKED)

        for one, wanted in zip(found, expected, strict=True):
            assert one.log_likelihoods == pytest.approx(wanted, rel=1e-5)
            assert max(one.log_likelihoods) < 0
    assert [one.tokens for one in found] == [(6, 17, 2), (1, 2)]


@torch.no_grad()
def test_marks_that_the_tokenizer_writes_stand_before_the_prompt() -> None:
    model = model_of("llama-test")
    theirs = load_in_transformers(model)

    (found,) = scorer(model, before=(END,)).score(ASKED[:1])

    context = [END, *ids("The river")]
    wanted = [decoder_reference(theirs, context, ids(f" {c}")) for c in RIVER]
    assert found.log_likelihoods == pytest.approx(wanted, rel=1e-5)


@torch.no_grad()
def test_an_empty_prompt_begins_with_the_mark() -> None:
    model = model_of("gpt2-test")
    theirs = load_in_transformers(model)

    (found,) = scorer(model).score([item("", "x", "yz", delimiter="")])

    wanted = [decoder_reference(theirs, [END], ids(c)) for c in ("x", "yz")]
    assert found.log_likelihoods == pytest.approx(wanted, rel=1e-5)


@torch.no_grad()
def test_a_token_over_the_border_is_scored_for_all_choices() -> None:
    """The prompt's last letter is part of a token with the first choice alone."""
    model = model_of("gpt2-test")
    theirs = load_in_transformers(model)

    (found,) = scorer(model).score([item("北京", "都", "市", delimiter="")])

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
    (found,) = made.score([item("The river", "opens")])

    wanted = decoder_reference(theirs, context, target, attention_mask=floats)
    assert found.log_likelihoods[0] == pytest.approx(wanted, rel=1e-5)
    assert found.log_likelihoods[0] != pytest.approx(
        decoder_reference(theirs, context, target), rel=1e-3
    )
    assert "whole context seen" in made.form


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
        (found, _) = scorer(model, objective).score(ASKED)

        read = [*ids("The river"), END]
        wanted = [t5_reference(theirs, read, [PAD, *ids(c)[:-1]], ids(c)) for c in RIVER]
        assert found.log_likelihoods == pytest.approx(wanted, rel=1e-5)
    assert found.tokens == (5, 16, 1)


@torch.no_grad()
def test_a_t5_of_spans_is_asked_for_a_blank_and_refused_without_it() -> None:
    model = model_of("t5-test")
    theirs = load_in_transformers(model)

    for name in ("span_corruption", "ul2", "denoising"):
        with pytest.raises(
            SettingsError, match=rf"trained on spans \(objective {name}\).*--read span"
        ):
            scorer(model, {"name": name}, reading="likelihood")
    (found, _) = scorer(model, {"name": "span_corruption"}).score(ASKED)

    read = [*ids("The river"), SENTINEL, END]
    wanted = [t5_reference(theirs, read, [PAD, SENTINEL, *ids(c)[:-1]], ids(c)) for c in RIVER]
    assert found.log_likelihoods == pytest.approx(wanted, rel=1e-5)


@torch.no_grad()
def test_a_bert_is_refused_or_gives_pseudo_log_likelihoods() -> None:
    model = model_of("bert-test")
    theirs = load_in_transformers(model)

    with pytest.raises(SettingsError, match="a choice has no likelihood"):
        scorer(model, {"name": "masked"}, reading="likelihood")
    (found,) = scorer(model, {"name": "masked"}, reading="pseudo").score(ASKED[1:])

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
        ("bert-test", "span", "--read span: not for a bert; expected --read pseudo or"),
        ("t5-test", "pseudo", "--read pseudo: not for an encoder-decoder"),
    ],
)
def test_a_reading_of_another_family_is_refused(preset: str, reading: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        scorer(model_of(preset), reading=reading)


@torch.no_grad()
def test_a_context_that_is_too_long_loses_its_beginning() -> None:
    model = model_of("gpt2-test")
    theirs = load_in_transformers(model)

    (found,) = scorer(model, max_tokens=6).score([item("abcdefghij", "xy", "z")])

    # Six tokens are read, the last one of a candidate is not.
    wanted = [
        decoder_reference(theirs, ids("efghij")[2:], ids(" xy")),
        decoder_reference(theirs, ids("fghij"), ids(" z")),
    ]
    assert found.log_likelihoods == pytest.approx(wanted, rel=1e-5)
    assert found.cut_tokens == 6


@pytest.mark.parametrize("preset", ["gpt2-test", "t5-test", "bert-test"])
def test_a_candidate_that_leaves_no_room_is_named(preset: str) -> None:
    asked = item("p", "short", "q" * 40, name="17")

    with pytest.raises(ContractError, match=r"item 17: the candidate 'qqq.* has 4\d tokens"):
        scorer(model_of(preset), max_tokens=20).score([asked])


def test_weights_that_give_no_number_are_told() -> None:
    model = model_of("gpt2-test")
    with torch.no_grad():
        model.final_norm.weight.fill_(float("nan"))

    with pytest.raises(PipelineError, match="item one: a log-likelihood is not finite"):
        scorer(model).score(ASKED)


def test_a_tokenizer_without_the_needed_token_is_refused() -> None:
    model = model_of("bert-test")
    bare: Any = SimpleNamespace(get_vocab=dict)

    with pytest.raises(SettingsError, match="the tokenizer has no cls token"):
        make_scorer(
            model, bare, TextMarks(pad=0, start=0, end=1),
            objective=None, max_tokens=9, reading="pseudo",
        )  # fmt: skip


def bits(scores: list[ItemScore]) -> dict[str, tuple[float, ...]]:
    return {one.id: one.log_likelihoods for one in scores}


@pytest.mark.parametrize("preset", ["gpt2-test", "llama-test", "t5-test", "bert-test"])
def test_neither_batch_size_nor_order_nor_company_changes_a_bit(preset: str) -> None:
    model = model_of(preset)
    words = ["river", "a", "opens up", "slowly", "x y z", "mountains"]
    asked = [
        item(f"{first} {second}"[: 3 + index], first, second, name=str(index))
        for index, (first, second) in enumerate((a, b) for a in words for b in words if a != b)
    ]
    many = scorer(model)

    whole = bits(many.score(asked))

    shuffled = bits(many.score(asked[::-1]))
    one_by_one = {
        key: value for one in asked[::5] for key, value in bits(many.score([one])).items()
    }
    assert shuffled == whole
    assert one_by_one == {key: whole[key] for key in one_by_one}
    for max_rows in (8, 16):
        assert bits(replace(many, max_rows=max_rows).score(asked)) == whole


@pytest.mark.parametrize("preset", ["gpt2-test", "llama-test", "neox-test", "opt-test"])
def test_examples_that_items_share_are_computed_once_and_change_nothing(preset: str) -> None:
    model = model_of(preset)
    examples = "two and two are four. " * 3
    asked = [item("The river", "opens", "is slow", name="a"), item("It", "is", "was", name="b")]
    once = replace(scorer(model, max_tokens=128), min_prefix=8)
    seen: list[int] = []
    encode = model.encode
    model.encode = lambda batch: seen.append(1) or encode(batch)  # type: ignore[method-assign]

    found = once.score(asked, before=[examples] * 2)

    assert not seen  # no row was read as a whole
    plain = replace(once, min_prefix=None).score(asked, before=[examples] * 2)
    for one, other in zip(found, plain, strict=True):
        assert one.log_likelihoods == pytest.approx(other.log_likelihoods, abs=1e-3)
        assert (one.tokens, one.greedy) == (other.tokens, other.greedy)
    assert bits(once.score(asked[::-1], before=[examples] * 2)) == bits(found)


@torch.no_grad()
def test_the_sentinel_form_scores_the_differing_span_and_its_closing_sentinel() -> None:
    model = model_of("t5-test")
    theirs = load_in_transformers(model)
    pair = item("", "cats see", "cats saw", delimiter="")

    (found,) = scorer(model, reading="sentinel").score([pair])

    wanted = []
    for span, behind in (("ee", ""), ("aw", "")):
        read = [*ids("cats s"), SENTINEL, *ids(behind), END]
        target = [*ids(span), SECOND]
        wanted.append(t5_reference(theirs, read, [PAD, SENTINEL, *target[:-1]], target))
    assert found.log_likelihoods == pytest.approx(wanted, rel=1e-5)
    assert found.tokens == (3, 3)


@torch.no_grad()
def test_pll_word_l2r_hides_the_rest_of_a_word() -> None:
    """Kauf and Ivanova 2023: of a word, the token and those behind it are masked."""
    model = model_of("bert-test")
    theirs = load_in_transformers(model)

    (found,) = scorer(model).score([item("", "ab c", "山川", delimiter="")])

    def total(text: str, hidden: list[int]) -> float:
        whole = [CLS, *ids(text), SEP]
        value = 0.0
        for index, more in enumerate(hidden, start=1):
            masked = [*whole[:index], *[MASK] * (1 + more), *whole[index + 1 + more :]]
            logits = theirs(torch.tensor([masked])).prediction_logits[0, index]
            value += float(logits.double().log_softmax(-1)[whole[index]])
        return value

    assert found.log_likelihoods == pytest.approx(
        [total("ab c", [1, 0, 0, 0]), total("山川", [0, 0])], rel=1e-5
    )


def test_whether_a_candidate_is_the_greedy_one_is_told() -> None:
    model = model_of("gpt2-test")
    with torch.no_grad():
        logits = load_in_transformers(model)(torch.tensor([ids("The river")])).logits[0, -1]
    best = next(chr(c) for c in range(32, 127) if 7 + c % 89 == int(logits[7:].argmax()) + 7)
    is_possible = int(logits.argmax()) >= 7

    (found,) = scorer(model).score([item("The river", best, "\x7f", delimiter="")])

    assert found.greedy == (is_possible, False)


def test_letters_after_one_prompt_are_read_off_one_row() -> None:
    model = model_of("gpt2-test")
    rows: list[int] = []
    encode = model.encode
    model.encode = lambda batch: rows.append(len(batch.input_ids)) or encode(batch)  # type: ignore[method-assign]

    scorer(model).score([item("Answer:", *"ABCDEFGHIJ", delimiter="")])

    assert rows == [8]


@torch.no_grad()
@pytest.mark.parametrize("preset", ["gpt2-test", "llama-test", "neox-test"])
def test_choices_behind_one_context_are_one_row_and_score_as_apart(preset: str) -> None:
    model = model_of(preset)
    theirs = load_in_transformers(model)
    texts = ("opens wide", "opens", "is long and slow", "opening")
    whole: list[tuple[int, ...]] = []
    states = model.states
    model.states = lambda ids, *more: whole.append(tuple(ids.shape)) or states(ids, *more)  # type: ignore

    (found,) = scorer(model, max_tokens=64).score([item("The river at the old bridge", *texts)])

    wanted = [
        decoder_reference(theirs, ids("The river at the old bridge"), ids(f" {text}"))
        for text in texts
    ]
    assert found.log_likelihoods == pytest.approx(wanted, rel=1e-5, abs=1e-4)
    ((_, tokens),) = whole
    # 27 of the context, then " opens wid", " is long and slo" and " openin" behind " opens" where they part.
    assert tokens < 4 * 27


def test_a_token_sees_the_shared_beginning_and_its_own_branch() -> None:
    rows = [
        ScoredRow(read=(5, 6, 7, 8), at=(1, 3), wanted=(7, 1)),
        ScoredRow(read=(5, 6, 9), at=(1, 2), wanted=(9, 1)),
    ]

    made = joined(rows, lambda length: length)

    assert made is not None
    whole, (first, second) = made
    assert (whole.read, whole.branches) == ((5, 6, 7, 8, 9), (0, 0, 1, 1, 2))
    assert (first.at, second.at) == ((1, 3), (1, 4))
    assert joined_positions([whole.branches], 6)[0, :5].tolist() == [0, 1, 2, 3, 2]
    mask = branch_mask([whole.branches], 6, before=1)[0, 0].int().tolist()
    assert mask[3] == [1, 1, 1, 1, 1, 0, 0]
    assert mask[4] == [1, 1, 1, 0, 0, 1, 0]
    assert all(any(row) for row in mask)  # padding sees something, for softmax over none is NaN


def test_candidates_that_share_too_little_stay_apart() -> None:
    rows = [
        ScoredRow(read=(5, *range(20, 40)), at=(20,), wanted=(1,)),
        ScoredRow(read=(5, *range(50, 70)), at=(20,), wanted=(1,)),
    ]

    assert joined(rows, lambda length: length) is None
    assert joined(rows[:1] * 2, lambda length: length) is None  # one text
