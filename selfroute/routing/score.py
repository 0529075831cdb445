"""What reading on would change, as probabilities: logistic rules over features, kept as JSON.

`gain` is the probability that what stands after reading the documents is right and the chunk answer is not, `harm`
that it is the other way round; `sufficiency`, that the chunk answer is as good as that, is one less the gain. A router
holds several rules: of those for the readers at hand the first whose inputs are all known is used, so that who has only
one chat model, or only the bundled ones, or no logprobs gets the best rule for that. Evaluated without scikit-learn;
fitted by `selfroute calibrate`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from selfroute.errors import InvalidSettings
from selfroute.routing.features import Features
from selfroute.types import Readers

FORMAT = 2
SHIPPED = Path(__file__).parent / "router.json"
_READERS: Mapping[Readers, str] = {
    Readers.BUNDLED: "the bundled reader",
    Readers.CHAT: "chat models",
    Readers.MIXED: "the bundled reader and a chat model together",
}
NAMES = frozenset(field.name for field in fields(Features))


@dataclass(frozen=True, slots=True)
class Logistic:
    """Log odds: `bias` and the weighted sum of standardised inputs."""

    bias: float
    weights: tuple[float, ...]

    def probability(self, inputs: Sequence[float]) -> float:
        """0 to 1."""
        odds = self.bias + math.fsum(weight * value for weight, value in zip(self.weights, inputs, strict=True))
        return 1 / (1 + math.exp(-odds)) if odds >= 0 else 1 - 1 / (1 + math.exp(odds))


@dataclass(frozen=True, slots=True)
class Rule:
    """Both probabilities from `inputs`, each less its mean and over its scale, for one kind of `readers`.

    `prices` is (share, price) by rising share: how many right answers a reading must add, -1 to 1, for escalations to
    take that share of all documents' tokens. It falls as the share rises.
    """

    name: str
    readers: Readers
    inputs: tuple[str, ...]
    means: tuple[float, ...]
    scales: tuple[float, ...]
    gain: Logistic
    harm: Logistic
    prices: tuple[tuple[float, float], ...]

    def values(self, features: Features) -> tuple[float, ...] | None:
        """The standardised inputs; `None` if one is unknown."""
        known = features.named()
        given = [known[name] for name in self.inputs]
        kept = [value for value in given if value is not None]
        if len(kept) < len(given):
            return None
        return tuple((v - mean) / scale for v, mean, scale in zip(kept, self.means, self.scales, strict=True))

    def price(self, share: float) -> float:
        """For a share of 0 to 1, between those known along a line; below the least, nothing is worth it."""
        if share <= 0:
            return math.inf
        if share <= self.prices[0][0]:
            return self.prices[0][1] * self.prices[0][0] / share if self.prices[0][1] > 0 else self.prices[0][1]
        for (low, dear), (high, cheap) in zip(self.prices, self.prices[1:], strict=False):
            if share <= high:
                return dear + (cheap - dear) * (share - low) / (high - low)
        return -math.inf


@dataclass(frozen=True, slots=True)
class Odds:
    """What `rule` says of reading on, from these features."""

    rule: Rule
    gain: float
    harm: float
    features: Features

    @property
    def sufficiency(self) -> float:
        """The probability that the chunk answer is as good as the long one."""
        return 1 - self.gain

    @property
    def weighed(self) -> Mapping[str, float]:
        """The inputs of the rule, as they are."""
        known = self.features.named()
        return {name: known[name] or 0.0 for name in self.rule.inputs}

    @property
    def improvement(self) -> float:
        """Right answers that reading on is expected to add, -1 to 1."""
        return self.gain - self.harm


@dataclass(frozen=True, slots=True)
class Router:
    """`rules`, best first; `about` says what they were fitted on."""

    rules: tuple[Rule, ...]
    about: Mapping[str, Any]

    def lack(self, readers: Readers) -> str | None:
        """Why it has no odds for these readers whatever is known, if it has none."""
        if any(rule.readers is readers for rule in self.rules):
            return None
        return (
            f"the router of `calibrated` has no rule for {_READERS[readers]}: as by `self_route`, only declines "
            "escalate, whatever share or value is set; fit one on runs of your own with `selfroute calibrate`"
        )

    def caveat(self, embedder: str, k: int) -> str | None:
        """What differs from the retrieval that it was fitted on, which its features depend on."""
        fitted_on = {"embedder": self.about.get("embedder"), "k": self.about.get("k")}
        other = [
            f"{name} {was} (here {now})"
            for (name, was), now in zip(fitted_on.items(), (embedder, k), strict=True)
            if was is not None and was != now
        ]
        if not other:
            return None
        return (
            f"the router of `calibrated` was fitted on {' and '.join(other)}: its odds may be off; "
            "fit one on runs of your own with `selfroute calibrate`"
        )

    def odds(self, features: Features, readers: Readers) -> Odds | None:
        """By the first rule for these readers whose inputs are all known; `None` if there is none."""
        for rule in self.rules:
            values = rule.values(features) if rule.readers is readers else None
            if values is not None:
                return Odds(rule, rule.gain.probability(values), rule.harm.probability(values), features)
        return None


def read_router(path: Path = SHIPPED) -> Router:
    """Raises `InvalidSettings` for a file that is missing, malformed or of another version."""
    remedy = "name a file that `selfroute calibrate` of this version wrote under routing.model, or leave it out"
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidSettings(f"cannot read {path}: {(error.strerror or str(error)).lower()}: {remedy}") from error
    except ValueError as error:
        raise InvalidSettings(f"{path} is not JSON ({error}): {remedy}") from error
    if not isinstance(held, dict) or held.get("format") != FORMAT:
        found = held.get("format") if isinstance(held, dict) else None
        raise InvalidSettings(f"{path} is a router of format {found!r}, and this version reads {FORMAT}: {remedy}")
    try:
        return Router(tuple(map(_rule, held["rules"])), dict(held["about"]))
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidSettings(f"{path} is not a router ({error!r}): {remedy}") from error


def to_json(router: Router) -> str:
    """As `read_router` reads it."""
    held = {"format": FORMAT, "about": dict(router.about), "rules": [asdict(rule) for rule in router.rules]}
    return json.dumps(held, indent=1) + "\n"


def _rule(held: Mapping[str, Any]) -> Rule:
    """Raises `KeyError`, `TypeError` or `ValueError`."""
    inputs = tuple(map(str, held["inputs"]))
    unknown = [name for name in inputs if name not in NAMES]
    if unknown:
        raise ValueError(f"no feature is called {unknown[0]!r}")
    rule = Rule(
        str(held["name"]),
        Readers(held["readers"]),
        inputs,
        _numbers(held["means"], len(inputs)),
        _numbers(held["scales"], len(inputs)),
        _logistic(held["gain"], len(inputs)),
        _logistic(held["harm"], len(inputs)),
        tuple((float(share), float(price)) for share, price in held["prices"]),
    )
    shares, prices = [share for share, _ in rule.prices], [price for _, price in rule.prices]
    if not prices or shares != sorted(set(shares)) or shares[0] <= 0 or prices != sorted(prices, reverse=True):
        raise ValueError("its prices must fall as shares rise")
    if min(rule.scales, default=1.0) <= 0:
        raise ValueError("a scale must be above 0")
    return rule


def _logistic(held: Mapping[str, Any], size: int) -> Logistic:
    return Logistic(_numbers([held["bias"]], 1)[0], _numbers(held["weights"], size))


def _numbers(held: Sequence[Any], size: int) -> tuple[float, ...]:
    numbers = tuple(map(float, held))
    if len(numbers) != size or not all(map(math.isfinite, numbers)):
        raise ValueError(f"expected {size} finite numbers")
    return numbers
