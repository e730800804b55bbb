"""The alluvial figure: every user of a window is in a bar, every one of two in a band."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from recsys_interest.checks import SchemaError
from recsys_interest.figure_style import CLUSTER_COLOURS
from recsys_interest.flow_plots import plot_alluvial


def paths(n=60, windows=4, clusters=3, seed=0):
    rng = np.random.default_rng(seed)
    table = rng.integers(-1, clusters, (n, windows)).astype(float)
    table[rng.random(table.shape) < 0.2] = np.nan
    return pd.DataFrame(table, columns=[2020 + w for w in range(windows)]).astype("Int64")


def heights(band):
    """How wide a band is at its left and at its right end."""
    (path,) = band.get_paths()
    x, y = path.vertices.T
    return [np.ptp(y[np.isclose(x, end)]) for end in (x.min(), x.max())]


def test_bars_and_bands_are_as_high_as_they_have_users():
    table = paths()
    ax = plot_alluvial(table, ax=Figure().subplots())
    bars = [bar for bar in ax.patches if bar.get_height() > 0]
    for n, window in enumerate(table):
        mine = [b.get_height() for b in bars if abs(b.get_x() + b.get_width() / 2 - n) < 1e-9]
        np.testing.assert_allclose(sorted(mine), sorted(table[window].value_counts()))
    flows = [
        c
        for n in range(3)
        for c in pd.crosstab(table.iloc[:, n], table.iloc[:, n + 1]).to_numpy().ravel()
        if c
    ]
    drawn = [heights(band) for band in ax.collections]
    np.testing.assert_allclose(drawn, np.repeat(flows, 2).reshape(-1, 2))


def test_small_bands_can_be_left_out():
    table = paths()
    few = plot_alluvial(table, least_flow=4, ax=Figure().subplots())
    assert all(heights(band)[0] >= 4 for band in few.collections)
    assert len(few.collections) < len(plot_alluvial(table, ax=Figure().subplots()).collections)


def test_a_cluster_looks_the_same_in_all_windows_and_like_no_other():
    table = pd.DataFrame([[c, c] for c in range(20)], columns=["a", "b"])
    ax = plot_alluvial(table, ax=Figure().subplots())
    looks = [(b.get_facecolor(), b.get_hatch() or "") for b in ax.patches]
    assert looks[:20] == looks[20:]
    assert len(set(looks)) == 20
    assert len({colour for colour, _ in looks}) == len(CLUSTER_COLOURS)


def test_names_and_events_are_written():
    table = pd.DataFrame({1: [0, 0, 1], 2: [0, 2, 0]}, index=list("abc"))
    ledger = pd.DataFrame(
        {
            "window": [1, 1, 2, 2],
            "event": ["birth", "birth", "split", "merge"],
            "cluster": [0, 1, 2, 1],
            "related": [None, None, 0, 0],
        }
    )
    figure = Figure()
    ax = plot_alluvial(table, names={0: "tents", 2: "雪"}, ledger=ledger, ax=figure.subplots())
    assert "tents" in {text.get_text() for text in ax.texts}
    assert "1" in {text.get_text() for text in ax.texts}
    assert {t.get_text() for t in ax.get_legend().get_texts()} == {"split", "merge"}
    figure.savefig(io.BytesIO(), format="png")


def test_moments_are_shown_as_dates():
    table = pd.DataFrame({pd.Timestamp("2026-01-01", tz="UTC"): [0, 1]})
    ax = plot_alluvial(table, ax=Figure().subplots())
    assert [t.get_text() for t in ax.get_xticklabels()] == ["2026-01-01"]


def test_bad_input_is_named():
    with pytest.raises(TypeError, match="paths must be a DataFrame"):
        plot_alluvial([1, 2])
    with pytest.raises(ValueError, match="nobody in any window"):
        plot_alluvial(pd.DataFrame({1: pd.array([None], dtype="Int64")}))
    with pytest.raises(ValueError, match="nobody in any window"):
        plot_alluvial(pd.DataFrame(index=["a"]))
    with pytest.raises(TypeError, match="paths must hold cluster numbers"):
        plot_alluvial(paths().astype(float) + 0.5)
    with pytest.raises(ValueError, match=r"the window\(s\) 2020 more than once"):
        plot_alluvial(paths().rename(columns={2021: 2020}))
    with pytest.raises(SchemaError, match="ledger lacks the column"):
        plot_alluvial(paths(), ledger=pd.DataFrame({"window": [2021]}))
    with pytest.raises(ValueError, match="least_flow"):
        plot_alluvial(paths(), least_flow=0)
