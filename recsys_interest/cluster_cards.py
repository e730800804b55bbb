"""A card for every cluster: name, keywords, size, and the users and items that stand for it.

Chapter: 10 (choosing and naming clusters).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from recsys_interest.checks import check_count, check_frame, shown
from recsys_interest.cluster_names import name_clusters
from recsys_interest.keywords import distinctive_words
from recsys_interest.schema import validate_items
from recsys_interest.text import item_text
from recsys_interest.vectors import check_vectors, unit_rows

__all__ = ["ClusterCard", "ClusterCards", "cluster_cards"]

NOISE = -1


@dataclass(frozen=True)
class ClusterCard:
    """What there is to say about one cluster.

    Attributes
    ----------
    cluster : int or str
        Its label.
    name : str
        Its name, unlike that of any other cluster.
    keywords : list of str
        The words that set its items apart, the most telling first.
    n_users : int
        Number of users.
    share : float
        Share of all users, noise included.
    cohesion : float
        Mean cosine between its users and its centre: 1 if they all point the same way.
    users : list
        Ids of the users nearest to the centre.
    items : list of dict
        The items that set it apart: `item_id`, `title`, `n_users` (users of the cluster who had to
        do with it) and `lift` (their share over the share among all users).
    """

    cluster: Any
    name: str
    keywords: list[str]
    n_users: int
    share: float
    cohesion: float
    users: list[Any]
    items: list[dict[str, Any]]

    def _repr_html_(self) -> str:
        return _html([self], 0)


@dataclass(frozen=True)
class ClusterCards:
    """The cards of all clusters, the largest first; a notebook shows them as HTML.

    Attributes
    ----------
    cards : list of ClusterCard
        One per cluster.
    n_noise : int
        Users without a cluster.
    """

    cards: list[ClusterCard]
    n_noise: int

    def __iter__(self) -> Iterator[ClusterCard]:
        return iter(self.cards)

    def __len__(self) -> int:
        return len(self.cards)

    def __getitem__(self, cluster: Any) -> ClusterCard:
        """Return the card of a cluster by its label."""
        for card in self.cards:
            if card.cluster == cluster:
                return card
        known = shown(card.cluster for card in self.cards)
        raise KeyError(f"there is no cluster {cluster!r}; there are {known or 'none'}")

    def to_dict(self) -> dict[Any, dict[str, Any]]:
        """Return plain lists, numbers and text, as JSON takes them.

        Returns
        -------
        dict
            One dict per cluster, by label.
        """
        return {card.cluster: asdict(card) for card in self.cards}

    def names(self) -> pd.Series:
        """Return the names.

        Returns
        -------
        Series of str
            Indexed by cluster.
        """
        labels = pd.Index([card.cluster for card in self.cards], name="cluster")
        return pd.Series([card.name for card in self.cards], labels, dtype="str", name="name")

    def _repr_html_(self) -> str:
        return _html(self.cards, self.n_noise)


def cluster_cards(
    clusters: pd.Series,
    vectors: pd.DataFrame,
    events: pd.DataFrame,
    items: pd.DataFrame,
    *,
    n_words: int = 3,
    n_keywords: int = 8,
    n_users: int = 3,
    n_items: int = 4,
    find_words: Callable[..., pd.Series] | None = None,
) -> ClusterCards:
    r"""Describe every cluster of users by words, users and items.

    The items are those that add most to the divergence of the cluster :math:`c` from everybody,
    :math:`p(i \mid c) \log \bigl(p(i \mid c) / p(i)\bigr)`, with :math:`p(i \mid c)` the share of
    item :math:`i` among the pairs of a user of :math:`c` and an item. The words are found the same
    way in the texts of the items. However often a user comes back to an item, it counts once.

    Parameters
    ----------
    clusters : Series
        Cluster of each user, indexed by user id; −1 is noise, which has no card.
    vectors : DataFrame, shape (n_users, n_features)
        Interest vectors, indexed by user id; users without a cluster may be among them.
    events : DataFrame
        The log; columns `user_id` and `item_id`. Users without a cluster and events without a known
        item are left out.
    items : DataFrame
        The items (`validate_items`), for their titles and texts.
    n_words, n_keywords : int, default 3 and 8
        Words of a name, and keywords.
    n_users, n_items : int, default 3 and 4
        How many users and items to show.
    find_words : callable, optional
        Takes texts, labels, `weights` and `top`, and returns a list of words per label:
        `distinctive_words` by default; `class_tfidf`, or one with an `analyzer` of its own.

    Returns
    -------
    ClusterCards
        The largest cluster first, equal sizes by label.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If a user occurs twice, a cluster is missing, a user with a cluster has no vector, or a
        number is below 1.

    Notes
    -----
    Chapter 10, "Choosing and naming clusters".

    Rows: C10, H03.

    Examples
    --------
    >>> from recsys_interest import cluster_cards
    >>> items = pd.DataFrame({"item_id": ["i1", "i2"], "title": ["Chess for two", "Apple pie"]})
    >>> events = pd.DataFrame({"user_id": ["ann", "bob", "cem"], "item_id": ["i1", "i1", "i2"]})
    >>> vectors = pd.DataFrame({"x": [1, 0.9, 0], "y": [0, 0.1, 1]}, index=["ann", "bob", "cem"])
    >>> clusters = pd.Series({"ann": 0, "bob": 0, "cem": 1})
    >>> cards = cluster_cards(clusters, vectors, events, items)
    >>> cards[0].name, cards[0].users, cards[0].items[0]["title"]
    ('chess', ['ann', 'bob'], 'Chess for two')
    """
    sizes = {"n_words": n_words, "n_keywords": n_keywords, "n_users": n_users, "n_items": n_items}
    for name, number in sizes.items():
        check_count(number, name)
    labels, rows = _checked(clusters, vectors)
    table = validate_items(items).set_index("item_id")
    pairs = _pairs(events, labels, table.index)
    kept = pd.Index(sorted(set(labels) - {NOISE}), name="cluster")
    find = distinctive_words if find_words is None else find_words
    counted = pairs.groupby(["cluster", "item_id"]).size().rename("n").reset_index()
    texts = counted["item_id"].map(item_text(items))
    keywords = find(texts, counted["cluster"], weights=counted["n"], top=3 * n_keywords)
    keywords = pd.Series({label: list(keywords.get(label, [])) for label in kept}, dtype=object)
    names = name_clusters(keywords, n_words=n_words)
    titles = table["title"].where(table["title"].str.strip() != "", table.index.astype(str))
    best = _telling_items(pairs, labels, titles, n_items)
    users = labels.value_counts()
    cards = []
    for label in sorted(kept, key=lambda label: (-users[label], label)):
        near, cohesion = _nearest(rows.loc[labels.index[labels == label]], n_users)
        about = (names[label], keywords[label][:n_keywords], int(users[label]))
        share = float(users[label] / len(labels))
        cards.append(ClusterCard(_plain(label), *about, share, cohesion, near, best.get(label, [])))
    return ClusterCards(cards, int(users.get(NOISE, 0)))


def _checked(clusters: object, vectors: pd.DataFrame) -> tuple[pd.Series, pd.DataFrame]:
    """Return the clusters sorted by user, and the vectors."""
    if not isinstance(clusters, pd.Series):
        raise TypeError(
            f"clusters must be a Series indexed by user id, got {type(clusters).__name__}; "
            f"for an array: pd.Series(labels, index=vectors.index)"
        )
    rows = check_vectors(vectors, "vectors")
    missing = clusters.index[clusters.isna()]
    if len(missing):
        raise ValueError(f"clusters is missing for {shown(missing)}; use -1 for no cluster")
    if clusters.index.has_duplicates:
        twice = shown(clusters.index[clusters.index.duplicated()])
        raise ValueError(f"clusters has users twice: {twice}; keep one cluster each")
    lost = clusters.index[clusters != NOISE].difference(rows.index)
    if len(lost):
        raise ValueError(f"vectors lacks the users {shown(lost)}, who have a cluster")
    return clusters.sort_index(), rows


def _pairs(events: pd.DataFrame, labels: pd.Series, item_ids: pd.Index) -> pd.DataFrame:
    """Return each pair of a user with a cluster and a known item once, with the cluster."""
    pairs = check_frame(events, "events", ["user_id", "item_id"])[["user_id", "item_id"]]
    pairs = pairs[pairs["item_id"].isin(item_ids)].drop_duplicates()
    pairs = pairs.assign(cluster=pairs["user_id"].map(labels[labels != NOISE]))
    pairs = pairs.dropna(subset=["cluster"])
    return pairs.astype({"cluster": labels.dtype})


def _telling_items(
    pairs: pd.DataFrame, labels: pd.Series, titles: pd.Series, n_items: int
) -> dict[Any, list[dict[str, Any]]]:
    counts = pairs.groupby(["cluster", "item_id"]).size().rename("n_users").reset_index()
    everywhere = counts.groupby("item_id")["n_users"].transform("sum")
    users = counts["cluster"].map(labels.value_counts())
    reach = (counts["n_users"] / users) / (everywhere / (labels != NOISE).sum())
    share = counts["n_users"] / counts.groupby("cluster")["n_users"].transform("sum")
    ratio = share / (everywhere / len(pairs))
    counts = counts.assign(lift=reach, title=counts["item_id"].map(titles))
    counts["score"] = share * np.log(ratio)
    counts = counts.sort_values(["cluster", "score", "item_id"], ascending=[True, False, True])
    out = {}
    for label, mine in counts.groupby("cluster"):
        top = mine[mine["score"] > 0].head(n_items)
        fields = top[["item_id", "title", "n_users", "lift"]].to_dict("records")
        out[label] = [{k: _plain(v) for k, v in row.items()} for row in fields]
    return out


def _nearest(rows: pd.DataFrame, n_users: int) -> tuple[list[Any], float]:
    """Return the ids of the rows nearest to their centre, and the mean cosine to it."""
    unit = unit_rows(rows.to_numpy(dtype=np.float64))
    cosine = unit @ unit_rows(unit.mean(axis=0, keepdims=True))[0]
    # Rounded, so that equal users are listed by id.
    order = np.argsort(-cosine.round(9), kind="stable")[:n_users]
    return [_plain(user) for user in rows.index[order]], float(cosine.mean())


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _html(cards: list[ClusterCard], n_noise: int) -> str:
    from jinja2 import Environment, PackageLoader

    environment = Environment(loader=PackageLoader("recsys_interest", "."), autoescape=True)
    return environment.get_template("cluster_cards.jinja").render(cards=cards, n_noise=n_noise)
