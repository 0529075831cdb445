"""From torch modules to the bundled int8 ONNX files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import Tensor, nn
from transformers import BertForQuestionAnswering, BertModel

INPUTS = ("input_ids", "token_type_ids", "attention_mask")

SPARED = tuple(f"layer.{number}/output/dense" for number in range(3))
"""Multiplications that stay in float32: the feed-forward outputs of the first three layers, whose inputs have
outliers that an int8 scale for the whole input cannot hold. See `docs/accuracy.md`."""


class RowScaled(nn.Module):
    """A table of embeddings in int8 with a scale for each row, in place of one scale for the whole table."""

    def __init__(self, table: Tensor) -> None:
        super().__init__()
        scale = table.abs().amax(1) / 127
        self.register_buffer("scale", scale)
        self.register_buffer("table", torch.round(table / scale[:, None]).to(torch.int8))

    def forward(self, ids: Tensor) -> Tensor:
        table, scale = self.get_buffer("table"), self.get_buffer("scale")
        return table[ids].float() * scale[ids].unsqueeze(-1)


class Embedding(nn.Module):
    """Mean-pooled, normalised sentence vectors `(batch, dimension)`, as all-MiniLM-L6-v2 defines them."""

    def __init__(self, base: Path) -> None:
        super().__init__()
        self.bert = BertModel.from_pretrained(base, add_pooling_layer=False, attn_implementation="eager")
        words = self.bert.embeddings.word_embeddings
        self.bert.embeddings.word_embeddings = RowScaled(words.weight.detach())

    def forward(self, input_ids: Tensor, token_type_ids: Tensor, attention_mask: Tensor) -> Tensor:
        hidden = self.bert(input_ids, attention_mask, token_type_ids).last_hidden_state
        weight = attention_mask.unsqueeze(-1).to(hidden.dtype)
        mean = (hidden * weight).sum(1) / weight.sum(1).clamp(min=1e-9)
        return nn.functional.normalize(mean, dim=-1)


class Spans(nn.Module):
    """Start and end logits, each `(batch, pieces)`."""

    def __init__(self, fitted: Path) -> None:
        super().__init__()
        self.model = BertForQuestionAnswering.from_pretrained(fitted, attn_implementation="eager")
        words = self.model.bert.embeddings.word_embeddings
        self.model.bert.embeddings.word_embeddings = RowScaled(words.weight.detach())

    def forward(self, input_ids: Tensor, token_type_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        output = self.model(input_ids, attention_mask, token_type_ids)
        return output.start_logits, output.end_logits


def export(
    module: nn.Module,
    outputs: list[str],
    name: str,
    out: Path,
    quantised: Sequence[str] = ("MatMul", "Gather"),
    spared: Sequence[str] = (),
) -> None:
    """Writes `NAME.onnx` to `out`, its operations `quantised` in int8 (dynamic, per channel), but for
    multiplications whose names hold one of `spared`.

    Per channel because per-tensor int8 moved the embedder's vectors too far (mean cosine 0.937 against 0.994).
    """
    out.mkdir(parents=True, exist_ok=True)
    module.eval()
    example = {name: torch.ones(2, 16, dtype=torch.long) for name in INPUTS}
    with TemporaryDirectory() as staging:
        full = Path(staging) / "full.onnx"
        axes = {key: {0: "batch", 1: "pieces"} for key in INPUTS}
        axes |= {key: {0: "batch"} for key in outputs}
        torch.onnx.export(
            module,
            tuple(example[key] for key in INPUTS),
            str(full),
            input_names=list(INPUTS),
            output_names=outputs,
            dynamic_axes=axes,
            opset_version=17,
            dynamo=False,
        )
        multiplied = [node.name for node in onnx.load(str(full)).graph.node if node.op_type == "MatMul"]
        quantize_dynamic(
            str(full),
            str(out / f"{name}.onnx"),
            per_channel=True,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=list(quantised),
            nodes_to_exclude=[node for node in multiplied if any(part in node for part in spared)],
        )


def describe(name: str, about: Mapping[str, object], out: Path) -> None:
    """Writes `NAME.json`: what `selfroute.weights` must know of a model beside its graph."""
    (out / f"{name}.json").write_text(json.dumps(dict(about), indent=2) + "\n")
