"""Which sources a folder holds: formats by names and first bytes, fields by a look into the files."""

from __future__ import annotations

import itertools
import re
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

from refinery.sources.config import Format
from refinery.sources.field_guess import FieldGuess, guess_fields
from refinery.sources.formats import ENDINGS, FORMS_READ, ROW_FORMATS, format_of, format_of_members
from refinery.sources.peek import first_rows, sniff_file
from refinery.sources.store_paths import AnyPath, files_below, no_files_below, parts_below
from refinery.sources.table_folders import find_tables
from schemas.errors import SettingsError

# Files without a telling name are opened; so many of each ending and folder.
MOST_OPENED = 20
# Files of a source whose fields are compared with those of the first.
MOST_COMPARED = 5
SHOWN = 6


@dataclass(frozen=True)
class FoundSource:
    """One source of a recipe; `pattern` is None where all files of the folder belong to it."""

    name: str
    uri: str
    format: Format
    pattern: str | None
    fields: dict[str, str | None]
    comment: str
    spark: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class FoundSources:
    """All sources of a folder, and what people must know: what was left out and what is unsure."""

    sources: tuple[FoundSource, ...]
    notes: tuple[str, ...]


@dataclass
class _Group:
    """Files of one folder that one format reads; `is_whole` where the folder holds no others."""

    root: AnyPath
    format: Format
    is_whole: bool = False
    files: list[AnyPath] = field(default_factory=list)

    @property
    def endings(self) -> set[str]:
        return {_ending(path.name) for path in self.files}


def find_sources(folder: AnyPath) -> FoundSources:
    """Each direct subfolder gives a source per format, and so do the files beside them.

    Raises:
        SettingsError: No file can be read; says what was found.
    """
    if not folder.is_dir():
        raise SettingsError(f"{folder}: no such folder")
    entries: list[AnyPath] = sorted(folder.iterdir(), key=str)
    inner = [path for path in entries if path.is_dir() and not _is_hidden(path.name)]
    left_out: Counter[str] = Counter()
    hidden = 0
    groups: list[_Group] = []
    loose: list[AnyPath] = [path for path in entries if path.is_file()]
    if any(path.name in ("_delta_log", "metadata") for path in entries):
        everything = files_below(folder)
        names = [PurePath(*parts_below(path, folder)) for path in everything]
        if any(not table.path for table in find_tables(names)):  # the folder itself is a table
            inner, loose = [], everything
    tables: list[FoundSource] = []
    notes: list[str] = []
    for root, files in [*((path, files_below(path)) for path in inner), (folder, loose)]:
        files = _without_tables(root, files, tables, notes)
        seen = [path for path in files if not _has_hidden_part(path, root)]
        hidden += len(files) - len(seen)
        found, unknown = _groups(root, seen)
        left_out += unknown
        for group in found:
            group.is_whole = len(found) == 1 and not unknown and not (root == folder and inner)
        groups += found
    if not groups and not tables:
        known = ", ".join(sorted(ENDINGS))
        raise SettingsError(
            f"{folder}: no file of {known}; found {dict(left_out.most_common(SHOWN))}"
        )
    notes += _left_out_notes(left_out, hidden, no_files_below(folder))
    groups, merged = _merged(groups, folder)
    notes += merged
    sources = tables
    for group in groups:
        sources += _sources_of(group, {s.name for s in sources}, notes)
    return FoundSources(tuple(sources), tuple(notes))


def _without_tables(
    root: AnyPath, files: list[AnyPath], tables: list[FoundSource], notes: list[str]
) -> list[AnyPath]:
    """The files that no table of Delta or Iceberg holds; the tables become sources."""
    names = {path: PurePath(*parts_below(path, root)) for path in files}
    found = find_tables(names.values())
    for table in found:
        inside = [p for p in files if names[p].is_relative_to(table.path or ".")]
        home = root / table.path if table.path else root
        data = [p for p in inside if p.name.endswith(".parquet") and not _has_hidden_part(p, home)]
        name = _unused(_name(home.name), {one.name for one in tables})
        guess = _look_into(data, "spark")
        notes.append(table.note)
        tables.append(
            FoundSource(
                name=name, uri=str(home), format="spark", pattern=None, fields=_fields(guess),
                comment=f"a table of {table.format.capitalize()}", spark={"format": table.format},
            )
        )  # fmt: skip
        files = [path for path in files if path not in set(inside)]
    return files


def _is_hidden(name: str) -> bool:
    """Names of bookkeeping: .git, .part-0.crc, _SUCCESS, _delta_log."""
    return name.startswith((".", "_"))


def _has_hidden_part(path: AnyPath, root: AnyPath) -> bool:
    return any(_is_hidden(part) for part in parts_below(path, root))


def _groups(root: AnyPath, files: Sequence[AnyPath]) -> tuple[list[_Group], Counter[str]]:
    """Files by format, and the endings of those that nothing reads."""
    groups: dict[Format, _Group] = {}
    unread: list[AnyPath] = []
    formats: defaultdict[str, list[Format | None]] = defaultdict(list)
    for path in files:
        seen = formats[_ending(path.name)]
        if len(seen) < MOST_OPENED:
            seen.append(_format(path))
        kind = seen[-1]
        if kind is None:
            unread.append(path)
        else:
            groups.setdefault(kind, _Group(root, kind)).files.append(path)
    unknown: Counter[str] = Counter()
    for path in unread:
        # A damaged file among others of its kind is that kind's: its reader rejects it by name.
        kin = next((g for g in groups.values() if _ending(path.name) in g.endings - {""}), None)
        if kin is None:
            unknown[_ending(path.name) or "(no ending)"] += 1
        else:
            kin.files.append(path)
    return list(groups.values()), unknown


def _ending(name: str) -> str:
    """The ending as it is spelled, with that of the compression."""
    size = len(format_of(name).ending)
    return name[len(name) - size :] if size else ""


def _format(path: AnyPath) -> Format | None:
    """The format by the name, unless the first bytes show another one for certain."""
    named = format_of(path.name)
    try:
        with path.open("rb") as stream:
            if named.variant == "zip":
                return format_of_members(zipfile.ZipFile(stream).namelist())
            form = sniff_file(stream, path.name)
    except (OSError, zipfile.BadZipFile):
        return named.format
    if named.format is not None and (form is None or form in FORMS_READ[named.format]):
        return named.format
    return next((kind for kind in FORMS_READ if kind == form), None)


def _left_out_notes(left_out: Counter[str], hidden: int, no_files: Sequence[AnyPath]) -> list[str]:
    notes = []
    if left_out:
        parts = [f"{count:,} {_quoted(ending)}" for ending, count in left_out.most_common(SHOWN)]
        more = f" and {len(left_out) - SHOWN} more endings" if len(left_out) > SHOWN else ""
        notes.append(f"left out, since nothing reads them: {', '.join(parts)}{more}")
    if no_files:
        names = ", ".join(_quoted(path.name) for path in no_files[:SHOWN])
        notes.append(f"left out, since they are links to nothing or pipes: {names}")
    if hidden:
        files = "1 file" if hidden == 1 else f"{hidden:,} files"
        notes.append(f"left out, since their names begin with . or _: {files}")
    return notes


def _quoted(text: str) -> str:
    return " ".join(text.split())[:60]


def _merged(groups: list[_Group], folder: AnyPath) -> tuple[list[_Group], list[str]]:
    """Files beside subfolders are read by a pattern over all of the folder, so nothing is read twice."""
    loose = {ending: group for group in groups if group.root == folder for ending in group.endings}
    taken: defaultdict[str, list[str]] = defaultdict(list)
    for group in groups:
        shared = group.endings & set(loose) if group.root != folder else set()
        for ending in shared:
            loose[ending].files += [p for p in group.files if _ending(p.name) == ending]
            taken[ending].append(group.root.name)
        group.files = [path for path in group.files if _ending(path.name) not in shared]
        group.is_whole = group.is_whole and not shared
    notes = [
        f"files ending in {_quoted(ending) or 'nothing'} lie beside the folders, too: those of "
        f"{', '.join(names)} are in the same source"
        for ending, names in sorted(taken.items())
    ]
    return [group for group in groups if group.files], notes


def _sources_of(group: _Group, taken: set[str], notes: list[str]) -> list[FoundSource]:
    """One source; where the folder holds other files too, one per ending, since patterns have no `or`."""
    parts: list[tuple[str | None, list[AnyPath]]] = [(None, group.files)]
    if not group.is_whole:
        by_ending: dict[str, list[AnyPath]] = {}
        for path in group.files:
            by_ending.setdefault(_ending(path.name), []).append(path)
        parts = [(_pattern(ending, paths), paths) for ending, paths in sorted(by_ending.items())]
    found = []
    for pattern, paths in parts:
        wanted = _name(group.root.name)
        if not group.is_whole and wanted in taken:
            wanted = f"{wanted}-{_name((pattern or '').strip('*.') or group.format)}"
        name = _unused(wanted, taken)
        taken.add(name)
        spark = _spark_options(group, pattern, paths) if group.format == "spark" else {}
        guess = _look_into(paths, group.format)
        fields = _fields(guess)
        notes += _field_notes(name, paths, group.format, guess)
        found.append(
            FoundSource(
                name=name,
                uri=str(group.root),
                format=group.format,
                pattern=None if spark else pattern,
                fields=fields,
                comment=_comment(paths, guess),
                spark=spark,
            )
        )
    return found


def _spark_options(
    group: _Group, pattern: str | None, paths: Sequence[AnyPath]
) -> dict[str, object]:
    """How Spark opens ORC files: by its own pattern, and below subfolders that name no partition."""
    folders = {part for path in paths for part in parts_below(path, group.root)[:-1]}
    options = {} if pattern is None else {"pathGlobFilter": pattern}
    if any("=" not in part for part in folders):
        options["recursiveFileLookup"] = "true"
    return {"format": "orc", "options": options} if options else {"format": "orc"}


def _pattern(ending: str, paths: Sequence[AnyPath]) -> str:
    """A pattern that the names match; without an ending, by what their names begin with."""
    if ending:
        return f"*{ending}"
    names = [path.name for path in paths]
    first, last = min(names), max(names)
    alike = sum(
        1
        for _ in itertools.takewhile(
            lambda pair: pair[0] == pair[1], zip(first, last, strict=False)
        )
    )
    # A sign that means something in a pattern ends the beginning that is compared.
    common = re.split(r"[*?\[]", first[:alike])[0]
    return f"{common}*" if common else "*"


def _name(text: str) -> str:
    return re.sub(r"[^a-z0-9_-]+", "-", text.lower()).strip("-_") or "documents"


def _unused(name: str, taken: Iterable[str]) -> str:
    if name not in taken:
        return name
    number = 2
    while f"{name}-{number}" in taken:
        number += 1
    return f"{name}-{number}"


def _look_into(paths: Sequence[AnyPath], kind: Format) -> FieldGuess | None:
    """The fields of the first file that has rows; None for formats without rows."""
    if kind not in ROW_FORMATS:
        return None
    for path in paths[:MOST_COMPARED]:
        with path.open("rb") as stream:
            rows = first_rows(stream, path.name, kind)
        if rows:
            return guess_fields(rows)
    return guess_fields([])


def _fields(guess: FieldGuess | None) -> dict[str, str | None]:
    """What differs from the settings' defaults."""
    if guess is None or guess.text is None:
        return {}
    fields: dict[str, str | None] = {"text": guess.text, "url": guess.url}
    if guess.date is not None:
        fields["fetched_at"] = guess.date
    if guess.is_html:
        fields["mime"] = "text/html"
    return {} if fields == {"text": "text", "url": "url"} else fields


def _field_notes(
    name: str, paths: Sequence[AnyPath], kind: Format, guess: FieldGuess | None
) -> list[str]:
    """What is unsure about fields: no text among them, or another file with other fields."""
    if guess is None:
        return []
    found = ", ".join(map(_quoted, guess.names)) or "none"
    if guess.text is None:
        return [f"source {name}: no field seems to hold text; set fields.text (found {found})"]
    others = []
    for path in paths[1:MOST_COMPARED]:
        with path.open("rb") as stream:
            rows = first_rows(stream, path.name, kind)
        if rows and guess.text not in guess_fields(rows).names:
            others.append(path.name)
    if not others:
        return []
    return [
        f"source {name}: {', '.join(map(_quoted, others))}: no field '{_quoted(guess.text)}' there; "
        "give such files a source of their own"
    ]


def _comment(paths: Sequence[AnyPath], guess: FieldGuess | None) -> str:
    endings = Counter(_ending(path.name) or "(no ending)" for path in paths)
    files = "1 file" if len(paths) == 1 else f"{len(paths):,} files"
    parts = [f"{files} ({', '.join(_quoted(ending) for ending, _ in endings.most_common(SHOWN))})"]
    if guess is not None and guess.names:
        used = {guess.text, guess.url, guess.date}
        kept = [_quoted(name) for name in guess.names if name not in used]
        if kept:
            parts.append(f"kept in meta: {', '.join(kept[:12])}{' ...' if len(kept) > 12 else ''}")
    return "; ".join(parts)
