"""Publish the run's tokenizer: trained on kept training documents, or the recipe's own, or that extended."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from pyspark.sql import DataFrame

from jobs.pipeline.stage import Contents, NothingNew, Stage, StageContext, sha256_path
from jobs.stages.tokenise import compute_fates, split_texts
from refinery.publish import storage
from refinery.publish.store import Store
from refinery.recipe import Recipe
from refinery.text.edits import apply_edits, edits_of
from refinery.tokenizers.folder import read_tokenizer
from refinery.tokenizers.identity import identify_tokenizer
from refinery.tokenizers.recipe_tokenizer import complete_tokenizer_folder
from refinery.vocabulary.config import RecipeExtension, VocabularyConfig
from refinery.vocabulary.extend.donor import read_donor
from refinery.vocabulary.extend.donor_from_text import (
    choose_lines,
    train_and_hold_out,
)
from refinery.vocabulary.extend.publish import Texts, publish_extension
from refinery.vocabulary.extend.scripts import new_characters
from refinery.vocabulary.train.byte_level_bpe import TRAINER_VERSION, train_bpe, write_tokenizer
from refinery.vocabulary.train.counted_clauses import collect_clauses
from refinery.vocabulary.train.sample_documents import sample_by_bytes
from refinery.vocabulary.train.train import TRAINING_VERSION, train_tokenizer
from schemas.errors import ContractError
from schemas.vocabulary import ExtendedVocabulary

TOKENIZER, BASE = "tokenizer", "base_tokenizer"


def _contents(recipe: Recipe, store: Store) -> Contents:
    config = recipe.vocabulary
    donor = config.extend.donor if config.extend else None
    files = {"tokenizer": config.tokenizer, "donor": donor}
    return [(role, sha256_path(storage.local_copy(uri))) for role, uri in files.items() if uri]


def _settings(recipe: Recipe) -> dict[str, object]:
    plain = recipe.vocabulary.model_dump(
        mode="json", exclude={"tokenizer": True, "extend": {"donor"}}
    )
    return {
        "vocabulary": plain,
        "split": recipe.split,
        "seed": recipe.seed,
        "version": TRAINER_VERSION if recipe.vocabulary.train is None else TRAINING_VERSION,
    }


def _training_sample(context: StageContext) -> DataFrame:
    """Kept training documents by hash of their id, up to the byte budget."""
    recipe = context.recipe
    training = split_texts(context, compute_fates(context)).where("not is_heldout")
    return sample_by_bytes(training, budget=recipe.vocabulary.train_bytes, seed=recipe.seed)


def _training_texts(context: StageContext) -> list[str]:
    """The texts of the sample; a byte-level BPE sees them whole."""
    rows = _training_sample(context)
    ordered = sorted(rows.select("doc_id", "text", "edits").collect(), key=lambda r: r["doc_id"])
    return [apply_edits(row["text"], edits_of(row["edits"])) for row in ordered]


def _why_none(context: StageContext) -> str:
    reasons = context.read("ledger").groupBy("drop_reason").count().collect()
    return none_is_kept({row["drop_reason"]: row["count"] for row in reasons})


def none_is_kept(documents: Mapping[str | None, int]) -> str:
    """What to say where no training document is left.

    Args:
        documents: Documents by what the clean stage dropped them for; None for those that passed.
    """
    dropped = [(number, reason) for reason, number in documents.items() if reason is not None]
    commonest = [f"{reason} {number:,}" for number, reason in sorted(dropped, reverse=True)[:3]]
    by_rules = f"; the rules dropped {', '.join(commonest)}" if commonest else ""
    later = documents.get(None, 0)
    by_stages = (
        f"; {later:,} passed and are duplicates, excluded later or held out" if later else ""
    )
    return (
        f"vocabulary: of {sum(documents.values()):,} documents none is left for training{by_rules}"
        f"{by_stages} (`refinery rules` explains them, `refinery query OUTPUT --ask why-dropped --url URL` "
        "shows a document)"
    )


def _extend_base(
    config: VocabularyConfig, extension: RecipeExtension, texts: Sequence[str], out: Path
) -> ExtendedVocabulary:
    """Add tokens of a donor, or of training documents, to the base that the recipe names.

    Args:
        texts: Training documents; lines with a new character are counted and, without a donor,
            trained on; the others belong to the base's language and prove that it keeps its ids.

    Raises:
        QualityGateError: A proof fails, so the extension would change what the base does.
    """
    assert config.tokenizer is not None
    base = read_tokenizer(storage.local_copy(config.tokenizer))
    new = new_characters(extension.scripts, extension.characters)
    lines = {line for text in texts for line in text.split("\n") if line.strip()}
    with_new = {line for line in lines if new.held_by(line)}
    if extension.donor is None:
        donor, sample = train_and_hold_out(with_new, base, extension)
    else:
        donor = read_donor(storage.local_copy(extension.donor), base)
        sample = choose_lines(with_new)
    proof_texts = Texts(new=sample, base=choose_lines(lines - with_new))
    return publish_extension(base, donor, extension, texts=proof_texts, out=out)


def _run(context: StageContext) -> None:
    config = context.recipe.vocabulary
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / TOKENIZER
        if config.train is not None:
            clauses = collect_clauses(_training_sample(context), config.train)
            train_tokenizer(clauses, config.train, folder)
            context.counts["training_clauses"] = len(clauses)
        elif config.tokenizer is None:
            texts = _training_texts(context)
            if not texts and context.recipe.dedup.earlier:
                raise NothingNew("no training document is new and kept")
            if not texts:
                raise ContractError(_why_none(context))
            write_tokenizer(train_bpe(texts, config), folder, config.sentinels)
            context.counts["training_documents"] = len(texts)
        elif config.extend is not None:
            extended = _extend_base(config, config.extend, _training_texts(context), folder)
            context.counts.update({f"{origin}_tokens": n for origin, n in extended.counts.items()})
            base = complete_tokenizer_folder(
                storage.local_copy(config.tokenizer), Path(scratch) / BASE
            )
            context.add_artefact(BASE, base)
        else:
            folder = complete_tokenizer_folder(storage.local_copy(config.tokenizer), folder)
        identity = identify_tokenizer(folder, relative_path=TOKENIZER)
        context.counts["vocab_size"] = identity.vocab_size
        context.add_artefact(TOKENIZER, folder)


STAGE = Stage(
    name="vocabulary",
    version=2,
    inputs=("clean", "dedup", "decontaminate"),
    settings=_settings,
    contents=_contents,
    run=_run,
)
