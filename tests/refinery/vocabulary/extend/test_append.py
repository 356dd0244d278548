"""Extending small bases of each kind, trained here on English."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

import pytest
import sentencepiece
from tokenizers import Tokenizer

from jobs.command.main import main
from refinery.tokenizers.folder import TokenizerFolder, read_tokenizer
from refinery.tokenizers.identity import load_tokenizer
from refinery.vocabulary.config import ExtendConfig, TrainConfig, TrainKind
from refinery.vocabulary.extend.donor import read_donor
from refinery.vocabulary.extend.publish import Texts, publish_extension
from refinery.vocabulary.train.counted_clauses import count_clauses
from refinery.vocabulary.train.train import train_tokenizer
from schemas.errors import ContractError, QualityGateError, SettingsError
from schemas.vocabulary import ExtendedVocabulary, read_vocabulary
from tests.support.small_tokenizers import KINDS, chinese_lines, english_lines, folder_of


def extend_kind(
    kind: TrainKind, donor: Path, out: Path, config: ExtendConfig | None = None
) -> tuple[TokenizerFolder, ExtendedVocabulary]:
    base = read_tokenizer(folder_of(kind, "en"))
    vocabulary = publish_extension(
        base,
        read_donor(donor, base),
        config or ExtendConfig(),
        texts=Texts(new=chinese_lines()[:100], base=english_lines()[:100]),
        out=out,
    )
    return base, vocabulary


@pytest.mark.parametrize("kind", KINDS)
def test_every_proof_holds_and_text_gets_shorter(kind: TrainKind, tmp_path: Path) -> None:
    base, vocabulary = extend_kind(kind, folder_of(kind, "zh"), tmp_path / "out")

    extended = load_tokenizer(tmp_path / "out")
    assert [p.name for p in vocabulary.proofs if not p.holds] == []
    assert vocabulary.tokens[0].id == base.size == vocabulary.base.size
    line = "数据清洗中国人民"
    before, after = (t.encode(line, add_special_tokens=False) for t in (base.tokenizer, extended))
    known = vocabulary.fertility["new_language"]
    assert known["extended"]["unknown_fraction"] <= known["base"]["unknown_fraction"]
    assert len(after.ids) < len(before.ids) or base.unk_id in before.ids
    assert read_vocabulary(tmp_path / "out") == vocabulary


@pytest.mark.parametrize("donor_kind", ["sentencepiece_unigram", "sentencepiece_bpe"])
@pytest.mark.parametrize("kind", ["byte_level_bpe", "sentencepiece_bpe", "sentencepiece_unigram"])
def test_sentencepiece_donors_serve_every_base(
    kind: TrainKind, donor_kind: TrainKind, tmp_path: Path
) -> None:
    donor = folder_of(donor_kind, "zh") / "tokenizer.model"

    _, vocabulary = extend_kind(kind, donor, tmp_path / "out")

    assert vocabulary.counts["new"] > 20
    assert all(proof.holds for proof in vocabulary.proofs)


def test_sentencepiece_alone_gives_the_ids_of_the_folder(tmp_path: Path) -> None:
    extend_kind("sentencepiece_unigram", folder_of("sentencepiece_unigram", "zh"), tmp_path / "out")

    bare = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "out/tokenizer.model"))
    ours = load_tokenizer(tmp_path / "out")
    for line in chinese_lines()[100:200]:
        assert bare.encode(line) == ours.encode(line, add_special_tokens=False).ids


def test_base_ids_are_the_text_under_the_base(tmp_path: Path) -> None:
    base, vocabulary = extend_kind(
        "byte_level_bpe", folder_of("byte_level_bpe", "zh"), tmp_path / "out"
    )

    for token in vocabulary.tokens:
        if "\ufffd" not in token.text:
            assert base.tokenizer.decode(list(token.base_ids)) == token.text


def test_size_is_kept_and_counts_support(tmp_path: Path) -> None:
    base = read_tokenizer(folder_of("byte_level_bpe", "en"))
    config = ExtendConfig(size=base.size + 30)

    _, vocabulary = extend_kind(
        "byte_level_bpe", folder_of("byte_level_bpe", "zh"), tmp_path / "out", config
    )

    assert base.size + 25 <= vocabulary.size <= base.size + 30
    assert vocabulary.counts["support"] > 0


def test_min_gain_leaves_out_what_saves_little(tmp_path: Path) -> None:
    donor = folder_of("sentencepiece_bpe", "zh")
    _, everything = extend_kind("sentencepiece_bpe", donor, tmp_path / "a")

    _, few = extend_kind("sentencepiece_bpe", donor, tmp_path / "b", ExtendConfig(min_gain=20))

    assert 0 < len(few.tokens) < len(everything.tokens)


@pytest.mark.slow
def test_a_donor_of_all_scripts_is_taken_whole(tmp_path: Path) -> None:
    donor = folder_of("sentencepiece_bpe", "zh")

    base, vocabulary = extend_kind(
        "sentencepiece_bpe", donor, tmp_path / "out", ExtendConfig(scripts=("all",), exact=True)
    )

    special = {"<pad>", "</s>", "<unk>", "<s>"}
    pieces = {
        piece
        for piece in read_tokenizer(donor).vocab
        if piece not in special and not piece.startswith(("<0x", "<extra_id_"))
    }
    assert {token.piece for token in vocabulary.tokens} == pieces - set(base.vocab)
    assert vocabulary.size == base.size + len(pieces - set(base.vocab))
    assert vocabulary.counts["support"] == 0
    assert {p.name for p in vocabulary.proofs if p.allowed} <= {
        "reachable",
        "boundaries",
        "libraries",
    }


@pytest.mark.slow
def test_all_scripts_without_exact_holds_every_proof(tmp_path: Path) -> None:
    donor = folder_of("sentencepiece_bpe", "zh")

    _, vocabulary = extend_kind(
        "sentencepiece_bpe", donor, tmp_path / "out", ExtendConfig(scripts=("all",))
    )

    assert [p.name for p in vocabulary.proofs if not p.holds] == []


@pytest.mark.slow
def test_exact_donor_with_latin_pieces_changes_base_text(tmp_path: Path) -> None:
    donor = folder_of("sentencepiece_bpe", "zh").parent.parent
    other = Path(tempfile.mkdtemp(dir=donor)) / "other"
    config = TrainConfig(kind="sentencepiece_bpe", size=600, sentinels=3)
    lines = [line.replace(" ", "") for line in english_lines()]
    train_tokenizer(count_clauses(lines, config), config, other)

    with pytest.raises(QualityGateError, match=r"new_characters: .* fail"):
        extend_kind("sentencepiece_bpe", other, tmp_path / "out", ExtendConfig(exact=True))
    assert list(tmp_path.iterdir()) == []

    allowed = ExtendConfig(
        exact=True, allow=("new_characters", "base_text", "reachable", "boundaries", "libraries")
    )
    _, vocabulary = extend_kind("sentencepiece_bpe", other, tmp_path / "out", allowed)
    assert [p.name for p in vocabulary.proofs if p.allowed]


def test_wordpiece_donor_is_refused_for_bytes(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="carry no spaces"):
        extend_kind("byte_level_bpe", folder_of("wordpiece", "zh"), tmp_path / "out")


@pytest.mark.slow
def test_ideographs_in_a_row_are_refused_where_bert_isolates_them(tmp_path: Path) -> None:
    config = TrainConfig(kind="wordpiece", size=600, sentinels=3)
    train_tokenizer(count_clauses(english_lines(), config), config, tmp_path / "base")
    base = read_tokenizer(tmp_path / "base")

    donor = read_donor(folder_of("wordpiece", "zh"), base)
    vocabulary = publish_extension(
        base, donor, ExtendConfig(), texts=Texts(new=chinese_lines()[:50]), out=tmp_path / "out"
    )

    assert max(len(token.text) for token in vocabulary.tokens) == 1
    assert vocabulary.refused["crosses what the base's normaliser and pre-tokenizer split"] > 0


def test_donor_piece_spelt_like_a_control_token_is_refused(tmp_path: Path) -> None:
    text = tmp_path / "t.txt"
    text.write_text("\n".join(["<eos>"] * 50 + chinese_lines()), "utf-8")
    sentencepiece.SentencePieceTrainer.train(
        input=str(text), model_prefix=str(tmp_path / "clash"), vocab_size=200, model_type="bpe",
        minloglevel=2, hard_vocab_limit=False, split_by_unicode_script=False,
    )  # fmt: skip

    with pytest.raises(ContractError, match=r"ordinary pieces <eos> are special tokens"):
        extend_kind("sentencepiece_bpe", tmp_path / "clash.model", tmp_path / "out")


def test_tags_that_a_donor_merged_are_left_out(tmp_path: Path) -> None:
    """ "</s>" is HTML to a BPE of web pages; here "<eos>" is, and no special token of the donor."""
    donor = tmp_path / "donor"
    shutil.copytree(folder_of("byte_level_bpe", "zh"), donor)
    document = json.loads((donor / "tokenizer.json").read_text("utf-8").replace("<eos>", "<end>"))
    vocab, merges = document["model"]["vocab"], document["model"]["merges"]
    for one, other in (("<", "e"), ("<e", "o"), ("<eo", "s"), ("<eos", ">")):
        vocab[one + other] = max(vocab.values()) + 1
        merges.append([one, other])
    (donor / "tokenizer.json").write_text(json.dumps(document), "utf-8")

    base, vocabulary = extend_kind("sentencepiece_bpe", donor, tmp_path / "out")

    assert "<eos>" in base.special_tokens
    assert vocabulary.refused["spelt like a control token of the base"] == 1
    assert all(proof.holds for proof in vocabulary.proofs)


def test_a_base_whose_ids_would_move_is_refused(tmp_path: Path) -> None:
    """`tokenizer.json` and the model file of a base number two pieces differently."""
    base = tmp_path / "base"
    shutil.copytree(folder_of("sentencepiece_bpe", "en"), base)
    document = json.loads((base / "tokenizer.json").read_text("utf-8"))
    vocab = document["model"]["vocab"]
    one, other = sorted(vocab, key=vocab.__getitem__)[400:402]
    vocab[one], vocab[other] = vocab[other], vocab[one]
    (base / "tokenizer.json").write_text(json.dumps(document), "utf-8")
    folder = read_tokenizer(base)

    with pytest.raises(ContractError, match=r"id 400 is .* ids would move"):
        publish_extension(
            folder,
            read_donor(folder_of("sentencepiece_bpe", "zh"), folder),
            ExtendConfig(),
            texts=Texts(new=chinese_lines()[:100]),
            out=tmp_path / "out",
        )
    assert not (tmp_path / "out").exists()


def test_size_below_the_base_is_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"--size 500: the base .* has 600 ids"):
        run_extend(tmp_path, "--size", "500", "--donor", str(folder_of("byte_level_bpe", "zh")))


def test_empty_and_tiny_corpora_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("\n")
    (tmp_path / "tiny.txt").write_text("中国人民\n")

    with pytest.raises(ContractError, match=r"empty\.txt: no text"):
        run_extend(tmp_path, "--size", "900", "--train", str(tmp_path / "empty.txt"))
    with pytest.raises(ContractError, match="expected 100 or more"):
        run_extend(tmp_path, "--size", "900", "--train", str(tmp_path / "tiny.txt"))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["empty.txt", "tiny.txt"]


def run_extend(tmp_path: Path, *arguments: str) -> int:
    base = folder_of("byte_level_bpe", "en")
    return main(
        ["vocabulary", "extend", "--base", str(base), "--out", str(tmp_path / "out"), *arguments]
    )


def test_text_never_becomes_a_sentinel_of_a_unigram_model() -> None:
    """T5's published file has its sentinels as ordinary pieces."""
    folder = folder_of("sentencepiece_unigram", "en")
    raw = Tokenizer.from_file(str(folder / "tokenizer.json"))
    sentinel = raw.token_to_id("<extra_id_0>")

    ids = load_tokenizer(folder).encode("the <extra_id_0> fox", add_special_tokens=False).ids

    assert sentinel not in ids
    assert sentinel in raw.encode("the <extra_id_0> fox", add_special_tokens=False).ids


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sentencepiece_bpe", "sentencepiece_unigram"])
def test_bases_without_their_model_file_are_extended_too(kind: TrainKind, tmp_path: Path) -> None:
    shutil.copytree(folder_of(kind, "en"), tmp_path / "base")
    (tmp_path / "base/tokenizer.model").unlink()
    base = read_tokenizer(tmp_path / "base")

    donor = read_donor(folder_of("sentencepiece_unigram", "zh") / "tokenizer.json", base)
    vocabulary = publish_extension(
        base, donor, ExtendConfig(), texts=Texts(new=chinese_lines()[:50]), out=tmp_path / "out"
    )

    assert all(proof.holds for proof in vocabulary.proofs)
    assert not (tmp_path / "out/tokenizer.model").exists()


@pytest.mark.slow
def test_control_tokens_behind_the_vocabulary_keep_their_ids(tmp_path: Path) -> None:
    """Many published byte-level tokenizers number their special tokens after all entries."""
    shutil.copytree(folder_of("byte_level_bpe", "en"), tmp_path / "base")
    path = tmp_path / "base/tokenizer.json"
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.add_special_tokens(["<|im_start|>", "<|im_end|>"])
    tokenizer.save(str(path))
    base = read_tokenizer(tmp_path / "base")

    donor = read_donor(folder_of("byte_level_bpe", "zh"), base)
    publish_extension(
        base, donor, ExtendConfig(), texts=Texts(new=chinese_lines()[:50]), out=tmp_path / "out"
    )

    extended = load_tokenizer(tmp_path / "out")
    assert extended.token_to_id("<|im_end|>") == base.vocab["<|im_end|>"] == base.size - 1
