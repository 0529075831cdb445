"""How each policy looks and where it stands: one order, colour, sign and line for it in every table and picture.

Colours are Okabe and Ito's, which the colour-blind can tell apart; signs and dashes tell them apart in grey too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

Dashes = str | tuple[int, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Look:
    """`colour` as #rrggbb, `marker` and `dashes` as matplotlib names them, `hatch` for areas."""

    colour: str
    marker: str
    dashes: Dashes
    hatch: str


LOOKS: Mapping[str, Look] = MappingProxyType(
    {
        "always_rag": Look("#0072B2", "o", "-", ""),
        "self_route": Look("#D55E00", "s", (0, (5, 2)), "///"),
        "evidence_gated": Look("#009E73", "^", (0, (1, 1)), "..."),
        "calibrated": Look("#CC79A7", "D", (0, (7, 2, 1, 2)), "xxx"),
        "always_long": Look("#000000", "X", (0, (3, 1, 1, 1, 1, 1)), "\\\\\\"),
        "random": Look("#8A8A8A", ".", (0, (2, 2)), ""),
        "knn": Look("#56B4E9", "P", (0, (4, 1)), "+++"),
        "oracle": Look("#E69F00", "*", (0, (9, 3)), "ooo"),
    }
)
"""In the order of tables and legends. A policy that is not named here stands behind `calibrated`, by its name."""

COMPUTED: Mapping[str, str] = MappingProxyType({"random router": "random", "the oracle": "oracle"})
"""What a report computes looks as a policy of that kind would, and is called otherwise, lest a run has one."""

OTHERS = (
    Look("#7A5195", "v", (0, (6, 1, 1, 1)), "---"),
    Look("#B58900", "<", (0, (3, 3)), "|||"),
    Look("#4D8B8B", ">", (0, (1, 3)), "**"),
    Look("#A0522D", "h", (0, (8, 2, 2, 2)), "OO"),
    Look("#556B2F", "p", (0, (2, 1)), "//"),
    Look("#777777", "d", (0, (5, 1, 2, 1)), "xx"),
)
"""For policies without a look of their own, by their place among them."""


def ordered(policies: Iterable[str]) -> list[str]:
    places = {policy: place for place, policy in enumerate(LOOKS)}
    others = places["calibrated"] + 0.5
    return sorted(set(policies), key=lambda policy: (places.get(COMPUTED.get(policy, policy), others), policy))


def looks(policies: Iterable[str]) -> dict[str, Look]:
    """A look for each, in order. With more strangers than `OTHERS` two may look alike."""
    names = ordered(policies)
    strangers = [name for name in names if COMPUTED.get(name, name) not in LOOKS]
    return {
        name: OTHERS[strangers.index(name) % len(OTHERS)] if name in strangers else LOOKS[COMPUTED.get(name, name)]
        for name in names
    }
