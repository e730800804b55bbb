"""Clicks become events, and the next list is another one."""

import numpy as np
import pandas as pd
import pytest

from recsys_interest import (
    EaseRecommender,
    PopularityRecommender,
    feedback_events,
    validate_events,
)
from recsys_interest.schema import EVENT_COLUMNS, SchemaError

TIME = "2026-02-01"


@pytest.fixture(scope="module")
def log():
    rng = np.random.default_rng(0)
    taste = 0.3 + 0.7 * rng.random((40, 2))
    likes = rng.random((40, 20)) < taste[:, np.arange(20) % 2] * 0.6
    users, items = np.nonzero(likes)
    log = pd.DataFrame({"user_id": users, "item_id": items, "event": "like"})
    return validate_events(log.assign(timestamp=pd.Timestamp("2026-01-05", tz="UTC")))


@pytest.fixture(scope="module")
def lists(log):
    return EaseRecommender(5.0).fit(log).recommend([0, 1, 99], k=4)


@pytest.fixture
def clicks(lists):
    return lists[lists["rank"].isin([2, 3])][["user_id", "item_id"]]


def test_clicks_become_valid_events_that_know_where_they_come_from(lists, clicks):
    found = feedback_events(lists, clicks, timestamp=TIME, event="like")
    assert found.columns.tolist() == [*EVENT_COLUMNS, "rank", "source"]
    pd.testing.assert_frame_equal(validate_events(found), found)
    assert found["rank"].tolist() == [2, 3] * 3
    assert found["source"].tolist() == ["ease"] * 4 + ["popularity"] * 2
    assert (found["event"] == "like").all()
    assert (found["timestamp"] == pd.Timestamp(TIME, tz="UTC")).all()


@pytest.mark.rows("K03", "R10")
def test_the_loop_recommend_click_recommend(log, lists, clicks):
    feedback = feedback_events(lists, clicks, timestamp=TIME, event="like")
    longer = pd.concat([log, feedback])
    for model in (EaseRecommender(5.0), PopularityRecommender()):
        before = model.fit(log).recommend([0, 1, 99], k=10)
        after = model.fit(longer).recommend([0, 1, 99], k=10)
        pairs = set(zip(after["user_id"], after["item_id"], strict=True))
        assert not pairs & set(zip(clicks["user_id"], clicks["item_id"], strict=True))
        for user in (0, 1, 99):
            lists_of = [t.loc[t["user_id"] == user, "item_id"].tolist() for t in (before, after)]
            assert lists_of[0] != lists_of[1]


def test_a_new_user_who_clicks_is_known(log, lists, clicks):
    assert (lists.loc[lists["user_id"] == 99, "source"] == "popularity").all()
    feedback = feedback_events(lists, clicks, timestamp=TIME, event="like")
    after = EaseRecommender(5.0).fit(pd.concat([log, feedback])).recommend([99])
    assert (after["source"] == "ease").all()


def test_what_was_shown_and_ignored_counts_as_seen(log, lists, clicks):
    mine = clicks[clicks["user_id"] != 1]  # user 1 clicked nothing
    feedback = feedback_events(lists, mine, timestamp=TIME, impressions=True)
    kinds = feedback.groupby(["user_id", "event"]).size().to_dict()
    assert kinds == {
        (0, "browse"): 2, (0, "impression"): 2, (99, "browse"): 2, (99, "impression"): 2,
    }  # fmt: skip
    after = EaseRecommender(5.0).fit(pd.concat([log, feedback])).recommend([0, 99], k=20)
    shown = lists[lists["user_id"] != 1]
    assert not after.merge(shown, on=["user_id", "item_id"]).size


def test_times_kinds_and_other_columns_of_the_clicks_are_kept(lists, clicks):
    times = pd.date_range("2026-03-01", periods=len(clicks), tz="UTC")
    own = clicks.assign(rank=77, timestamp=times, event="rate", value=4.0, page="home")
    found = feedback_events(lists, own.sample(frac=1, random_state=0), impressions=True)
    assert found.columns.tolist() == [*EVENT_COLUMNS, "page", "rank", "source"]
    rated = found[found["event"] == "rate"].sort_values("timestamp", ignore_index=True)
    assert rated["timestamp"].tolist() == times.tolist()
    assert rated["value"].eq(4.0).all()
    assert rated["page"].eq("home").all()
    assert rated["rank"].tolist() == [2, 3] * 3
    ignored = found[found["event"] == "impression"]
    assert ignored.loc[ignored["user_id"] == 0, "timestamp"].eq(times[1]).all()


def test_no_clicks_no_events(lists, clicks):
    found = feedback_events(lists, clicks.iloc[:0], timestamp=TIME, impressions=True)
    assert found.empty
    assert found.dtypes["user_id"] == "int64"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.assign(item_id=c["item_id"] + 1000), r"6 pair\(s\).*not in lists: \(0, "),
        (lambda c: pd.concat([c, c.iloc[:1]]), r"clicks has the pair\(s\).*more than once"),
        (lambda c: c.drop(columns="item_id"), "clicks lacks the column"),
        (lambda c: c.astype({"user_id": str}), "clicks.user_id is str, lists.user_id is int64"),
        (lambda c: c.assign(user_id=[None] * 6), "clicks.user_id is missing"),
    ],
)
def test_clicks_that_do_not_fit_are_named(lists, clicks, change, message):
    with pytest.raises(SchemaError, match=message):
        feedback_events(lists, change(clicks), timestamp=TIME)


def test_an_item_shown_to_somebody_else_is_not_shown(lists):
    hers = lists.loc[lists["user_id"] == 0, "item_id"]
    not_his = hers[~hers.isin(lists.loc[lists["user_id"] == 1, "item_id"])].iloc[:1]
    with pytest.raises(SchemaError, match=r"not in lists: \(1, "):
        feedback_events(lists, pd.DataFrame({"user_id": 1, "item_id": not_his}), timestamp=TIME)


def test_lists_that_do_not_fit_are_named(lists, clicks):
    with pytest.raises(SchemaError, match=r"lists lacks the column.*'source'"):
        feedback_events(lists.drop(columns="source"), clicks, timestamp=TIME)
    with pytest.raises(SchemaError, match="lists has the pair"):
        feedback_events(pd.concat([lists, lists]), clicks, timestamp=TIME)
    for rank in (np.nan, "x", 1.5, 0):
        with pytest.raises(SchemaError, match=r"lists.rank holds .*; ranks are whole numbers from"):
            feedback_events(lists.assign(rank=rank), clicks, timestamp=TIME)
    with pytest.raises(SchemaError, match=r"lists.source is missing in some rows"):
        feedback_events(lists.assign(source=None), clicks, timestamp=TIME)


def test_the_time_is_needed(lists, clicks):
    with pytest.raises(TypeError, match="timestamp is missing; say when"):
        feedback_events(lists, clicks)
    with pytest.raises(ValueError, match="timestamp is not a moment"):
        feedback_events(lists, clicks, timestamp="yesterday")
    with pytest.raises(TypeError, match="event must be the name"):
        feedback_events(lists, clicks, timestamp=TIME, event=3)
    with pytest.raises(TypeError, match="clicks must be a pandas DataFrame"):
        feedback_events(lists, [1], timestamp=TIME)


def test_nothing_given_is_changed(lists, clicks):
    before = lists.copy(), clicks.copy()
    feedback_events(lists, clicks, timestamp=TIME, impressions=True)
    pd.testing.assert_frame_equal(lists, before[0])
    pd.testing.assert_frame_equal(clicks, before[1])
