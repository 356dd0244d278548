"""Do sticker codes, shortcodes and typed faces change code, papers and prose, and are they read in chats?

Every file of the given folders whose name says that it is source code or documentation of code is
normalised by the step `codes` alone; a file that it changes counts as touched. Folders and gzipped
JSONL of prose are counted by document in the same way. Chats are the messages below, written for
this program: some hold codes that a reader sees as faces, others hold the same signs with another meaning.

    python -m benchmarks.refinery.codes --code .venv/lib /usr/lib/python3 --prose TEXTS/books-en.jsonl.gz
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.record import argument_parser, record
from refinery.normalize.codes import replace_codes
from refinery.normalize.gate import scan

SOURCE_ENDINGS = (".py", ".pyi", ".pyx", ".c", ".h", ".cc", ".cpp", ".hpp", ".js", ".ts", ".rst", ".md",
                  ".java", ".rs", ".go", ".sh", ".pl", ".pm", ".tex")  # fmt: skip
MOST_BYTES = 1_000_000
SHOWN = 20

# Messages of chats, forums and reviews, and the word that a reader sees in the place of the sign.
READ = {
    "see you tomorrow then :)": "smile",
    "haha that was close :D": "laughing",
    "I lost my keys again :(": "sad",
    "we missed the last train :'(": "crying",
    "ok I'll bring the cake ;-)": "wink",
    "you spelled my name wrong :P": "tongue out",
    "I love you <3": "heart",
    "you broke it again </3": "broken heart",
    "my flight is delayed by nine hours -_-": "speechless",
    "thanks for the photos ^_^ they are great": "smile",
    "omg you did not XD": "laughing",
    "my exam is tomorrow T_T": "crying",
    "lol that dog =D": "laughing",
    "I give up ¯\\_(ツ)_/¯": "shrug",
    "he said he would call (╯°□°）╯︵ ┻━┻": "table flip",
    "good night everybody (^_^)": "happy",
    "we won the cup :tada:": "party",
    "I love this song :heart:": "heart",
    "you rock :thumbsup: see you on Monday": "thumbs up",
    ":wave: hi, I am new here": "waving hand",
    "<bob> thanks, that works :)": "smile",
    "12:04 anna: you are late again :(": "sad",
    "今天好开心啊:)": "微笑",
    "你们先走吧 :D": "大笑",
    "又要加班了 T_T": "流泪",
    "老师说明天考试,我还没复习呢orz": "磕头",
    "这个价格也太香了吧[doge]": "狗头",
    "抢到票了[嘻嘻]": "嘻嘻",
    "哈哈哈哈笑死我了[笑cry]": "笑哭",
    "今天又迟到了[允悲]": "悲伤",
    "你真厉害啊[nb]": "厉害",
    "我知道了[ok]": "好的",
    "求求你们别更新了吧[泪][泪]": "流泪",
    "主播太可爱啦[喵喵]": "猫",
    "晚安啦 /微笑": "微笑",
    "你也太慢了吧! /大哭": "大哭",
    "真的假的呀 (⊙o⊙)": "惊讶",
    "没办法呀╮(╯▽╰)╭": "耸肩",
    "大家快来看呀 :tada:": "拉炮",
    "我先睡了哈 ^_^": "微笑",
}
# The same signs with another meaning: nothing may change.
NOT_READ = (
    "XD is a directory on the old file server.",
    "The camera takes SD, MMC and xD",
    "see also [666] and [1024] of the survey",
    "char buf[1024];",
    "if (a[ok]) return b[no];",
    "rest = items[i + 1 :]",
    "for ( ; ;) { }",
    "(: all cores of one bay :)",
    "(see the list below, which is not complete :)",
    ":copyright: 2010 by the authors",
    ":date: 2024-01-01",
    "The field :key: and the field :label: are required.",
    "use :ref:`smile` to link",
    'ROUTE = "/core/:id:/layers"',
    "The ratio a :b: c of the three sides",
    "Let f :D be a map on the disc.",
    "默认值为[no],可以改为[ok]。",
    "参数a[ok]与b[no]均为布尔型",
    "见文献[发]与[心]两条",
    "请选择/取消选择这些文件",
    "路径为/发现/问题/列表",
    "他提到/发现问题的人很多,我们同意吧",
    "The sign [心] means heart.",
    "We write [ok] for the set of pairs, you will see why.",
    "the set {x : x <3 } is open",
    "where p <3 and q >4 hold",
    "O_O notation is not the same as o_o notation",
)


def sources(folders: list[Path]) -> Iterator[Path]:
    """Files of source code in an order that does not depend on the disk."""
    for folder in folders:
        for root, names, files in os.walk(folder):
            names.sort()
            yield from (Path(root, f) for f in sorted(files) if f.endswith(SOURCE_ENDINGS))


def read(path: Path) -> str | None:
    try:
        if path.stat().st_size > MOST_BYTES or path.is_symlink():
            return None
        return path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def touched_source(folders: list[Path], most: int) -> dict[str, Any]:
    """How many source files change, and where."""
    files = list(sources(folders))
    random.Random(0).shuffle(files)
    number, touched, by_ending = 0, [], Counter[str]()
    for path in files[:most]:
        text = read(path)
        if text is None:
            continue
        number += 1
        by_ending[path.suffix] += 1
        if is_changed(text):
            touched.append("/".join(path.parts[-3:]))
    return {"files": number, "touched": len(touched), "names": sorted(touched)[:SHOWN],
            "by_ending": dict(by_ending.most_common())}  # fmt: skip


def is_changed(text: str) -> bool:
    return replace_codes(text, scan(text))[1] > 0


def touched_prose(path: Path) -> dict[str, Any]:
    """How many documents of a gzipped JSONL change."""
    number = touched = codes = 0
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            text = row if isinstance(row, str) else row.get("text") or next(iter(row.values()))
            count = replace_codes(text, scan(text))[1]
            number, touched, codes = number + 1, touched + (count > 0), codes + count
    return {"documents": number, "touched": touched, "codes": codes}


def chats() -> dict[str, Any]:
    """Codes read in talk, and signs left alone where they mean something else."""
    missed = [text for text, word in READ.items() if word not in replace_codes(text, scan(text))[0]]
    wrong = [text for text in NOT_READ if is_changed(text)]
    return {"messages": len(READ), "read": len(READ) - len(missed), "missed": missed,
            "others": len(NOT_READ), "left_alone": len(NOT_READ) - len(wrong), "wrong": wrong}  # fmt: skip


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("--code", nargs="*", type=Path, default=[], help="folders of source code")
    parser.add_argument("--prose", nargs="*", type=Path, default=[], help="files .jsonl.gz")
    parser.add_argument("--most", type=int, default=20_000, help="files of code at most")
    args: argparse.Namespace = parser.parse_args()
    record("codes", {
        "code": touched_source(args.code, args.most),
        "prose": {path.name: touched_prose(path) for path in args.prose},
        "chats": chats(),
    })  # fmt: skip


if __name__ == "__main__":
    main()
