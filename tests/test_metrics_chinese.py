"""Chinese is scored by jieba's words where they are defined so, and by characters elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfroute.evaluation.metrics.chinese import character_f1, normalized_zh, rouge_l_zh, token_f1_zh, words
from selfroute.evaluation.metrics.rouge import rouge_l

CAPITAL = "北京是中国的首都。"

texts = st.text("北京是中国的首都ab \n.。,《》", max_size=20)


@pytest.fixture
def jieba() -> None:
    pytest.importorskip("jieba", reason="needs the extra `chinese`")


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("北京,是。", "北京是"),
        (" A b\n", "ab"),
        ("\uff21\uff01", "\uff41"),  # full width: lower case, its exclamation mark deleted
        ("\u300a红楼梦\u300b", "\u300a红楼梦"),  # the official list has only what closes
        ("3.5%", "35"),
    ],
)
def test_punctuation_and_white_space_are_deleted(text: str, plain: str) -> None:
    assert normalized_zh(text) == plain


def test_characters_are_counted() -> None:
    # 北 京 of the prediction's three, of the answer's four
    assert character_f1("北京人", "北京是市") == pytest.approx(2 * (2 / 3) * (2 / 4) / (2 / 3 + 2 / 4))
    assert character_f1("北京。", "北 京") == 1
    assert character_f1("。", "。") == 0


@given(texts, texts)
def test_character_f1_is_symmetric_bounded_and_1_for_itself(one: str, other: str) -> None:
    assert 0 <= character_f1(one, other) <= 1
    assert character_f1(one, other) == pytest.approx(character_f1(other, one))
    assert character_f1(one, one) == (1.0 if normalized_zh(one) else 0.0)


@pytest.mark.usefixtures("jieba")
def test_words_are_jiebas() -> None:
    assert words(CAPITAL) == ["北京", "是", "中国", "的", "首都", "。"]
    assert words("") == []


@pytest.mark.usefixtures("jieba")
def test_f1_is_over_words_without_punctuation() -> None:
    # 北京 首都 of the prediction's two, of the answer's five
    assert token_f1_zh("北京、首都", CAPITAL) == pytest.approx(2 * (2 / 2) * (2 / 5) / (2 / 2 + 2 / 5))
    assert token_f1_zh("。", CAPITAL) == 0


@pytest.mark.usefixtures("jieba")
def test_rouge_is_over_words_set_apart() -> None:
    assert rouge_l_zh("北京是首都。", CAPITAL) == rouge_l("北京 是 首都 。", "北京 是 中国 的 首都 。") > 0


@pytest.mark.usefixtures("jieba")
def test_strict_counts_a_blank_piece_as_a_word_and_fixed_does_not() -> None:
    assert rouge_l_zh("北京.\n", "北京") == rouge_l("北京. ", "北京") < rouge_l_zh("北京.\n", "北京", "fixed")


@pytest.mark.usefixtures("jieba")
@given(texts, texts)
def test_f1_is_symmetric_bounded_and_1_for_itself(one: str, other: str) -> None:
    assert 0 <= token_f1_zh(one, other) <= 1
    assert token_f1_zh(one, other) == pytest.approx(token_f1_zh(other, one))
    assert token_f1_zh(one, one) == (1.0 if normalized_zh(one) else 0.0)


@pytest.mark.end_to_end
@pytest.mark.usefixtures("jieba")
def test_no_dictionary_is_read_from_or_left_in_the_shared_temporary_folder(tmp_path: Path) -> None:
    planted = tmp_path / "jieba.cache"
    planted.write_bytes(b"not a dictionary")
    done = run(
        "from selfroute.evaluation.metrics.chinese import words\nprint(len(words('北京是')))",
        temporary=tmp_path,
    )
    assert (done.stdout, done.stderr) == ("2\n", "")
    assert list(tmp_path.iterdir()) == [planted]
    assert planted.read_bytes() == b"not a dictionary"


@pytest.mark.end_to_end
def test_without_jieba_the_extra_is_named_and_characters_still_count() -> None:
    done = run(
        "import sys; sys.modules['jieba'] = None\n"
        "from selfroute.errors import MissingExtra\n"
        "from selfroute.evaluation.metrics import score\n"
        "print(score('longbook_qa_chn', '北京', ['北京']))\n"
        "try: score('multifieldqa_zh', '北京', ['北京'])\n"
        "except MissingExtra as error: print(error)"
    )
    assert done.stdout.splitlines() == ["100.0", "jieba is not installed: run `pip install 'selfroute[chinese]'`"]


@pytest.mark.end_to_end
def test_importing_the_metrics_loads_neither_jieba_nor_numpy() -> None:
    done = run("import sys, selfroute.evaluation.metrics; print({'jieba', 'numpy'} & set(sys.modules))")
    assert done.stdout == "set()\n"


def run(code: str, temporary: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONUTF8": "1"} | ({"TMPDIR": str(temporary)} if temporary else {})
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
