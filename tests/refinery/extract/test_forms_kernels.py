"""What gives a block its form and what holds it, against a plain walk upwards."""

import random

import pytest

from refinery.extract.blocks import Blocks, read_blocks
from refinery.extract.forms import MOST_DEPTH, read_forms, read_lists
from refinery.extract.tag_kinds import TAGS

FORMS = {"h1", "h2", "h3", "h4", "h5", "h6", "td", "th", "pre", "dt", "dd", "li"}


def around(blocks: Blocks, element: int) -> list[int]:
    """The element and those around it but the body, the innermost first."""
    found = []
    while element > 0:
        found.append(element)
        element = int(blocks.parents[element])
    return found


@pytest.mark.parametrize("keeps_quotes", [False, True])
@pytest.mark.parametrize("seed", range(8))
def test_forms_are_those_of_a_walk_upwards(seed: int, *, keeps_quotes: bool) -> None:
    generator = random.Random(seed)
    names = ("ul", "li", "blockquote", "div", "h2", "dd", "pre")
    pieces = [f"<{generator.choice(names)}>{'word ' * generator.randrange(90)}" for _ in range(60)]
    blocks = read_blocks("<body>" + "".join(pieces))
    is_list = read_lists(blocks)

    forms = read_forms(blocks, keeps_quotes=keeps_quotes)

    for element in range(len(blocks.tag_ids)):
        path = around(blocks, element)
        tags = {e: TAGS[blocks.tag_ids[e]] for e in path}
        read = [e for e in path if tags[e] != "li" or is_list[blocks.parents[e]]]
        holding = [e for e in read if tags[e] == "li" or (tags[e] == "blockquote" and keeps_quotes)]
        expected = list(reversed(holding))[:MOST_DEPTH]
        found, holder = [], int(forms.holders[element])
        while holder >= 0:
            found.append(holder)
            holder = int(forms.outer[holder])
        assert list(reversed(found)) == expected
        assert forms.forms[element] == next((e for e in read if tags[e] in FORMS), -1)


def test_a_list_with_a_post_in_it_is_none() -> None:
    post = "<p>" + "The lake was calm in the morning. " * 8
    blocks = read_blocks(f"<body><ul><li>{post * 4}<li>Yes.</ul><ul><li>{post}<li>Yes.</ul>")
    lists = [e for e in range(len(blocks.tag_ids)) if TAGS[blocks.tag_ids[e]] == "ul"]

    assert read_lists(blocks)[lists].tolist() == [False, True]
