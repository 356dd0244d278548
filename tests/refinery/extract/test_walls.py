"""A page that gives no text says why, and a page with text is taken for no wall."""

import pytest

from refinery.extract.config import ExtractConfig
from refinery.extract.limits import PageRejected
from refinery.extract.page import extract_page
from refinery.extract.walls import MOST_SHOWN_CHARS, find_wall


def read(html: str) -> str:
    page = extract_page(html.encode(), mime="text/html", charset="utf-8", config=ExtractConfig())
    return page.text


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ('<div id="root"></div><script src="app.js"></script>', "needs_scripts"),
        ("<noscript>You need to enable JavaScript to run this app.</noscript>", "needs_scripts"),
        ("<p>请启用 JavaScript 后刷新页面</p>", "needs_scripts"),
        ("<p>JavaScriptを有効にしてください。JavaScript が有効ではありません</p>", "needs_scripts"),
        ("<h1>We value your privacy</h1><p>We use cookies. Please accept them.</p>", "consent"),
        ("<p>点击同意即表示您接受我们的隐私政策</p><p>同意隐私条款</p>", "consent"),
        ("<h1>Sign in</h1><p>Sign in to continue to your account.</p>", "login"),
        ("<p>请先登录后查看全文</p>", "login"),
        ("<p>続きを読むにはログインしてください</p>", "login"),
        ("<h1>Just a moment</h1><p>Checking your browser before you go on.</p>", "robot_check"),
        ("<p>为了您的账号安全，请完成安全验证</p>", "robot_check"),
        ("<h1>Error 404</h1><p>Page not found</p>", "not_found"),
        ("<p>抱歉，您访问的页面不存在</p>", "not_found"),
        ('<iframe src="a.html"></iframe>', "frames"),
        ("  <img src=a.png>  ", "empty"),
    ],
)
def test_a_page_without_text_says_why(body: str, reason: str) -> None:
    with pytest.raises(PageRejected) as error:
        read(f"<html><body>{body}</body></html>")

    assert error.value.reason == f"page:{reason}"
    assert error.value.message


@pytest.mark.parametrize(
    "body",
    [
        "<p>Area code 404 covers the middle of Atlanta, and 770 the suburbs around it.</p>",
        "<p>The baker sold cookies to all who would wait for them in the cold of the morning.</p>",
        "<p>The lake was calm.</p>",
        "<p>湖水很深，冬天结冰。</p>",
        "<p>JavaScript has seven types of values, and objects.</p>",
    ],
)
def test_a_short_page_about_such_words_is_read(body: str) -> None:
    assert read(f"<html><body>{body}</body></html>")


def test_a_page_that_shows_more_is_no_wall() -> None:
    shown = ["Sign in to continue.", "x" * MOST_SHOWN_CHARS]

    assert find_wall("<p>", shown, "Sign in to continue.") is None
