"""Names that stay as long as they fit, and the ledger that says when they did not."""

from __future__ import annotations

import pandas as pd
import pytest

from recsys_interest.checks import SchemaError
from recsys_interest.lasting_names import lasting_names, named_ledger


def words(**windows):
    rows = {(w, c): lists for w, mine in windows.items() for c, lists in mine.items()}
    return pd.Series([*rows.values()], index=pd.MultiIndex.from_tuples([*rows]))


def named(**windows):
    table = lasting_names(words(**windows))
    return table.pivot_table(index="cluster", columns="window", values="name", aggfunc="first")


def test_a_name_stays_while_half_of_its_words_fit():
    table = named(
        a={0: ["tent", "hike", "map"]}, b={0: ["map", "hike", "ski"]}, c={0: ["ski", "snow"]}
    )
    assert table.loc[0].tolist() == ["tent · hike", "tent · hike", "ski · snow"]


def test_order_of_rows_and_windows_in_between_do_not_matter():
    given = words(a={0: ["tent", "hike"], 1: ["chess"]}, b={1: ["chess", "pawn"]}, c={0: ["hike"]})
    table = lasting_names(given)
    pd.testing.assert_frame_equal(table, lasting_names(given.iloc[::-1]))
    assert table[table["cluster"] == 0]["name"].tolist() == ["tent · hike"] * 2
    assert table["before"].isna().all()


def test_a_new_cluster_does_not_take_a_name_that_is_in_use():
    table = named(a={0: ["tent", "hike"]}, b={0: ["tent", "ski"], 1: ["tent", "hike"]})
    assert table["b"].is_unique
    assert table.loc[0, "b"] == "tent · hike"


def test_without_words_the_name_stays():
    table = named(a={0: ["tent", "hike"]}, b={0: []})
    assert table.loc[0, "b"] == "tent · hike"
    assert named(a={7: []}).loc[7, "a"] == "cluster 7"


def test_the_ledger_gets_names_and_renames():
    ledger = pd.DataFrame(
        {
            "window": [1, 1, 2, 3],
            "event": ["birth", "birth", "split", "merge"],
            "cluster": [0, 1, 2, 1],
            "related": pd.array([None, None, 0, 0], dtype="Int64"),
            "n_users": [5, 4, 3, 2],
            "score": [0.0] * 4,
        }
    )
    names = lasting_names(
        pd.Series(
            [["tent"], ["chess"], ["ski"], ["chess"], ["snow"], ["ski"], ["snow"]],
            index=pd.MultiIndex.from_tuples(
                [(1, 0), (1, 1), (2, 0), (2, 1), (2, 2), (3, 0), (3, 2)]
            ),
        )
    )
    table = named_ledger(ledger, names)
    rename = table[table["event"] == "rename"].iloc[0]
    assert (rename["window"], rename["name"], rename["related_name"]) == (2, "ski", "tent")
    split = table[table["event"] == "split"].iloc[0]
    assert (split["name"], split["related_name"]) == ("snow", "ski")
    merge = table[table["event"] == "merge"].iloc[0]
    assert (merge["name"], merge["related_name"]) == ("chess", "ski")
    assert table["window"].is_monotonic_increasing


def test_bad_input_is_named():
    with pytest.raises(TypeError, match="indexed by window and cluster"):
        lasting_names(pd.Series([["a"]]))
    twice = pd.MultiIndex.from_tuples([(1, 0), (1, 0)])
    with pytest.raises(ValueError, match="twice in one window"):
        lasting_names(pd.Series([["a"], ["b"]], index=twice))
    with pytest.raises(ValueError, match="without a window"):
        lasting_names(pd.Series([["a"]], index=pd.MultiIndex.from_tuples([(None, 0)])))
    ledger = pd.DataFrame({"window": ["May"], "event": "birth", "cluster": 0, "related": None})
    with pytest.raises(TypeError, match="which have no order"):
        named_ledger(ledger, lasting_names(pd.Series([["a"]], pd.MultiIndex.from_tuples([(5, 0)]))))
    with pytest.raises(ValueError, match="n_words"):
        lasting_names(words(a={0: ["tent"]}), n_words=0)
    with pytest.raises(SchemaError, match="names lacks the column"):
        named_ledger(
            pd.DataFrame({"window": [], "event": [], "cluster": [], "related": []}), pd.DataFrame()
        )
