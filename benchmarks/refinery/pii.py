"""How many masks of personal data are right on technical text, and how many planted ones are found?

Precision: every mask in the files of the given folders and in gzipped JSONL is looked up in
`pii_labels.tsv`, where each was judged by eye: the hash of the mask with what stands around it, its kind,
and whether it is data of that kind (an address or telephone, whoever it belongs to). Of e-mail
addresses, of which there are tens of thousands, one in `EMAIL_SHARE` by hash is judged. `--show` prints
those without a label. Recall: sentences in English, Chinese and German, written for this program,
with planted data and with numbers that only look like them.

    python -m benchmarks.refinery.pii --text /usr/share/doc /usr/share/man --jsonl TEXTS/docs-zh.jsonl.gz
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.record import argument_parser, record
from refinery.filters.config import PiiConfig
from refinery.filters.pii import find_pii

LABELS = Path(__file__).with_name("pii_labels.tsv")
ENDINGS = (
    ".rst",
    ".md",
    ".txt",
    ".pod",
    ".pm",
    ".py",
    ".h",
    ".html",
    ".pl",
    ".js",
    ".gz",
    "copyright",
    "README",
)
MOST_BYTES = 600_000
EMAIL_SHARE = 100

# Sentences and the data in them: all of it, and nothing else, is to be masked.
PLANTED: tuple[tuple[str, list[str]], ...] = (
    ("Write to jane.roe@posteo.example before Friday.", ["jane.roe@posteo.example"]),
    ("AUTHOR: E<lt>tom@cpan.exampleE<gt>", ["tom@cpan.example"]),
    (
        "Mail _anna@firm.example_ or <bob+x@mail.example.co.uk>.",
        ["anna@firm.example", "bob+x@mail.example.co.uk"],
    ),
    ("mailto:info@museum.example?subject=visit", ["info@museum.example"]),
    ("请发邮件到 li.wei@gongsi.example，谢谢。", ["li.wei@gongsi.example"]),
    ("邮箱：wang_1990@163.com。", ["wang_1990@163.com"]),
    ("Schreiben Sie an k.maier@verein.example!", ["k.maier@verein.example"]),
    ("The server at 93.184.216.34 answered.", ["93.184.216.34"]),
    ("Connection from 81.2.69.142 port 51422", ["81.2.69.142"]),
    ("ping 8.8.8.8 twice", ["8.8.8.8"]),
    ("open http://5.9.12.33:8080/index", ["5.9.12.33"]),
    ("217.10.64.7 - - [10/Oct/2023:13:55:36] GET /", ["217.10.64.7"]),
    ("服务器的IP地址是 114.114.114.114。", ["114.114.114.114"]),
    ("登录地址为36.152.44.95的用户", ["36.152.44.95"]),
    ("Der Rechner 5.9.12.33 ist nicht erreichbar.", ["5.9.12.33"]),
    ("Zugriff von 78.46.91.2 abgelehnt", ["78.46.91.2"]),
    ("The DNS is 2606:4700:4700::1111.", ["2606:4700:4700::1111"]),
    ("from [2a01:4f8:c0c:1234::1] came", ["2a01:4f8:c0c:1234::1"]),
    ("Call (415) 867-2310 today.", ["(415) 867-2310"]),
    ("My number is 415-867-2310.", ["415-867-2310"]),
    ("Phone: 415.867.2310", ["415.867.2310"]),
    ("Ring +44 20 7946 0812 after six.", ["+44 20 7946 0812"]),
    ("fax +1-415-867-2310", ["+1-415-867-2310"]),
    ("Telefon: 030 6479218", ["030 6479218"]),
    ("Tel. 0221/4937-118", ["0221/4937-118"]),
    ("Rufnummer +49 89 6135 2740", ["+49 89 6135 2740"]),
    ("Mobil: 0171 4836259", ["0171 4836259"]),
    ("联系电话：010-62781546", ["010-62781546"]),
    ("传真 0755-83294617，", ["0755-83294617"]),
    ("座机021-54376120，周一至周五", ["021-54376120"]),
    ("手机13574826193，", ["13574826193"]),
    ("张先生 139 2741 8356", ["139 2741 8356"]),
    ("电话：+86 138 4726 1935。", ["+86 138 4726 1935"]),
    ("contact +86-13574826193", ["+86-13574826193"]),
    ("请加微信 18613572468", ["18613572468"]),
    ("身份证号码11010519491231002X", ["11010519491231002X"]),
    # Nothing to mask.
    ("See Section 4.2.13.1 and sections 4.2.13.2, 4.2.13.3.", []),
    ("6.3.1.2 Signed and unsigned integers", []),
    ("## 12.4.2.11 Options", []),
    ("as chapter 11.22.33.44 says", []),
    ("详见第 4.2.13.1 节与 10.41.2.3 节。", []),
    ("版本 10.41.2.3 已发布", []),
    ("nach Abschnitt 10.41.2.3 und Kapitel 5.6.7.8", []),
    ("OpenSSL 1.0.2.8, upgrade V8 to 4.5.103.35", []),
    ("Server: openresty/11.9.77.1", []),
    ("the OID 2.5.29.15 names key usage", []),
    ("package DB::DB and B::C, Foo::Bar::baz, ::b", []),
    ("use a1::b2; call dead::beef, 20:30:40:50", []),
    ("netmask 255.255.255.0, router 192.168.1.1, 127.0.0.1, 224.0.0.114", []),
    ("17777777777 and 13800000000 are no numbers of anybody", []),
    ("lines 133 8232 8233 8234", []),
    ("the file has 13812345678 bytes", []),
    ("共 13812345678 字节，订单号 13912345670", []),
    ("value 548.326.4584 of the fit", []),
    ("part 415-867-2310, serial 415-867-2311", []),
    ("ISBN 978-3-16-148410-0; pages 415-867", []),
    ("+100 200 300 changes, +10 000 000 tokens", []),
    ("icon@2x.png and lodash@4.17.21", []),
    ("git clone git@github.com:someone/thing.git", []),
    ("y = A@B.dot(x), user@localhost", []),
    ("M1.15.01 0 0111 18c0 1.52-.87 2.83-2.12 13.51.98.32 2.03.5 3.11", []),
    ("1.0.0.127.in-addr.arpa, 34.216.184.93.in-addr.arpa", []),
    ("Bestellnummer 0221-4937118, Seiten 0221/4937", []),
    ("Artikelnummer 415-867-2310", []),
    ("编号 021-54376120，型号 0755-83294617", []),
)


def texts(folders: list[Path], files: list[Path]) -> Iterator[str]:
    for folder in folders:
        for root, names, members in os.walk(folder):
            names.sort()
            for name in sorted(members):
                if name.endswith(ENDINGS) and (text := _read(Path(root, name))) is not None:
                    yield text
    for path in files:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            yield from (json.loads(line)["text"] for line in lines)


def _read(path: Path) -> str | None:
    try:
        if path.is_symlink() or path.stat().st_size > MOST_BYTES:
            return None
        data = path.read_bytes()
        return (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8")
    except (OSError, EOFError, UnicodeDecodeError):
        return None


def masks(text: str) -> Iterator[tuple[str, str, str]]:
    """Key, kind and surroundings of each mask of a text that is to be judged."""
    for found in find_pii(text, PiiConfig()):
        start, end = found.edit.start, found.edit.end
        around = f"{text[max(0, start - 40) : start]}[[{text[start:end]}]]{text[end : end + 20]}"
        key = hashlib.sha256(around.encode("utf-8", "replace")).hexdigest()[:16]
        kind = found.reason.removeprefix("pii:")
        if kind != "email" or int(key, 16) % EMAIL_SHARE == 0:
            yield key, kind, around


def precision(folders: list[Path], files: list[Path], *, is_shown: bool) -> dict[str, Any]:
    """Right masks of all that have a label, by kind; each distinct one once."""
    rows = (line.split("\t") for line in LABELS.read_text("utf-8").splitlines() if line)
    labels = {key: label for key, _, label in rows}
    seen: set[str] = set()
    counts: dict[str, Counter[str]] = {}
    for text in texts(folders, files):
        for key, kind, around in masks(text):
            if key in seen:
                continue
            seen.add(key)
            counts.setdefault(kind, Counter())[labels.get(key, "unlabelled")] += 1
            if is_shown and key not in labels:
                print(key, kind, around.replace("\n", "\\n"), sep="\t")
    judged = {kind: {"right": c["right"], "wrong": c["wrong"], "unlabelled": c["unlabelled"]}
              for kind, c in sorted(counts.items())}  # fmt: skip
    right, wrong = (sum(c[name] for c in counts.values()) for name in ("right", "wrong"))
    return {"by_kind": judged, "precision": round(right / max(1, right + wrong), 4)}


def recall() -> dict[str, Any]:
    """Planted data that are masked to the letter, and sentences without any that stay as they are."""
    planted = found = 0
    faults = []
    for text, wanted in PLANTED:
        spans = [text[one.edit.start : one.edit.end] for one in find_pii(text, PiiConfig())]
        planted, found = planted + len(wanted), found + sum(one in spans for one in wanted)
        if spans != wanted:
            faults.append(text)
    return {"planted": planted, "found": found, "recall": round(found / planted, 4),
            "without": sum(not wanted for _, wanted in PLANTED), "faults": faults}  # fmt: skip


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("--text", nargs="*", type=Path, default=[], help="folders")
    parser.add_argument("--jsonl", nargs="*", type=Path, default=[], help="files .jsonl.gz")
    parser.add_argument(
        "--show", action="store_true", help="print masks without a label, no record"
    )
    args = parser.parse_args()
    judged = precision(args.text, args.jsonl, is_shown=args.show)
    if not args.show:
        record("pii", {**judged, "planted": recall()})


if __name__ == "__main__":
    main()
