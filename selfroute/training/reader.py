"""Fine-tunes the bundled extractive reader: MiniLM-L6 with a span head and a null score.

The recipe, with what was measured, is in the card beside the weights. The position of [CLS] stands for
"this text does not answer" (Devlin et al. 2019). Examples come in groups: all windows of one question share
one softmax (Clark and Gardner 2018), so that scores compare across the windows of a document. Promise: a fit
that was interrupted goes on from its last checkpoint and ends with the same weights.
"""

from __future__ import annotations

import math
import os
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
LAYERS = 6


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one stage is trained.

    `decay` is the share of the steps, at the end, over which the learning rate falls to 0; `layer_decay` is a
    layer's rate as a share of that of the layer above; the embeddings and the lowest `frozen_layers` are not
    trained; `joint` is the weight of the loss over a question's windows together; `steps` ends the pass early;
    `every` so many steps it tells how far it is and keeps a checkpoint.
    """

    name: str
    batch: int = 32
    learning_rate: float = 2e-4
    warmup: float = 0.05
    decay: float = 0.95
    weight_decay: float = 0.01
    layer_decay: float = 1.0
    frozen_layers: int = 0
    joint: float = 0.0
    steps: int | None = None
    every: int = 25
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Encoded:
    """Word pieces of one window: `[CLS] question [SEP] text [SEP]`; `start == end == 0` means null."""

    ids: list[int]
    types: list[int]
    start: int
    end: int


Group = list[Encoded]
"""The windows of one question."""


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


def batches(groups: Sequence[Group], size: int, rng: random.Random) -> Iterator[list[Group]]:
    """Shuffled batches of about `size` windows of similar length: sorted within stretches, to spare padding."""
    order = list(groups)
    rng.shuffle(order)
    mean = max(1, sum(map(len, order)) / max(1, len(order)))
    reach = int(size / mean * 64)
    made: list[list[Group]] = []
    for at in range(0, len(order), reach):
        part: list[list[Group]] = []
        rows = size
        for group in sorted(order[at : at + reach], key=lambda g: max(len(e.ids) for e in g)):
            if rows >= size:
                part.append([])
                rows = 0
            part[-1].append(group)
            rows += len(group)
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


def fit(base: Path, groups: Sequence[Group], recipe: Recipe, out: Path, say: Callable[[str], None]) -> None:
    """Trains on `groups` in one pass, from the model in `base`, and saves the model to `out`.

    Goes on from `out/state.pt` where there is one.
    """
    torch.manual_seed(recipe.seed)
    model = BertForQuestionAnswering.from_pretrained(base, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    model.bert.embeddings.requires_grad_(False)
    for layer in model.bert.encoder.layer[: recipe.frozen_layers]:
        layer.requires_grad_(False)
    model.train()
    plan = list(batches(groups, recipe.batch, random.Random(recipe.seed)))[: recipe.steps]
    optimizer = torch.optim.AdamW(_parameters(model, recipe), lr=recipe.learning_rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, len(plan), recipe))
    out.mkdir(parents=True, exist_ok=True)
    done, state = 0, out / "state.pt"
    if state.exists():
        saved = torch.load(state)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        schedule.load_state_dict(saved["schedule"])
        done = saved["step"]
        say(f"{recipe.name}: goes on from step {done}")
    half = torch.backends.cpu.get_cpu_capability().startswith("AVX512")  # elsewhere bfloat16 takes four times as long
    began, rows, running = time.monotonic(), 0, math.nan
    for step, batch in enumerate(plan[done:], start=done + 1):
        flat = [e for group in batch for e in group]
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
            output = model(**tensors(flat))
        loss = span_loss(output.start_logits.float(), output.end_logits.float(), batch, recipe.joint)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if not math.isfinite(loss.item()):
            raise FloatingPointError(f"loss is {loss.item()} at step {step}: lower the learning rate")
        running = loss.item() if math.isnan(running) else 0.98 * running + 0.02 * loss.item()
        rows += len(flat)
        if step % recipe.every == 0 and step < len(plan):
            _save(model, optimizer, schedule, step, state)
        if step % recipe.every == 0 or step == len(plan):
            speed = rows / (time.monotonic() - began)
            left = (len(plan) - step) * rows / (step - done) / speed / 60
            say(f"{recipe.name}: step {step}/{len(plan)} loss {running:.3f} {speed:.1f} windows/s, {left:.0f} min left")
    model.save_pretrained(out)
    state.unlink(missing_ok=True)


def span_loss(start: Tensor, end: Tensor, batch: Sequence[Group], joint: float) -> Tensor:
    """The mean over groups of the cross-entropy of start and of end, `joint` parts of it over the windows of the
    group together and the rest over each window by itself.

    Every window's logits count from its null position, as they do when windows are compared in use; so one null
    option of 0 stands for "none of these windows answers", and a group of one window has the usual loss.
    """
    allowed = torch.zeros_like(start, dtype=torch.bool)
    flat = [e for group in batch for e in group]
    for row, e in enumerate(flat):
        allowed[row, e.types.index(1) : len(e.ids) - 1] = True
    total = start.new_zeros(())
    golds = (torch.tensor([e.start for e in flat]), torch.tensor([e.end for e in flat]))
    for logits, gold in zip((start, end), golds, strict=True):
        evidence = (logits - logits[:, :1]).masked_fill(~allowed, -1e4)
        right = evidence.gather(1, gold[:, None])[:, 0].masked_fill(gold == 0, -1e4)
        window = torch.logsumexp(torch.cat([evidence, evidence.new_zeros(len(flat), 1)], 1), 1)
        alone = torch.where(gold == 0, window, window - right)
        row = 0
        for group in batch:
            rows = slice(row, row + len(group))
            row += len(group)
            loss = alone[rows].mean() * (1 - joint)
            if joint:
                none = evidence.new_zeros(1)
                everything = torch.logsumexp(torch.cat([evidence[rows].flatten(), none]), 0)
                answered = any(e.start for e in group)
                loss = loss + joint * (everything - (torch.logsumexp(right[rows], 0) if answered else 0.0))
            total = total + loss / (2 * len(batch))
    return total


def _rate(step: int, steps: int, recipe: Recipe) -> float:
    """The learning rate's share: up over the warm-up, level, down to 0 over the last `decay` of the steps."""
    warmup = max(1, int(recipe.warmup * steps))
    decay = max(1, int(recipe.decay * steps))
    return min((step + 1) / warmup, 1.0, max(0.0, (steps - step) / decay))


def _parameters(model: nn.Module, recipe: Recipe) -> list[dict[str, object]]:
    """Groups for the optimizer: matrices decay, vectors do not; lower layers learn at a lower rate."""
    made: list[dict[str, object]] = []
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        parts = name.split(".layer.")
        depth = LAYERS - int(parts[1].split(".")[0]) if len(parts) == 2 else 0
        made.append(
            {
                "params": [parameter],
                "lr": recipe.learning_rate * recipe.layer_decay**depth,
                "weight_decay": recipe.weight_decay if parameter.ndim > 1 else 0.0,
            }
        )
    return made


def _save(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    step: int,
    to: Path,
) -> None:
    """A whole checkpoint or the one before it, never half of one."""
    staged = to.with_suffix(".part")
    torch.save(
        {
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "schedule": schedule.state_dict(),
            "step": step,
        },
        staged,
    )
    os.replace(staged, to)
