"""Text is counted offline, by the model's own tokenizer where it is known, and every text can be counted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfroute import weights
from selfroute.errors import InvalidSettings
from selfroute.tokens import STRETCH, tokenizer


@pytest.mark.parametrize(
    ("model", "named", "name"),
    [
        ("gpt-4.1-mini", None, "tiktoken o200k_base"),
        ("gpt-5.1", None, "tiktoken o200k_base"),
        ("gpt-3.5-turbo", None, "tiktoken cl100k_base"),
        ("llama3.2", None, "tiktoken o200k_base, an approximation"),
        ("davinci", None, "tiktoken o200k_base, an approximation"),
        ("llama3.2", "cl100k_base", "tiktoken cl100k_base"),
    ],
)
def test_a_model_is_counted_by_its_own_encoding_or_says_that_it_is_not(
    model: str, named: str | None, name: str
) -> None:
    assert tokenizer(model, named).split.name == name


def test_counts_are_the_encodings() -> None:
    assert tokenizer("gpt-4o").count("Night work is approved by the harbour master.") == 9
    assert tokenizer("gpt-4o").count("") == 0


@pytest.mark.end_to_end
def test_counting_needs_no_network() -> None:
    program = (
        "import socket\n"
        "def refuse(*a, **k): raise OSError('network')\n"
        "socket.socket.connect = refuse\n"
        "from selfroute.tokens import tokenizer\n"
        "print(tokenizer('gpt-4o').count('night'), tokenizer('gpt-4').count('night'))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "1"]


def test_a_tokenizer_file_can_be_named() -> None:
    path = weights.FOLDER / "tokenizer.json"
    assert tokenizer("any", str(path)).count("the harbour master") == 3


def test_a_file_that_is_no_tokenizer_is_refused_with_what_to_name(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{}")
    for path in (tmp_path / "x.json", tmp_path / "missing.json"):
        with pytest.raises(InvalidSettings, match=r"is no tokenizer .*: name a tokenizer.json, or one of o200k_base"):
            tokenizer("any", str(path)).count("x")


def test_a_mark_of_the_models_own_in_a_document_is_text() -> None:
    assert tokenizer("gpt-4o").count("<|endoftext|>") > 1


def test_a_very_long_text_is_counted_in_stretches() -> None:
    assert tokenizer("gpt-4o").count("a " * STRETCH) == pytest.approx(STRETCH, rel=0.01)


@given(st.text(st.characters()))
def test_every_text_has_a_count(text: str) -> None:
    assert (tokenizer("gpt-4o").count(text) > 0) == bool(text)
