from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from recsys_interest import plots
from recsys_interest.plots import map_positions, plot_interest_map, plot_intervals


def islands(n=20, seed=0):
    rng = np.random.default_rng(seed)
    centres = np.eye(4)[[0, 1, 2]]
    rows = np.repeat(centres, n, axis=0) + rng.normal(0, 0.05, (3 * n, 4))
    users = pd.Index([f"u{i}" for i in range(3 * n)], name="user_id")
    labels = pd.Series(np.repeat([0, 1, 2], n), index=users)
    return pd.DataFrame(rows, index=users), labels


def test_near_users_are_near_on_the_map():
    vectors, labels = islands()
    places = map_positions(vectors).to_numpy()
    away = np.linalg.norm(places[:, None] - places[None], axis=2) + np.diag([np.inf] * len(places))
    assert (labels.to_numpy()[away.argmin(axis=1)] == labels.to_numpy()).all()


def test_the_same_seed_gives_the_same_map():
    vectors, _ = islands()
    pd.testing.assert_frame_equal(map_positions(vectors), map_positions(vectors))


@pytest.mark.parametrize("n", [0, 1, 2, 7])
def test_few_or_equal_users_still_have_a_place(n):
    vectors = pd.DataFrame(np.ones((n, 3)))
    assert map_positions(vectors).shape == (n, 2)
    assert np.isfinite(map_positions(vectors).to_numpy()).all()


def test_the_map_shows_every_user_once_with_names_and_sizes():
    vectors, labels = islands()
    labels.iloc[0] = -1
    tiers = pd.Series(range(len(labels)), index=labels.index) % 3
    ax = plot_interest_map(
        vectors, labels, tiers=tiers, names={1: "novels"}, ax=Figure().subplots()
    )
    shown = [c for c in ax.collections if len(c.get_offsets())]
    assert sum(len(c.get_offsets()) for c in shown) == len(vectors)
    assert [t.get_text() for t in ax.texts] == ["0", "novels", "2"]
    assert len({s for c in shown for s in c.get_sizes()}) == 3
    legend = [t.get_text() for t in ax.get_legend().get_texts()]
    assert legend == ["tier 0", "tier 1", "tier 2"]


def test_a_user_without_a_label_is_named():
    vectors, labels = islands()
    with pytest.raises(ValueError, match="labels lacks the users 'u0'"):
        plot_interest_map(vectors, labels.iloc[1:], ax=Figure().subplots())


def test_intervals_are_drawn_best_on_top_from_zero():
    table = pd.DataFrame(
        {"mean": [0.1, 0.3], "ci_low": [0.05, 0.2], "ci_high": [0.2, 0.35]}, index=["a", "b"]
    )
    ax = plot_intervals(table, label="NDCG@10", ax=Figure().subplots())
    assert [t.get_text() for t in ax.get_yticklabels()] == ["a", "b"]
    assert ax.get_xlim()[0] == 0
    (bars,) = ax.containers
    ends = np.array(bars[2][0].get_segments())[:, :, 0]
    np.testing.assert_allclose(ends, [[0.05, 0.2], [0.2, 0.35]])


def test_names_do_not_lie_on_each_other():
    one = pd.DataFrame(np.ones((6, 3)))
    names = {i: f"a rather long name {i}" for i in range(6)}
    ax = Figure().subplots()
    plot_interest_map(one, pd.Series(range(6)), names=names, ax=ax)
    boxes = [text.get_window_extent() for text in ax.texts]
    assert not [(a, b) for a in range(6) for b in range(a) if boxes[a].overlaps(boxes[b])]


def flat():
    return pd.DataFrame(np.eye(3), index=["u", "v", "w"])


def on_flat(values):
    return pd.Series(values, index=["u", "v", "w"])


@pytest.mark.parametrize(
    ("labels", "options", "error", "message"),
    [
        ([0, 1, 2], {}, TypeError, "labels must be a Series indexed by user id, got list"),
        (on_flat(["a", "b", "c"]), {}, TypeError, "labels must be whole numbers, it holds 'a'"),
        (on_flat([0, 0.5, 1]), {}, ValueError, "labels must be whole numbers, it holds 0.5"),
        (on_flat([0, np.nan, 1]), {}, ValueError, "labels is missing for the users 'v'"),
        (on_flat([0, 1, 2]).set_axis(list("uuv")), {}, ValueError, "labels has the users 'u' more"),
        (on_flat([0, 1, 2]), {"tiers": [0, 1, 2]}, TypeError, "tiers must be a Series"),
        (on_flat([0, 1, 2]), {"tiers": on_flat([0, -1, 1])}, ValueError, "tiers must not be neg"),
        (on_flat([0, 1, 2]), {"names": ["a"]}, TypeError, "names must be a mapping or Series"),
    ],
)
def test_what_cannot_be_drawn_is_named(labels, options, error, message):
    with pytest.raises(error, match=message):
        plot_interest_map(flat(), labels, ax=Figure().subplots(), **options)


def test_vectors_that_are_not_finite_or_not_unique_are_named():
    with pytest.raises(ValueError, match="vectors is not finite for 'u'"):
        map_positions(flat().replace(1.0, np.nan).iloc[:1])
    with pytest.raises(ValueError, match="has duplicates: 'u'"):
        map_positions(flat().iloc[[0, 0]])


def test_names_may_be_a_series_and_labels_whole_floats():
    names = pd.Series({0: "tents", 2: None})
    ax = plot_interest_map(flat(), on_flat([0.0, 1.0, 2.0]), names=names, ax=Figure().subplots())
    assert [t.get_text() for t in ax.texts] == ["tents", "1", "2"]


@pytest.mark.parametrize("wide_fonts", [None, ()])
def test_any_name_is_drawn_without_a_warning(monkeypatch, wide_fonts):
    if wide_fonts is not None:
        monkeypatch.setattr(plots, "_WIDE_FONTS", wide_fonts)
    names = {0: "电影 音乐", 1: "$5 and \ud800", 2: "a\tb\n\U0010fffd"}
    figure = Figure()
    ax = plot_interest_map(flat(), on_flat([0, 1, 2]), names=names, ax=figure.subplots())
    figure.savefig(io.BytesIO())  # warnings are errors, and a missing glyph warns only here
    drawn = [t.get_text() for t in ax.texts]
    assert drawn[1:] == ["$5 and \ufffd", "a b □"]
    assert drawn[0] in ({"□□ □□"} if wide_fonts == () else {"电影 音乐", "□□ □□"})
    ids = pd.Index(list(names.values()), dtype=object)
    table = pd.DataFrame({"mean": 1.0, "ci_low": 1.0, "ci_high": 1.0}, index=ids)
    figure = Figure()
    plot_intervals(table, ax=figure.subplots())
    figure.savefig(io.BytesIO())
