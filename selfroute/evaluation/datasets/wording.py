"""How a task is put where a question alone does not say what is wanted: summaries, counting, examples to follow.

The project's own words, used unless the official prompts are asked for. The document stands before the rest, so
that prefix caches can reuse it. Plain questions are not here: those a reader puts in its own words.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_NEXT_LINE = "{context}{input}\n\n# The next line of the code above, and nothing else:\n"

PROMPTS: Mapping[str, str] = MappingProxyType(
    {
        "gov_report": "{context}\n\nThe text above is a report by a government agency. Summarise it in about a page."
        "\n\nSummary:",
        "multi_news": "{context}\n\nThe passages above are news about one event. Summarise them together in about a "
        "page.\n\nSummary:",
        "vcsum": "{context}\n\n以上是一段会议的记录。请写一段话总结这次会议的内容。\n\n总结：",
        "samsum": "{context}\n\nThe text above shows dialogues, each with its summary. Summarise the next dialogue in "
        "the same way, in a few short sentences.\n\n{input}",
        "trec": "{context}\n\nThe lines above are questions, each with its type. Give the type of the next question, "
        "in the same words and nothing else.\n\n{input}",
        "lsht": "{context}\n\n以上是一些新闻及其类别。请用同样的词语写出下一则新闻的类别，不要写其他内容。\n\n{input}",
        "passage_count": "{context}\n\nSome of the numbered paragraphs above are copies of others. How many different "
        "paragraphs are there? Answer with the number alone.\n\nNumber:",
        "passage_retrieval_en": "{context}\n\nThe text below sums up one of the numbered paragraphs above.\n\n{input}"
        '\n\nWhich one is it? Answer as in "Paragraph 7", and with nothing else.\n\nAnswer:',
        "passage_retrieval_zh": "{context}\n\n下面的文字概括了以上编号段落中的某一段。\n\n{input}\n\n是哪一段？"
        "只按“段落7”的格式回答，不要写其他内容。\n\n回答：",
        "lcc": _NEXT_LINE,
        "repobench-p": _NEXT_LINE,
        "longbook_sum_eng": "{context}\n\nThe text above is a novel. Summarise its story in about a thousand words."
        "\n\nSummary:",
        "longdialogue_qa_eng": "{context}\n\nIn the dialogue above, the name of one character has been replaced by "
        '"$$MASK$$" in one place. Which character is it? Answer with the name alone, as it stands before the colons.'
        "\n\n{input}\n\nName:",
        "math_calc": "{context}\n\nWork out the expression above step by step, from left to right. Write the value "
        "after each operation, separated by commas, and nothing else.\n\n{input}\n\nValues:",
        "code_debug": "{context}\n\nExactly one function of the code above was given an error that makes it fail. "
        "Which one? Answer with the letter of one of these, and nothing else.\n\n{input}\n\nLetter:",
    }
)
