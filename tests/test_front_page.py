"""The first page: its twelve lines run, and say the truth about what they make."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pandas as pd
import pytest

import recsys_interest.pipeline
from recsys_interest import InterestPipeline

from .keyword_encoder import KeywordEncoder

ROOT = Path(__file__).resolve().parent.parent
INDEX = (ROOT / "book" / "index.md").read_text(encoding="utf-8")


def example(page: str) -> str:
    """Return the only block of Python of a page."""
    [code] = re.findall(r"^```python\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    return code


def run(code: str, names: dict[str, object]) -> dict[str, object]:
    """Run the code line by line and return what each expression is worth, by its text."""
    values = {}
    for node in ast.parse(code).body:
        if isinstance(node, ast.Expr):
            values[ast.unparse(node)] = eval(ast.unparse(node), names)
        else:
            exec(ast.unparse(node), names)
    return values


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    folder = tmp_path_factory.mktemp("front")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        # Words are counted instead of read by BERT: some seconds instead of a minute.
        patch.setattr(recsys_interest.pipeline, "TextEncoder", lambda: KeywordEncoder(256))
        names: dict[str, object] = {}
        return run(example(INDEX), names), names, folder


def test_the_example_has_twelve_lines_and_is_the_same_in_the_readme():
    assert len(example(INDEX).splitlines()) == 12
    assert example((ROOT / "README.md").read_text(encoding="utf-8")) == example(INDEX)


def test_the_report_counts_every_row(ran):
    values, names, _ = ran
    report = values["road.log_.report"]
    assert report.loc["read", "rows"] == len(names["data"].events)
    assert report.loc["kept", "rows"] == len(names["road"].log_.events)


def test_every_user_has_one_ordinal_tier_and_one_named_cluster(ran):
    values, names, _ = ran
    users = sorted(names["data"].events["user_id"].unique())
    tiers, clusters = values["road.tiers_"], values["road.clusters_"]
    assert tiers.index.tolist() == clusters.index.tolist() == users
    assert set(tiers["tier"]) <= {0, 1, 2}
    assert len(set(tiers["tier"])) > 1
    assert len(set(clusters["cluster"])) > 1
    assert clusters.loc[clusters["cluster"] >= 0, "name"].str.len().min() > 0


def test_lists_say_which_rule_answered(ran):
    [lists] = [value for text, value in ran[0].items() if "recommend(" in text]
    sources = lists.groupby("user_id")["source"].agg(["nunique", "first", "size"])
    assert sources.loc["u0001"].tolist() == [1, "cosine", 5]
    assert sources.loc["somebody new"].tolist() == [1, "popularity", 5]


def test_the_report_is_one_page_that_needs_no_network(ran):
    [page] = ran[2].glob("report.html")
    text = page.read_text(encoding="utf-8")
    assert "data:image/png" in text
    assert not re.findall(r"(?:src|href)=[\"'](?:https?:)?//", text)


def test_what_was_saved_gives_identical_lists_without_pickle(ran):
    _, names, folder = ran
    assert not [p for p in (folder / "pipeline").rglob("*") if p.suffix in {".pkl", ".pickle"}]
    again = InterestPipeline.load(
        folder / "pipeline", trusted=["tests.keyword_encoder.KeywordEncoder"]
    )
    users = ["u0001", "somebody new"]
    pd.testing.assert_frame_equal(again.recommend(users, k=5), names["road"].recommend(users, k=5))


def test_an_example_that_is_wrong_would_be_found():
    with pytest.raises(AttributeError):
        run("import recsys_interest as ri\nri.InterestPipeline().no_such_thing_", {})


# What is seen first


def test_two_figures_the_commands_and_the_example_come_before_the_road(html):
    page = (html / "book" / "index.html").read_text(encoding="utf-8")
    page = re.sub(r"</?span[^>]*>", "", page)  # the colours of code
    places = [
        *(page.index("fig-quick-map.png"), page.index("fig-cold-crossover.png")),
        *(page.index("make book"), page.index("InterestPipeline")),
        *(page.index('class="road-map"'), page.index("<table")),
    ]
    assert places == sorted(places)


def test_no_column_of_the_table_says_the_same_of_every_chapter():
    rows = [line.strip("|").split("|") for line in INDEX.splitlines() if line.startswith("|")]
    for column in zip(*rows[2:], strict=True):
        assert len(set(column)) == len(rows) - 2


def test_captions_hold_no_number_that_is_typed():
    captions = re.findall(r"^```\{figure\}.*?^```$", INDEX, flags=re.MULTILINE | re.DOTALL)
    assert len(captions) == 2
    for caption in captions:
        said = re.sub(r"^(?:```|:).*$", "", caption, flags=re.MULTILINE)
        assert len(re.findall(r"\{glue:text\}", said)) >= 1
        computed = re.sub(r"\{glue:text\}`[^`]*`", "", said).replace("NDCG@10", "")
        assert re.findall(r"\d+", computed) in ([], ["0"]), "only chance, 0, is known beforehand"
