"""Checks for the exercises of the book: a verdict and a hint, never the answer.

One module a chapter; every check is imported from here.

Chapter: 00 (quickstart), 01 (behaviour logs),
04 (training the language model).
"""

from recsys_interest.exercises.chapter_00 import check_profile, check_top_k
from recsys_interest.exercises.chapter_01 import (
    check_future_share,
    check_gini,
    check_near_duplicates,
)
from recsys_interest.exercises.chapter_04 import (
    check_contrastive_loss,
    check_masked_loss,
    check_ridge,
)
from recsys_interest.exercises.verdict import Verdict

__all__ = [
    "Verdict",
    "check_contrastive_loss",
    "check_future_share",
    "check_gini",
    "check_masked_loss",
    "check_near_duplicates",
    "check_profile",
    "check_ridge",
    "check_top_k",
]
