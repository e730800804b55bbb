"""Features per interest, profile attributes, exam scores and purchases."""

import numpy as np
import pandas as pd
import pytest

from recsys_interest.checks import SchemaError
from recsys_interest.engagement import TIER_FEATURES, tier_features

from .test_tiers import log_of, planted_log

LOG = log_of(
    [
        ("ann", "tent", "purchase", "2026-01-01", 2),
        ("ann", "tent", "return", "2026-01-05", -1),
        ("ann", "novel", "rate", "2026-01-03", 5),
        ("ann", "tent", "purchase", "2026-01-09", None),
        ("bob", "novel", "exam_score", "2026-01-02", 70),
        ("bob", "novel", "exam_score", "2026-01-11", 90),
    ]
)
TOPIC = {"tent": "outdoor", "novel": "books"}
USERS = pd.DataFrame(
    {
        "user_id": ["bob", "ann", "zoe"],
        "age": [30.0, None, 50.0],
        "gender": ["m", None, "f"],
        "member": [True, False, True],
    }
)


@pytest.mark.rows("D08")
def test_purchases_less_returns_and_exam_scores():
    out = tier_features(LOG)
    assert out["purchase_value"].to_dict() == {"ann": 2 - 1 + 1, "bob": 0}
    assert out.loc["bob", ["mean_score", "n_scores"]].tolist() == [80, 2]


@pytest.mark.rows("U02")
def test_rows_per_user_and_interest_are_the_features_of_those_events_alone():
    out = tier_features(LOG, interests=TOPIC)
    assert out.index.tolist() == [("ann", "books"), ("ann", "outdoor"), ("bob", "books")]
    assert out.index.names == ["user_id", "interest"]
    assert out["interest_share"].tolist() == [0.25, 0.75, 1.0]
    for topic, items in (("outdoor", ["tent"]), ("books", ["novel"])):
        alone = tier_features(LOG[LOG["item_id"].isin(items)], until=LOG["timestamp"].max())
        pd.testing.assert_frame_equal(
            out.xs(topic, level="interest")[list(TIER_FEATURES)], alone, check_names=False
        )


def test_shares_of_a_user_sum_to_one():
    log = planted_log(n_users=30)
    out = tier_features(log, interests={item: item % 4 for item in range(50)})
    assert np.allclose(out.groupby("user_id")["interest_share"].sum(), 1)
    assert (
        out.groupby("user_id")["n_events"].sum().tolist() == log.groupby("user_id").size().tolist()
    )


def test_items_without_an_interest_are_left_out_and_unknown_ones_named():
    out = tier_features(LOG, interests={"tent": "outdoor", "novel": None})
    assert out.index.tolist() == [("ann", "outdoor")]
    assert out["interest_share"].tolist() == [1.0]
    assert tier_features(LOG, interests={"tent": None, "novel": None}).shape == (0, 16)
    with pytest.raises(ValueError, match=r"interests lacks items of the events: 'novel'; map them"):
        tier_features(LOG, interests={"tent": "outdoor"})
    with pytest.raises(SchemaError, match=r"interests is int64, events\.item_id is str"):
        tier_features(LOG, interests={1: "outdoor"})
    with pytest.raises(TypeError, match="interests must map item ids to interests, got list"):
        tier_features(LOG, interests=["outdoor"])
    with pytest.raises(ValueError, match="interests has items more than once: 'tent'"):
        tier_features(LOG, interests=pd.Series(["a", "b"], index=["tent", "tent"]))


def test_profile_attributes_come_in_by_name_only():
    plain = tier_features(LOG)
    pd.testing.assert_frame_equal(tier_features(LOG, users=USERS), plain)
    out = tier_features(LOG, users=USERS, profile_fields=["age", "gender", "member"])
    assert out.columns.tolist() == [
        *(*TIER_FEATURES, "age", "age_known", "gender=f", "gender=m"),
        *("member=False", "member=True"),
    ]
    assert out.loc["ann"].tolist()[-6:] == [40, 0, 0, 0, 1, 0]  # 40 is the median of 30 and 50
    assert out.loc["bob"].tolist()[-6:] == [30, 1, 0, 1, 0, 1]
    pairs = tier_features(LOG, interests=TOPIC, users=USERS, profile_fields=["age"])
    assert pairs["age"].tolist() == [40, 40, 30]


def test_a_user_without_a_profile_is_unknown():
    out = tier_features(LOG, users=USERS.iloc[:1], profile_fields=["age", "gender"])
    assert out.loc["ann", ["age", "age_known", "gender=m"]].tolist() == [30, 0, 0]
    assert np.isfinite(out.to_numpy()).all()


def test_bad_profiles_are_named():
    with pytest.raises(SchemaError, match=r"users lacks the column\(s\) 'income'"):
        tier_features(LOG, users=USERS, profile_fields=["income"])
    with pytest.raises(ValueError, match="needs users="):
        tier_features(LOG, profile_fields=["age"])
    with pytest.raises(TypeError, match="profile_fields must be a list of columns, got 'age'"):
        tier_features(LOG, users=USERS, profile_fields="age")
    with pytest.raises(ValueError, match=r"users\.user_id has duplicates: 'bob'"):
        tier_features(LOG, users=pd.concat([USERS, USERS.iloc[:1]]), profile_fields=["age"])
    with pytest.raises(ValueError, match=r"users\.age holds no number"):
        tier_features(LOG, users=USERS.assign(age=np.nan), profile_fields=["age"])
    with pytest.raises(ValueError, match=r"users\.gender holds no value"):
        tier_features(LOG, users=USERS.assign(gender=None), profile_fields=["gender"])
    with pytest.raises(SchemaError, match=r"users\.user_id is int64, events\.user_id is str"):
        tier_features(LOG, users=USERS.assign(user_id=[1, 2, 3]), profile_fields=["age"])


def test_features_know_their_window_through_selections():
    out = tier_features(LOG, until="2026-01-04")
    assert out.attrs["window"] == ["2026-01-01T00:00:00+00:00", "2026-01-03T00:00:00+00:00"]
    assert out[["n_events"]].loc[["ann"]].attrs == out.attrs
    assert out.iloc[:1].attrs == out.attrs


@pytest.mark.parametrize("seed", range(3))
def test_pairs_do_not_depend_on_row_order(seed):
    log = planted_log(seed, n_users=20)
    log["value"] = np.random.default_rng(seed).uniform(1, 5, len(log))
    topics = {item: "ab"[item % 2] for item in range(50)}
    one = tier_features(log, interests=topics)
    other = tier_features(log.sample(frac=1, random_state=seed), interests=topics)
    assert one.to_numpy().tobytes() == other.to_numpy().tobytes()
    assert one.index.equals(other.index)
