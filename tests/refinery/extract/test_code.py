"""Where code ends: what looks like a part of it and is none, and what looks like none and is."""

import pytest

from refinery.extract.blocks import read_blocks
from refinery.extract.code import is_copy_button
from refinery.extract.scan.read import read_tags
from refinery.extract.signs import SCANNED_WORDS


def texts(body: str) -> list[str]:
    return read_blocks(f"<body>{body}").texts


@pytest.mark.parametrize(
    ("body", "read"),
    [
        # A list of numbers that do not count is no gutter, nor is one without a neighbour that says so.
        ("<pre>3\n1\n2</pre>", ["3\n1\n2"]),
        ("<pre>7</pre>", ["7"]),
        ("<pre>1\n2\n3</pre><p>x</p>", ["1\n2\n3", "x"]),
        ("<pre>1 2 3\n4 5 6</pre><pre>x</pre>", ["1 2 3\n4 5 6", "x"]),
        ('<p>The <span class="gutter">12</span> cores</p>', ["The 12 cores"]),
        ('<pre><span class="lineno">x1</span> = 2</pre>', ["x1 = 2"]),
        # One line of code, however it is wrapped in the source, stays in its sentence.
        ("<p>run <code>make\nice</code> now</p>", ["run make ice now"]),
        # A page that is one <pre> keeps its headings.
        ("<pre><h2>Ice</h2>thin</pre>", ["Ice", "thin"]),
        # Slides have fragments.
        ('<div class="fragment"><p>One</p><p>Two</p></div>', ["One", "Two"]),
        # What a program prints may be called "copy".
        ('<pre><span class="nb">copy</span></pre>', ["copy"]),
        ("<pre>a<div>b</div><div>c\n</div>d</pre>", ["a\nb\nc\nd"]),
        ("<pre>a<br>\nb</pre>", ["a\nb"]),
    ],
)
def test_only_code_is_read_as_code(body: str, read: list[str]) -> None:
    assert texts(body) == read


@pytest.mark.parametrize(
    ("markup", "num_buttons"),
    [
        ("<button>Copy</button>", 1),
        ("<button><svg></svg> コピー</button>", 1),
        ('<a class="btn-clipboard">复制代码</a>', 1),
        ("<button>Copy the keys and leave</button>", 0),
        ("<span>Copy</span>", 0),
    ],
)
def test_a_button_to_copy_is_told_by_what_it_says(markup: str, num_buttons: int) -> None:
    tags = read_tags(f"<body>{markup}", SCANNED_WORDS).tags
    assert tags is not None

    assert is_copy_button(tags, 1) == num_buttons


def test_code_with_many_lines_is_read_in_time_that_grows_as_they_do() -> None:
    lines = "".join(
        f'<div class="line"><span class="lineno">{i}</span>x</div>' for i in range(4_000)
    )

    (code,) = texts(f"<pre>{lines}</pre>")

    assert code == "\n".join("x" * 4_000)
