"""Sentence pairs out of gettext catalogues, against the reader of Python's own library."""

from __future__ import annotations

import gettext
import json
import struct
from pathlib import Path

import pytest

from jobs.read_catalogues import main
from refinery.supervised.catalogues import (
    PairRules,
    plain_message,
    read_catalogue,
    reason_against,
    split_catalogues,
    split_of,
)
from schemas.errors import ContractError

HEADER = {"": "Content-Type: text/plain; charset=UTF-8\nPlural-Forms: nplurals=2; plural=n!=1;\n"}


def write_catalogue(
    path: Path, messages: dict[str, str], order: str = "<", charset: str = "UTF-8"
) -> Path:
    """A catalogue as msgfmt writes it: ascending messages, each with its zero byte."""
    header = {"": HEADER[""].replace("UTF-8", charset)}
    entries = sorted({**header, **messages}.items())
    texts = [[side.encode(charset) for side in sides] for sides in zip(*entries, strict=True)]
    offset = 28 + 16 * len(entries)
    tables, blob = b"", b""
    for side in texts:
        for text in side:
            tables += struct.pack(f"{order}2I", len(text), offset + len(blob))
            blob += text + b"\x00"
    head = struct.pack(
        f"{order}7I", 0x950412DE, 0, len(entries), 28, 28 + 8 * len(entries), 0, offset
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(head + tables + blob)
    return path


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_catalogue_reads_as_pythons_library_reads_it(tmp_path: Path, order: str) -> None:
    messages = {"Open the file": "Datei öffnen", "a": "ä" * 300, "Zeile\n": "z"}
    path = write_catalogue(tmp_path / "x.mo", messages, order)

    found = dict(read_catalogue(path))

    with path.open("rb") as file:
        theirs = gettext.GNUTranslations(file)
    assert {message: theirs.gettext(message) for message in messages} == messages
    assert {message: found[message] for message in messages} == messages


@pytest.mark.parametrize("charset", ["ISO-8859-1", "utf-8"])
def test_a_catalogue_says_how_it_is_written(tmp_path: Path, charset: str) -> None:
    path = write_catalogue(tmp_path / "x.mo", {"Open": "Öffnen"}, charset=charset)

    assert dict(read_catalogue(path))["Open"] == "Öffnen"


def test_an_unknown_way_of_writing_is_refused(tmp_path: Path) -> None:
    path = write_catalogue(tmp_path / "x.mo", {"Open": "Auf"})
    for name in (b"hex-8", b"nonsn"):  # a codec of bytes, and none
        path.write_bytes(path.read_bytes().replace(b"UTF-8", name))
        with pytest.raises(ContractError, match="damaged"):
            list(read_catalogue(path))
        path.write_bytes(path.read_bytes().replace(name, b"UTF-8"))


def test_contexts_and_plurals_are_cut(tmp_path: Path) -> None:
    path = write_catalogue(
        tmp_path / "x.mo",
        {"menu\x04Open": "Öffnen", "%d file\x00%d files": "%d Datei\x00%d Dateien"},
    )

    found = dict(read_catalogue(path))

    assert found["Open"] == "Öffnen"
    assert found["%d file"] == "%d Datei"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"msgid ''", "no compiled catalogue"),
        (b"", "no compiled catalogue"),
        (struct.pack("<5I", 0x950412DE, 0, 3, 28, 52), "damaged"),
        (struct.pack("<5I", 0x950412DE, 0, 2**32 - 1, 20, 20), "damaged"),
        (struct.pack("<7I", 0x950412DE, 0, 1, 20, 20, 2**31, 0), "ends behind the file"),
        (struct.pack("<7I", 0x950412DE, 0, 1, 20, 20, 1, 28) + b"\xff", "damaged"),
    ],
)
def test_what_is_no_catalogue_is_refused(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "x.mo"
    path.write_bytes(data)

    with pytest.raises(ContractError, match=words):
        list(read_catalogue(path))


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("_Open file", "Open file"),
        ("Save &As", "Save As"),
        ("打开文件(_F)", "打开文件"),
        ("打开文件 (&F)…", "打开文件…"),
        ("keep my_file_name", "keep my_file_name"),
        ("<b>Bold</b> text &amp; more", "Bold text & more"),
        ("a < b and c > d", "a < b and c > d"),
        ("&copy the page", "copy the page"),
        ("two\n\n lines", "two lines"),
        ("R&D costs", "R&D costs"),
    ],
)
def test_a_message_reads_as_on_the_screen(text: str, plain: str) -> None:
    assert plain_message(text) == plain


@pytest.mark.parametrize(
    ("source", "target", "language", "reason"),
    [
        ("The file could not be read", "Die Datei war nicht lesbar", "de", None),
        ("The file could not be read", "无法读取该文件", "zh_CN", None),
        ("The file could not be read", "", "de", "untranslated"),
        ("The file could not be read", "The file could not be read", "de", "untranslated"),
        ("Open the file", "Datei öffnen", "de", "few words"),
        ("%s %s %s %s words", "%s %s %s %s Wörter", "de", "few words"),
        ("Could not open file %s", "Datei war nicht zu öffnen", "de", "formats differ"),
        ("Could not open file {name}", "Datei {name} ist zu", "de", None),
        ("The file could not be read", "Nein", "de", "lengths differ"),
        ("The file could not be read", "The file is not readable", "zh_CN", "no Han"),
        ("word " * 300, "Wort " * 300, "de", "long"),
    ],
)
def test_what_is_no_example_has_a_reason(
    source: str, target: str, language: str, reason: str | None
) -> None:
    assert reason_against(source, target, language, PairRules()) == reason


def test_rules_that_take_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="at least"):
        PairRules(min_words=0)


def _packages(tmp_path: Path, count: int) -> list[tuple[str, list[Path]]]:
    """Each says one thing of its own and one that all say."""
    return [
        (
            f"p{n}",
            [
                write_catalogue(
                    tmp_path / f"p{n}" / "de" / "LC_MESSAGES" / f"p{n}.mo",
                    {
                        f"This is what program number {n} says": f"Das sagt das Programm Nummer {n}",
                        "All programs say the same thing": "Alle Programme sagen dasselbe",
                    },
                )
            ],
        )
        for n in range(count)
    ]


def test_a_package_is_in_one_split_and_no_message_in_two(tmp_path: Path) -> None:
    packages = _packages(tmp_path, 40)

    found = split_catalogues(packages, "de", share=0.2)

    assert sum(map(len, found.pairs.values())) == 41
    assert found.left_out == {"said before": 39}
    assert min(map(len, found.pairs.values())) >= 3
    for split, pairs in found.pairs.items():
        assert {found.packages[pair.package] for pair in pairs} <= {split}
    said = [pair.source for pair in found.pairs["train"]]
    assert said.count("All programs say the same thing") == 1  # training keeps it, tests do not


def test_the_order_of_packages_and_a_new_one_move_nothing(tmp_path: Path) -> None:
    packages = _packages(tmp_path, 12)

    whole, some = split_catalogues(packages, "de"), split_catalogues(packages[::-1][:7], "de")

    assert all(whole.packages[name] == split for name, split in some.packages.items())
    assert split_catalogues(packages[::-1], "de").pairs == whole.pairs
    shares = [split_of(f"package-{n}", seed=1, share=0.1) for n in range(2_000)]
    assert 150 < shares.count("test") < 250
    assert 150 < shares.count("dev") < 250


def test_the_program_writes_three_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = [str(paths[0].parents[2]) for _, paths in _packages(tmp_path, 12)]

    code = main([*folders, "--language", "de", "--out", str(tmp_path / "out")])

    lines = [
        json.loads(line)
        for name in ("train", "dev", "test")
        for line in (tmp_path / "out" / f"{name}.jsonl").read_text("utf-8").splitlines()
    ]
    assert code == 0
    assert len(lines) == 13
    assert set(lines[0]) == {"source", "target", "package"}
    assert "11 messages left out: said before" in capsys.readouterr().out


def test_a_language_that_is_not_there_says_where_it_looked(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"no zh_CN/LC_MESSAGES/\*.mo below"):
        main([str(tmp_path), "--language", "zh_CN", "--out", str(tmp_path / "out")])
