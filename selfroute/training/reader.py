"""Fine-tunes the bundled extractive reader: MiniLM-L6 with a span head and a null score.

The recipe, with what was measured, is in the card beside the weights. Source of the objective: the
null-span formulation of BERT on SQuAD 2.0 (Devlin et al. 2019): the position of [CLS] stands for "this
text does not answer", start and end are trained by cross-entropy over all positions of the window.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import BertForQuestionAnswering

from selfroute.training.windows import Window
from selfroute.weights import CLS, SEP

MAX_PIECES = 288
MAX_QUESTION_PIECES = 48


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the reader is trained; the values are those that made the shipped weights."""

    examples: int = 80_000
    batch: int = 32
    learning_rate: float = 2e-4
    warmup: float = 0.05
    weight_decay: float = 0.01
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Encoded:
    """Word pieces of one window: `[CLS] question [SEP] text [SEP]`; `start == end == 0` means null."""

    ids: list[int]
    types: list[int]
    start: int
    end: int


def encode(tokenizer: Tokenizer, window: Window) -> Encoded | None:
    """Pieces and answer positions; `None` if truncation would lose the answer."""
    question = tokenizer.encode(window.question, add_special_tokens=False).ids[:MAX_QUESTION_PIECES]
    text = tokenizer.encode(window.text, add_special_tokens=False)
    room = MAX_PIECES - len(question) - 3
    pieces, offsets = text.ids[:room], text.offsets[:room]
    ids = [CLS, *question, SEP, *pieces, SEP]
    shift = len(question) + 2
    types = [0] * shift + [1] * (len(pieces) + 1)
    if not window.answerable:
        return Encoded(ids, types, 0, 0)
    inside = [i for i, (low, high) in enumerate(offsets) if high > window.start and low < window.end]
    if not inside or (text.offsets[inside[-1]][1] < window.end and inside[-1] + 1 == len(pieces)):
        return None
    return Encoded(ids, types, inside[0] + shift, inside[-1] + shift)


def batches(encoded: Sequence[Encoded], size: int, rng: random.Random) -> Iterator[list[Encoded]]:
    """Shuffled batches of similar length: sorted within stretches of 64 batches, to spare padding."""
    order = list(encoded)
    rng.shuffle(order)
    made: list[list[Encoded]] = []
    for at in range(0, len(order), size * 64):
        stretch = sorted(order[at : at + size * 64], key=lambda e: len(e.ids))
        part = [stretch[i : i + size] for i in range(0, len(stretch), size)]
        rng.shuffle(part)
        made.extend(part)
    yield from made


def tensors(batch: Sequence[Encoded]) -> dict[str, Tensor]:
    """Padded model inputs `(batch, pieces)`."""
    width = max(len(e.ids) for e in batch)
    ids = torch.zeros(len(batch), width, dtype=torch.long)
    types = torch.zeros_like(ids)
    mask = torch.zeros_like(ids)
    for row, e in enumerate(batch):
        n = len(e.ids)
        ids[row, :n] = torch.tensor(e.ids)
        types[row, :n] = torch.tensor(e.types)
        mask[row, :n] = 1
    return {"input_ids": ids, "token_type_ids": types, "attention_mask": mask}


def fit(base: Path, encoded: Sequence[Encoded], recipe: Recipe, out: Path, say: Callable[[str], None]) -> None:
    """Trains on `encoded` in one pass and saves the model to `out` (also every 500 steps)."""
    torch.manual_seed(recipe.seed)
    rng = random.Random(recipe.seed)
    model = BertForQuestionAnswering.from_pretrained(base, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    model.bert.embeddings.requires_grad_(False)
    model.train()
    plan = list(batches(encoded, recipe.batch, rng))
    decayed = [p for n, p in model.named_parameters() if p.requires_grad and p.ndim > 1]
    plain = [p for n, p in model.named_parameters() if p.requires_grad and p.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": plain, "weight_decay": 0.0}],
        lr=recipe.learning_rate,
    )
    warmup = max(1, int(recipe.warmup * len(plan)))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warmup, max(0.0, (len(plan) - step) / (len(plan) - warmup)))
    )
    began, running = time.monotonic(), 0.0
    for step, batch in enumerate(plan, start=1):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            output = model(**tensors(batch))
        loss = span_loss(output.start_logits.float(), output.end_logits.float(), batch)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if not math.isfinite(loss.item()):
            raise FloatingPointError(f"loss is {loss.item()} at step {step}: lower the learning rate")
        running = loss.item() if step == 1 else 0.98 * running + 0.02 * loss.item()
        if step % 50 == 0 or step == len(plan):
            speed = step * recipe.batch / (time.monotonic() - began)
            left = (len(plan) - step) * recipe.batch / speed / 60
            say(f"step {step}/{len(plan)} loss {running:.3f} {speed:.1f} examples/s, {left:.0f} min left")
        if step % 500 == 0 or step == len(plan):
            model.save_pretrained(out)


def span_loss(start: Tensor, end: Tensor, batch: Sequence[Encoded]) -> Tensor:
    """Mean cross-entropy of start and end over the window's own text and its null position."""
    allowed = torch.zeros_like(start, dtype=torch.bool)
    for row, e in enumerate(batch):
        first = e.types.index(1)
        allowed[row, first : len(e.ids) - 1] = True
    allowed[:, 0] = True
    start, end = start.masked_fill(~allowed, -1e4), end.masked_fill(~allowed, -1e4)
    gold_start = torch.tensor([e.start for e in batch])
    gold_end = torch.tensor([e.end for e in batch])
    cross = nn.functional.cross_entropy
    return (cross(start, gold_start) + cross(end, gold_end)) / 2
