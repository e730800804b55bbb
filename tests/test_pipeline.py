from __future__ import annotations

import hashlib
import json
import re

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import DBSCAN, KMeans
from sklearn.metrics import adjusted_rand_score
from sklearn.svm import SVC

from recsys_interest import storage
from recsys_interest.checks import SchemaError
from recsys_interest.clusters import InterestClusterer
from recsys_interest.interest_log import make_interest_log
from recsys_interest.pipeline import InterestPipeline
from recsys_interest.profiles import InterestProfiler
from recsys_interest.recommend import PopularityRecommender
from recsys_interest.storage import FormatError
from recsys_interest.tiers import TierClassifier
from tests.keyword_encoder import KeywordEncoder

NOW = "2027-01-01"
TRUST = ["tests.keyword_encoder.KeywordEncoder"]


@pytest.fixture(scope="module")
def data():
    return make_interest_log(n_users=120, n_items=80, seed=1)


def make(**parts):
    return InterestPipeline(encoder=KeywordEncoder(), now=NOW, **parts)


@pytest.fixture(scope="module")
def road(data):
    return make().fit(data.events, data.items)


@pytest.fixture
def saved(road, tmp_path):
    return road.save(tmp_path / "saved")


@pytest.mark.rows("T05")
def test_every_user_has_a_tier_a_cluster_and_a_list(road, data):
    users = sorted(data.events["user_id"].unique())
    assert road.tiers_.index.tolist() == users
    assert road.clusters_.index.tolist() == users
    lists = road.recommend(k=5)
    assert lists.groupby("user_id").size().eq(5).all()
    assert sorted(lists["user_id"].unique()) == users
    assert road.tiers_["tier"].isin([0, 1, 2]).all()
    assert (road.tiers_["rule"].str.contains("→ tier")).all()


def test_the_clusters_follow_the_planted_interests(road, data):
    truth = data.truth["users"].set_index("user_id")["interest"]
    found = road.clusters_["cluster"]
    assert adjusted_rand_score(truth[found.index], found) > 0.25
    shuffled = found.sample(frac=1, random_state=0).to_numpy()
    assert adjusted_rand_score(truth[found.index], shuffled) < 0.05


def test_nothing_seen_is_recommended_and_unknown_users_are_answered(road, data):
    lists = road.recommend(["u0001", "nobody"], k=4)
    assert lists["user_id"].unique().tolist() == ["u0001", "nobody"]
    seen = data.events.loc[data.events["user_id"] == "u0001", "item_id"]
    assert not lists.loc[lists["user_id"] == "u0001", "item_id"].isin(seen).any()
    assert lists.groupby("user_id")["source"].first().to_dict() == {
        "u0001": "cosine",
        "nobody": "popularity",
    }


def test_row_order_changes_no_result(road, data):
    mixed = data.events.sample(frac=1, random_state=2)
    other = make().fit(mixed, data.items.sample(frac=1, random_state=3))
    pd.testing.assert_frame_equal(other.recommend(k=3), road.recommend(k=3), check_exact=True)
    pd.testing.assert_frame_equal(other.tiers_, road.tiers_)
    pd.testing.assert_frame_equal(other.clusters_, road.clusters_, check_exact=True)


@pytest.mark.rows("Q02")
def test_parts_can_be_exchanged(data):
    road = make(
        clusterer=InterestClusterer(KMeans(3, random_state=0)),
        tier_classifier=TierClassifier(SVC()),
        recommender=PopularityRecommender(),
        n_tiers=2,
    ).fit(data.events, data.items)
    assert set(road.clusters_["cluster"]) == {0, 1, 2}
    assert set(road.tiers_["tier"]) <= {0, 1}
    assert (road.tiers_["rule"] == "").all()  # a support vector machine has no rules
    assert set(road.recommend(k=2)["source"]) == {"popularity"}


def test_all_noise_leaves_users_without_a_cluster(data):
    noise = InterestClusterer(DBSCAN(eps=1e-9, min_samples=99))
    road = make(clusterer=noise).fit(data.events, data.items)
    assert (road.clusters_["cluster"] == -1).all()
    assert (road.clusters_["name"] == "none").all()
    assert road.cluster_names_.empty


def test_noise_is_near_no_centre(data):
    some = InterestClusterer(DBSCAN(eps=0.25, min_samples=3))
    clusters = make(clusterer=some).fit(data.events, data.items).clusters_
    noise = clusters["cluster"] == -1
    assert 0 < noise.sum() < len(clusters)
    assert clusters.loc[noise, "similarity"].isna().all()
    assert clusters.loc[~noise, "similarity"].between(0, 1.0001).all()


def test_a_loaded_pipeline_gives_identical_results(road, saved):
    loaded = InterestPipeline.load(saved, trusted=TRUST)
    exact = {"check_exact": True}
    pd.testing.assert_frame_equal(loaded.recommend(k=5), road.recommend(k=5), **exact)
    for name in ("tiers_", "clusters_", "items_", "item_vectors_", "profiles_"):
        pd.testing.assert_frame_equal(getattr(loaded, name), getattr(road, name), **exact)
    pd.testing.assert_series_equal(loaded.cluster_names_, road.cluster_names_)
    pd.testing.assert_series_equal(loaded.cluster_keywords_, road.cluster_keywords_)
    pd.testing.assert_frame_equal(loaded.log_.report, road.log_.report)
    again = loaded.clusterer_.predict(loaded.profiles_)
    np.testing.assert_array_equal(again, road.clusterer_.predict(road.profiles_))
    assert loaded.get_params()["encoder__n_features"] == 64


def test_rejected_rows_of_any_kind_can_be_saved(data, tmp_path):
    odd = data.events.head(300).astype({"value": object, "timestamp": object})
    odd.loc[0, ["value", "user_id"]] = [{"a": 1}, "x"]
    odd.loc[1, "timestamp"] = 3.5e300
    road = make().fit(odd, data.items)
    assert len(road.log_.rejected) == 2
    loaded = InterestPipeline.load(road.save(tmp_path / "saved"), trusted=TRUST)
    assert loaded.log_.rejected["reason"].tolist() == road.log_.rejected["reason"].tolist()


def test_a_save_may_be_read_by_whom_a_new_folder_may(saved):
    usual = saved.parent / "usual"
    usual.mkdir()
    assert saved.stat().st_mode == usual.stat().st_mode


def test_no_pickle_is_written(saved):
    endings = {path.suffix for path in saved.iterdir()}
    assert endings == {".parquet", ".safetensors", ".skops", ".json"}


def test_classes_from_elsewhere_are_refused_unless_trusted(saved):
    with pytest.raises(FormatError, match=r"pipeline\.skops holds classes that are not trusted"):
        InterestPipeline.load(saved)


@pytest.mark.parametrize("name", ["items.safetensors", "events.parquet", "clusterer.skops"])
def test_a_truncated_file_is_named(saved, name):
    content = (saved / name).read_bytes()
    (saved / name).write_bytes(content[:-10])
    with pytest.raises(FormatError, match=rf"{name} has {len(content) - 10} bytes instead of"):
        InterestPipeline.load(saved, trusted=TRUST)


def test_a_changed_file_is_named_with_both_fingerprints(saved):
    path = saved / "events.parquet"
    old = hashlib.sha256(path.read_bytes()).hexdigest()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    new = hashlib.sha256(bytes(content)).hexdigest()
    with pytest.raises(FormatError, match=rf"events\.parquet was changed: .*{new}.*{old}"):
        InterestPipeline.load(saved, trusted=TRUST)


def test_a_missing_file_is_named(saved):
    (saved / "tiers.parquet").unlink()
    with pytest.raises(FormatError, match=r"the file tiers\.parquet is missing"):
        InterestPipeline.load(saved, trusted=TRUST)


def edit(folder, change, *, sign=False):
    path = folder / storage.MANIFEST
    manifest = json.loads(path.read_text())
    change(manifest)
    if sign:
        manifest.pop("checksum")
        manifest["checksum"] = storage._checksum(manifest)
    path.write_text(json.dumps(manifest))


def test_a_newer_format_is_refused(saved):
    edit(saved, lambda m: m.update(version=storage.FORMAT_VERSION + 1), sign=True)
    with pytest.raises(FormatError, match="format version 2, this package reads up to 1; upgrade"):
        InterestPipeline.load(saved)


def test_a_changed_manifest_is_refused(saved):
    edit(saved, lambda m: m["files"].pop("tiers.parquet"))
    with pytest.raises(FormatError, match=r"manifest\.json was changed"):
        InterestPipeline.load(saved)


def test_a_manifest_cannot_point_outside_its_folder(saved):
    edit(saved, lambda m: m["files"].update({"../x": {"bytes": 1, "sha256": ""}}), sign=True)
    (saved.parent / "x").write_text("x")
    with pytest.raises(FormatError, match=r"the file \.\./x is missing"):
        InterestPipeline.load(saved)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": "other"}'])
def test_a_broken_manifest_is_refused(saved, content):
    (saved / storage.MANIFEST).write_text(content)
    with pytest.raises(FormatError, match=r"manifest\.json"):
        InterestPipeline.load(saved)


def test_a_folder_that_is_no_save_is_refused(tmp_path):
    with pytest.raises(FormatError, match=r"has no manifest\.json"):
        InterestPipeline.load(tmp_path)


def test_saving_replaces_an_earlier_save_and_nothing_else(road, saved):
    road.save(saved)
    assert [p.name for p in saved.parent.iterdir()] == ["saved"]
    (saved / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="holds something else"):
        road.save(saved)
    assert (saved / "notes.txt").read_text() == "mine"
    other = saved.parent / "mine"
    other.mkdir()
    (other / "thesis.txt").write_text("x")
    with pytest.raises(FileExistsError, match="holds something else"):
        road.save(other)
    assert (other / "thesis.txt").exists()


def test_a_save_that_fails_leaves_the_earlier_one(road, saved, monkeypatch):
    def fail(*args):
        raise OSError("no space left")

    monkeypatch.setattr(storage, "_write_manifest", fail)
    with pytest.raises(OSError, match="no space left"):
        road.save(saved)
    assert [p.name for p in saved.parent.iterdir()] == ["saved"]
    InterestPipeline.load(saved, trusted=TRUST)


def table(n_users, n_items, *, stamps="2026-01-05"):
    pairs = [(f"u{u}", f"i{i}") for u in range(n_users) for i in range(n_items)]
    events = pd.DataFrame(pairs, columns=["user_id", "item_id"]).assign(timestamp=stamps)
    ids = [f"i{i}" for i in range(n_items)]
    items = pd.DataFrame({"item_id": ids, "title": [f"word{i} thing" for i in range(n_items)]})
    return events, items


@pytest.mark.rows("H05")
@pytest.mark.parametrize(("n_users", "n_items"), [(1, 1), (1, 3), (5, 1), (3, 3)])
def test_the_smallest_logs_have_defined_results(n_users, n_items):
    road = make().fit(*table(n_users, n_items))
    assert len(road.tiers_) == len(road.clusters_) == n_users
    assert (road.tiers_["source"] == "constant").all()  # one moment: no later window
    assert road.recommend(k=3).empty  # everything was seen
    assert len(road.recommend(k=3, exclude_seen=False)) == n_users * min(3, n_items)


def test_equal_texts_make_one_cluster():
    events, items = table(6, 3)
    road = make().fit(events, items.assign(title="same"))
    assert (road.clusters_["cluster"] == 0).all()


def test_items_without_text_still_give_lists_by_popularity():
    events, items = table(4, 3)
    extra = pd.DataFrame({"item_id": ["new"], "title": [""]})
    road = make().fit(events, pd.concat([items.assign(title=""), extra]))
    assert (road.clusters_["cluster"] == -1).all()
    lists = road.recommend(k=2)
    assert set(lists["item_id"]) == {"new"}
    assert set(lists["source"]) == {"popularity"}


def test_a_log_without_a_usable_row_says_why():
    events, items = table(2, 2, stamps="2099-01-01")
    with pytest.raises(SchemaError, match=r"all 4 were rejected: {'future_time': 4}"):
        make().fit(events, items)
    with pytest.raises(SchemaError, match="the log is empty"):
        make().fit(events.iloc[:0], items)


def test_the_report_escapes_what_the_data_say(tmp_path):
    events, items = table(8, 4)
    evil = '<script>alert("x")</script><img src=http://example.org/x>'
    road = make().fit(events.assign(user_id=events["user_id"] + evil), items.assign(title=evil))
    page = road.write_report(tmp_path / "report.html", title=evil).read_text(encoding="utf-8")
    assert "<script" not in page
    assert "<img src=http" not in page
    assert "&lt;script&gt;" in page
    assert 'src="data:image/png;base64,' in page


def test_the_report_asks_no_other_host(road, tmp_path):
    page = road.write_report(tmp_path / "report.html").read_text(encoding="utf-8")
    assert "http" not in page
    assert "Interest clusters" in page
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_a_manifest_of_something_else_protects_its_folder(road, tmp_path):
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / storage.MANIFEST).write_text('{"name": "my web app"}')
    with pytest.raises(FileExistsError, match="holds something else"):
        road.save(tmp_path / "web")
    assert (tmp_path / "web" / storage.MANIFEST).read_text() == '{"name": "my web app"}'


def test_the_current_folder_is_not_swapped_away(road, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileExistsError, match="is the current folder"):
        road.save(".")
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    road.save("link")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link", "real"]
    InterestPipeline.load("link", trusted=TRUST)


def resign(folder, name, content):
    """Put other content into a file and make the manifest fit it, as a forger would."""
    (folder / name).write_bytes(content)
    facts = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    edit(folder, lambda m: m["files"].update({name: facts}), sign=True)


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("events.parquet", None),
        ("clusterer.skops", None),
        ("items.safetensors", None),
        ("items.parquet", "tiers.parquet"),
        ("pipeline.skops", "clusterer.skops"),
        ("tier_classifier.skops", "clusterer.skops"),
        ("items.safetensors", "profiles.safetensors"),
    ],
)
def test_a_signed_file_that_is_not_what_it_says_is_refused(saved, name, other):
    resign(saved, name, b"junk" if other is None else (saved / other).read_bytes())
    with pytest.raises(FormatError, match=re.escape(name)):
        InterestPipeline.load(saved, trusted=TRUST)


def test_a_signed_manifest_without_a_file_is_refused(saved):
    edit(saved, lambda m: m["files"].pop("items.parquet"), sign=True)
    with pytest.raises(FormatError, match=r"items\.parquet"):
        InterestPipeline.load(saved, trusted=TRUST)


@pytest.mark.parametrize("change", [{"version": 0}, {"version": True}, {"files": []}])
def test_an_odd_manifest_is_refused(saved, change):
    edit(saved, lambda m: m.update(change), sign=True)
    with pytest.raises(FormatError, match=r"manifest\.json"):
        InterestPipeline.load(saved, trusted=TRUST)


def test_moments_among_the_parameters_come_back(data, tmp_path):
    profiler = InterestProfiler(half_life=30, reference_time=pd.Timestamp("2026-07-01"))
    road = InterestPipeline(KeywordEncoder(), profiler, now=pd.Timestamp(NOW, tz="UTC"))
    road.fit(data.events, data.items).save(tmp_path / "saved")
    loaded = InterestPipeline.load(tmp_path / "saved", trusted=TRUST)
    pd.testing.assert_frame_equal(loaded.recommend(k=3), road.recommend(k=3))
    assert loaded.now == "2027-01-01T00:00:00+00:00"


def test_own_kinds_of_event_go_the_whole_road(data):
    events = data.events.assign(event=data.events["event"].replace("browse", "watch"))
    with_weight = InterestProfiler(event_weights={"watch": 1.0})
    road = make(profiler=with_weight).fit(events, data.items)
    assert road.log_.rejected.empty
    assert make().fit(events, data.items).log_.report.loc["rejected: unknown_event", "rows"] > 0


@pytest.mark.parametrize(
    ("parts", "error", "message"),
    [
        ({"tier_window": 0}, ValueError, "tier_window must lie between 0 and 1, got 0"),
        ({"tier_window": "x"}, ValueError, "tier_window must lie between 0 and 1, got 'x'"),
        ({"n_tiers": 1}, ValueError, "n_tiers must be at least 2, got 1"),
        ({"clusterer": KMeans(2)}, TypeError, "clusterer must be a InterestClusterer, got KMeans"),
        ({"profiler": "x"}, TypeError, "profiler must be a InterestProfiler, got str"),
    ],
)
def test_wrong_parts_are_named(data, parts, error, message):
    with pytest.raises(error, match=message):
        make(**parts).fit(data.events, data.items)


def test_an_encoder_answers_for_every_item(data):
    class Lazy(KeywordEncoder):
        def transform(self, texts):
            return super().transform(texts).iloc[1:]

    with pytest.raises(ValueError, match="must return one vector for each of the 80 items"):
        InterestPipeline(Lazy(), now=NOW).fit(data.events, data.items)
    with pytest.raises(TypeError, match=r"encoder must have transform\(texts\), got 'bert'"):
        InterestPipeline("bert", now=NOW).fit(data.events, data.items)
