"""The generated log: exact totals, planted truth, words that mislead, the same bytes anywhere."""

from __future__ import annotations

import hashlib
from typing import Literal

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

from recsys_interest.event_weights import EVENT_WEIGHTS
from recsys_interest.interest_events import DOMAIN_EVENTS, REPEAT_SECONDS
from recsys_interest.interest_log import Dataset, make_interest_log
from recsys_interest.interest_words import DOMAINS, FORMATS, LABELS, QUERIES, read_topics
from recsys_interest.schema import validate_events, validate_items

TOPICS = read_topics()
FINGERPRINTS = {
    "en": "7da1f24af9a7bec275c6da671f6e10e5d3e3bb9ad2fe4f5994f91efb9b4db393",
    "zh": "06ecc9ba7e4b7f03d0afb4c91922e68088f34eac15fb89bc26c90c54670c229e",
    "both": "46ba7d72eb0cae93cc952f6cb86ef450b7b12dcaeedfa37b4c5ae842f7b3de64",
}


@pytest.fixture(scope="module")
def log() -> Dataset:
    return make_interest_log()


@pytest.fixture(scope="module")
def chinese() -> Dataset:
    return make_interest_log(language="zh")


@pytest.fixture(scope="module")
def joined(log: Dataset) -> pd.DataFrame:
    """Every event with the user's planted interests and tier and the item's planted topic."""
    return log.events.merge(log.truth["users"], on="user_id").merge(
        log.truth["items"], on="item_id"
    )


def csv_fingerprint(log: Dataset) -> str:
    known = ("users", "mixture", "items", "titles", "dirt")  # before there were changes
    tables = [log.events, log.items, log.users, *(log.truth[name] for name in known)]
    text = "".join(t.to_csv(index=False, lineterminator="\n") for t in tables)
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("language", FINGERPRINTS)
def test_the_same_bytes_on_any_machine(language: str) -> None:
    dirt = {"duplicate": 2, "bad_value": 2, "near_duplicate": 2, "robot": 1}
    log = make_interest_log(20, 5, n_items=16, language=language, drift_share=0.25, dirt=dirt)
    assert csv_fingerprint(log) == FINGERPRINTS[language]


def test_another_seed_is_another_log() -> None:
    prints = {csv_fingerprint(make_interest_log(20, 5, n_items=16, seed=s)) for s in range(5)}
    assert len(prints) == 5


@pytest.mark.rows("D13")
def test_default_size(log: Dataset) -> None:
    assert repr(log) == "Dataset('interest-log': 10,000 events, 1,000 users, 480 items)"
    assert log.truth["users"]["user_id"].tolist()[:2] == ["u0001", "u0002"]
    assert log.items["item_id"].tolist()[-1] == "i0480"
    assert log.truth["items"]["topic"].value_counts().tolist() == [60] * 8
    assert log.truth["users"]["tier"].value_counts().to_dict() == {0: 500, 1: 250, 2: 250}


def test_tables_are_canonical(log: Dataset) -> None:
    pd.testing.assert_frame_equal(validate_events(log.events), log.events)
    pd.testing.assert_frame_equal(validate_items(log.items), log.items)
    order = ["timestamp", "user_id", "item_id", "event", "value"]
    assert log.events.sort_values(order, kind="stable").index.equals(log.events.index)
    assert set(log.truth["users"]["user_id"]) == set(log.events["user_id"])
    assert log.truth["items"]["item_id"].tolist() == log.items["item_id"].tolist()
    assert set(log.events["event"]) <= set(EVENT_WEIGHTS)


@given(st.integers(1, 60), st.integers(1, 12), st.integers(8, 30), st.integers(0, 2**64))
@settings(deadline=None, max_examples=30)
def test_totals_are_exact(n_users: int, per_user: int, n_items: int, seed: int) -> None:
    log = make_interest_log(n_users, per_user, n_items=n_items, seed=seed)
    counts = log.events["user_id"].value_counts()
    assert counts.sum() == n_users * per_user
    assert len(counts) == n_users
    assert len(log.items) == n_items
    assert log.events["item_id"].isin(log.items["item_id"]).all()
    assert log.truth["items"]["topic"].nunique() == 8


def test_items_do_not_depend_on_the_users(log: Dataset) -> None:
    few = make_interest_log(n_users=3, days=7)
    pd.testing.assert_frame_equal(few.items, log.items)


def test_devoted_users_do_more_and_deeper(joined: pd.DataFrame) -> None:
    active = joined.groupby("tier").agg(n=("event", "size"), users=("user_id", "nunique"))
    mean = active["n"] / active["users"]
    assert (mean / mean[0]).tolist() == pytest.approx([1, 2, 4], rel=0.05)
    deep = joined["event"].isin(["purchase", "like", "favourite", "rate"])
    share = deep.groupby(joined["tier"]).mean()
    assert share[2] > 1.5 * share[1] > 2.5 * share[0]
    browse = (joined["event"] == "browse").groupby(joined["tier"]).mean()
    assert browse[0] > browse[1] > browse[2]


def test_tiers_overlap_in_activity(joined: pd.DataFrame) -> None:
    counts = joined.groupby(["tier", "user_id"]).size()
    assert counts[0].max() > counts[1].min()
    assert counts[1].max() > counts[2].min()


@pytest.mark.rows("D13")
def test_interest_shares(joined: pd.DataFrame) -> None:
    users = joined.drop_duplicates("user_id")
    assert (users["interest"] != users["second_interest"]).all()
    topics = set(joined["topic"])
    assert len(topics) == 8
    assert set(users["interest"]) == set(users["second_interest"]) == topics
    # The tenth that goes anywhere falls on each of the eight topics alike.
    assert (joined["topic"] == joined["interest"]).mean() == pytest.approx(0.7 + 0.1 / 8, abs=0.015)
    second = (joined["topic"] == joined["second_interest"]).mean()
    assert second == pytest.approx(0.2 + 0.1 / 8, abs=0.015)


def test_the_planted_mixture_is_what_users_do() -> None:
    log = make_interest_log(n_users=40, events_per_user=2000, n_topics=6)
    topic = log.events["item_id"].map(log.truth["items"].set_index("item_id")["topic"])
    done = pd.crosstab(log.events["user_id"], topic, normalize="index")
    planted = log.truth["mixture"]
    assert set(done.columns) == set(planted.columns)
    np.testing.assert_allclose(planted.sum(axis=1), 1)
    pd.testing.assert_frame_equal(
        done[planted.columns], planted, atol=0.05, rtol=0, check_names=False
    )
    main = planted.max(axis=1)
    assert main.max() - main.min() > 0.15


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
    assert set(joined.loc[joined["event"].isin(["purchase", "return"]), "value"]) == {1, 2, 3}
    valued = joined["event"].isin(["rate", "purchase", "return", "exam_score"])
    assert (joined["value"].notna() == valued).all()
    wordy = joined["event"].isin(["search", "comment"])
    assert (joined.loc[wordy, "text"] != "").all()
    assert (joined.loc[~wordy, "text"] == "").all()


def test_exam_scores_are_points_and_the_devoted_have_more(joined: pd.DataFrame) -> None:
    scores = joined[joined["event"] == "exam_score"]
    assert scores["value"].between(30, 100).all()
    own = scores["topic"] == scores["interest"]
    mean = scores[own].groupby("tier")["value"].mean()
    assert mean[0] < mean[1] < mean[2]


def test_what_people_do_fits_the_domain() -> None:
    log = make_interest_log(n_users=3000, n_topics=None)
    topic = log.truth["items"].set_index("item_id")["topic"]
    domain = log.events["item_id"].map(topic).str.split("/").str[0]
    done = log.events["event"].groupby(domain).agg(set).to_dict()
    assert done == {domain: set(kinds) for domain, kinds in DOMAIN_EVENTS.items()}
    assert set(log.events["event"]) == set(EVENT_WEIGHTS)


@pytest.mark.parametrize("domain", DOMAINS)
def test_percents_sum_to_a_hundred(domain: str) -> None:
    assert [sum(column) for column in zip(*DOMAIN_EVENTS[domain].values(), strict=True)] == [
        100
    ] * 3


@given(st.integers(0, 2**32), st.sampled_from([1, 7, 180]))
@settings(deadline=None, max_examples=15)
def test_every_return_takes_back_one_purchase(seed: int, days: int) -> None:
    log = make_interest_log(50, 40, domains=["commerce"], n_topics=3, days=days, seed=seed)
    moves = log.events[log.events["event"].isin(["purchase", "return"])].copy()
    moves["left"] = moves["value"].where(moves["event"] == "purchase", -moves["value"])
    assert (moves.groupby(["user_id", "item_id"])["left"].cumsum() >= 0).all()
    assert days == 1 or (moves["event"] == "return").any()


@given(st.integers(0, 2**32))
@settings(deadline=None, max_examples=10)
def test_nothing_is_done_twice_within_the_hour(seed: int) -> None:
    log = make_interest_log(100, 30, n_items=24, seed=seed)
    gaps = log.events.groupby(["user_id", "item_id", "event"])["timestamp"].diff().dropna()
    assert len(gaps) > 300
    assert gaps.min() > pd.Timedelta(REPEAT_SECONDS, "s")


def test_everybody_has_chosen_something() -> None:
    events = make_interest_log(2000, 1).events
    assert len(events) == 2000
    assert not set(events["event"]) & {"impression", "rate", "return"}


def test_queries_speak_of_the_topic(joined: pd.DataFrame) -> None:
    for event in joined[joined["event"] == "search"].itertuples():
        topic = TOPICS[event.topic]
        words = event.text.removeprefix("how to ")
        assert words in {en for en, _ in (*topic.subjects, *topic.tasks, *topic.tags)}


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


@pytest.mark.parametrize(("n_items", "share"), [(480, 0.99), (5000, 0.98)])
def test_titles_rarely_repeat(n_items: int, share: float) -> None:
    titles = make_interest_log(10, 1, n_items=n_items).truth["titles"]
    assert titles["title_en"].nunique() >= share * n_items
    assert titles["title_zh"].nunique() >= share * n_items


def test_texts_are_whole_sentences(log: Dataset, chinese: Dataset) -> None:
    for items in (log.items, chinese.items):
        for column in ("title", "description", "tags", "category"):
            assert not items[column].str.contains(r"[{}\t]|  ").any()
            assert (items[column] == items[column].str.strip()).all()
    assert log.items["title"].str[0].str.fullmatch(r"[A-Z]").all()
    assert log.items["description"].str.fullmatch(r"[A-Z].*\.").all()
    assert chinese.items["description"].str.endswith("。").all()


def test_english_has_no_chinese_and_chinese_hardly_any_english(
    log: Dataset, chinese: Dataset
) -> None:
    han = r"[\u4e00-\u9fff，。：？]"
    for column in ("title", "description", "tags", "category"):
        assert not log.items[column].str.contains(han).any()
        assert chinese.items[column].str.contains(han).all()
    latin = chinese.items["title"].str.findall(r"[A-Za-z]+").explode().dropna()
    assert set(latin) <= {
        "Python",
        "python",
        "shell",
        "git",
        "Git",
        "Linux",
        "root",
        "B",
        "D",
        "E",
        "A",
        "G",
    }
    texts = chinese.events.loc[chinese.events["text"] != "", "text"]
    assert (texts.str.contains(han) | texts.isin(["python", "shell", "git", "Git", "root"])).all()


def test_languages_share_everything_but_the_words(log: Dataset, chinese: Dataset) -> None:
    both = make_interest_log(language="both")
    for other in (chinese, both):
        same = ["user_id", "item_id", "event", "timestamp", "value"]
        pd.testing.assert_frame_equal(other.events[same], log.events[same])
        assert ((other.events["text"] == "") == (log.events["text"] == "")).all()
        pd.testing.assert_frame_equal(other.users, log.users)
        for name, table in log.truth.items():
            pd.testing.assert_frame_equal(other.truth[name], table)
    titles = log.truth["titles"]
    assert log.items["title"].tolist() == titles["title_en"].tolist()
    assert chinese.items["title"].tolist() == titles["title_zh"].tolist()
    assert both.items["language"].value_counts(normalize=True).min() > 0.4
    english = both.items["language"] == "en"
    pd.testing.assert_frame_equal(both.items[english], log.items[english])
    pd.testing.assert_frame_equal(both.items[~english], chinese.items[~english])
    from_english = both.events["item_id"].isin(both.items.loc[english, "item_id"])
    expected = log.events["text"].where(from_english, chinese.events["text"])
    assert both.events["text"].tolist() == expected.tolist()


def test_texts_are_translations(log: Dataset, chinese: Dataset) -> None:
    tags = {pair for topic in TOPICS.values() for pair in topic.tags} | set(LABELS)
    english, other = (t.items["tags"].str.split(", ").explode() for t in (log, chinese))
    assert set(zip(english, other, strict=True)) <= tags
    assert set(zip(log.items["category"], chinese.items["category"], strict=True)) == set(FORMATS)
    searches = log.events["event"] == "search"
    topics = log.events["item_id"].map(log.truth["items"].set_index("item_id")["topic"])
    for n in np.flatnonzero(searches)[:300]:
        topic = TOPICS[topics[n]]
        phrases = zip(QUERIES, "stg", (topic.subjects, topic.tasks, topic.tags), strict=True)
        pairs = {
            (q[0].format(**{f: en}), q[1].format(**{f: zh}).replace(" ", ""))
            for q, f, part in phrases
            for en, zh in part
        }
        assert (log.events["text"][n], chinese.events["text"][n].replace(" ", "")) in pairs


def test_the_category_is_a_format_and_says_nothing_of_the_topic(log: Dataset) -> None:
    assert set(log.items["category"]) == {en for en, _ in FORMATS}
    shared = adjusted_mutual_info_score(log.truth["items"]["topic"], log.items["category"])
    assert abs(shared) < 0.02


@pytest.fixture(scope="module")
def every_topic() -> pd.DataFrame:
    log = make_interest_log(10, 1, n_topics=None, n_items=42 * 60)
    text = log.items["title"] + " " + log.items["description"] + " " + log.items["tags"]
    return pd.DataFrame({"text": text.str.lower(), "topic": log.truth["items"]["topic"]})


def test_the_topic_is_never_named(every_topic: pd.DataFrame) -> None:
    for name, texts in every_topic.groupby("topic")["text"]:
        assert not texts.str.contains(rf"\b(?:{name.replace('/', '|')})\b").any(), name


AMBIGUOUS = {
    *("pitch", "field", "root", "scale", "star", "key", "ring", "bass", "shell", "note", "cell"),
    *("bar", "string", "seed", "branch", "tree", "fork", "bed", "coach", "wing", "plate", "cast"),
    *("python", "kernel", "wave", "bank", "charge", "crane", "bridge", "line", "shot", "board"),
}


def test_ambiguous_words_occur_in_several_domains(every_topic: pd.DataFrame) -> None:
    domain = every_topic["topic"].str.split("/").str[0]
    by_domain = every_topic["text"].groupby(domain).agg(" ".join)
    for word in AMBIGUOUS:
        domains = by_domain.str.contains(rf"\b{word}(?:s|es)?\b").sum()
        assert domains >= 2, f"{word!r} occurs in {domains} domain(s)"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_word_counts_alone_do_not_find_the_topics(language: Literal["en", "zh"]) -> None:
    log = make_interest_log(n_users=2, language=language)
    text = log.items["title"] + " " + log.items["description"] + " " + log.items["tags"]
    counts = {
        "en": TfidfVectorizer(stop_words="english"),
        "zh": TfidfVectorizer(analyzer="char", ngram_range=(1, 2)),
    }[language].fit_transform(text)
    topics = log.truth["items"]["topic"]
    found = KMeans(8, n_init=3, random_state=0).fit_predict(counts)
    assert adjusted_rand_score(topics, found) < 0.3  # 0.05 was measured
    # What the text says is nevertheless enough to tell the topics apart.
    told = cross_val_predict(LogisticRegression(C=100), counts, topics, cv=4)
    assert np.mean(told == topics) > 0.9


def test_word_tables_are_even_and_distinct() -> None:
    for topic in TOPICS.values():
        parts = [topic.subjects, topic.tasks, topic.settings, topic.tags]
        for n in (0, 1):
            assert [len({pair[n] for pair in part}) for part in parts] == [10, 8, 6, 10]
    by_domain = pd.Series([topic.domain for topic in TOPICS.values()]).value_counts()
    assert set(by_domain.index) == set(DOMAINS)
    assert by_domain.min() >= 6


@pytest.mark.parametrize("k", [3, 6, 10, 20, 42])
def test_any_number_of_topics(k: int) -> None:
    truth = make_interest_log(200, n_topics=k, n_items=84).truth
    topics = truth["items"]["topic"].unique()
    assert len(topics) == k
    assert set(truth["users"]["interest"]) <= set(topics) == set(truth["mixture"].columns)
    domains = {topic.split("/")[0] for topic in topics}
    assert len(domains) == min(k, 7)


@given(st.integers(0, 2**64))
@settings(deadline=None, max_examples=20)
def test_the_default_topics_come_from_all_domains(seed: int) -> None:
    topics = make_interest_log(2, 1, n_items=8, seed=seed).truth["items"]["topic"]
    assert {topic.split("/")[0] for topic in topics} == set(DOMAINS)


@pytest.mark.rows("D09")
def test_chosen_domains() -> None:
    log = make_interest_log(30, n_topics=None, domains=("video", "music"))
    topics = set(log.truth["items"]["topic"])
    assert topics == {name for name in TOPICS if name.split("/")[0] in ("music", "video")}


CHANGES = {"birth": 1, "death": 1, "split": 1, "merge": 1}


@pytest.fixture(scope="module")
def changing() -> Dataset:
    return make_interest_log(400, 50, n_topics=12, changes=CHANGES, seed=4)


def test_changes_are_dated_and_change_nothing_else(changing: Dataset) -> None:
    still = make_interest_log(400, 50, n_topics=12, seed=4)
    for name in ("users", "items", "titles"):
        pd.testing.assert_frame_equal(changing.truth[name], still.truth[name])
    pd.testing.assert_frame_equal(changing.items, still.items)
    assert still.truth["changes"].empty
    table = changing.truth["changes"]
    assert sorted(table["change"]) == sorted(CHANGES)
    assert table["date"].is_monotonic_increasing
    assert table["date"].is_unique
    assert (table["other"].notna() == table["change"].isin(["split", "merge"])).all()
    topics = [*table["interest"], *table["other"].dropna()]
    assert len(set(topics)) == len(topics) == 6
    days = (table["date"] - pd.Timestamp("2026-01-01", tz="UTC")).dt.days
    assert days.between(0.2 * 180 - 1, 0.8 * 180).all()


def test_what_is_born_or_dies_is_felt_from_its_day_on(changing: Dataset) -> None:
    joined = changing.events.merge(changing.truth["items"], on="item_id")
    changes = changing.truth["changes"].set_index("change")
    first, last = joined["timestamp"].min(), joined["timestamp"].max()
    for kind, quiet_before in (("birth", True), ("death", False)):
        row = changes.loc[kind]
        before = joined.loc[joined["topic"] == row["interest"], "timestamp"] < row["date"]
        # Events a day: without the change the two rates differ by a few percent.
        days = [(row["date"] - first).days, (last - row["date"]).days]
        rates = [before.sum() / days[0], (~before).sum() / days[1]]
        assert min(rates) < 0.2 * max(rates)
        assert (rates[0] < rates[1]) == quiet_before


def test_while_two_topics_are_one_interest_everybody_takes_both(changing: Dataset) -> None:
    joined = changing.events.merge(changing.truth["items"], on="item_id").merge(
        changing.truth["users"], on="user_id"
    )
    changes = changing.truth["changes"].set_index("change")
    for kind in ("split", "merge"):
        row = changes.loc[kind]
        mine = joined[joined["interest"] == row["interest"]]
        mine = mine[mine["topic"].isin([row["interest"], row["other"]])]
        as_one = (mine["timestamp"] < row["date"]) == (kind == "split")
        share = (mine["topic"] == row["other"]).groupby(as_one).mean()
        assert 0.4 < share[True] < 0.6
        assert share[False] < 0.2


def test_interests_say_who_wanted_what_when(changing: Dataset) -> None:
    table, users = changing.truth["interests"], changing.truth["users"]
    first = table.groupby("user_id")["interest"].first()
    assert set(first.index) == set(users["user_id"])
    assert (table["interest"] != table.groupby("user_id")["interest"].shift()).all()
    split = changing.truth["changes"].set_index("change").loc["split"]
    of_user = users.set_index("user_id")["interest"]
    one = first[of_user.isin([split["interest"], split["other"]])]
    assert one.unique().tolist() == [f"{split['interest']} + {split['other']}"]
    drifted = make_interest_log(50, 20, drift_share=0.4).truth
    assert len(drifted["interests"]) == 50 + 20
    last = drifted["interests"].groupby("user_id")["interest"].last()
    moved = drifted["users"].dropna(subset="drifted_to").set_index("user_id")["drifted_to"]
    assert (last[moved.index] == moved).all()


def test_the_changing_log_is_the_same_on_any_machine() -> None:
    log = make_interest_log(20, 5, n_items=16, n_topics=8, changes=CHANGES, drift_share=0.25)
    tables = [log.events, log.truth["interests"], log.truth["changes"]]
    text = "".join(t.to_csv(index=False, lineterminator="\n") for t in tables)
    expected = "eab634fb7ac04d17f8964268ebdf8e19ff2f6cfe438f44559c64edd593ff5216"
    assert hashlib.sha256(text.encode()).hexdigest() == expected


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"revival": 1}, ValueError, "unknown kinds: 'revival'"),
        ({"birth": -1}, ValueError, "from 0"),
        ({"birth": 1.5}, TypeError, "whole number"),
        (["birth"], TypeError, "mapping"),
        ({"split": 4}, ValueError, "n_topics of at least 10, got 8"),
    ],
)
def test_impossible_changes_are_refused(changes, error, message) -> None:
    with pytest.raises(error, match=message):
        make_interest_log(10, 2, changes=changes)


def test_drift_is_dated() -> None:
    still = make_interest_log(200, 50)
    log = make_interest_log(200, 50, drift_share=0.3)
    users = log.truth["users"]
    drifts = users["drift_date"].notna()
    assert drifts.sum() == 60
    assert (users["drifted_to"].notna() == drifts).all()
    assert still.truth["users"]["drift_date"].isna().all()
    same = ["user_id", "interest", "second_interest", "tier"]
    pd.testing.assert_frame_equal(users[same], still.truth["users"][same])
    moved = users[drifts]
    assert (moved["drifted_to"] != moved["interest"]).all()
    assert (moved["drifted_to"] != moved["second_interest"]).all()
    days = (moved["drift_date"] - pd.Timestamp("2026-01-01", tz="UTC")).dt.days
    assert days.between(0.3 * 180 - 1, 0.7 * 180).all()
    joined = log.events.merge(moved, on="user_id").merge(log.truth["items"], on="item_id")
    after = joined["timestamp"] >= joined["drift_date"]
    to_new, to_old = (joined["topic"] == joined[c] for c in ("drifted_to", "interest"))
    assert to_new[after].mean() > 0.6 > 0.05 > to_new[~after].mean()
    assert to_old[~after].mean() > 0.6 > 0.05 > to_old[after].mean()


@pytest.mark.parametrize("correlation", [0.0, 0.5, 1.0])
def test_the_protected_group_follows_the_interest_as_told(correlation: float) -> None:
    log = make_interest_log(5000, 1, protected_correlation=correlation)
    names = log.truth["mixture"].columns.tolist()
    side = log.truth["users"]["interest"].map(names.index) % 2
    group = (log.users["group"] == "B").astype(int)
    assert np.corrcoef(side, group)[0, 1] == pytest.approx(correlation, abs=0.04)
    assert log.users.columns.tolist() == ["user_id", "age", "gender", "group"]
    assert log.users["age"].between(18, 79).all()
    for column in ("age", "gender"):
        shared = adjusted_mutual_info_score(log.truth["users"]["interest"], log.users[column])
        assert abs(shared) < 0.02


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"n_users": 0}, ValueError, "n_users must be from 1 to 1000000000, got 0"),
        ({"n_users": 2.5}, TypeError, "n_users must be a whole number, got 2.5"),
        ({"n_users": True}, TypeError, "n_users must be a whole number, got True"),
        ({"events_per_user": -1}, ValueError, "events_per_user must be from 1 to"),
        ({"n_items": 7}, ValueError, "n_items must be from 8 to"),
        ({"n_topics": 2}, ValueError, "n_topics must be from 3 to 42, got 2"),
        ({"n_topics": 7, "domains": ["news"]}, ValueError, "n_topics=None takes them all"),
        ({"n_topics": "all"}, TypeError, "n_topics must be a whole number, got 'all'"),
        ({"domains": "news"}, TypeError, "domains must be a list of names"),
        ({"domains": ["sport"]}, ValueError, "domains must be some of 'commerce'"),
        ({"domains": []}, ValueError, "domains must be some of"),
        ({"language": "de"}, ValueError, "language must be 'en', 'zh' or 'both', got 'de'"),
        ({"drift_share": 1.5}, ValueError, "drift_share must be from 0 to 1.0, got 1.5"),
        ({"drift_share": "all"}, TypeError, "drift_share must be a number from 0 to 1"),
        ({"protected_correlation": -0.1}, ValueError, "must be from 0 to 1.0, got -0.1"),
        ({"protected_correlation": float("nan")}, ValueError, "must be from 0 to 1.0, got nan"),
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
