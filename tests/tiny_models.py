"""A BERT small enough to be made in a test, with the files a real one has."""

from __future__ import annotations

from pathlib import Path

WORDS = [
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz", ".", ",",
    *(f"##{c}" for c in "abcdefghijklmnopqrstuvwxyz"),
    "tent", "stove", "camping", "novel", "poem", "reading", "the", "and", "red", "guitar", "song",
]  # fmt: skip


def make_tiny_bert(folder: Path, *, seed: int = 0, hidden: int = 16) -> Path:
    import torch
    from transformers import BertConfig, BertModel, BertTokenizer

    folder.mkdir(parents=True, exist_ok=True)
    vocab = {word: i for i, word in enumerate(WORDS)}
    BertTokenizer(vocab=vocab, model_max_length=32).save_pretrained(folder)
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(WORDS), hidden_size=hidden, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=32, initializer_range=0.5,
    )  # fmt: skip
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder
