"""The whole road as one object: a log and its items in; tiers, clusters and lists out.

Chapter: 00 (quickstart).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from datetime import date
from numbers import Real
from pathlib import Path
from typing import Any, Self

import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from recsys_interest import storage
from recsys_interest.checks import SchemaError, check_count, shown
from recsys_interest.cleaning import CleanLog, clean_events
from recsys_interest.clusters import InterestClusterer
from recsys_interest.encoder import TextEncoder
from recsys_interest.engagement import tier_features
from recsys_interest.keywords import distinctive_words
from recsys_interest.label_sources import tier_labels
from recsys_interest.profiles import InterestProfiler
from recsys_interest.recommend import CosineRecommender
from recsys_interest.recommender import Recommender
from recsys_interest.report import write_report
from recsys_interest.schema import validate_items
from recsys_interest.splitting import time_split
from recsys_interest.text import item_text
from recsys_interest.tiers import TierClassifier
from recsys_interest.vectors import check_vectors

__all__ = ["InterestPipeline"]

_NAME_WORDS = 3
_KEYWORDS = 8
# What every saved table must have, so that one cannot stand for another.
_KEY_COLUMNS = {
    "events": "timestamp",
    "rejected": "reason",
    "repairs": "repair",
    "items": "title",
    "tiers": "rule",
    "clusters": "similarity",
    "cluster_names": "keywords",
}


class InterestPipeline(BaseEstimator):
    """From behaviour log and items to tiers, clusters and recommendations.

    Every part can be exchanged for another object of its kind; parts left out are made in `fit`.

    Parameters
    ----------
    encoder : object, optional
        Has ``transform(texts)``, which returns one vector per text; `TextEncoder` by default. One
        that has to learn first, such as `WordVectors`, and has not yet, learns from the item texts.
    profiler : InterestProfiler, optional
        Makes the user vectors.
    tier_classifier : TierClassifier, optional
        Learns which behaviour comes before which later activity.
    clusterer : InterestClusterer, optional
        Groups the user vectors.
    recommender : Recommender, optional
        `CosineRecommender` on the profiler's vectors by default.
    n_tiers : int, default 3
        Number of tiers.
    tier_window : float, default 0.2
        The tiers are learned from the behaviour before the last share `tier_window` of the events
        and the activity within it.
    now : str or Timestamp, optional
        Events after it are rejected; the current time by default.
    cleaning : mapping, optional
        Further settings of `clean_events`, such as ``{"timezone": "Asia/Shanghai"}``.
    random_state : int, default 0
        Seed of the parts that are made here.

    Attributes
    ----------
    log_ : CleanLog
        Clean events, rejected rows, and the report.
    items_ : DataFrame
        The valid items.
    item_vectors_ : DataFrame of float32, shape (n_items, n_features)
        Indexed by item id.
    profiles_ : DataFrame of float32, shape (n_users, n_features)
        User vectors, indexed by user id, of the users that have one.
    tiers_ : DataFrame
        Indexed by user id, every user of the log: `tier` (0 is the lowest), the activity to expect
        next; `source`, which is ``"predicted"``, or ``"constant"`` where the log is too short for a
        later window; `rule`, the reason in words where the model has one.
    clusters_ : DataFrame
        Indexed by user id, every user of the log: `cluster` (−1 for none), `name`, and
        `similarity`, the cosine to the centre (NaN without a cluster).
    cluster_names_ : Series of str
        The three words that set each cluster apart most, indexed by cluster.
    cluster_keywords_ : Series of str
        Up to eight such words, separated by commas, indexed by cluster.

    Notes
    -----
    Chapter 00, "Quickstart".

    Rows: H05, Q02, T05.

    Examples
    --------
    >>> from recsys_interest import InterestPipeline, load_dataset
    >>> data = load_dataset("interest-log")
    >>> road = InterestPipeline().fit(data.events, data.items)  # doctest: +SKIP
    >>> road.recommend(["u0001"], k=3)  # doctest: +SKIP
    """

    def __init__(
        self,
        encoder: Any = None,
        profiler: InterestProfiler | None = None,
        tier_classifier: TierClassifier | None = None,
        clusterer: InterestClusterer | None = None,
        recommender: Recommender | None = None,
        *,
        n_tiers: int = 3,
        tier_window: float = 0.2,
        now: str | pd.Timestamp | None = None,
        cleaning: Mapping[str, Any] | None = None,
        random_state: int = 0,
    ) -> None:
        self.encoder = encoder
        self.profiler = profiler
        self.tier_classifier = tier_classifier
        self.clusterer = clusterer
        self.recommender = recommender
        self.n_tiers = n_tiers
        self.tier_window = tier_window
        self.now = now
        self.cleaning = cleaning
        self.random_state = random_state

    def fit(self, events: pd.DataFrame, items: pd.DataFrame) -> Self:
        """Go the whole road.

        Parameters
        ----------
        events : DataFrame
            A raw log; it is cleaned first (`clean_events`), and `log_` says what was rejected.
        items : DataFrame
            The items (`validate_items`).

        Returns
        -------
        InterestPipeline
            This object.

        Raises
        ------
        SchemaError
            If a table does not fit the schema, or no event is left after cleaning.
        """
        self._check_parameters()
        self.items_ = validate_items(items)
        weights = None if self.profiler is None else self.profiler.event_weights
        settings = {"now": self.now, "event_weights": weights, **(self.cleaning or {})}
        self.log_ = clean_events(events, self.items_, **settings)
        _check_some_left(self.log_)
        texts = item_text(self.items_)
        encoder = _ready(TextEncoder() if self.encoder is None else self.encoder, texts)
        self.item_vectors_ = _one_each(encoder.transform(texts), texts.index)
        profiler = InterestProfiler() if self.profiler is None else clone(self.profiler)
        profiler.fit(self.log_.events, self.item_vectors_)
        self.profiles_ = profiler.profiles_[profiler.users_["has_profile"]]
        self._fit_tiers()
        self._fit_clusters(texts)
        self._fit_recommender()
        return self

    def recommend(
        self,
        user_ids: Iterable[Any] | None = None,
        k: int = 10,
        *,
        exclude_seen: bool = True,
        candidates: Iterable[Any] | None = None,
        session: pd.DataFrame | None = None,
    ) -> pd.DataFrame:
        """Return the top `k` items of each user.

        Parameters
        ----------
        user_ids : iterable, optional
            Whose lists to make; all users of the log by default. Unknown users are answered too.
        k : int, default 10
            Length of a list.
        exclude_seen : bool, default True
            Leave out what the user has had to do with before.
        candidates : iterable, optional
            Recommend only these items.
        session : DataFrame, optional
            Valid events that happened since, which count for this answer only.

        Returns
        -------
        DataFrame
            `user_id, item_id, rank, score, source`; see `Recommender.recommend`.
        """
        check_is_fitted(self)
        return self.recommender_.recommend(
            user_ids, k, exclude_seen=exclude_seen, candidates=candidates, session=session
        )

    def write_report(self, path: str | os.PathLike[str], *, title: str = "User interests") -> Path:
        """Write a self-contained HTML page about this run.

        Parameters
        ----------
        path : path
            The .html file to write.
        title : str, default "User interests"
            Heading of the page.

        Returns
        -------
        Path
            The file.
        """
        check_is_fitted(self)
        return write_report(
            path,
            log=self.log_,
            items=self.items_,
            profiles=self.profiles_,
            tiers=self.tiers_,
            clusters=self.clusters_,
            cluster_names=self.cluster_names_,
            recommendations=self.recommend(self.tiers_.index[:5], 5),
            title=title,
        )

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Save to a folder, without pickle; the folder appears whole or not at all.

        Parameters
        ----------
        folder : path
            A new folder, an empty one, or an earlier save, which is replaced. The encoder's weights
            are not saved, only its settings.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        FileExistsError
            If the folder holds something else.
        """
        check_is_fitted(self)
        return storage.save_folder(Path(folder), self._tables(), self._vectors(), self._objects())

    @classmethod
    def load(
        cls, folder: str | os.PathLike[str], *, trusted: Iterable[str] = ()
    ) -> InterestPipeline:
        """Load what `save` wrote; the lists are identical to those before.

        Parameters
        ----------
        folder : path
            The folder.
        trusted : iterable of str, optional
            Names of classes from outside scikit-learn and this package that may be loaded.

        Returns
        -------
        InterestPipeline
            A fitted pipeline.

        Raises
        ------
        FormatError
            If a file is missing, cut, changed, of a newer format, or holds a class that is not
            trusted; the message names the file.
        """
        tables, vectors, objects = storage.load_folder(Path(folder), trusted=trusted)
        _check_parts(Path(folder), tables, vectors, objects)
        road: InterestPipeline = objects["pipeline"]
        road.items_ = tables["items"]
        road.log_ = CleanLog(
            tables["events"],
            tables["rejected"],
            tables["repairs"].set_index("repair")["rows"],
        )
        road.item_vectors_, road.profiles_ = vectors["items"], vectors["profiles"]
        road.tiers_ = tables["tiers"].set_index("user_id")
        road.clusters_ = tables["clusters"].set_index("user_id")
        about = tables["cluster_names"].set_index("cluster")
        road.cluster_names_, road.cluster_keywords_ = about["name"], about["keywords"]
        road.tier_classifier_ = objects["tier_classifier"]
        road.clusterer_ = objects["clusterer"]
        road._fit_recommender()
        return road

    def _check_parameters(self) -> None:
        check_count(self.n_tiers, "n_tiers", least=2)
        if not isinstance(self.tier_window, Real) or not 0 < self.tier_window < 1:
            raise ValueError(f"tier_window must lie between 0 and 1, got {self.tier_window!r}")
        for name, part, kind in (
            ("profiler", self.profiler, InterestProfiler),
            ("tier_classifier", self.tier_classifier, TierClassifier),
            ("clusterer", self.clusterer, InterestClusterer),
            ("recommender", self.recommender, Recommender),
        ):
            if part is not None and not isinstance(part, kind):
                raise TypeError(f"{name} must be a {kind.__name__}, got {type(part).__name__}")
        if self.encoder is not None and not hasattr(self.encoder, "transform"):
            raise TypeError(f"encoder must have transform(texts), got {self.encoder!r}")

    def _fit_tiers(self) -> None:
        events = self.log_.events
        given = self.tier_classifier
        model = TierClassifier(random_state=self.random_state) if given is None else clone(given)
        weighing = InterestProfiler() if self.profiler is None else self.profiler
        settings: dict[str, Any] = {
            "event_weights": weighing.event_weights,
            "neutral_rating": weighing.neutral_rating,
        }
        now = tier_features(events, **settings)
        if events["timestamp"].nunique() < 2:  # there is no later window to learn from
            constant = pd.Series(0, index=now.index, name="tier", dtype="int64")
            self.tier_classifier_ = model.fit(now, constant)
            self.tiers_ = pd.DataFrame({"tier": constant, "source": "constant", "rule": ""})
            return
        start = time_split(events, test_share=self.tier_window).test["timestamp"].min()
        labels = tier_labels(events, start=start, n_tiers=self.n_tiers)
        before = tier_features(events, until=start - pd.Timedelta("1us"), **settings)
        self.tier_classifier_ = model.fit(before.loc[labels.index], labels)
        self.tiers_ = pd.DataFrame({"tier": model.predict(now)}, index=now.index)
        self.tiers_["source"] = "predicted"
        self.tiers_["rule"] = _rules(model, now)

    def _fit_clusters(self, texts: pd.Series) -> None:
        given = self.clusterer
        model = InterestClusterer(random_state=self.random_state) if given is None else clone(given)
        users = pd.Index(self.tiers_.index, name="user_id")
        self.clusters_ = pd.DataFrame({"cluster": -1, "similarity": float("nan")}, index=users)
        if len(self.profiles_):
            model.fit(self.profiles_)
            labels = pd.Series(model.labels_, index=self.profiles_.index)
            self.clusters_.loc[labels.index, "cluster"] = labels
            placed = labels[labels >= 0]
            if len(placed):
                nearness = model.similarity(self.profiles_.loc[placed.index])
                own = nearness[range(len(placed)), placed]
                self.clusters_.loc[placed.index, "similarity"] = own
        self.clusterer_ = model
        words = _cluster_words(self.log_.events, self.clusters_["cluster"], texts)
        named = [" · ".join(w[:_NAME_WORDS]) or f"cluster {label}" for label, w in words.items()]
        self.cluster_names_ = pd.Series(named, index=words.index, dtype="str", name="name")
        self.cluster_keywords_ = words.map(", ".join).astype("str").rename("keywords")
        names = {-1: "none", **self.cluster_names_}
        self.clusters_.insert(1, "name", self.clusters_["cluster"].map(names).astype("str"))

    def _fit_recommender(self) -> None:
        given = self.recommender
        model = CosineRecommender(self.profiler) if given is None else clone(given)
        self.recommender_ = model.fit(self.log_.events, self.items_, self.item_vectors_)

    def _tables(self) -> dict[str, pd.DataFrame]:
        names = self.cluster_names_.to_frame().join(self.cluster_keywords_).reset_index()
        return {
            "events": self.log_.events,
            "rejected": self.log_.rejected,
            "repairs": self.log_.repairs.reset_index(),
            "items": self.items_,
            "tiers": self.tiers_.reset_index(),
            "clusters": self.clusters_.reset_index(),
            "cluster_names": names,
        }

    def _vectors(self) -> dict[str, pd.DataFrame]:
        return {"items": self.item_vectors_, "profiles": self.profiles_}

    def _objects(self) -> dict[str, Any]:
        return {
            "pipeline": _without_moments(clone(self)),
            "tier_classifier": self.tier_classifier_,
            "clusterer": self.clusterer_,
        }


def _without_moments(road: InterestPipeline) -> InterestPipeline:
    """Write moments among the parameters as text, which is read back without asking for trust."""
    given = road.get_params(deep=True)
    moments = {k: v.isoformat() for k, v in given.items() if isinstance(v, date)}
    return road.set_params(**moments)


def _ready(encoder: Any, texts: pd.Series) -> Any:
    """Return the encoder, or a copy fitted to the texts if it has to learn and has not yet."""
    if not hasattr(encoder, "fit"):
        return encoder
    try:
        check_is_fitted(encoder)
    except NotFittedError:
        return clone(encoder).fit(texts)
    return encoder


def _one_each(vectors: Any, ids: pd.Index) -> pd.DataFrame:
    checked = check_vectors(vectors, "encoder.transform(texts)")
    if len(checked) != len(ids) or not checked.index.isin(ids).all():
        raise ValueError(
            f"encoder.transform(texts) must return one vector for each of the {len(ids)} items, "
            f"under the index of the texts; it returned {len(checked)} under {shown(checked.index)}"
        )
    return checked


def _check_some_left(log: CleanLog) -> None:
    if log.events.empty:
        counts = log.rejected["reason"].value_counts().to_dict()
        why = f"all {len(log.rejected)} were rejected: {counts}" if counts else "the log is empty"
        raise SchemaError(f"events has no usable row, {why}; clean_events(...).rejected shows them")


def _check_parts(
    folder: Path,
    tables: dict[str, pd.DataFrame],
    vectors: dict[str, pd.DataFrame],
    objects: dict[str, Any],
) -> None:
    kinds = {
        "pipeline": InterestPipeline,
        "tier_classifier": TierClassifier,
        "clusterer": InterestClusterer,
    }
    wrong = [f"{n}.skops" for n, kind in kinds.items() if not isinstance(objects.get(n), kind)]
    for name, column in _KEY_COLUMNS.items():
        if column not in tables.get(name, pd.DataFrame()).columns:
            wrong.append(f"{name}.parquet")
    if not wrong:
        ids = {"items": tables["items"]["item_id"], "profiles": tables["tiers"]["user_id"]}
        for name, known in ids.items():
            if name not in vectors or not vectors[name].index.isin(known).all():
                wrong.append(f"{name}.safetensors")
    if wrong:
        raise storage.FormatError(f"{folder}: missing or not what they should be: {shown(wrong)}")


def _rules(model: TierClassifier, features: pd.DataFrame) -> pd.Series:
    try:
        return model.explain(features)
    except (TypeError, AttributeError):
        return pd.Series("", index=features.index, dtype="str")  # not every model has rules


def _cluster_words(events: pd.DataFrame, clusters: pd.Series, texts: pd.Series) -> pd.Series:
    pairs = pd.DataFrame({"cluster": events["user_id"].map(clusters), "item_id": events["item_id"]})
    counted = pairs[pairs["cluster"] >= 0].value_counts(sort=False).rename("n").reset_index()
    if counted.empty:
        return pd.Series([], index=pd.Index([], name="cluster", dtype="int64"), dtype=object)
    return distinctive_words(
        counted["item_id"].map(texts), counted["cluster"], weights=counted["n"], top=_KEYWORDS
    )
