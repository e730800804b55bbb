"""The text-informed model on real ratings: texts help, and useless ones do no harm."""

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from recsys_interest import (
    EaseRecommender,
    TextInformedRecommender,
    compare_recommendations,
    item_text,
    load_dataset,
    per_user_metrics,
    random_split,
)


@pytest.fixture(scope="module")
def films():
    """Likes of films with 15 of them, split; the films; the words of their texts."""
    try:
        found = load_dataset("movielens-small", download=False)
    except FileNotFoundError as error:
        pytest.skip(f"needs movielens-small: {error}")
    events = found.events[(found.events["event"] == "rate") & (found.events["value"] >= 4)]
    events = events[events.groupby("item_id")["item_id"].transform("size") >= 15]
    items = found.items[found.items["item_id"].isin(events["item_id"])]
    texts = item_text(items)
    words = TfidfVectorizer(min_df=2).fit_transform(texts).toarray().astype("float32")
    return random_split(events), items, pd.DataFrame(words, index=texts.index)


def best_ease(split, items):
    """EASE with the penalty that the test likes best: harder to beat than a tuned one."""
    models = [EaseRecommender(l2).fit(split.train, items) for l2 in (50.0, 100.0, 200.0)]
    users = split.test["user_id"].unique()
    values = [per_user_metrics(m.recommend(users), split.test)["ndcg@10"].mean() for m in models]
    return models[int(np.argmax(values))]


@pytest.fixture(scope="module")
def comparison(films):
    split, items, words = films
    order = np.random.default_rng(0).permutation(len(words))
    texts = {
        "real": words,
        "blank": words * 0.0,
        "shuffled": words.set_axis(words.index[order]),
    }
    models = {"ease": best_ease(split, items)}
    for key, vectors in texts.items():
        models[key] = TextInformedRecommender().fit(split.train, items, vectors)
    users = split.test["user_id"].unique()
    lists = {key: model.recommend(users) for key, model in models.items()}
    return models, compare_recommendations(lists, split.test, reference="ease", n_permutations=99)


def test_real_texts_make_the_lists_better(comparison):
    models, table = comparison
    assert models["real"].text_weight_ > 0
    assert table.loc["real", "difference_low"] > 0


@pytest.mark.parametrize("spoilt", ["blank", "shuffled"])
def test_useless_texts_do_no_harm(comparison, spoilt):
    models, table = comparison
    assert models[spoilt].text_weight_ == 0
    # Not worse beyond noise, and the noise is small: a fixed text weight would not pass.
    assert table.loc[spoilt, "difference_high"] > 0
    assert table.loc[spoilt, "difference"] > -0.01


def test_a_fixed_weight_of_useless_texts_would_do_harm(films):
    split, items, words = films
    order = np.random.default_rng(0).permutation(len(words))
    shuffled = words.set_axis(words.index[order])
    users = split.test["user_id"].unique()
    model = TextInformedRecommender(100.0, 1.0).fit(split.train, items, shuffled)
    lists = {"ease": best_ease(split, items).recommend(users), "fixed": model.recommend(users)}
    table = compare_recommendations(lists, split.test, reference="ease", n_permutations=99)
    assert table.loc["fixed", "difference_high"] < 0
