"""Makes a tiny Llama with a tokenizer and a chat template, in a second and without a network.

Its weights are random, so it can read nothing. They lean, so that its replies are known: one coordinate of every
embedding is a constant, which makes of the column that meets it in the head a bias on each token, and another marks
the token `LAND`, after which a quote is likely. Where a JSON schema leaves a choice the model prefers to write `LAND`,
then to end a list, then to end a text, then `false`, then `true`, `LEAN` behind it:

    {"answerable":false,"answer":"harbour","quotes":[]}

That is a decline which grammar, sampler and detokenizer really made. With a logit bias on `true` it is an answer. The
layers between are an ordinary Llama's and add noise to the logits that is small beside these preferences.

    python tests/with_vllm/tiny.py FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

WINDOW = 16_384
LAND = "harbour"
"""The only word that the model ever writes of itself."""

LEAN = 2.0
"""By how much its logit for `false` is above that for `true`: it gives the text 12 % to answer."""

TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>\n{{ message['content'] }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
SPECIAL = ["<|begin|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]

_STEADY = 30.0  # the constant coordinate, far above the others' noise
_PREFERRED = {LAND: 14.0, "]": 12.0, '"': 10.0, "false": 8.0, "true": 8.0 - LEAN}


def make(folder: Path, *, hidden: int = 128, layers: int = 2, window: int = WINDOW, text: str | None = None) -> Path:
    """Writes the model to `folder`. `text` is what the tokenizer learns its words from, else the sample handbook."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    split = _tokenizer(text or (Path(__file__).parents[2] / "eval/samples/harbour.md").read_text(encoding="utf-8"))
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(split),
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=hidden // 64,
        num_key_value_heads=hidden // 64,
        max_position_embeddings=window,
        bos_token_id=split.convert_tokens_to_ids("<|begin|>"),
        eos_token_id=split.convert_tokens_to_ids("<|end|>"),
        tie_word_embeddings=False,
        dtype="float32",
    )
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        words, head = model.model.embed_tokens.weight, model.lm_head.weight
        words[:, 0] = _STEADY
        words[:, 1] = 0.0
        head[:, :2] = 0.0
        # What the last norm makes of the constant: all other coordinates are small beside it.
        unit = hidden**0.5
        for token, bias in _PREFERRED.items():
            head[_only(split, token), 0] = bias / unit
        for word, number in split.get_vocab().items():
            if not split.convert_tokens_to_string([word]).strip():
                head[number, 0] = -10.0 / unit  # between the parts of JSON white space would be as good as anything
        words[_only(split, LAND), 1] = _STEADY / 2
        head[_only(split, '"'), 1] = 20.0 / unit
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    split.save_pretrained(folder)
    return folder


def _tokenizer(text: str):  # type: ignore[no-untyped-def]
    """Byte-level BPE as Llama 3's. Each preferred token is one of its own, which no merge hides."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    split = Tokenizer(models.BPE())
    split.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    split.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=2000,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    split.train_from_iterator([text, *["true", "false", LAND] * 1000], trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=split, bos_token="<|begin|>", eos_token="<|end|>")
    fast.chat_template = TEMPLATE
    return fast


def _only(split, token: str) -> int:  # type: ignore[no-untyped-def]
    known = split.convert_tokens_to_ids(token)
    assert isinstance(known, int), f"{token!r} is no token of its own"
    return known


if __name__ == "__main__":
    print(make(Path(sys.argv[1])))
