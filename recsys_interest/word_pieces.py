"""A WordPiece vocabulary of a corpus, the same in every process, and rows of its tokens.

Chapter: 04 (training the language model).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from recsys_interest.checks import shown, valid_text

__all__ = ["SPECIAL", "Ids", "distinct_texts", "padded", "train_tokenizer"]

#: The special tokens of BERT, numbers 0 to 4.
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")

Ids = npt.NDArray[np.int64]


def distinct_texts(texts: Iterable[str | None]) -> list[str]:
    """Return the different texts, sorted, without the missing and blank ones.

    Parameters
    ----------
    texts : iterable of str
        Any texts.

    Returns
    -------
    list of str
        Sorted, so that the order of the rows changes nothing.

    Raises
    ------
    TypeError
        If it is one text, or holds things that are neither text nor missing.

    Examples
    --------
    >>> distinct_texts(["b", None, "a", " ", "b"])
    ['a', 'b']
    """
    if isinstance(texts, str):
        raise TypeError("give a list of texts, not one text: [text]")
    given = [t for t in texts if not (t is None or t != t)]
    bad = [t for t in given if not isinstance(t, str)]
    if bad:
        kinds = sorted({type(v).__name__ for v in bad})
        raise TypeError(f"texts must be str, got {shown(kinds)}: {shown(bad)}")
    return sorted({valid_text(t) for t in given if t.strip()})


def padded(rows: list[list[int]], pad: int = 0) -> tuple[Ids, npt.NDArray[np.bool_]]:
    """Return token rows as one array, and where they are real.

    >>> padded([[2, 3], [2, 7, 3]])[0].tolist()
    [[2, 3, 0], [2, 7, 3]]
    """
    lengths = np.array([len(row) for row in rows])
    real = np.arange(lengths.max(initial=1)) < lengths[:, None]
    ids = np.full(real.shape, pad, dtype=np.int64)
    ids[real] = np.concatenate([np.asarray(row, dtype=np.int64) for row in rows])
    return ids, real


def train_tokenizer(corpus: list[str], vocab_size: int, max_tokens: int) -> Any:
    """Return a tokeniser of BERT's kind with a vocabulary for these texts.

    >>> tokenizer = train_tokenizer(["tents and tents", "old tents"], 64, 8)
    >>> tokenizer.tokenize("Tents")
    ['tents']
    """
    from tokenizers.implementations.bert_wordpiece import BertWordPieceTokenizer
    from transformers import BertTokenizer

    pieces = BertWordPieceTokenizer(lowercase=True, handle_chinese_chars=True)
    alphabet, inner = _characters(pieces, corpus, vocab_size)
    pieces.train_from_iterator(
        iter(corpus),
        vocab_size=vocab_size,
        min_frequency=2,
        limit_alphabet=len(alphabet),
        initial_alphabet=alphabet,
        # By themselves these get their numbers in the order of a hash map, which then breaks ties:
        # another vocabulary in each process (github.com/huggingface/tokenizers/issues/1794).
        special_tokens=[*SPECIAL, *(f"##{c}" for c in inner)],
        show_progress=False,
    )
    return BertTokenizer(vocab=pieces.get_vocab(), model_max_length=max_tokens)


def _characters(pieces: Any, corpus: list[str], vocab_size: int) -> tuple[list[str], list[str]]:
    """Return the characters to start from, and those of them that stand inside of a word."""
    anywhere: Counter[str] = Counter()
    inside: Counter[str] = Counter()
    for text in corpus:
        for word, _ in pieces.pre_tokenizer.pre_tokenize_str(pieces.normalize(text)):
            anywhere.update(word)
            inside.update(word[1:])
    by_count = sorted(anywhere, key=lambda c: (-anywhere[c], c))
    # Half of the vocabulary at most, so that there is room for whole words; a character of a
    # Chinese text is a word.
    alphabet = by_count[: vocab_size // 2]
    return alphabet, sorted(inside.keys() & set(alphabet))
