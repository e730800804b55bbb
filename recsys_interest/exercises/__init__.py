"""Checks for the exercises of the book: a verdict and a hint, never the answer.

One module a chapter; every check is imported from here.

Chapter: 00 (quickstart), 01 (behaviour logs), 02 (text and keywords), 03 (BERT features), 04
(training the language model), 05 (user profiles), 06 (interest tiers), 07 (K-means), 08
(hierarchical and density clustering), 09 (Gaussian mixtures), 10 (choosing and naming clusters), 11
(cosine recommendation), 12 (measuring recommendations), 13 (cold start), 14 (dynamic interests).
"""

from recsys_interest.exercises.chapter_00 import check_lists, check_profile, check_top_k
from recsys_interest.exercises.chapter_01 import (
    check_future_share,
    check_gini,
    check_near_duplicates,
)
from recsys_interest.exercises.chapter_02 import check_newest_first, check_ppmi, check_tfidf
from recsys_interest.exercises.chapter_03 import check_attention, check_mean_pool, check_whiten
from recsys_interest.exercises.chapter_04 import (
    check_contrastive_loss,
    check_masked_loss,
    check_ridge,
)
from recsys_interest.exercises.chapter_05 import check_decay, check_medoid, check_merge
from recsys_interest.exercises.chapter_06 import (
    check_best_split,
    check_cross_entropy,
    check_entropy,
    check_weighted_kappa,
)
from recsys_interest.exercises.chapter_07 import (
    check_start_weights,
    check_update,
    check_within,
)
from recsys_interest.exercises.chapter_08 import (
    check_core_points,
    check_reachability,
    check_silhouette,
    check_ward_cost,
)
from recsys_interest.exercises.chapter_09 import (
    check_m_step,
    check_n_parameters,
    check_responsibilities,
)
from recsys_interest.exercises.chapter_10 import (
    check_distinctive,
    check_intruder,
    check_lift,
    check_smooth,
)
from recsys_interest.exercises.chapter_11 import check_blend, check_seats, check_survivors
from recsys_interest.exercises.chapter_12 import (
    check_ips,
    check_ndcg,
    check_next_item,
    check_sign_flip,
)
from recsys_interest.exercises.chapter_13 import (
    check_closed_form,
    check_contributions,
    check_shrunk_share,
)
from recsys_interest.exercises.chapter_14 import check_assign, check_overlap, check_step
from recsys_interest.exercises.verdict import Verdict

__all__ = [
    "Verdict",
    "check_assign",
    "check_attention",
    "check_best_split",
    "check_blend",
    "check_closed_form",
    "check_contrastive_loss",
    "check_contributions",
    "check_core_points",
    "check_cross_entropy",
    "check_decay",
    "check_distinctive",
    "check_entropy",
    "check_future_share",
    "check_gini",
    "check_intruder",
    "check_ips",
    "check_lift",
    "check_lists",
    "check_m_step",
    "check_masked_loss",
    "check_mean_pool",
    "check_medoid",
    "check_merge",
    "check_n_parameters",
    "check_ndcg",
    "check_near_duplicates",
    "check_newest_first",
    "check_next_item",
    "check_overlap",
    "check_ppmi",
    "check_profile",
    "check_reachability",
    "check_responsibilities",
    "check_ridge",
    "check_seats",
    "check_shrunk_share",
    "check_sign_flip",
    "check_silhouette",
    "check_smooth",
    "check_start_weights",
    "check_step",
    "check_survivors",
    "check_tfidf",
    "check_top_k",
    "check_update",
    "check_ward_cost",
    "check_weighted_kappa",
    "check_whiten",
    "check_within",
]
