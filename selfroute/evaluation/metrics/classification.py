"""Whether a prediction names the right class and no other, as LongBench scores trec and lsht."""

from __future__ import annotations

from collections.abc import Sequence

from selfroute.evaluation.metrics.mode import Mode


def classification(prediction: str, answer: str, classes: Sequence[str], mode: Mode = "strict") -> float:
    """1/n if `answer` is among the n classes that stand in the prediction, else 0; letter case counts.

    Classes that are proper parts of the answer do not count among the n.
    """
    named = [name for name in classes if name in prediction]
    if mode == "fixed":
        named = [name for name in named if name == answer or name not in answer]
    else:
        for name in named:  # the original's fault, kept: after a removal this skips the next name
            if name in answer and name != answer:
                named.remove(name)
    return 1 / len(named) if answer in named else 0.0
