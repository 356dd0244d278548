import numpy as np
import pytest

from refinery.text.boundaries import sentence_starts, tokens_at, word_starts


def pieces(text: str, starts: np.ndarray) -> list[str]:
    ends = [*starts.tolist()[1:], len(text)]
    return [text[a:b].strip() for a, b in zip(starts.tolist(), ends, strict=True)]


def test_english_sentences_end_at_stops_and_not_at_abbreviations() -> None:
    text = 'Dr. J. Smith came, e.g. by train. "Really?" he said. It cost 3.50 no. 4 pounds!\nNext'

    assert pieces(text, sentence_starts(text)) == [
        "Dr. J. Smith came, e.g. by train.",
        '"Really?" he said.',
        "It cost 3.50 no. 4 pounds!",
        "Next",
    ]


def test_chinese_sentences_end_without_spaces_and_keep_their_quotes() -> None:
    text = "他说：“走吧。”我们走了！真的？\n完"

    assert pieces(text, sentence_starts(text)) == ["他说：“走吧。”", "我们走了！", "真的？", "完"]


def test_empty_texts_have_no_sentences_and_no_words() -> None:
    assert sentence_starts(" \n").tolist() == []
    assert word_starts("").tolist() == []


def test_words_of_both_languages() -> None:
    text = "It's 生命的起源, ok"

    assert pieces(text, word_starts(text)) == ["It's", "生命", "的", "起源", ",", "ok"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("मैं हिन्दी पढ़ता हूँ", ["मैं", "हिन्दी", "पढ़ता", "हूँ"]),
        ("বাংলা ভাষা", ["বাংলা", "ভাষা"]),
        ("தமிழ் மொழி", ["தமிழ்", "மொழி"]),
        ("می\u200cخواهم بروم", ["می\u200cخواهم", "بروم"]),
        ("cafe\u0301 m² ①", ["cafe\u0301", "m²", "①"]),
        ("ภาษาไทย", ["ภา", "ษา", "ไท", "ย"]),
        ("น้ำใส 12", ["น้ำ", "ใส", "12"]),
        ("ພາສາ", ["ພາ", "ສາ"]),
        ("ខ្មែរ", ["ខ្មែ", "រ"]),
        ("ဗုဒ္ဓ", ["ဗု", "ဒ္ဓ"]),
        ("ไทยและOpenAI中文", ["ไท", "ย", "และ", "OpenAI", "中文"]),
    ],
)
def test_no_word_begins_at_a_mark(text: str, words: list[str]) -> None:
    found = pieces(text, word_starts(text))

    assert found == words


def test_tokens_that_hold_a_place() -> None:
    # "ab cd": tokens a, b, " cd"; one character may be several tokens with the same offsets.
    offsets = np.array([[0, 1], [1, 2], [2, 5], [5, 6], [5, 6]])

    assert tokens_at(np.array([0, 3, 5, 9]), offsets[:, 1]).tolist() == [0, 2, 3]
