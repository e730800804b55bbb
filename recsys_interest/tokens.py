"""Words of English and Chinese texts, stop words, and how many tokens a text will cost.

Chapter: 02 (text and keywords).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources

from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from recsys_interest.checks import check_count, shown

__all__ = ["HAN", "HAN_RUN", "WORD", "WordAnalyzer", "count_tokens", "stop_words"]

#: Chinese characters, as the inside of a character class.
HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"

#: Words, also with a hyphen (sci-fi), but neither years nor other numbers.
WORD = r"(?u)\b[^\W\d_]{2,}(?:-[^\W\d_]+)*\b"

#: One or more of them in a row.
HAN_RUN = re.compile(f"[{HAN}]+")
_WORDS = re.compile(WORD)
_HAN_PART = re.compile(f"[{HAN}]")
_LETTER = re.compile(r"[^\W\d_]")
_TOKEN = re.compile(rf"[{HAN}]|[^\W_{HAN}]{{1,4}}|[^\w\s]|_")


@cache
def stop_words(language: str) -> frozenset[str]:
    """Return the words of a language that say nothing about a topic.

    Parameters
    ----------
    language : {"en", "zh"}
        English (scikit-learn's list) or Chinese (a list that comes with this package).

    Returns
    -------
    frozenset of str
        The words, in small letters.

    Raises
    ------
    ValueError
        If there is no list for the language.

    Notes
    -----
    They are for counting words. Never take them out of a text that a transformer will read:
    "not good" would become "good". Chapter 02, "Text and keywords".

    Rows: F01.

    Examples
    --------
    >>> "not" in stop_words("en"), "我们" in stop_words("zh")
    (True, True)
    """
    if language == "en":
        return ENGLISH_STOP_WORDS
    if language == "zh":
        file = resources.files("recsys_interest") / "stop_words_zh.txt"
        lines = file.read_text(encoding="utf-8").splitlines()
        return frozenset(line for line in lines if line and not line.startswith("#"))
    raise ValueError(f"language must be one of 'en', 'zh', got {language!r}")


@dataclass(frozen=True)
class WordAnalyzer:
    """Split a text into the words to count; give it to a scikit-learn vectorizer as `analyzer`.

    Letters other than Chinese ones make words of two or more, in small letters, hyphens inside
    included. Chinese has no spaces, so a run of Chinese characters becomes its overlapping
    n-grams, which needs no dictionary: a word of two or three characters is always one of them,
    among others that are none. Stop words end such a run, so no n-gram crosses one. A text may mix
    both. Where a segmenter is at hand, pass it as `tokenizer`.

    Parameters
    ----------
    ngrams : tuple of int, default (2, 3)
        Shortest and longest n-gram of Chinese characters. A run shorter than that is kept whole.
    stop_words : iterable of str, optional
        Words to leave out, by default those of English and Chinese; ``()`` for none.
    tokenizer : callable, optional
        Takes a text and returns its words, for example ``jieba.lcut``; then `ngrams` is not used.
        What has no letter is left out, and so are single letters other than Chinese ones.

    Raises
    ------
    TypeError
        If a parameter is of the wrong kind.
    ValueError
        If `ngrams` is not a range of positive numbers.

    Notes
    -----
    Full-width letters are read as ordinary ones (Unicode NFKC). The n-grams are those of
    scikit-learn's ``analyzer="char"`` within each run. Single characters among the Chinese stop
    words end a run even inside a word: 目的 (purpose) is lost, a segmenter keeps it. Chapter 02,
    "Text and keywords".

    Rows: F01.

    Examples
    --------
    >>> words = WordAnalyzer()
    >>> words("I love the Python code")
    ['love', 'python', 'code']
    >>> words("我喜欢Python编程")
    ['python', '喜欢', '编程']
    >>> WordAnalyzer(ngrams=(2, 2))("机器学习")
    ['机器', '器学', '学习']
    """

    ngrams: tuple[int, int] = (2, 3)
    stop_words: Iterable[str] | None = None
    tokenizer: Callable[[str], Iterable[str]] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.ngrams, (tuple, list)) or len(self.ngrams) != 2:
            raise TypeError(f"ngrams must be a pair like (2, 3), got {self.ngrams!r}")
        least = check_count(self.ngrams[0], "ngrams[0]")
        check_count(self.ngrams[1], "ngrams[1]", least=least)
        given = self.stop_words
        if isinstance(given, str) or not (given is None or isinstance(given, Iterable)):
            raise TypeError(f"stop_words must be a list of words, got {given!r}")
        if given is not None:
            # A generator would be empty at its second use.
            object.__setattr__(self, "stop_words", tuple(given))
            odd = [w for w in self.stop_words or () if not isinstance(w, str)]
            if odd:
                raise TypeError(f"stop_words must hold text, it holds {shown(odd)}")
        if self.tokenizer is not None and not callable(self.tokenizer):
            raise TypeError(f"tokenizer must be a function of a text, got {self.tokenizer!r}")

    def __call__(self, text: str) -> list[str]:
        """Return the words of a text.

        Parameters
        ----------
        text : str
            Any text.

        Returns
        -------
        list of str
            Its words in small letters, as often as they occur; Chinese ones last.
        """
        text = text if text.isascii() else unicodedata.normalize("NFKC", text)
        if self.tokenizer is not None:
            words = (word.strip().lower() for word in self.tokenizer(text))
            return [w for w in words if _is_word(w) and w not in self._stop]
        text = text.lower()
        if text.isascii():
            return [w for w in _WORDS.findall(text) if w not in self._stop]
        found = [w for w in _WORDS.findall(HAN_RUN.sub(" ", text)) if w not in self._stop]
        for run in HAN_RUN.findall(text):
            for piece in self._split.split(run) if self._split else (run,):
                found += _ngrams(piece, *self.ngrams)
        return found

    @cached_property
    def _stop(self) -> frozenset[str]:
        if self.stop_words is None:
            return stop_words("en") | stop_words("zh")
        return frozenset(w.lower() for w in self.stop_words)

    @cached_property
    def _split(self) -> re.Pattern[str] | None:
        """What ends a run of Chinese characters: its stop words, the longest first."""
        chinese = sorted(
            (w for w in self._stop if HAN_RUN.fullmatch(w)), key=lambda w: (-len(w), w)
        )
        return re.compile("|".join(chinese)) if chinese else None


def count_tokens(text: str) -> int:
    """Estimate how many tokens a language model makes of a text, without the model.

    One for each Chinese character, one for every four letters or digits begun in a word, one for
    each other sign that is not a space.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    int
        The estimate, special tokens not included.

    Notes
    -----
    A rule of thumb that errs on the high side for everyday English. For exact numbers use the
    model's own tokeniser: ``lambda text: len(tokenizer.tokenize(text))``. Chapter 02, "Text and
    keywords".

    Rows: M07.

    Examples
    --------
    >>> count_tokens("a tent, 帐篷")
    5
    """
    return len(_TOKEN.findall(text))


def _is_word(word: str) -> bool:
    return bool(_LETTER.search(word)) and (len(word) > 1 or bool(_HAN_PART.match(word)))


def _ngrams(run: str, least: int, most: int) -> list[str]:
    if len(run) < least:
        return [run] if run else []
    return [run[i : i + n] for n in range(least, most + 1) for i in range(len(run) - n + 1)]
