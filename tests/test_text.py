from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_interest.checks import SchemaError
from recsys_interest.event_weights import EVENT_WEIGHTS
from recsys_interest.phrases import EVENT_PHRASES
from recsys_interest.text import item_text, user_text
from recsys_interest.tokens import count_tokens

ITEMS = pd.DataFrame(
    {
        "item_id": [7, 8, 9],
        "title": ["Tent. ", "Stove", None],
        "description": ["For two.", "", None],
        "tags": ["camping, outdoor", None, None],
    }
)


@pytest.mark.rows("D12")
def test_item_text_joins_what_is_there_and_leaves_no_trace_of_the_rest():
    texts = item_text(ITEMS)
    assert texts.to_dict() == {7: "Tent. For two. camping, outdoor", 8: "Stove", 9: ""}
    assert not texts.str.contains("nan|None").any()


@pytest.mark.rows("F01")
def test_item_text_keeps_case_and_stop_words():
    table = pd.DataFrame({"item_id": [1], "title": ["The Who and the What"]})
    assert item_text(table)[1] == "The Who and the What"


def test_item_text_takes_other_fields_and_names_missing_ones():
    assert item_text(ITEMS, fields=("tags", "title"))[7] == "camping, outdoor. Tent"
    with pytest.raises(SchemaError, match=r"items lacks the column\(s\) 'plot'"):
        item_text(ITEMS, fields=("title", "plot"))


def log(rows):
    table = pd.DataFrame(rows, columns=["user_id", "item_id", "event", "timestamp"])
    return table.assign(timestamp=pd.to_datetime(table["timestamp"]))


def test_user_text_is_most_recent_first_and_counts_what_it_drops():
    events = log(
        [
            (1, 7, "browse", "2026-01-01"),
            (1, 8, "like", "2026-01-03"),
            (1, 7, "purchase", "2026-01-02"),
            (2, 9, "browse", "2026-01-01"),  # an item without a title
            (3, 5, "browse", "2026-01-01"),  # an item that is not listed
        ]
    )
    texts = user_text(events, ITEMS, max_events=2)
    assert texts.loc[1].tolist() == ["liked Stove; bought Tent", 2, 1, 8]
    assert texts.loc[2].tolist() == ["", 0, 1, 0]
    assert texts.loc[3].tolist() == ["", 0, 1, 0]
    assert (texts["n_used"] + texts["n_dropped"]).sum() == len(events)
    shuffled = user_text(events.sample(frac=1, random_state=1), ITEMS, max_events=2)
    pd.testing.assert_frame_equal(shuffled, texts)
    with pytest.raises(ValueError, match="max_events must be at least 1, got 0"):
        user_text(events, ITEMS, max_events=0)


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ("title", TypeError, r"fields must be a list of column names .* got 'title'"),
        ([1], TypeError, "fields must be a list of column names"),
        ([], ValueError, "fields is empty"),
        (["price"], SchemaError, r"items\.price must be text, it holds 'int'"),
    ],
)
def test_bad_fields_are_named(fields, error, message):
    with pytest.raises(error, match=message):
        item_text(ITEMS.assign(price=[1, 2, 3]), fields=fields)


def test_a_missing_value_of_an_extra_field_is_empty():
    table = ITEMS.assign(brand=pd.Series(["Acme", None, np.nan], dtype=object))
    assert item_text(table, fields=["brand", "title"]).tolist() == ["Acme. Tent", "Stove", ""]


def test_bad_settings_of_user_text_are_named():
    events = log([(1, 7, "browse", "2026-01-01")])
    with pytest.raises(TypeError, match=r"max_events must be a whole number, got 2\.5"):
        user_text(events, ITEMS, max_events=2.5)
    with pytest.raises(TypeError, match="separator must be text like '; ', got 5"):
        user_text(events, ITEMS, separator=5)


FULL = pd.DataFrame(
    {
        "user_id": ["ann"] * 6,
        "item_id": [7, 7, 8, 99, 8, 9],
        "event": ["browse", "comment", "rate", "search", "rate", "wave"],
        "timestamp": pd.date_range("2026-01-01", periods=6),
        "value": [np.nan, np.nan, 4.0, np.nan, np.nan, np.nan],
        "text": [None, "Dry, \n light.", None, "gas stove", "", "hello"],
    }
)


def test_each_kind_of_event_has_its_own_phrase_and_gaps_leave_no_trace():
    text = user_text(FULL, ITEMS).loc["ann"]
    assert text["text"] == (
        "wave: hello; rated Stove; searched for gas stove; rated Stove 4; "
        "wrote about Tent: Dry, light; viewed Tent"
    )
    assert text["n_dropped"] == 0
    chinese = user_text(FULL, ITEMS, language="zh").loc["ann", "text"]
    assert chinese == (
        "wave：hello；评价Stove；搜索gas stove；给Stove打4分；评论Tent：Dry, light；浏览Tent"
    )


@pytest.mark.rows("D11")
def test_own_words_and_items_are_two_sources():
    words = user_text(FULL, ITEMS, item_fields=()).loc["ann"]
    assert words["text"] == "wave: hello; searched for gas stove; wrote: Dry, light"
    assert words[["n_used", "n_dropped"]].tolist() == [3, 3]
    titles = user_text(FULL, ITEMS, own_words=False).loc["ann", "text"]
    assert titles == "rated Stove; rated Stove 4; wrote about Tent; viewed Tent"
    more = user_text(FULL[:1], ITEMS, item_fields=("title", "tags")).loc["ann", "text"]
    assert more == "viewed Tent. camping, outdoor"


def test_templates_can_be_replaced_and_silenced():
    mine = {"browse": "looked at {item}", "rate": [], "wave": ["waved {value}", "waved"]}
    text = user_text(FULL, ITEMS, templates=mine).loc["ann"]
    assert text["text"] == (
        "waved; searched for gas stove; wrote about Tent: Dry, light; looked at Tent"
    )
    assert text["n_dropped"] == 2


def test_every_known_kind_of_event_has_templates_in_both_languages():
    for language in ("en", "zh"):
        assert set(EVENT_PHRASES[language]) == {*EVENT_WEIGHTS, ""}


def test_what_was_only_shown_is_not_said():
    shown = FULL[:1].assign(event="impression")
    assert user_text(shown, ITEMS).loc["ann"].tolist() == ["", 0, 1, 0]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"templates": {"browse": "{title}"}}, ValueError, "has the field 'title'; the fields are"),
        ({"templates": {"browse": "{item!r}"}}, ValueError, "without a format"),
        ({"templates": {"browse": "{item"}}, ValueError, "the template '{item' of 'browse'"),
        ({"templates": {"browse": [3]}}, TypeError, "the template of 'browse' must be text, got 3"),
        ({"templates": ["{item}"]}, TypeError, "templates must be a mapping"),
        ({"language": "de"}, ValueError, "language must be one of 'en', 'zh', got 'de'"),
        ({"max_tokens": 0}, ValueError, "max_tokens must be at least 1, got 0"),
        ({"count_tokens": 4}, TypeError, "count_tokens must be a function of a text, got 4"),
    ],
)
def test_bad_templates_and_limits_are_named(options, error, message):
    with pytest.raises(error, match=message):
        user_text(FULL, ITEMS, **options)


USERS = pd.DataFrame(
    {
        "user_id": ["ann", "bob", "cleo"],
        "age": [34, None, 50],
        "gender": ["f", "m", None],
        "interests": ["camping, wine", " ", None],
    }
)


@pytest.mark.rows("D10")
def test_profile_attributes_are_used_only_if_they_are_named():
    log = FULL[:1]
    assert user_text(log, ITEMS).loc["ann", "text"] == "viewed Tent"
    for half in ({"users": USERS}, {"profile_fields": ["age"]}):
        with pytest.raises(ValueError, match="name the attributes that may be used"):
            user_text(log, ITEMS, **half)
    texts = user_text(log, ITEMS, users=USERS, profile_fields=["interests", "age"])["text"]
    assert texts.to_dict() == {
        "ann": "interests: camping, wine; age: 34; viewed Tent",
        "bob": "",
        "cleo": "age: 50",
    }
    assert not texts.str.contains("gender|nan|: f").any()


@pytest.mark.rows("F09")
def test_a_user_without_events_has_a_text_but_no_dropped_events():
    texts = user_text(FULL[:1], ITEMS, users=USERS, profile_fields=["age"], language="zh")
    assert texts.loc["cleo"].tolist() == ["age：50", 0, 0, 3]
    assert texts.loc["ann", ["n_used", "n_dropped"]].tolist() == [1, 0]


@pytest.mark.parametrize(
    ("users", "fields", "message"),
    [
        (USERS, ["plan"], r"users lacks the attribute\(s\) 'plan'"),
        (USERS, ["user_id"], r"users lacks the attribute\(s\) 'user_id'"),
        (
            USERS.assign(user_id=[1, 2, 3]),
            ["age"],
            r"events.user_id is str, users.user_id is int64",
        ),
    ],
)
def test_bad_profile_fields_are_named(users, fields, message):
    with pytest.raises(SchemaError, match=message):
        user_text(FULL[:1], ITEMS, users=users, profile_fields=fields)


def test_an_event_longer_than_the_budget_does_not_silence_the_others():
    long = FULL[:2].assign(event="search", text=["tent", "a word " * 50])
    assert user_text(long, ITEMS, max_tokens=20).loc["ann"].tolist() == [
        *("searched for tent", 1, 1, 4)
    ]


WORDS = st.text("ab ;.é茶nan\n", max_size=12)


@pytest.mark.rows("F02")
@settings(deadline=None, max_examples=60)
@given(
    rows=st.lists(
        st.tuples(
            *(st.sampled_from("uv"), st.integers(6, 10), st.sampled_from([*EVENT_WEIGHTS, "x"])),
            *(st.integers(0, 3), st.sampled_from([np.nan, 2.0]), st.none() | WORDS),
        ),
        min_size=1,
        max_size=12,
    ),
    max_tokens=st.none() | st.integers(1, 40),
    max_events=st.none() | st.integers(1, 5),
    seed=st.integers(0, 9),
)
def test_texts_keep_to_the_budget_count_everything_and_ignore_row_order(
    rows, max_tokens, max_events, seed
):
    columns = ["user_id", "item_id", "event", "day", "value", "text"]
    events = pd.DataFrame(rows, columns=columns).astype({"text": "str"})
    events["timestamp"] = pd.Timestamp("2026-01-01") + pd.to_timedelta(events.pop("day"), unit="D")
    items = ITEMS.assign(title=["Tent", "nan", None])
    options = {"max_tokens": max_tokens, "max_events": max_events, "separator": " | "}
    texts = user_text(events, items, **options)
    assert (texts["n_used"] + texts["n_dropped"]).sum() == len(events)
    assert texts.index.tolist() == sorted(set(events["user_id"]))
    for text, n_used, _, n_tokens in texts.itertuples(index=False):
        phrases = text.split(" | ") if text else []
        assert len(phrases) == n_used <= (max_events or 99)
        assert all(p == p.strip() and p for p in phrases)
        assert n_tokens == count_tokens(text) <= (max_tokens or 9999)
    shuffled = user_text(events.sample(frac=1, random_state=seed), items, **options)
    pd.testing.assert_frame_equal(shuffled, texts)


def test_the_budget_is_counted_by_the_tokeniser_that_is_given():
    calls = []

    def words(text):
        calls.append(text)
        return len(text.split())

    texts = user_text(FULL, ITEMS, max_tokens=6, count_tokens=words, separator=" and ")
    assert texts.loc["ann", "text"] == "wave: hello and rated Stove"
    assert texts.loc["ann", "n_tokens"] == 5
    assert len(calls) == len(set(calls))  # each distinct phrase once


def test_the_fields_of_chinese_items_end_with_a_chinese_full_stop():
    table = ITEMS.assign(language=["zh", "en", "zh"], title=["帐篷。", "Stove", None])
    assert item_text(table)[7] == "帐篷。For two。camping, outdoor"
