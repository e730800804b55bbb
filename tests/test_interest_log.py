"""The generated log: exact totals, planted truth, words that mislead, the same bytes anywhere."""

from __future__ import annotations

import hashlib
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score
from sklearn.model_selection import cross_val_predict

from recsys_interest.interest_log import Dataset, make_interest_log
from recsys_interest.interest_words import COMMENTS, FORMATS, TOPICS
from recsys_interest.schema import EVENT_WEIGHTS, validate_events, validate_items

AMBIGUOUS = {
    *("python", "pitch", "field", "root", "scale", "star", "key", "ring", "bass", "shell"),
    *("bar", "string", "seed", "branch", "tree", "kernel", "fork", "bed", "coach", "wing"),
}


FINGERPRINT = "c2b3e3c381bf2e8237513d835b651a70"


@pytest.fixture(scope="module")
def log() -> Dataset:
    return make_interest_log()


@pytest.fixture(scope="module")
def joined(log: Dataset) -> pd.DataFrame:
    """Every event with the user's planted interests and tier and the item's planted topic."""
    return log.events.merge(log.truth["users"], on="user_id").merge(
        log.truth["items"], on="item_id"
    )


def csv_fingerprint(log: Dataset) -> str:
    tables = [log.events, log.items, log.truth["users"], log.truth["items"]]
    text = "".join(t.to_csv(index=False, lineterminator="\n") for t in tables)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def test_the_same_bytes_on_any_machine() -> None:
    assert csv_fingerprint(make_interest_log(20, 5, n_items=16)) == FINGERPRINT


def test_another_seed_is_another_log() -> None:
    prints = {csv_fingerprint(make_interest_log(20, 5, n_items=16, seed=s)) for s in range(5)}
    assert len(prints) == 5


def test_default_size(log: Dataset) -> None:
    assert repr(log) == "Dataset('interest-log': 10,000 events, 1,000 users, 480 items)"
    assert log.truth["users"]["user_id"].tolist()[:2] == ["u0001", "u0002"]
    assert log.items["item_id"].tolist()[-1] == "i0480"
    assert log.truth["items"]["topic"].value_counts().tolist() == [60] * 8
    assert log.truth["users"]["tier"].value_counts().to_dict() == {0: 500, 1: 250, 2: 250}


def test_tables_are_canonical(log: Dataset) -> None:
    pd.testing.assert_frame_equal(validate_events(log.events), log.events)
    pd.testing.assert_frame_equal(validate_items(log.items), log.items)
    order = ["timestamp", "user_id", "item_id", "event", "text"]
    assert log.events.sort_values(order, kind="stable").index.equals(log.events.index)
    assert set(log.truth["users"]["user_id"]) == set(log.events["user_id"])
    assert log.truth["items"]["item_id"].tolist() == log.items["item_id"].tolist()
    assert set(log.events["event"]) <= set(EVENT_WEIGHTS)


@given(st.integers(1, 60), st.integers(1, 12), st.integers(8, 30), st.integers(0, 2**64))
@settings(deadline=None, max_examples=50)
def test_totals_are_exact(n_users: int, per_user: int, n_items: int, seed: int) -> None:
    log = make_interest_log(n_users, per_user, n_items=n_items, seed=seed)
    counts = log.events["user_id"].value_counts()
    assert counts.sum() == n_users * per_user
    assert len(counts) == n_users
    assert len(log.items) == n_items
    assert log.events["item_id"].isin(log.items["item_id"]).all()
    assert set(log.truth["items"]["topic"]) == set(TOPICS)


def test_items_do_not_depend_on_the_users(log: Dataset) -> None:
    few = make_interest_log(n_users=3, days=7)
    pd.testing.assert_frame_equal(few.items, log.items)


def test_devoted_users_do_more_and_deeper(joined: pd.DataFrame) -> None:
    active = joined.groupby("tier").agg(n=("event", "size"), users=("user_id", "nunique"))
    mean = active["n"] / active["users"]
    assert (mean / mean[0]).tolist() == pytest.approx([1, 2, 4], rel=0.05)
    deep = joined["event"].isin(["purchase", "like", "favourite", "rate"])
    share = deep.groupby(joined["tier"]).mean()
    assert share[2] > 2 * share[1] * 0.9 > 3 * share[0]
    browse = (joined["event"] == "browse").groupby(joined["tier"]).mean()
    assert browse[0] > browse[1] > browse[2]


def test_tiers_overlap_in_activity(joined: pd.DataFrame) -> None:
    counts = joined.groupby(["tier", "user_id"]).size()
    assert counts[0].max() > counts[1].min()
    assert counts[1].max() > counts[2].min()


def test_interest_shares(joined: pd.DataFrame) -> None:
    users = joined.drop_duplicates("user_id")
    assert (users["interest"] != users["second_interest"]).all()
    assert set(users["interest"]) == set(users["second_interest"]) == set(TOPICS)
    # The tenth that goes anywhere falls on each of the eight topics alike.
    assert (joined["topic"] == joined["interest"]).mean() == pytest.approx(0.7 + 0.1 / 8, abs=0.015)
    second = (joined["topic"] == joined["second_interest"]).mean()
    assert second == pytest.approx(0.2 + 0.1 / 8, abs=0.015)


def test_a_few_items_of_a_topic_are_popular(joined: pd.DataFrame) -> None:
    for _, events in joined.groupby("topic"):
        counts = events["item_id"].value_counts()
        assert counts.head(6).sum() > 2 * len(events) * 6 / 60


def test_values_and_texts_fit_the_kind(joined: pd.DataFrame) -> None:
    rated = joined[joined["event"] == "rate"]
    assert set(rated["value"]) == {1, 2, 3, 4, 5}
    own = (rated["topic"] == rated["interest"]) | (rated["topic"] == rated["second_interest"])
    assert rated.loc[own, "value"].mean() > 4 > 3 > rated.loc[~own, "value"].mean()
    assert rated.loc[own & (rated["tier"] == 2), "value"].min() == 4
    assert set(joined.loc[joined["event"] == "purchase", "value"]) == {1, 2, 3}
    assert joined.loc[~joined["event"].isin(["rate", "purchase"]), "value"].isna().all()
    wordy = joined["event"].isin(["search", "comment"])
    assert (joined.loc[wordy, "text"] != "").all()
    assert (joined.loc[~wordy, "text"] == "").all()


def test_queries_speak_of_the_topic(joined: pd.DataFrame) -> None:
    for event in joined[joined["event"] == "search"].itertuples():
        topic = TOPICS[event.topic]
        words = event.text.removeprefix("how to ")
        assert words in {*topic.subjects, *topic.tasks, *topic.tags}


def test_time_fills_the_days_and_not_the_nights(log: Dataset) -> None:
    short = make_interest_log(start="2025-03-01", days=7).events["timestamp"]
    assert set(short.dt.strftime("%m-%d")) == {f"03-0{d}" for d in range(1, 8)}
    stamps = log.events["timestamp"]
    assert stamps.min().strftime("%Y-%m-%d") == "2026-01-01"
    assert stamps.dt.normalize().nunique() == 180
    hours = stamps.dt.hour.value_counts()
    assert hours.idxmax() == 20
    assert hours.reindex(range(2, 5), fill_value=0).sum() == 0


def test_the_start_is_a_day_in_utc() -> None:
    at = pd.Timestamp("2026-01-01 23:30", tz="America/New_York")
    stamps = make_interest_log(20, start=at, days=1).events["timestamp"]
    assert set(stamps.dt.strftime("%Y-%m-%d")) == {"2026-01-02"}


def test_titles_rarely_repeat(log: Dataset) -> None:
    assert log.items["title"].nunique() >= 0.95 * len(log.items)


def test_texts_are_whole_sentences(log: Dataset) -> None:
    assert not log.items["title"].str.contains(r"[{}]|  ").any()
    assert not log.items["description"].str.contains(r"[{}]|  ").any()
    assert log.items["title"].str[0].str.fullmatch(r"[A-Z]").all()
    assert log.items["description"].str.fullmatch(r"[A-Z].*\.").all()


def test_the_category_is_a_format_and_says_nothing_of_the_topic(log: Dataset) -> None:
    assert set(log.items["category"]) == set(FORMATS)
    shared = adjusted_mutual_info_score(log.truth["items"]["topic"], log.items["category"])
    assert abs(shared) < 0.02


def test_the_topic_is_never_named(log: Dataset) -> None:
    text = log.items["title"] + " " + log.items["description"] + " " + log.items["tags"]
    assert not text.str.contains("|".join(TOPICS), case=False).any()


def test_ambiguous_words_occur_in_several_topics(log: Dataset) -> None:
    text = log.items["title"] + " " + log.items["description"] + " " + log.items["tags"]
    by_topic = text.str.lower().groupby(log.truth["items"]["topic"]).agg(" ".join)
    for word in AMBIGUOUS:
        topics = by_topic.str.contains(rf"\b{word}(?:s|es)?\b").sum()
        assert topics >= 2, f"{word!r} occurs in {topics} topic(s)"


def test_topics_are_in_the_text_but_not_in_word_counts_alone(log: Dataset) -> None:
    text = log.items["title"] + " " + log.items["description"] + " " + log.items["tags"]
    topics = log.truth["items"]["topic"]
    words = TfidfVectorizer(stop_words="english").fit_transform(text)
    told = cross_val_predict(LogisticRegression(C=100), words, topics, cv=4)
    assert np.mean(told == topics) > 0.95
    untold = KMeans(len(TOPICS), n_init=3, random_state=0).fit_predict(words)
    assert adjusted_rand_score(topics, untold) < 0.5


def test_word_tables_are_even_and_distinct() -> None:
    for topic in TOPICS.values():
        sizes = [len(set(getattr(topic, f))) for f in ("subjects", "tasks", "settings", "tags")]
        assert sizes == [16, 14, 8, 12]
        for phrase in (*topic.subjects, *topic.tasks, *topic.settings, *topic.tags):
            assert re.fullmatch(r"[A-Za-z]+( [A-Za-z]+)*", phrase), phrase
    assert len(COMMENTS[True]) == len(COMMENTS[False])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"n_users": 0}, ValueError, "n_users must be from 1 to 1000000000, got 0"),
        ({"n_users": 2.5}, TypeError, "n_users must be a whole number, got 2.5"),
        ({"n_users": True}, TypeError, "n_users must be a whole number, got True"),
        ({"events_per_user": -1}, ValueError, "events_per_user must be from 1 to"),
        ({"n_items": 7}, ValueError, "n_items must be from 8 to"),
        ({"seed": -1}, ValueError, "seed must be from 0"),
        ({"seed": None}, TypeError, "seed must be a whole number, got None"),
        ({"days": 36_501}, ValueError, "days must be from 1 to 36500, got 36501"),
        ({"start": "soon"}, ValueError, "start is not a moment: 'soon'; write it like"),
        ({"start": "now"}, ValueError, "start is not a moment: 'now'"),
        ({"n_users": 10**9, "events_per_user": 10**9}, ValueError, "may be 100,000,000 at most"),
        ({"start": ""}, ValueError, "start is "),
        ({"start": 20260101}, TypeError, "start must be a datetime or text"),
    ],
)
def test_odd_arguments(arguments: dict[str, object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make_interest_log(**arguments)  # type: ignore[arg-type]


def test_numpy_numbers_are_numbers() -> None:
    log = make_interest_log(np.int64(5), np.int32(2), n_items=np.int64(8), seed=np.uint8(1))
    assert len(log.events) == 10


def test_a_data_set_has_users_also_where_nothing_is_known_of_them(log: Dataset) -> None:
    bare = Dataset(name="bare", events=log.events, items=log.items)
    assert bare.users.columns.tolist() == ["user_id"]
    assert bare.users["user_id"].dtype == log.events["user_id"].dtype
    assert bare.users.empty
    with pytest.raises(TypeError):
        Dataset("bare", log.events, log.items)  # type: ignore[misc]
