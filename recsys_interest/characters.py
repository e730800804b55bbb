"""From bytes to characters: the encoding of a file, and text that was read in the wrong one.

Chapter: 01 (behaviour logs).
"""

from __future__ import annotations

import codecs
import re
from typing import IO

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["detect_encoding", "restore_text"]

_BLOCK = 1 << 20
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark it begins with
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# Punctuation, full-width letters and the characters of GB 2312, from which almost all Chinese text
# is made. In Western text a letter with an accent stands between unaccented ones instead.
_CHINESE = re.compile(rb"[\xa1-\xa3\xb0-\xf7][\xa1-\xfe]")
_HIGH = re.compile(rb"[\x80-\xff]")
_WESTERN = "cp1252"  # Latin-1 with quotation marks, dashes and the euro sign

# What UTF-8 looks like when it is read byte by byte: a first byte and the ones that follow it.
_MISREAD = re.compile(
    "[\u00c2-\u00f4][\u0080-\u00bf\u20ac\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039"
    "\u0152\u017d\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\u017e\u0178]"
)
# Signs that stand behind a word, so that a capital letter before them proves nothing: CAFÉ…
_BEHIND_WORDS = set(
    "\u2026\u2018\u2019\u201c\u201d\u2013\u2014\u2122\u203a\u2039\u00a0\u00ab\u00bb\u00ae\u2022\u00a1\u00bf\u201e\u201a"
)


def detect_encoding(file: IO[bytes]) -> str:
    """Return the encoding of a text file: UTF-8, UTF-16, UTF-32, GB 18030 or Windows-1252.

    A byte order mark decides. Without one, a file that is valid UTF-8 as a whole is UTF-8. Of the
    rest, a file in which at least 90 % of the bytes outside ASCII form pairs of common Chinese
    characters is GB 18030, and any other is Windows-1252.

    Parameters
    ----------
    file : binary file
        Read to its end, or to the first block that is not UTF-8.

    Returns
    -------
    str
        A name that `open` takes.

    Notes
    -----
    Chapter 01, "Behaviour logs". Encodings that no rule tells apart, such as the ones of other
    alphabets, have to be named by whoever knows them.

    Examples
    --------
    >>> import io
    >>> detect_encoding(io.BytesIO("帐篷,睡袋".encode("gb18030")))
    'gb18030'
    >>> detect_encoding(io.BytesIO("Misérables".encode("latin-1")))
    'cp1252'
    """
    block = file.read(_BLOCK)
    for mark, name in _MARKS.items():
        if block.startswith(mark):
            return name
    decoder = codecs.getincrementaldecoder("utf-8")()
    while block:
        try:
            decoder.decode(block)
        except UnicodeDecodeError:
            return _legacy(block + file.read(_BLOCK))
        block = file.read(_BLOCK)
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return _WESTERN
    return "utf-8"


def _legacy(sample: bytes) -> str:
    pairs = sum(len(pair) for pair in _CHINESE.findall(sample))
    return "gb18030" if pairs >= 0.9 * len(_HIGH.findall(sample)) else _WESTERN


def restore_text(text: str) -> str:
    """Return what was meant by text that is UTF-8 read as Windows-1252, and other text as it is.

    It is restored only if all of it turns into valid UTF-8, and if at least one of its pairs of
    characters cannot be what was meant: a capital letter before a punctuation mark, as in
    ``CAFÉ…``, is left alone unless it stands inside a word of small letters. What was misread twice
    is restored twice.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    str
        The text.

    Notes
    -----
    Chapter 01, "Behaviour logs".

    Examples
    --------
    >>> restore_text("MisÃ©rables â€“ the filmâ€™s title")
    'Misérables – the film’s title'
    >>> restore_text("CAFÉ… Misérables")
    'CAFÉ… Misérables'
    """
    while not text.isascii():
        if not any(map(_cannot_be_meant, _MISREAD.finditer(text))):
            return text
        try:
            text = b"".join(map(_one_byte, text)).decode("utf-8")
        except (UnicodeEncodeError, UnicodeDecodeError):
            return text
    return text


def misread_anywhere(texts: pd.Series) -> npt.NDArray[np.bool_]:
    """Return which texts hold a pair that `restore_text` would look at."""
    return texts.str.contains(_MISREAD.pattern, na=False).to_numpy(dtype=bool)


def _cannot_be_meant(pair: re.Match[str]) -> bool:
    first, second = pair[0][0], pair[0][1]
    before = pair.string[pair.start() - 1 : pair.start()]
    return first >= "\u00e0" or second not in _BEHIND_WORDS or before.islower()


def _one_byte(character: str) -> bytes:
    # The five bytes that Windows-1252 leaves free pass as control characters.
    return character.encode("latin-1" if "\x80" <= character < "\xa0" else "cp1252")
