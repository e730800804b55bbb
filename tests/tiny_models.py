"""Models small enough to be made in a test, with the files a real one has."""

from __future__ import annotations

from pathlib import Path

WORDS = [
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz", ".", ",",
    *(f"##{c}" for c in "abcdefghijklmnopqrstuvwxyz"),
    "tent", "stove", "camping", "novel", "poem", "reading", "the", "and", "red", "guitar", "song",
]  # fmt: skip

#: Architectures, the sizes of a tiny one, and whether its tokeniser adds [CLS] and [SEP].
FAMILIES = {
    "bert": ({"intermediate_size": 32, "max_position_embeddings": 32}, True),
    "roberta": ({"intermediate_size": 32, "max_position_embeddings": 33, "pad_token_id": 0}, True),
    "distilbert": ({"hidden_dim": 32, "max_position_embeddings": 32}, True),
    "xlnet": ({"d_inner": 32}, True),
    "gpt2": ({"n_positions": 32}, False),
    "t5": ({"d_ff": 32, "d_kv": 8, "decoder_start_token_id": 0}, True),
}


def make_tiny_model(folder: Path, family: str, *, seed: int = 0) -> Path:
    """Save a random model of a family, two layers of width 16, with a WordPiece tokeniser."""
    import torch
    from transformers import AutoConfig, AutoModel, PreTrainedTokenizerFast

    sizes, special = FAMILIES[family]
    torch.manual_seed(seed)
    config = AutoConfig.for_model(
        family, vocab_size=len(WORDS), initializer_range=0.5,
        hidden_size=16, d_model=16, dim=16, n_embd=16,
        num_hidden_layers=2, num_layers=2, n_layer=2, n_layers=2,
        num_attention_heads=2, num_heads=2, n_head=2, n_heads=2, **sizes,
    )  # fmt: skip
    AutoModel.from_config(config).save_pretrained(folder)
    PreTrainedTokenizerFast(
        tokenizer_object=_word_pieces(special), model_max_length=32, pad_token="[PAD]",
        unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]", mask_token="[MASK]",
    ).save_pretrained(folder)  # fmt: skip
    return folder


def _word_pieces(special: bool):
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    vocab = {word: i for i, word in enumerate(WORDS)}
    tokenizer = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    if special:
        tokenizer.post_processor = processors.BertProcessing(
            ("[SEP]", vocab["[SEP]"]), ("[CLS]", vocab["[CLS]"])
        )
    return tokenizer


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
