"""Sources of the format `run`: the finished runs that a URI or a pattern of outputs names."""

from __future__ import annotations

from dataclasses import dataclass

from refinery.datasets.kept_texts import KeptTexts, find_kept_texts
from refinery.datasets.runs import is_run
from refinery.preflight.missing import nothing_there
from refinery.publish import storage
from refinery.publish.runs import has_wildcard, matching_outputs, stages_of
from refinery.sources.config import SourceConfig
from schemas.errors import SettingsError


@dataclass(frozen=True)
class RunSource:
    """The runs of one source by name, and the outputs that a pattern names and that kept no text."""

    texts: dict[str, KeptTexts]
    unfinished: tuple[str, ...]


def find_runs(source: SourceConfig) -> RunSource:
    """The runs of a source; a pattern passes over outputs that have not come as far as `tokenise`.

    A run's name is its output's folder, or what the pattern's own folders leave of it, so that
    neither depends on where the runs lie.

    Raises:
        SettingsError: There is no run, or the one that is named has not ended.
        ContractError: A run's texts are gone.
    """
    where = f"source '{source.name}'"
    uri = source.uri.rstrip("/")
    if not has_wildcard(uri):
        if not storage.exists(uri):
            raise nothing_there(where, uri)
        if not is_run(uri):
            raise SettingsError(f"{where}: {uri} is no output of a run: it holds no run.json")
        return RunSource({uri.rsplit("/", 1)[-1]: find_kept_texts(stages_of(uri))}, ())
    texts, unfinished = {}, []
    fixed = _fixed_part(storage.file_system(uri)[1])
    for output in matching_outputs(uri):
        run = stages_of(output)
        if run.file is None or "tokenise" not in run.file.stages:
            unfinished.append(output)
        else:
            name = storage.file_system(output)[1].removeprefix(fixed)
            texts[name] = find_kept_texts(run)
    if not texts:
        told = f"; {len(unfinished)} there have not ended" if unfinished else ""
        raise SettingsError(f"{where}: no finished run matches {uri}{told}")
    return RunSource(texts, tuple(unfinished))


def _fixed_part(path: str) -> str:
    """The folders of a pattern before its first wildcard, with the slash behind them."""
    first = min(path.index(sign) for sign in "*?[" if sign in path)
    return path[: path.rindex("/", 0, first) + 1]


def check_runs(source: SourceConfig, output: str) -> None:
    """Refuse a source that has no texts, or that would read what this run writes.

    Raises:
        PipelineError: As `find_runs`, or the recipe's own output is among the runs.
    """
    found = find_runs(source)
    own = storage.file_system(output)[1].rstrip("/")
    for texts in found.texts.values():
        if storage.file_system(texts.output)[1].rstrip("/") == own:
            raise SettingsError(
                f"source '{source.name}': {source.uri} names {output}, which is runtime.output itself"
            )
