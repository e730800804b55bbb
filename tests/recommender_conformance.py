"""What every recommender promises, as tests to inherit.

A new recommender gets them all from a subclass of three lines, which overrides the fixture
`recommender` so that it returns an unfitted one.
"""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from recsys_interest.schema import SchemaError

COLUMNS = {
    "user_id": "int64",
    "item_id": "str",
    "rank": "int64",
    "score": "float64",
    "source": "str",
}
KEY = ["user_id", "item_id"]
UNKNOWN_USER = 999
ITEMS_WITHOUT_VECTOR = ["item-28", "item-29"]


def assert_tidy(lists):
    assert lists.dtypes.astype(str).to_dict() == COLUMNS
    assert lists.index.equals(pd.RangeIndex(len(lists)))
    assert not lists.duplicated(["user_id", "item_id"]).any()
    by_user = lists.groupby("user_id", sort=False)
    assert (lists["rank"] == by_user.cumcount() + 1).all()
    assert not (by_user["score"].diff() > 0).any()
    assert np.isfinite(lists["score"]).all()
    same_user = lists["user_id"].eq(lists["user_id"].shift())
    tied = same_user & lists["score"].eq(lists["score"].shift())
    assert (lists["item_id"] > lists["item_id"].shift())[tied].all()


def session_of(*rows):
    """Later events from (user, item) or (user, item, kind)."""
    padded = [(*row, "like")[:3] for row in rows]
    session = pd.DataFrame(padded, columns=["user_id", "item_id", "event"])
    return session.assign(timestamp=pd.Timestamp("2026-03-01", tz="UTC"))


class RecommenderConformance:
    """The promises as tests. What is not promised by all is said by attributes.

    `learns_from_sessions`: a session changes the scores, not only what counts as seen.
    `source_of_strangers`: who answers for users who are not in the log but have a session.
    `session_is_log`: a stranger whose session is the log of a user is scored as this user.
    `score_is_of_the_pair`: it depends on user and item, not on what else is in the list.
    """

    learns_from_sessions = True
    source_of_strangers = None  # that of the recommender
    session_is_log = True
    score_is_of_the_pair = True

    @pytest.fixture
    def recommender(self):
        raise NotImplementedError("return an unfitted recommender")

    @pytest.fixture
    def events(self):
        rng = np.random.default_rng(0)
        n = 150
        return pd.DataFrame(
            {
                "user_id": rng.integers(20, size=n),
                "item_id": [f"item-{i:02d}" for i in rng.integers(25, size=n)],
                "event": rng.choice(["browse", "like", "purchase", "return"], size=n),
                "timestamp": pd.Timestamp("2026-01-01", tz="UTC")
                + pd.to_timedelta(rng.integers(1000, size=n), unit="h"),
            }
        )

    @pytest.fixture
    def items(self):
        ids = [f"item-{i:02d}" for i in range(30)]
        return pd.DataFrame({"item_id": ids, "title": ["", *ids[1:]]})

    @pytest.fixture
    def item_vectors(self, items):
        ids = items["item_id"].tolist()[: -len(ITEMS_WITHOUT_VECTOR)]
        # Few different vectors: many items tie exactly, as items with the same text do.
        rows = np.random.default_rng(1).normal(size=(7, 12))[np.arange(len(ids)) % 7]
        return pd.DataFrame(rows, index=ids, dtype="float32")

    @pytest.fixture
    def fitted(self, recommender, events, items, item_vectors):
        return recommender.fit(events, items, item_vectors)

    def test_fit_returns_self_and_parameters_stay(self, recommender, events, items, item_vectors):
        before = recommender.get_params(deep=False)
        assert recommender.fit(events, items, item_vectors) is recommender
        assert recommender.get_params(deep=False) == before
        assert all(recommender.get_params(deep=False)[name] is before[name] for name in before)

    def test_a_clone_is_unfitted_and_learns_the_same(self, fitted, events, items, item_vectors):
        again = clone(fitted)
        with pytest.raises(NotFittedError):
            again.recommend()
        pd.testing.assert_frame_equal(
            again.fit(events, items, item_vectors).recommend(), fitted.recommend()
        )

    def test_unfitted_is_a_named_error(self, recommender):
        with pytest.raises(NotFittedError):
            recommender.recommend([1])

    def test_lists_are_tidy(self, fitted):
        for k in (1, 3, 10):
            lists = fitted.recommend(k=k)
            assert_tidy(lists)
            assert (lists.groupby("user_id").size() == k).all()

    def test_all_users_of_the_log_in_order_unless_told(self, fitted, events):
        answered = fitted.recommend(k=2)["user_id"].unique().tolist()
        assert answered == sorted(events["user_id"].unique())

    def test_asked_users_are_answered_once_in_order(self, fitted):
        lists = fitted.recommend([7, UNKNOWN_USER, 3, 7, 3], k=2)
        assert_tidy(lists)
        assert lists["user_id"].tolist() == [7, 7, UNKNOWN_USER, UNKNOWN_USER, 3, 3]

    def test_every_answer_stands_alone(self, fitted, events):
        together = fitted.recommend([*range(20), UNKNOWN_USER], k=5)
        alone = [fitted.recommend([u], k=5) for u in [*range(20), UNKNOWN_USER]]
        pd.testing.assert_frame_equal(together, pd.concat(alone, ignore_index=True))

    def test_unknown_users_get_a_list(self, fitted):
        lists = fitted.recommend([UNKNOWN_USER, -1], k=4)
        assert_tidy(lists)
        assert lists.groupby("user_id").size().to_dict() == {UNKNOWN_USER: 4, -1: 4}

    def test_no_users_no_rows_same_columns(self, fitted):
        lists = fitted.recommend([])
        assert_tidy(lists)
        assert lists.empty

    def test_seen_items_are_left_out(self, fitted, events):
        seen = set(zip(events["user_id"], events["item_id"], strict=True))
        lists = fitted.recommend(k=1000)
        assert not seen & set(zip(lists["user_id"], lists["item_id"], strict=True))

    def test_seen_items_come_back_when_wanted(self, fitted):
        fewer = fitted.recommend(k=1000)
        more = fitted.recommend(k=1000, exclude_seen=False)
        assert_tidy(more)
        assert len(more) > len(fewer)
        kept = more.merge(fewer[["user_id", "item_id"]])
        if not self.score_is_of_the_pair:
            assert len(kept) == len(fewer)
            return
        pd.testing.assert_frame_equal(kept.drop(columns="rank"), fewer.drop(columns="rank"))

    def test_k_beyond_the_catalogue_shortens_the_list(self, fitted, items):
        lists = fitted.recommend([UNKNOWN_USER], k=1000, exclude_seen=False)
        assert_tidy(lists)
        assert 0 < len(lists) <= len(items)

    def test_a_longer_list_begins_with_the_shorter(self, fitted):
        long = fitted.recommend(k=12)
        pd.testing.assert_frame_equal(
            long[long["rank"] <= 4].reset_index(drop=True), fitted.recommend(k=4)
        )

    def test_candidates_restrict_the_list(self, fitted):
        wanted = ["item-03", "item-20", "item-04", "item-03"]
        lists = fitted.recommend([0, UNKNOWN_USER], k=9, exclude_seen=False, candidates=wanted)
        assert_tidy(lists)
        for _, items in lists.groupby("user_id")["item_id"]:
            assert set(items) == set(wanted)
        assert fitted.recommend([0, UNKNOWN_USER], candidates=[]).empty

    def test_unknown_candidates_are_named(self, fitted):
        with pytest.raises(ValueError, match="not in the catalogue: 'item-77'"):
            fitted.recommend([0], candidates=["item-03", "item-77"])

    @pytest.mark.parametrize("k", [0, -3])
    def test_k_below_one_is_an_error(self, fitted, k):
        with pytest.raises(ValueError, match="k must be at least 1"):
            fitted.recommend([0], k=k)

    @pytest.mark.parametrize("k", [2.0, "3", True, None])
    def test_k_of_the_wrong_kind_is_an_error(self, fitted, k):
        with pytest.raises(TypeError, match="k must be a whole number"):
            fitted.recommend([0], k=k)

    @pytest.mark.parametrize("argument", ["user_ids", "candidates"])
    def test_ids_of_the_wrong_kind_are_errors(self, fitted, argument):
        wrong_kind = {"user_ids": ["1"], "candidates": [1]}[argument]
        with pytest.raises(SchemaError, match="no id can match"):
            fitted.recommend(**{argument: wrong_kind})
        with pytest.raises(SchemaError, match=f"{argument} mixes"):
            fitted.recommend(**{argument: [1, "1"]})
        for one in ("item-01", 1, {"a": 1}):
            with pytest.raises(TypeError, match=f"{argument} must be (a list|several ids)"):
                fitted.recommend(**{argument: one})

    def test_no_events_is_a_named_error(self, recommender, events, items, item_vectors):
        with pytest.raises(ValueError, match="events has no rows"):
            recommender.fit(events.iloc[:0], items, item_vectors)

    def test_malformed_tables_are_named_errors(self, recommender, events, items, item_vectors):
        with pytest.raises(SchemaError, match="lacks the column"):
            recommender.fit(events.drop(columns="user_id"), items, item_vectors)
        with pytest.raises(SchemaError, match="has duplicates"):
            recommender.fit(events, pd.concat([items, items]), item_vectors)
        with pytest.raises(SchemaError, match="no id can match"):
            recommender.fit(events, items.assign(item_id=range(30)), item_vectors)

    def test_an_item_without_text_or_vector_does_no_harm(self, fitted):
        lists = fitted.recommend(k=1000, exclude_seen=False, candidates=ITEMS_WITHOUT_VECTOR)
        assert_tidy(lists)

    def test_one_user_one_item(self, recommender, events, item_vectors):
        one = events.iloc[[0]].assign(event="like")
        fitted = recommender.fit(one, item_vectors=item_vectors)
        assert fitted.recommend().empty
        assert len(fitted.recommend(exclude_seen=False)) == 1

    def test_ties_go_to_the_smaller_id_at_every_k(self, recommender, events, items, item_vectors):
        ids = item_vectors.index
        alike = pd.DataFrame(1.0, index=ids, columns=range(5), dtype="float32")
        everybody = pd.MultiIndex.from_product([range(4), ids], names=["user_id", "item_id"])
        log = everybody.to_frame(index=False).assign(timestamp=events["timestamp"].iloc[0])
        fitted = recommender.fit(log.sample(frac=1, random_state=0), items, alike)
        for k in (1, 7, len(ids)):
            lists = fitted.recommend(k=k, exclude_seen=False)
            assert lists["item_id"].tolist() == 4 * ids[:k].tolist()

    def test_row_order_does_not_matter(self, fitted, recommender, events, items, item_vectors):
        expected = fitted.recommend([*range(20), UNKNOWN_USER])
        for seed in range(3):
            tables = [t.sample(frac=1, random_state=seed) for t in (events, items, item_vectors)]
            other = clone(recommender).fit(*tables)
            lists = other.recommend([*range(20), UNKNOWN_USER])
            pd.testing.assert_frame_equal(lists, expected, check_exact=True)

    @pytest.mark.parametrize("max_scores", [1, 61, 10_000])
    def test_the_memory_bound_does_not_matter(self, fitted, max_scores):
        users = [*range(20), UNKNOWN_USER]
        pd.testing.assert_frame_equal(
            fitted.recommend(users, max_scores=max_scores),
            fitted.recommend(users),
            check_exact=True,
        )

    def test_inputs_stay_as_they_were(self, recommender, events, items, item_vectors):
        tables = (events, items, item_vectors)
        before = [t.copy(deep=True) for t in tables]
        users = pd.Series([3, 1, UNKNOWN_USER])
        recommender.fit(*tables).recommend(users, candidates=items["item_id"])
        for table, copy in zip(tables, before, strict=True):
            pd.testing.assert_frame_equal(table, copy)
        assert users.tolist() == [3, 1, UNKNOWN_USER]

    def test_a_second_fit_forgets_the_first(self, recommender, events, items, item_vectors):
        recommender.fit(events, items, item_vectors)
        few = events[events["user_id"] < 5]
        again = recommender.fit(few, items, item_vectors).recommend([0, 19])
        fresh = clone(recommender).fit(few, items, item_vectors).recommend([0, 19])
        pd.testing.assert_frame_equal(again, fresh)

    @pytest.mark.parametrize("user", [0, UNKNOWN_USER])
    def test_the_session_changes_the_list(self, fitted, items, user):
        liked = [session_of((user, item)) for item in items["item_id"][:25]]
        lists = [fitted.recommend([user], 1000, exclude_seen=False, session=s) for s in liked]
        different = {tuple(one["item_id"]) for one in lists}
        assert len(different) > 3 if self.learns_from_sessions else len(different) == 1

    def test_strangers_with_a_session_are_answered_by_the_model(self, fitted):
        rows = [("item-03",), ("item-03", "item-04"), ("item-03", "item-04", "item-11")]
        for stranger, liked in zip((997, 998, 999), rows, strict=True):
            session = session_of(*[(stranger, item) for item in liked])
            lists = fitted.recommend([stranger], k=4, session=session)
            assert_tidy(lists)
            assert len(lists) == 4
            assert set(lists["source"]) == {self.source_of_strangers or fitted.source}
            assert not lists["item_id"].isin(liked).any()

    def test_items_of_the_session_count_as_seen(self, fitted):
        for user in (3, UNKNOWN_USER):
            first = fitted.recommend([user], k=3)["item_id"].tolist()
            for kind in ("impression", "return", "like"):
                session = session_of(*[(user, item, kind) for item in first])
                lists = fitted.recommend([user], k=1000, session=session)
                assert not lists["item_id"].isin(first).any()
                again = fitted.recommend([user], k=1000, session=session, exclude_seen=False)
                assert len(again) > len(lists)

    def test_a_session_that_says_nothing_is_no_session(self, fitted):
        users = [*range(20), UNKNOWN_USER]
        expected = fitted.recommend(users, k=6)
        empty = session_of()
        unknown = session_of((0, "item-77"), (UNKNOWN_USER, "item-78"), (1234, "item-79"))
        someone_else = session_of((1234, "item-03"))
        for session in (None, empty, unknown, someone_else):
            lists = fitted.recommend(users, k=6, session=session)
            pd.testing.assert_frame_equal(lists, expected, check_exact=True)
        for session in (empty, unknown):
            pd.testing.assert_frame_equal(fitted.recommend(session=session), fitted.recommend())

    def test_all_users_of_the_session_are_answered_unless_told(self, fitted, events):
        lists = fitted.recommend(k=2, session=session_of((5, "item-03"), (-7, "item-04")))
        assert lists["user_id"].unique().tolist() == [-7, *sorted(events["user_id"].unique())]

    @pytest.fixture
    def session(self):
        rng = np.random.default_rng(7)
        users = rng.choice([0, 3, 5, 19, UNKNOWN_USER, 1234], size=40)
        kinds = rng.choice(["impression", "browse", "like", "purchase", "return"], size=40)
        session = session_of(
            *zip(users, [f"item-{i:02d}" for i in rng.integers(33, size=40)], kinds, strict=True)
        )
        return session.assign(timestamp=session["timestamp"] + pd.to_timedelta(range(40), unit="h"))

    def test_row_order_of_the_session_does_not_matter(self, fitted, session):
        users = [19, UNKNOWN_USER, 0, 7, 1234]
        expected = fitted.recommend(users, session=session)
        assert_tidy(expected)
        for seed in range(3):
            lists = fitted.recommend(users, session=session.sample(frac=1, random_state=seed))
            pd.testing.assert_frame_equal(lists, expected, check_exact=True)

    def test_every_answer_with_a_session_stands_alone(self, fitted, session):
        users = [4, UNKNOWN_USER, 1234, 0, -1, 3, 5]
        together = fitted.recommend(users, k=5, session=session)
        alone = [fitted.recommend([u], k=5, session=session) for u in users]
        own = [fitted.recommend([u], k=5, session=session[session["user_id"] == u]) for u in users]
        pd.testing.assert_frame_equal(together, pd.concat(alone, ignore_index=True))
        pd.testing.assert_frame_equal(together, pd.concat(own, ignore_index=True))
        chunks = fitted.recommend(users, k=5, session=session, max_scores=1)
        pd.testing.assert_frame_equal(together, chunks, check_exact=True)

    def test_a_session_counts_for_one_answer_only(self, fitted, session):
        before = fitted.recommend([0, 3, UNKNOWN_USER])
        copy = session.copy(deep=True)
        fitted.recommend([0, 3, UNKNOWN_USER], session=session)
        pd.testing.assert_frame_equal(fitted.recommend([0, 3, UNKNOWN_USER]), before)
        pd.testing.assert_frame_equal(session, copy)

    def test_a_session_is_as_good_as_the_log(self, fitted, events):
        users = [0, 3, 19]
        expected = fitted.recommend(users, k=1000)
        session = events[events["user_id"].isin(users)]
        session = session.assign(user_id=session["user_id"] + 1000)
        lists = fitted.recommend([1000, 1003, 1019], k=1000, session=session)
        both = expected.merge(lists.assign(user_id=lists["user_id"] - 1000), "outer", on=KEY)
        near = np.isclose(both["score_x"], both["score_y"], rtol=0, atol=1e-6)
        assert near.all() == self.session_is_log
        assert len(lists) == len(expected)

    @pytest.mark.parametrize(
        ("spoil", "error", "message"),
        [
            (lambda s: s.drop(columns="item_id"), SchemaError, "session: .*lacks the column"),
            (lambda s: s["item_id"], TypeError, "session: .*must be a pandas DataFrame"),
            (lambda s: "item-03", TypeError, "session: .*must be a pandas DataFrame"),
            (lambda s: s.assign(item_id=3), SchemaError, "session.item_id is int64.*no id can"),
            (lambda s: s.assign(user_id="a"), SchemaError, "session.user_id is str.*no id can"),
            (lambda s: s.assign(user_id=None), SchemaError, "session: .*user_id is missing"),
            (lambda s: s.assign(timestamp=pd.NaT), SchemaError, "session: .*timestamp is missing"),
            (lambda s: s.assign(timestamp="noon"), SchemaError, "session: .*parse it first"),
            (lambda s: s.assign(value=np.inf), SchemaError, "session: .*not a finite number"),
            (lambda s: s.assign(event=None), SchemaError, "session: .*event is missing"),
        ],
    )
    def test_a_malformed_session_is_a_named_error(self, fitted, spoil, error, message):
        with pytest.raises(error, match=message):
            fitted.recommend([0], session=spoil(session_of((0, "item-03"))))
