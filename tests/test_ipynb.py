"""A notebook becomes its cells and what they put out, without pictures and the marks of colours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from selfroute.errors import UnreadableFile
from selfroute.ingest.formats.ipynb import read

PYTHON = {"kernelspec": {"language": "python"}, "language_info": {"name": "python"}}


def test_text_code_and_raw_cells_are_read_in_their_order(tmp_path: Path) -> None:
    cells = [
        {"cell_type": "markdown", "source": ["# Fees\n", "The north quay."]},
        {"cell_type": "code", "source": "# a comment\nfee = 40", "outputs": []},
        {"cell_type": "raw", "source": "as it is"},
        {"cell_type": "code", "source": "", "outputs": []},
    ]
    assert read(book(tmp_path, cells)).text == (
        "# Fees\nThe north quay.\n\n```python\n# a comment\nfee = 40\n```\n\nas it is"
    )


def test_code_that_holds_fences_stands_between_longer_ones(tmp_path: Path) -> None:
    cells = [{"cell_type": "code", "source": 'print("```")'}]
    assert read(book(tmp_path, cells, {})).text == '````\nprint("```")\n````'


OUTPUTS: dict[str, tuple[dict[str, Any], str]] = {
    "stream": ({"output_type": "stream", "text": ["40\n", "25\n"]}, "40\n25"),
    "a bar that grows": ({"output_type": "stream", "text": " 10%\r 50%\r100%\r\ndone"}, "100%\ndone"),
    "colours": ({"output_type": "stream", "text": "\x1b[1;31mred\x1b[0m \x1b]8;;x\x07link"}, "red link"),
    "plain text": ({"output_type": "execute_result", "data": {"text/plain": "40", "text/html": "<b>40</b>"}}, "40"),
    "markdown": ({"output_type": "display_data", "data": {"text/markdown": "**40**", "text/plain": "<M>"}}, "**40**"),
    "a page": (
        {
            "output_type": "display_data",
            "data": {"text/plain": "<IPython.core.HTML object>", "text/html": ["<p>", "40"]},
        },
        "40",
    ),
    "a formula": (
        {"output_type": "display_data", "data": {"text/plain": "<M object>", "text/latex": "$x^2$"}},
        "$x^2$",
    ),
    "an error": (
        {"output_type": "error", "ename": "KeyError", "evalue": "'fee'", "traceback": ["\x1b[31mline 3\x1b[0m"]},
        "line 3\nKeyError: 'fee'",
    ),
    "an error in its trace": (
        {"output_type": "error", "ename": "KeyError", "evalue": "'fee'", "traceback": ["KeyError: 'fee'"]},
        "KeyError: 'fee'",
    ),
    "version 3": ({"output_type": "pyout", "text": ["40"], "html": "<b>x</b>"}, "40"),
}


@pytest.mark.parametrize(("output", "text"), OUTPUTS.values(), ids=OUTPUTS)
def test_what_a_cell_puts_out_is_read_once_and_plainly(tmp_path: Path, output: dict[str, Any], text: str) -> None:
    cells = [{"cell_type": "code", "source": "fee", "outputs": [output, "nonsense"]}]
    assert read(book(tmp_path, cells)).text == f"```python\nfee\n```\n\n{text}"


def test_pictures_in_text_become_what_is_said_of_them(tmp_path: Path) -> None:
    source = '![The quay](data:image/png;base64,AAAA) ![Map](attachment:map.png "m") '
    source += '<img src="data:image/png;base64,AA"> ![x](u.png)'
    assert read(book(tmp_path, [{"cell_type": "markdown", "source": source}])).text == "The quay Map  ![x](u.png)"


@pytest.mark.parametrize(
    "plain", ["<Figure size 640x480 with 1 Axes>", "<Axes: title={'x'}>", "[<matplotlib.Line2D at 0x7f>]", ""]
)
def test_outputs_that_are_images_are_named(tmp_path: Path, plain: str) -> None:
    image = {"output_type": "display_data", "data": {"image/png": "AAAA", "text/plain": plain}}
    cells = [{"cell_type": "code", "source": "plot()", "outputs": [image]}, {"cell_type": "markdown", "source": "end"}]
    made = read(book(tmp_path, cells))
    assert made.text == "```python\nplot()\n```\n\nend"
    assert made.warnings == ("an output of cell 1 of 2 is an image, which is not read",)
    assert made.readable == 0.75
    more = read(book(tmp_path, cells[:1] * 3)).warnings
    assert more == ("outputs of cells 1 to 3 of 3 are images, which are not read",)


def test_notebooks_of_version_3_are_read(tmp_path: Path) -> None:
    cells = [{"cell_type": "heading", "level": 2, "source": "Fees"}, {"cell_type": "code", "input": ["fee = 40"]}]
    path = written(tmp_path, json.dumps({"nbformat": 3, "worksheets": [{"cells": cells}, {}, "nonsense"]}))
    assert read(path).text == "## Fees\n\n```\nfee = 40\n```"


REFUSED = {
    "no JSON": ("{", "is no JSON"),
    "too deep": ("[" * 200_000, "is no JSON"),
    "a list": ("[]", "is no notebook"),
    "no cells": ('{"cells": 4}', "is no notebook"),
    "no text": ('{"cells": [4, {"cell_type": "code", "source": 7, "outputs": 0}]}', "is empty"),
    "empty": ("", "is empty|is no JSON"),
}


@pytest.mark.parametrize(("text", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_notebook_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(UnreadableFile, match=reason):
        read(written(tmp_path, text))


def book(folder: Path, cells: list[dict[str, Any]], about: dict[str, Any] | None = None) -> Path:
    return written(folder, json.dumps({"nbformat": 4, "metadata": PYTHON if about is None else about, "cells": cells}))


def written(folder: Path, text: str) -> Path:
    path = folder / "a.ipynb"
    path.write_text(text)
    return path
