"""Markdown is kept as it stands, without pictures that are written into it and without what is struck out."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from selfroute.errors import UnreadableFile
from selfroute.ingest.formats.markdown import read, shown
from selfroute.ingest.loaders import load_one

DATA = "data:image/png;base64," + "iVBORw0KGgo/+A" * 40 + "=="


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (f"A ![Chart: income is 12 million]({DATA}) b", "A [image: Chart: income is 12 million] b"),
        (f"A ![]({DATA}) b", "A  b"),
        (f'![Plan]({DATA} "a title")', "[image: Plan]"),
        (f"![Plan](<{DATA}>)", "[image: Plan]"),
        (f"![A \\[b\\] [c]]({DATA})", "[image: A [b] [c]]"),
        (f"![Plan]({DATA[:200]}\n{DATA[30:]})", "[image: Plan]"),
        ("![Plan](data:image/svg+xml;utf8,%3Csvg%20x(1)%3E)", "[image: Plan]"),
        (f"[![Plan]({DATA})](http://a.no)", "[[image: Plan]](http://a.no)"),
        (f"[fees.pdf]({DATA})", "fees.pdf"),
        (
            f"A ![Plan][p], ![p], ![P][] and ![q]\n\n[p]: {DATA}\n",
            "A [image: Plan], [image: p], [image: P] and ![q]\n\n",
        ),
        (f"![Plan][p]\r\n\r\n[p]: <{DATA}>\r\n[q]: b.png\r\n", "[image: Plan]\r\n\r\n[q]: b.png\r\n"),
        (f'<img alt="A &amp; B" src="{DATA}"/> and', "[image: A & B] and"),
        (f"<img src='{DATA}'> <img src=a.png alt=b>", " <img src=a.png alt=b>"),
        (f'<div style="background: url({DATA})">x</div>', '<div style="background: url()">x</div>'),
        (f"`![Plan]({DATA})`", f"`![Plan]({DATA})`"),
        (f"```\n![Plan]({DATA})\n```\n", f"```\n![Plan]({DATA})\n```\n"),
        (f"    ![Plan]({DATA})\n", f"    ![Plan]({DATA})\n"),
        ("![Plan](plan.png) says what data: is", "![Plan](plan.png) says what data: is"),
        (f"![Plan]({DATA.replace('data:', 'DATA:')})", "[image: Plan]"),
        (f"![Plan][p]\n\n[p]: {DATA.replace('data:', 'Data:')}\n", "[image: Plan]\n\n"),
        (f"<IMG ALT=Plan SRC='{DATA.replace('data:', 'DATA:')}'>", "[image: Plan]"),
        (f"url({DATA.replace('data:image/png;base64', 'DATA:image/png;charset=x;BASE64')})", "url()"),
        (f"- a\n\n      ![Plan]({DATA})\n", f"- a\n\n      ![Plan]({DATA})\n"),
    ],
)
def test_a_picture_in_base64_becomes_its_description(written: str, text: str) -> None:
    assert shown(written) == text


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("The fine is ~~70~~ 90.", "The fine is 90."),
        ("a~~b~~c", "ac"),
        ("~~one\ntwo~~ three", "three"),
        ("# Fees ~~2023~~ 2024\r\n\r\n~~No~~ yes\r\n", "# Fees 2024\r\n\r\nyes\r\n"),
        ("| fee |\n|---|\n| ~~70~~ 90 |\n", "| fee |\n|---|\n| 90 |\n"),
        ("- ~~70~~ 90\n- ~~a~~ b", "- 90\n- b"),
        ("Was <del>70</del> <s>80</s> <strike class='a'>85</strike> 90", "Was 90"),
        ("- item\n\n    ~~70~~ 90\n", "- item\n\n    90\n"),
        ("```\n~~70~~\n```\n~~80~~ 90", "```\n~~70~~\n```\n90"),
        ("> ~~70~~ 90", "> 90"),
        ("> - a\n>\n>     ~~70~~ 90\n", "> - a\n>\n>     90\n"),
        ("- a\n  - b\n\n      ~~70~~ 90\n", "- a\n  - b\n\n      90\n"),
        ("10. a\n\n       ~~70~~ 90\n", "10. a\n\n       90\n"),
        ("- a\n        ~~70~~ 90\n", "- a\n        90\n"),
        ("- a\n- b\n\nc\n\n   ~~70~~ 90\n", "- a\n- b\n\nc\n\n   90\n"),
    ],
)
def test_what_is_struck_out_is_dropped(written: str, text: str) -> None:
    assert shown(written) == text


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("<del>\n\nOne\n\nTwo\n\n</del>\n\nThree", "\n\nThree"),
        ("A <S>one *b*\ngoes on\n\ntwo</S> three", "A three"),
        ("<del class='old'>\n\n# Head\n\n- one\n- two\n\n|a|b|\n|-|-|\n\n</del>\nb", "\nb"),
        ("<del>\n- one\n- two\n</del>\nb", "\nb"),
        ("- <del>one\n\n  two</del>\n- three", "- \n- three"),
        ("<del>never closed\n\nA <del>one\n\ntwo</del> b", "<del>never closed\n\nA b"),
    ],
)
def test_tags_strike_out_paragraphs_too(written: str, text: str) -> None:
    assert shown(written) == text


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("**~~a~~** b", "b"),
        ("c **~~a~~** b", "c b"),
        ("c _**~~a~~**_ b __<s>d</s>__", "c b "),
        ("c **~~a~~ ~~d~~** b", "c b"),
        ("c ***~~a~~** e* b", "c * e* b"),
        ("| **~~70~~** 90 |\n|---|\n", "| 90 |\n|---|\n"),
        ("c [~~a~~](http://a.no/b_(c)) b", "c b"),
        ("c [**~~a~~**](d) b", "c b"),
        ("**c**~~a~~**b**", "**c****b**"),
        ("**c ~~a~~** b", "**c ** b"),
        (r"\*~~a~~* b", r"\** b"),
        ("![~~a~~](b.png) c", "![](b.png) c"),
        ("[~~a~~] b", "[] b"),
    ],
)
def test_marks_that_hold_nothing_any_more_are_dropped(written: str, text: str) -> None:
    assert shown(written) == text


@pytest.mark.parametrize(
    "text",
    [
        "from ~5 to ~10 knots, H~2~O",
        "~~ 70 ~~ 90",
        "~~~70~~~",
        r"\~~70~~",
        "`~~70~~` and ``a ` ~~b~~``",
        "~~70\n\n90~~",
        "- ~~70\n- 90~~",
        "| ~~a | b~~ |\n|---|---|\n",
        "a | b\n--|--\n~~c | d~~\n",
        "[a](http://a.no/~~b~~/) <http://a.no/~~b~~> http://a.no/~~b~~/",
        '<a title="~~b~~">c</a>',
        "~~~\n~~70~~\n~~~\n",
        "```\n~~70~~ never closed",
        "    ~~70~~\n",
        "1. ```\n   ~~70~~\n   ```\n",
        "> ```\n> ~~70~~\n> ```\n",
        "`<del>70</del>` and <del>never closed",
        "</del> 70 <del>",
        r"\<del>70\</del>",
        "<del>one\n\n```\ncode\n```\n\ntwo</del>",
        "<del>one\n\n# Head\n\ntwo</del>",
        "<del>one\n\n- two</del>",
        "> <del>one\n>\n> two</del>",
        "<del>one\n\na | b\n--|--\n\ntwo</del>",
        "<del>one\n\n`two</del>`",
        "<del>\n\n" + "one two\n\n" * 3000 + "</del>",
        "- a\n\n      ~~70~~\n",
        "- a\n\n      ~~70~~\n\n      ~~80~~\n\n  b\n",
        "- a\n  - b\n\n        ~~70~~\n",
        "- a\n  - b\n  - c\n\n        ~~70~~\n",
        "- a\n\n\t\t~~70~~\n",
        "10) a\n\n    b\n\n        ~~70~~\n",
        "- a\n\nb\n\n    ~~70~~\n",
        "-     ~~70~~\n",
        "-\n  a\n\n      ~~70~~\n",
        "> a\n>\n>     ~~70~~\n",
        "> - a\n>\n>       ~~70~~\n",
        "> - a\n\n    ~~70~~\n",
        "- a\n\n      ```\n\n      ~~70~~\n",
        "- a\n\n  ```\n  ~~70~~\n  ```\n",
        "Plain *text*\r\nas  it stands \t\n\n\n",
    ],
)
def test_all_else_stays_as_it_stands(text: str) -> None:
    assert shown(text) == text


def test_a_file_is_read_and_one_of_pictures_alone_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text(f"![Plan]({DATA})\n\nThe fee is ~~70~~ 90.")
    assert load_one(path).text == "[image: Plan]\n\nThe fee is 90."
    path.write_text(f"![]({DATA})\n")
    with pytest.raises(UnreadableFile, match="it shows pictures only"):
        read(path)


def test_plain_text_is_not_markdown(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(f"![Plan]({DATA}) ~~70~~ 90")
    assert load_one(path).text == f"![Plan]({DATA}) ~~70~~ 90"


def repeated(text: str) -> str:
    return text * (100_000 // len(text))


@pytest.mark.parametrize(
    "text",
    [
        "~~a " * 100_000,
        "`" * 100_000 + "~~",
        "".join("`" * size + " " for size in range(500)) + "~~",
        "".join("`" * size + " " for size in range(400)) * 2 + "\nx" * 500_000 + "\n\n~~",
        "![a" * 100_000 + "data:",
        "[" * 100_000 + "data:",
        "<img " * 100_000 + "data:",
        "<s>" * 100_000 + "</s>",
        "<s>\n\n" * 100_000 + "</s>\n\n" * 100_000,
        "<s>\n\n</s>" * 100_000,
        "<a " * 100_000 + "~~",
        "](" * 100_000 + "~~",
        "![a](data:x," * 50_000,
        "[x]: data:" + "a" * 1_000_000,
        "\\" * 100_000 + "`data:",
        "> " * 100_000 + "~~\ndata:",
        "1. " * 50_000 + "~~\n",
        "- a\n" * 50_000 + "~~\n",
        "| " * 50_000 + "~~a\n|-|\n",
        "*" * 100_000 + "~~a~~" + "*" * 100_000 + " ~~b~~",
        "[" * 50_000 + "~~a~~" + "](b)" * 50_000,
        "**~~a~~** " * 20_000,
        "| ~~a~~\n" + " " * 100_000 + "-x\n",
        "| ~~a~~\n|" + " -|" * 30_000 + "-x\n",
        *(
            "~~a~~ | data: " + repeated(unit) + "-x </s>"
            for unit in (" ", "\t", "~", "[", "\\[", "`", "|", "<", "!", "![")
        ),
        *(
            f"~~a~~ {head}" + repeated(unit) + "x"
            for head in ("![a](data:x,a", "[a]: ", "<img src='data:")
            for unit in " ;(~"
        ),
        *(
            f"~~a~~\n{head}" + " " * 100_000 + "x"
            for head in ("[a]: ", "[a]: data:x, ", "[a](data:x,", "<img src", "</s")
        ),
        "~~a~~ " + repeated("![a](DATA:image/png;base64,A"),
        "~~a~~ " + repeated("data:;base64;"),
        "~~a~~ " + repeated("<a \"'"),
    ],
    ids=lambda text: text[:24],
)
def test_text_that_is_made_to_take_long_does_not(text: str) -> None:
    began = time.monotonic()
    shown(text)
    assert time.monotonic() - began < 5
