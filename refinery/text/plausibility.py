"""How much a decoded text looks like one that people write: tells right decodings from wrong ones.

GB18030 and Shift-JIS accept almost any bytes, so that bytes decode says little. In running text a few
hundred characters make up most of it, in bytes read by another charset they are as rare as all others.
"""

from __future__ import annotations

import re
import unicodedata

_SAMPLE_CHARS = 20_000
# The most frequent characters of modern Chinese in both scripts, and kanji of Japanese.
_SIMPLIFIED = (
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所"
    "然家种事成方多经么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日军者意无力它与"
    "长把机十民第公此已工使情明性知全三又关点正业外将两高间由问很最重并物手应战向头文体政美相见被利什二等产或新己"
    "制身果加西斯月话合回特代内信表化老给世位次度门任常先海通教儿原东声提立及比员解水名真论处走义各入几口认条平系"
    "气题活更别打女变四神总何电数安少报才结反受目太量再感建务做接必场件计管期市直德资命山金指克许统区保至队形社便"
    "空决治展马科司五基眼书非则听白却界达光放强即像难且权思王象完设式色路记南品住告类求据程北边张该交规万取格望觉"
    "今网页站图请件下载更新注册登录版产"
)
_TRADITIONAL = (
    "這個們來為國說時會對過發後裡種經麼學現當沒動還進樣開從實軍無與長機關點業將兩間問並應戰頭體見產斯話內給門"
    "東聲員論處義幾認條系氣題爾別變總電數報結場計資許統區隊決馬書則聽卻達強難權設記類據邊該規萬覺網頁圖請載"
    "於著臺灣灣錢讓車樂愛親醫護歲華語專圍館歷"
)
_KANJI = (
    "日一国人年大十二本中長出三時行見月後前生五間上東四今金九入学高円子外八六下来気小七山話女午百書先名川千水半男"
    "電校語土木聞食車何南万毎白天母火右読友左休父雨会社員新主事者地業内部方目場対自分手力全市立発度第回実合同定法"
    "体動意通用者性理作成物的言思考持使知私彼家道文字議政民連相関作戦明公開化表教室強題持使心界化特要数不以当然記"
    "録究研験説変点決調取引最初加直感受付続始終無料情報株式画面店品"
)
_SYLLABLES = (
    "이다는의에가을를고하지은로서기도사나인어자대일한아시해과리스있었그들수정부으전제보것등만주원라여오장구성조비니습"
    "되화상면적년안경동관요까게마세용교국때"
)
_FREQUENT = frozenset(_SIMPLIFIED + _TRADITIONAL + _KANJI)
_FREQUENT_SYLLABLES = frozenset(_SYLLABLES)
_FOREIGN = re.compile(r"[^\x00-\x7f]+")
_KANA = re.compile(r"[\u3041-\u30ff]")
_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_HANGUL = re.compile(r"[\uac00-\ud7a3]")
_MARKS = re.compile(r"[\u3001-\u301f\uff01-\uff5e\u2014\u2018\u2019\u201c\u201d\u2026]")
# Replaced, controls, private use, half-width katakana (what Shift-JIS makes of other charsets).
_ODD = re.compile(r"[\ufffd\x80-\x9f\ue000-\uf8ff\uff61-\uff9f\U000f0000-\U0010ffff]")
# Characters of windows-1252 stand alone among ASCII; runs of them are bytes of another charset.
_LATIN_RUN = re.compile(
    r"[\xa0-\xff\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc\u2013-\u2026\u2030\u2039\u203a\u20ac\u2122]{4,}"
)


def plausibility(text: str) -> float:
    """From -1 (nothing of it can be meant) to 1; 0.5 for letters that say neither; 0.5 for ASCII.

    Only characters beyond ASCII count, up to a bound.
    """
    foreign = ""
    for run in _FOREIGN.finditer(text):
        foreign += run[0] + "\n"
        if len(foreign) > _SAMPLE_CHARS:
            break
    num_foreign = len(foreign) - foreign.count("\n")
    if not num_foreign:
        return 0.5
    han, hangul = _HAN.findall(foreign), _HANGUL.findall(foreign)
    num_kana, num_marks = len(_KANA.findall(foreign)), len(_MARKS.findall(foreign))
    frequent = sum(char in _FREQUENT for char in han)
    frequent += sum(char in _FREQUENT_SYLLABLES for char in hangul)
    good: float = frequent + num_kana + num_marks
    num_cjk = len(han) + len(hangul) + num_kana + num_marks
    odd = len(_ODD.findall(foreign)) + sum(len(run) for run in _LATIN_RUN.findall(foreign))
    odd += sum(unicodedata.category(char) == "Cn" for char in set(foreign))
    neutral = max(0, num_foreign - num_cjk - odd)
    # Kana between characters that Japanese does not have, or Hangul among Chinese ones, is no text.
    if num_kana and len(han) > num_kana / 4:
        good -= num_kana * max(0.0, 0.25 - frequent / len(han)) * 4
    return (good + 0.5 * neutral - odd) / num_foreign
