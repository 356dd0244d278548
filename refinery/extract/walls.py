"""Why a page gives no text: scripts draw it, or a wall stands before it.

A wall is told by what the page shows, if that is next to nothing: no page with text is taken for one.
The words are those of English, Chinese and Japanese pages, and of the commonest European ones.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# A page that shows more is no wall.
MOST_SHOWN_CHARS = 600

_WALLS = {
    "robot_check": (
        r"captcha|(?:are|verify|confirm|prove)\b.{0,30}\b(?:a )?(?:human|robot)|checking your browser|"
        r"unusual traffic|access (?:is |was )?denied|request (?:was |has been )?blocked|"
        r"验证码|安全验证|人机验证|访问(?:过于)?频繁|拒绝访问|驗證碼|ロボットではありません|アクセスが(?:拒否|制限)"
    ),
    "not_found": (
        r"\b404\b.{0,20}(?:error|not found)|(?:error|http)\W{0,3}404\b|(?:page|file|article) (?:was |is |could )?(?:not|no longer) (?:be )?(?:found|available)|"
        r"页面(?:不存在|找不到|已(?:被)?删除)|頁面不存在|お探しのページ|ページが見つかりません|"
        r"seite (?:wurde )?nicht gefunden|page introuvable|página no encontrada"
    ),
    "needs_scripts": (
        r"(?:enable|turn on|activate|allow|requires?|needs?|without|support)\b.{0,60}\bjavascript|"
        r"javascript\b.{0,60}\b(?:required|disabled|enabled?|necessary|aktivier\w+|activ\w+|erforderlich)|"
        r"(?:启用|开启|打开|支持|開啟|啟用).{0,20}javascript|javascript.{0,20}(?:有効|無効|启用|开启|禁用|啟用|を許可)"
    ),
    "login": (
        r"\b(?:log|sign) ?in\b.{0,80}\b(?:to|continue|account|password|register|required)\b|\b(?:register|subscribe|subscription)\b.{0,40}\b(?:read|continue|view|required)|"
        r"请(?:先)?登[录陆]|登[录陆]后(?:查看|可见|阅读|继续)|請(?:先)?登入|ログイン(?:が必要|してください|する)|会員(?:限定|登録)|"
        r"\banmelden\b|\bpasswort\b|se connecter|connectez-vous|iniciar sesión"
    ),
    "consent": (
        r"\bcookies?\b.{0,400}\b(?:accept|agree|consent|allow|reject|akzeptieren|accepter|aceptar)|"
        r"\b(?:accept|agree|consent)\b.{0,200}\b(?:cookies?|privacy|terms)|"
        r"同意.{0,40}(?:cookie|隐私|隱私|条款)|(?:cookie|隐私政策|隱私權).{0,80}同意|クッキー.{0,60}同意|同意.{0,30}クッキー"
    ),
}  # fmt: skip
_PATTERNS = {name: re.compile(pattern, re.I | re.DOTALL) for name, pattern in _WALLS.items()}
_SCRIPT = re.compile(r"<script\b", re.I)
_FRAME = re.compile(r"<i?frame\b", re.I)
_EVIDENCE_CHARS = 120
# The reasons that pages are rejected for.
WALL_NAMES = tuple(f"page:{name}" for name in (*_WALLS, "frames", "empty"))


@dataclass(frozen=True)
class Wall:
    """Why a page gave no text: a name for counting, and what the page shows or holds instead."""

    name: str
    evidence: str


def find_wall(html: str, shown: list[str], text: str) -> Wall | None:
    """Why a page gives no text; `shown` are all its blocks, `text` is what was kept of them.

    None where the page shows text of its own.
    """
    visible = "\n".join(shown).strip()
    if len(visible) > MOST_SHOWN_CHARS:
        return None
    said = text.strip() or visible
    for name, pattern in _PATTERNS.items():
        found = pattern.search(said)
        if found:
            return Wall(name, f"the page shows: {_short(said, found.start())}")
    if visible:
        return None
    scripts, frames = len(_SCRIPT.findall(html)), len(_FRAME.findall(html))
    if frames:
        return Wall("frames", f"no text, {frames} frames")
    if scripts:
        return Wall("needs_scripts", f"no text, {scripts} scripts")
    return Wall("empty", "no text and no scripts")


def _short(text: str, offset: int) -> str:
    first = max(0, offset - _EVIDENCE_CHARS // 2)
    return " ".join(text[first : first + _EVIDENCE_CHARS].split())
