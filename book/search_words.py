"""Words of the book's search: English ones by their stems, Chinese ones by pairs of characters.

Chinese is written without spaces, so that a whole sentence would count as one word. Every two
neighbouring characters are put into the index instead, and a question is cut in the same way.
"""

from __future__ import annotations

import hashlib
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.search.en import SearchEnglish

HAN = "\u3400-\u9fff\uf900-\ufaff"
_PIECES = re.compile(f"[{HAN}]+|[^{HAN}]+")
_IS_HAN = re.compile(f"[{HAN}]")

JAVASCRIPT = f"""
var splitQuery = (query) => query
  .split(/[^\\p{{Letter}}\\p{{Number}}_\\p{{Emoji_Presentation}}]+/gu)
  .flatMap((word) => word.match(/[{HAN}]+|[^{HAN}]+/g) || [])
  .flatMap((piece) => /[{HAN}]/.test(piece) && piece.length > 1
    ? Array.from({{ length: piece.length - 1 }}, (_, i) => piece.slice(i, i + 2))
    : [piece]);
"""


class SearchEnglishAndChinese(SearchEnglish):
    """Sphinx's English search that also finds Chinese words of one character or more."""

    js_splitter_code = JAVASCRIPT

    def split(self, input: str) -> list[str]:
        """Return the words of a text, and every character and pair of characters of Chinese."""
        words = []
        for piece in _PIECES.findall(input):
            if _IS_HAN.match(piece):
                words += [*piece, *map("".join, pairwise(piece))]
            else:
                words += super().split(piece)
        return words


def setup(app: Sphinx) -> dict[str, Any]:
    """Take the place of the English search."""
    app.add_search_language(SearchEnglishAndChinese)
    # Sphinx reads all pages again when this number changes.
    version = int(hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:8], 16)
    return {"parallel_read_safe": True, "env_version": version}
