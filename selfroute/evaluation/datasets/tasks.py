"""What is known of a dataset by its name: its task, its language, whether each row asks a question.

LongBench's limits, stops and use of the chat template are its own (Bai et al. 2024, `pred.py`); InfiniteBench's
limits are those of its `eval_utils.py`. The shapes, and the limits of the sets that are ours, are chosen here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from selfroute.evaluation.datasets.wording import PROMPTS
from selfroute.types import Shape, Task


@dataclass(frozen=True, slots=True)
class Known:
    """`asks`: every row brings a query; one that brings none is malformed, not a task without a query."""

    task: Task
    language: str = "en"
    asks: bool = True


SPAN, TEXT, CHOICE, CODE = Shape.SPAN, Shape.TEXT, Shape.CHOICE, Shape.CODE


def _known(
    shape: Shape,
    limit: int,
    language: str = "en",
    *,
    asks: bool = True,
    chat: bool = True,
    stop: tuple[str, ...] = (),
    temperature: float = 0.0,
) -> Known:
    task = Task(shape, max_output_tokens=limit, stop=stop, temperature=temperature, chat_template=chat)
    return Known(task, language, asks)


_LONGBENCH = {
    "narrativeqa": _known(SPAN, 128),
    "qasper": _known(SPAN, 128),
    "multifieldqa_en": _known(SPAN, 64),
    "multifieldqa_zh": _known(SPAN, 64, "zh"),
    "hotpotqa": _known(SPAN, 32),
    "2wikimqa": _known(SPAN, 32),
    "musique": _known(SPAN, 32),
    "dureader": _known(TEXT, 128, "zh"),
    "gov_report": _known(TEXT, 512, asks=False),
    "qmsum": _known(TEXT, 512),
    "multi_news": _known(TEXT, 512, asks=False),
    "vcsum": _known(TEXT, 512, "zh", asks=False),
    "trec": _known(CHOICE, 64, chat=False),
    "triviaqa": _known(SPAN, 32, chat=False),
    "samsum": _known(TEXT, 128, stop=("\n",), chat=False),
    "lsht": _known(CHOICE, 64, "zh", chat=False),
    "passage_count": _known(TEXT, 32, asks=False),
    "passage_retrieval_en": _known(TEXT, 32),
    "passage_retrieval_zh": _known(TEXT, 32, "zh"),
    "lcc": _known(CODE, 64, asks=False, chat=False),
    "repobench-p": _known(CODE, 64, chat=False),
}

_EVEN = (
    "qasper",
    "multifieldqa_en",
    "hotpotqa",
    "2wikimqa",
    "gov_report",
    "multi_news",
    "trec",
    "triviaqa",
    "samsum",
    "passage_count",
    "passage_retrieval_en",
    "lcc",
    "repobench-p",
)
"""Those that have a variant of even lengths, `NAME_e`: LongBench-E."""

V2 = "longbench-v2"

# Whether the rows of the four that do not `ask` bring a text all the same is not verified here.
_INFINITEBENCH = {
    "passkey": _known(SPAN, 6),
    "number_string": _known(SPAN, 12),
    "kv_retrieval": _known(SPAN, 50),
    "longbook_sum_eng": _known(TEXT, 1200, asks=False),
    "longbook_choice_eng": _known(CHOICE, 40),
    "longbook_qa_eng": _known(SPAN, 40),
    "longbook_qa_chn": _known(SPAN, 40, "zh"),
    "longdialogue_qa_eng": _known(TEXT, 40, asks=False),
    "math_find": _known(TEXT, 3),
    "math_calc": _known(TEXT, 30_000, asks=False),
    "code_run": _known(TEXT, 5),
    "code_debug": _known(CHOICE, 5, asks=False),
}

_OURS = {
    "squad_long": _known(SPAN, 64),
    "covidqa": _known(SPAN, 64),
    "timeqa": _known(SPAN, 64),
    "lara_32k_financial_location": _known(SPAN, 128),
    "lara_32k_financial_reasoning": _known(SPAN, 128),
    "lara_32k_financial_hallu": _known(SPAN, 128),
    "lara_32k_paper_location": _known(SPAN, 128),
    "lara_32k_paper_reasoning": _known(SPAN, 128),
    "lara_32k_paper_hallu": _known(SPAN, 128),
    "harbour": _known(SPAN, 64),
}


def _named(known: Mapping[str, Known]) -> dict[str, Known]:
    return {
        name: replace(one, task=replace(one.task, name=name, prompt=PROMPTS.get(name))) for name, one in known.items()
    }


LONGBENCH: Mapping[str, Known] = MappingProxyType(_named(_LONGBENCH))
LONGBENCH_E: Mapping[str, Known] = MappingProxyType({f"{name}_e": LONGBENCH[name] for name in _EVEN})
LONGBENCH_V2: Mapping[str, Known] = MappingProxyType(_named({V2: _known(CHOICE, 128, temperature=0.1)}))
INFINITEBENCH: Mapping[str, Known] = MappingProxyType(_named(_INFINITEBENCH))
DATASETS: Mapping[str, Known] = MappingProxyType(
    {**LONGBENCH, **LONGBENCH_E, **LONGBENCH_V2, **INFINITEBENCH, **_named(_OURS)}
)
"""Every dataset that is known by name. Any other is a set of questions with short answers: `Task()`."""


def base_name(dataset: str) -> str:
    """The dataset whose prompt and metric it shares: `qasper` of `qasper_e`, else the name itself."""
    return dataset.removesuffix("_e") if dataset in LONGBENCH_E else dataset


def length_bucket(length: int) -> str:
    """The bucket that LongBench-E reports a record in, by its length in words (characters in Chinese)."""
    if length < 4000:
        return "0-4k"
    return "4-8k" if length < 8000 else "8k+"
