"""Texts on either side of Gopher's rules, made here; each is a function of nothing but this file."""

from __future__ import annotations

import random

_WORDS = (
    "the of and to a in that have with be mill ferry uncle council orchard valley teacher baker "
    "train engineer harbour farmer bridge iron letters sisters road northern hills garden church "
    "winter year maps coast song market boats lantern repaired described opened left followed "
    "painted measured old long hard some every before noon again dusk slowly stone river window"
)
_CHINESE = (
    "老人 河边 小屋 修理 渔网 孩子 母亲 山上 果园 大桥 工匠 建成 冬天 时候 村里 出门 桌子 离开 房间 "
    "火车站 旁边 书店 老师 学生 故事 月光 安静 湖面 慢慢 我们 他们 已经 开始 城市 历史 问题 工作"
)


def sentences(number: int, seed: int = 0) -> list[str]:
    """Sentences of ten random words, the same everywhere."""
    chance, words = random.Random(seed), _WORDS.split()
    return [
        " ".join(chance.choice(words) for _ in range(10)).capitalize() + "." for _ in range(number)
    ]


def lines(number: int, width: int = 3) -> list[str]:
    """Different lines of a few sentences each."""
    every = sentences(number * width)
    return [" ".join(every[i : i + width]) for i in range(0, len(every), width)]


def chinese_lines(number: int) -> list[str]:
    """Lines of twenty random words."""
    chance, words = random.Random(1), _CHINESE.split()
    return ["".join(chance.choice(words) for _ in range(20)) + "。" for _ in range(number)]


def texts() -> dict[str, tuple[str, str]]:
    """(text, language) by what is odd about it."""
    prose = lines(12)
    chinese = chinese_lines(8)
    return {
        "plain": ("\n".join(prose), "en"),
        "plain with blank lines": ("\n\n".join(prose), "en"),
        "short": (" ".join(sentences(4)), "en"),
        "every line twice": ("\n".join([*prose, *prose]), "en"),
        "one line of twelve twice": ("\n".join([*prose, prose[3]]), "en"),
        "one paragraph five times": ("\n\n".join([*prose, *[prose[0]] * 4]), "en"),
        "a phrase in every sentence": (
            " ".join(f"buy it now here {word} today" for word in sentences(16)), "en"),
        "bullets": ("\n".join(f"- {line}" for line in prose), "en"),
        "round bullets": ("\n".join(f"• {line}" for line in prose), "en"),
        "stars": ("\n".join(f"* {line}" for line in prose), "en"),
        "lines that end in dots": ("\n".join(f"{line[:-1]}..." for line in prose), "en"),
        "lines that end in an ellipsis": ("\n".join(f"{line[:-1]}…" for line in prose), "en"),
        "hash tags": (" ".join(f"#{word}" for word in " ".join(prose).split()), "en"),
        "hashes apart": (" ".join(f"# {word} and" for word in " ".join(prose[:4]).split()), "en"),
        "numbers": (" ".join(f"the {i} of {i * 7} and {i * 13} 5 6" for i in range(40)), "en"),
        "capitals": ("\n".join(prose).upper(), "en"),
        "long words": (
            " ".join(f"{word}ingnessationable" for word in " ".join(prose).split()), "en"),
        "letters": ("the of to a b c d e f g h i " * 9, "en"),
        "chinese": ("\n".join(chinese), "zh"),
        "chinese twice": ("\n".join(chinese * 2), "zh"),
    }  # fmt: skip
