"""Cards of a generated log, by hand where it is small, and input that is bad in every known way."""

import json

import numpy as np
import pandas as pd
import pytest

from recsys_interest.cluster_cards import cluster_cards
from recsys_interest.interest_log import make_interest_log
from recsys_interest.keywords import class_tfidf

USERS = ["ann", "bob", "cem", "dee", "eva"]


def small():
    """Three chess players, one baker, one without a cluster."""
    clusters = pd.Series([0, 0, 0, 1, -1], index=USERS)
    vectors = pd.DataFrame(
        [[1, 0], [5, 0.5], [1, 1], [0, 2], [0, 0]], index=USERS, columns=["x", "y"]
    )
    items = pd.DataFrame(
        {
            "item_id": ["i1", "i2", "i3", "i4"],
            "title": ["Chess <b>openings</b>", "Chess clocks", "Apple pie", "  "],
            "description": ["", "", "", "pastry"],
        }
    )
    seen = [("ann", "i1"), ("ann", "i1"), ("bob", "i1"), ("bob", "i2"), ("cem", "i3")]
    seen += [("dee", "i3"), ("dee", "i4"), ("eva", "i4"), ("zoe", "i1"), ("ann", "gone")]
    return clusters, vectors, pd.DataFrame(seen, columns=["user_id", "item_id"]), items


def test_every_field_of_a_card_by_hand():
    cards = cluster_cards(*small())
    assert [card.cluster for card in cards] == [0, 1]
    assert cards.n_noise == 1
    card = cards[0]
    assert card.keywords[0] == "chess"
    assert "pastry" not in card.keywords
    assert card.name.startswith("chess · ")
    assert (card.n_users, card.share) == (3, 0.6)
    unit = np.array([[1, 0], [5 / 25.25**0.5, 0.5 / 25.25**0.5], [0.5**0.5, 0.5**0.5]])
    centre = unit.mean(axis=0) / np.linalg.norm(unit.mean(axis=0))
    assert np.isclose(card.cohesion, (unit @ centre).mean())
    assert card.users == ["bob", "ann", "cem"]
    # i1: two of the three users here, two of the four with a cluster.
    assert card.items[0] == {
        "item_id": "i1",
        "title": "Chess <b>openings</b>",
        "n_users": 2,
        "lift": pytest.approx((2 / 3) / (2 / 4)),
    }
    assert [item["item_id"] for item in card.items] == ["i1", "i2"]
    assert [item["title"] for item in cards[1].items] == ["i4", "Apple pie"]


def test_a_card_is_text_for_json_and_html():
    cards = cluster_cards(*small())
    read = json.loads(json.dumps(cards.to_dict(), allow_nan=False))
    assert read["1"]["users"] == ["dee"]
    assert cards.names().to_dict() == {card.cluster: card.name for card in cards}
    page = cards._repr_html_()
    assert page.count("<section") == len(cards) == 2
    assert "Chess &lt;b&gt;openings&lt;/b&gt;" in page
    assert "<b>openings" not in page
    assert "1 user without a cluster" in page
    assert "http" not in page
    one = cards[1]._repr_html_()
    assert one.count("<section") == 1
    assert cards[1].name in one


def test_an_unknown_cluster_is_named():
    with pytest.raises(KeyError, match="no cluster 5; there are 0, 1"):
        cluster_cards(*small())[5]


@pytest.mark.rows("C10")
@pytest.mark.parametrize("language", ["en", "zh"])
def test_planted_topics_get_their_own_words_items_and_users(language):
    data = make_interest_log(n_users=150, events_per_user=12, seed=1, language=language)
    truth = data.truth["users"].set_index("user_id")["interest"]
    codes, topics = pd.factorize(truth)
    clusters = pd.Series(codes, index=truth.index)
    vectors = pd.DataFrame(np.eye(len(topics))[codes], index=truth.index)
    cards = cluster_cards(clusters, vectors, data.events, data.items)
    assert len(cards) == len(topics)
    assert cards.names().is_unique
    topic = data.truth["items"].set_index("item_id")["topic"]
    for card in cards:
        assert card.cohesion == pytest.approx(1)
        assert card.keywords
        assert all(truth[user] == topics[card.cluster] for user in card.users)
        shown = {topic[item["item_id"]] for item in card.items}
        assert shown == {topics[card.cluster]}
        assert all(item["lift"] > 2 for item in card.items)


def test_any_row_order_gives_the_same_cards():
    data = make_interest_log(n_users=60, events_per_user=8, seed=2)
    truth = data.truth["users"].set_index("user_id")["interest"]
    clusters = pd.Series(pd.factorize(truth)[0] - 1, index=truth.index)  # the first is noise
    rng = np.random.default_rng(0)
    vectors = pd.DataFrame(rng.normal(size=(len(truth), 4)), index=truth.index)
    arguments = (clusters, vectors, data.events, data.items)
    mixed = [table.sample(frac=1, random_state=i) for i, table in enumerate(arguments)]
    assert cluster_cards(*mixed) == cluster_cards(*arguments)


def test_names_can_be_found_in_another_way():
    calls = []

    def find(texts, labels, *, weights, top):
        calls.append(top)
        return class_tfidf(texts, labels, weights=weights, top=top)

    cards = cluster_cards(*small(), find_words=find, n_keywords=2, n_words=1, n_users=1, n_items=1)
    assert calls
    assert [len(card.keywords) for card in cards] == [2, 2]
    assert [len(card.users) for card in cards] == [1, 1]
    assert [len(card.items) for card in cards] == [1, 1]


def test_all_noise_no_events_and_no_text():
    clusters, vectors, events, items = small()
    nothing = cluster_cards(clusters * 0 - 1, vectors, events, items)
    assert len(nothing) == 0
    assert nothing.n_noise == 5
    assert nothing.to_dict() == {}
    assert "There is no cluster." in nothing._repr_html_()
    silent = cluster_cards(clusters, vectors, events[:0], items)
    assert [(c.name, c.keywords, c.items) for c in silent] == [
        ("cluster 0", [], []),
        ("cluster 1", [], []),
    ]
    assert "cluster 0" in silent._repr_html_()
    wordless = items.assign(title="", description="")
    assert cluster_cards(clusters, vectors, events, wordless)[0].items[0]["title"] == "i1"


def test_labels_of_text():
    clusters, vectors, events, items = small()
    words = clusters[:4].map({0: "players", 1: "bakers"})
    cards = cluster_cards(words, vectors, events, items)
    assert [card.cluster for card in cards] == ["players", "bakers"]


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"clusters": [0, 1]}, TypeError, "clusters must be a Series indexed by user id, got list"),
        ({"clusters": pd.Series([0.0, np.nan], index=USERS[:2])}, ValueError, "missing for 'bob'"),
        ({"clusters": pd.Series([0, 1], index=["ann"] * 2)}, ValueError, "users twice: 'ann'"),
        (
            {"clusters": pd.Series([0, 1], index=["ann", "fay"])},
            ValueError,
            "lacks the users 'fay'",
        ),
        ({"vectors": np.eye(3)}, TypeError, "vectors must be a DataFrame"),
        ({"vectors": pd.DataFrame({"x": [np.inf]}, index=["ann"])}, ValueError, "not finite"),
        ({"events": pd.DataFrame({"user_id": []})}, ValueError, "'item_id'"),
        ({"n_users": 0}, ValueError, "n_users must be at least 1"),
        ({"n_words": "3"}, TypeError, "n_words must be a whole number"),
    ],
)
def test_bad_input(change, error, says):
    clusters, vectors, events, items = small()
    arguments = {"clusters": clusters, "vectors": vectors, "events": events, "items": items}
    with pytest.raises(error, match=says):
        cluster_cards(**{**arguments, **change})
