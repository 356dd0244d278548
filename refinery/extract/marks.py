"""Phrases that open what stands around an article: comments, next articles, the author, rights, subscriptions.

A block of few characters that begins with one of them, or has one behind a number or a word or two, is a mark; so
"12 Comments", "Read more:" and "责任编辑：" are marks. The trees learn what a mark means for the blocks behind it.
Shapes: U bytes of all texts in UTF-8, N blocks, T nodes of the trie of phrases.
"""

from __future__ import annotations

import functools
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from refinery.compiled import Filled, Matrix, bare_kernel, inner_kernel, read_only

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]


class Mark(IntEnum):
    """What a phrase opens; 0 stands for no mark."""

    COMMENTS = 1
    NEXT = 2  # articles to read next
    AUTHOR = 3
    RIGHTS = 4  # copyright, disclaimers, consent
    FOLLOW = 5  # subscriptions, sharing, sponsors
    TURN = 6  # to the page or article before or behind
    SOURCE = 7  # date, source, topic


# Longer blocks are sentences that only begin alike.
MOST_BYTES = 120
# How many words, or wide characters, may stand before the phrase.
MOST_SKIPPED = 3

# Bytes from here on go on with a character, begin one of two bytes, of three.
_CONTINUES, _LEADS_TWO, _LEADS_THREE = 0x80, 0xC0, 0xE0
_A, _Z = ord("a"), ord("z")

_PHRASES = {
    Mark.COMMENTS: (
        "comment|leave a reply|leave a comment|responses|replies|reply|join the discussion|join the conversation|"
        "post a comment|discussion|kommentar|diskussion|antworten|commentaire|réagir|comentario|deja un|"
        "коммент|评论|評論|留言|网友|跟帖|发表|回复|コメント|댓글"
    ),
    Mark.NEXT: (
        "related|read more|more from|more on|more in|more stories|more articles|more news|also read|read also|"
        "read next|you may|you might|up next|recommended|recommendation|recent post|recent article|latest|popular|"
        "most read|most viewed|trending|top stories|don't miss|don’t miss|see also|similar|people also|"
        "editor's pick|editors' pick|featured|must read|keep reading|continue reading|what to read|"
        "mehr zum thema|mehr aus|mehr zu|mehr von|lesen sie auch|auch interessant|das könnte|weitere artikel|"
        "weitere themen|weitere nachrichten|meistgelesen|ähnliche|verwandte|neueste|passend zum|"
        "à lire|lire aussi|sur le même|articles liés|les plus lus|te puede|lee también|más leíd|relacionad|noticias|"
        "leggi anche|powiązane|zobacz|czytaj|читайте также|по теме|похожие|"
        "相关|相關|推荐|推薦|热门|熱門|猜你|精彩|延伸阅读|延伸閱讀|更多|最新|排行|热点|阅读下一篇|"
        "関連|おすすめ|人気|あわせて読|ランキング|新着|관련"
    ),
    Mark.AUTHOR: (
        "about the author|about author|written by|author|about me|posted by|by |contributor|view all posts|"
        "all posts by|über den autor|über die autor|zum autor|autor|von |verfasst|à propos de l'auteur|par |"
        "sobre el autor|por |автор|об авторе|作者|编辑|編輯|责任编辑|责编|記者|记者|撰文|筆者|執筆|著者|プロフィール"
    ),
    Mark.RIGHTS: (
        "copyright|©|(c) 2|all rights|disclaimer|privacy|terms of|terms and|terms &|cookie|we use cookies|accept|"
        "legal notice|affiliate|this article was|this story|this content|reprint|"
        "alle rechte|datenschutz|impressum|haftung|nutzungsbedingungen|agb|mentions légales|tous droits|"
        "todos los derechos|aviso legal|политика|все права|"
        "版权|版權|免责|免責|声明|聲明|转载|轉載|隐私|隱私|备案|侵权|本文来自|本文來自|利用規約|無断|プライバシー|著作権"
    ),
    Mark.FOLLOW: (
        "subscribe|newsletter|sign up|follow|share|get the|get our|enter your email|email address|join our|"
        "download the app|download our|advertisement|sponsored|sponsor|support us|donate|like us|tweet|facebook|"
        "abonnieren|teilen|folgen|anzeige|jetzt testen|anmelden|newsletter|drucken|spenden|partager|abonnez|"
        "s'abonner|compartir|suscr|síguenos|подпис|поделиться|"
        "分享|关注|關注|订阅|訂閱|扫码|扫一扫|微信|收藏|点赞|打赏|举报|广告|廣告|下载|公众号|シェア|フォロー|登録|広告"
    ),
    Mark.TURN: (
        "previous|next|older|newer|prev|back to|return to|load more|show more|view more|see all|view all|skip to|"
        "zurück|weiter|nächste|vorherige|ältere|neuere|mehr anzeigen|alle anzeigen|précédent|suivant|anterior|siguiente|"
        "назад|далее|上一|下一|返回|首页|首頁|加载更多|查看更多|点击|前の|次の|トップへ|もっと見る"
    ),
    Mark.SOURCE: (
        "tags|tagged|filed under|categories|category|topics|posted in|posted on|published|updated|last updated|"
        "last modified|source|min read|views|photo:|photo by|image:|credit|getty|"
        "schlagwörter|stichwörter|kategorie|themen|veröffentlicht|aktualisiert|stand:|quelle|foto:|bild:|"
        "publié|mis à jour|étiquettes|publicado|etiquetas|actualizado|fuente|теги|опубликовано|источник|"
        "标签|標籤|来源|來源|发布|發布|时间|時間|日期|浏览|阅读|分类|栏目|关键词|关键字|字号|图源|タグ|カテゴリ|更新日|公開日"
    ),
}  # fmt: skip


class Trie(NamedTuple):
    """All phrases by their bytes; node 0 is the root, and 0 as child or sibling means none.

    Attributes:
        letters: [T] last byte of the node's prefix.
        children: [T] first node that is one byte longer.
        siblings: [T] next node of the same length and beginning.
        marks: [T] the mark whose phrase ends here, or 0.
    """

    letters: Ints
    children: Ints
    siblings: Ints
    marks: Ints


@functools.cache
def trie_of_phrases() -> Trie:
    """The trie of all phrases, with ASCII in lower case."""
    nodes = [[0, 0, 0, 0]]
    for mark, phrases in _PHRASES.items():
        for phrase in phrases.split("|"):
            _add(nodes, phrase, mark)
            # The search knows capitals of ASCII only.
            if not phrase[0].isascii():
                _add(nodes, phrase[0].upper() + phrase[1:], mark)
    return Trie(*(read_only(np.array(column, np.int64)) for column in zip(*nodes, strict=True)))


def _add(nodes: list[list[int]], phrase: str, mark: Mark) -> None:
    node = 0
    for letter in phrase.encode():
        child = nodes[node][1]
        while child and nodes[child][0] != letter:
            child = nodes[child][2]
        if not child:
            child = len(nodes)
            nodes.append([letter, 0, nodes[node][1], 0])
            nodes[node][1] = child
        node = child
    nodes[node][3] = mark


@inner_kernel
def _mark_at(text_U: Bytes, start: int, end: int, trie: Trie) -> int:
    """The mark of the shortest phrase that begins here, or 0."""
    node = 0
    for at in range(start, end):
        letter = int(text_U[at])
        if letter < _CONTINUES and letter | 32 >= _A and letter | 32 <= _Z:
            letter |= 32
        node = int(trie.children[node])
        while node > 0 and trie.letters[node] != letter:
            node = int(trie.siblings[node])
        if node == 0:
            return 0
        if trie.marks[node] > 0:
            return int(trie.marks[node])
    return 0


@inner_kernel
def _find_mark(text_U: Bytes, start: int, end: int, trie: Trie) -> int:
    """The first mark that begins a word, or a wide character, among the first few of a text; or 0."""
    skipped, is_inside = 0, False
    for at in range(start, end):
        letter = int(text_U[at])
        if letter >= _CONTINUES and letter < _LEADS_TWO:
            continue
        is_wide = letter >= _LEADS_THREE
        is_letter = letter >= _LEADS_TWO or (letter | 32 >= _A and letter | 32 <= _Z)
        if is_wide or not is_inside:
            mark = _mark_at(text_U, at, end, trie)
            if mark > 0:
                return mark
            skipped += is_letter
            if skipped > MOST_SKIPPED:
                return 0
        is_inside = is_letter and not is_wide
    return 0


@bare_kernel
def find_marks(text_U: Bytes, bounds_N2: Matrix[Ints], trie: Trie, marks_N: Filled[Ints]) -> None:
    """Fill the mark that each block is, or 0."""
    for n in range(len(marks_N)):
        start, end = int(bounds_N2[n, 0]), int(bounds_N2[n, 1])
        is_short = end - start <= MOST_BYTES
        marks_N[n] = _find_mark(text_U, start, end, trie) if is_short else 0
