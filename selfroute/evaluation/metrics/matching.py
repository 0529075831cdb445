"""Whether references stand in a prediction, as RULER and HELMET ask."""

from __future__ import annotations

from collections.abc import Sequence

from selfroute.evaluation.metrics.qa import normalized, token_f1

_ALONE = (["yes"], ["no"], ["noanswer"])


def string_match_all(prediction: str, references: Sequence[str]) -> float:
    """RULER: the share of the references that stand in the prediction, whatever the letter case."""
    return sum(_holds(prediction, reference) for reference in references) / len(references) if references else 0.0


def string_match_part(prediction: str, references: Sequence[str]) -> float:
    """RULER's question answering: 1 if any reference stands in the prediction, whatever the letter case."""
    return float(any(_holds(prediction, reference) for reference in references))


def substring_exact_match(prediction: str, reference: str) -> float:
    """HELMET: 1 if the reference stands in the prediction, both normalised as for token F1; words need not be whole."""
    return float(" ".join(normalized(reference)) in " ".join(normalized(prediction)))


def squad_f1(prediction: str, reference: str) -> float:
    """HELMET's SQuAD F1: token F1, but yes, no and noanswer match only themselves."""
    said, wanted = normalized(prediction), normalized(reference)
    return 0.0 if said != wanted and (said in _ALONE or wanted in _ALONE) else token_f1(prediction, reference)


def _holds(prediction: str, reference: str) -> bool:
    return reference.lower() in prediction.lower()
