"""The repository's outside: pins, docstrings, the order of the stations, what a stranger reads."""

from __future__ import annotations

import ast
import importlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import is_dataclass
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from numpydoc.validate import validate
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

import recsys_interest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "recsys_interest"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PUBLIC = sorted(name for name in recsys_interest.__all__ if not name.startswith("__"))

# A module may import only from those before it.
ROAD = (
    *("checks", "event_weights", "schema", "characters", "json_lines", "files", "download"),
    *("seeded", "interest_words"),
    *(
        "interest_changes",
        "interest_texts",
        "interest_users",
        "interest_events",
        "interest_dirt",
        "interest_log",
    ),
    *("dataset_parsers", "dataset_catalogue", "dataset_files", "datasets"),
    *("clean_log", "times", "parsing", "filling", "returns", "duplicates", "robots"),
    *("cleaning", "splitting", "log_statistics"),
    *("tokens", "text_checks", "phrases", "text"),
    *("keywords", "keyword_vectors", "chat", "keyword_extraction"),
    *("models", "word_means", "word_vectors", "token_vectors"),
    *("top_k", "products"),
    *("packed_bert", "language_model", "vectors"),
    *("item_index", "vector_cache", "batches", "encoder"),
    *("training_plan", "training", "word_pieces", "pretraining"),
    *("text_pairs", "fixed_layers", "contrastive"),
    *("decayed_sums", "weighing", "means", "profile_sums", "profiles"),
    *("event_ids", "stream_store", "durable_stream"),
    *("sessions", "interests", "reproducible"),
    "whitening",
    *("engagement", "label_sources", "engagement_rule", "judged_tiers", "tiers"),
    *("tier_tables", "tier_metrics"),
    *("stability", "change_points", "drift", "drift_monitor"),
    *("neighbour_smoothing", "iterative_classification"),
    *("partitions", "density", "consensus", "look_alike"),
    *("clusters", "nested_clusters"),
    *("short_texts", "count_criteria", "cluster_count"),
    *("adaptive_kmeans", "cluster_matching", "cluster_history", "windows", "window_rows"),
    "dynamics",
    *("likes", "recommender", "product_recommender", "recommend", "behaviour"),
    *("several_interests", "cluster_recommenders"),
    *("live_profiles", "live_catalogue", "live_recommender"),
    *("ease", "nearest_neighbours", "matrix_factors"),
    *("linear_forms", "cold_rules", "validation", "text_informed"),
    *("blending", "priors", "text_priors", "group_priors", "catalogue", "cold_start"),
    *("explanations", "word_explanations", "sentences", "feedback"),
    *("ranked_lists", "item_shares", "reranking", "cluster_metrics"),
    *("cluster_names", "lasting_names", "cluster_cards"),
    *("resampling", "list_metrics", "ranking_metrics", "group_metrics", "paired_tests"),
    *("refit_policies", "refit_replay", "bandit_rules", "interest_bandit"),
    *("off_policy", "noise", "sequence", "new_items", "adapting"),
    *(
        "figure_style",
        "plots",
        "cluster_plots",
        "flow_plots",
        "report",
        "storage",
        "pipeline",
        "exercises",
    ),
    *("doctor", "__main__"),
)


# Pins


def constraints(*, installed_only: bool = False) -> dict[str, str]:
    text = (ROOT / "constraints.txt").read_text()
    if installed_only:
        text = text.partition("# Only for the extra")[0]
    return pins(line for line in text.splitlines() if line and not line.startswith("#"))


def pins(lines: Iterable[str]) -> dict[str, str]:
    found = {}
    for line in lines:
        match = re.fullmatch(r"([A-Za-z0-9._-]+)==([A-Za-z0-9.]+)", line)
        assert match, f"not a plain pin: {line!r}"
        name = canonicalize_name(match[1])
        assert name not in found, f"{name} is pinned twice"
        found[name] = match[2]
    return found


def installed_extras() -> list[str]:
    """Return the extras that make installs."""
    return re.search(r"^EXTRAS := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1].split(
        ","
    )


def requirements(extras: Iterable[str] | None = None) -> list[Requirement]:
    project = PROJECT["project"]
    optional = project["optional-dependencies"]
    lines = [line for name in (optional if extras is None else extras) for line in optional[name]]
    return [Requirement(line) for line in project["dependencies"] + lines]


@pytest.mark.rows("L01")
@pytest.mark.parametrize("requirement", requirements(), ids=lambda r: r.name)
def test_every_direct_dependency_is_pinned_within_its_range(requirement):
    pinned = constraints()
    name = canonicalize_name(requirement.name)
    assert name in pinned, f"{name} is in pyproject.toml but not in constraints.txt"
    assert requirement.specifier.contains(pinned[name]), f"{requirement} excludes {pinned[name]}"


def test_conda_environment_has_the_same_pins():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    conda, pip = environment["dependencies"][:-1], environment["dependencies"][-1]["pip"]
    version = next(line for line in conda if line.startswith("python=")).removeprefix("python=")
    assert SpecifierSet(PROJECT["project"]["requires-python"]).contains(version)
    assert "pip" in conda
    extras = re.fullmatch(r"-e \.\[(.*)\]", pip[0])
    assert extras[1].split(",") == installed_extras()
    assert pins(pip[1:]) == constraints(installed_only=True)


def test_make_installs_every_extra_but_those_that_are_only_compared_with():
    left_out = set(PROJECT["project"]["optional-dependencies"]) - set(installed_extras())
    assert left_out == {"topics", "outside"}
    assert {"bertopic", "cornac"} <= constraints().keys() - constraints(installed_only=True).keys()


@pytest.mark.rows("L03")
def test_every_installed_package_of_the_environment_is_pinned():
    pinned = constraints()
    needed = requirements(installed_extras())
    seen: set[str] = set()
    while needed:
        requirement = needed.pop()
        name = canonicalize_name(requirement.name)
        if name in seen:
            continue
        seen.add(name)
        assert name in pinned, f"{name} is needed but not pinned"
        try:
            inner = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            pytest.fail(f"{name} is needed but not installed; run `make test`")
        extras = [{"extra": e} for e in requirement.extras] or [{"extra": ""}]
        lines = map(Requirement, inner)
        needed += [r for r in lines if not r.marker or any(map(r.marker.evaluate, extras))]


def test_build_tools_are_pinned():
    # The Makefile builds without isolation, so the build takes the version in constraints.txt.
    for line in PROJECT["build-system"]["requires"]:
        requirement = Requirement(line)
        assert requirement.specifier.contains(constraints()[requirement.name])


PACKAGING = ("Makefile", "constraints.txt", "environment.yml", "pyproject.toml", ".ci/run")


@pytest.mark.parametrize("name", PACKAGING)
def test_no_file_names_a_package_index(name):
    text = (ROOT / name).read_text()
    found = re.findall(r".*(?:index-url|find-links|trusted-host|/simple\b|\+cpu).*", text)
    assert not found, f"{name} names an index: {found}"


# Docstrings

# GL01: the summary stands on the first line. ES01, SA01: an extended summary and "See Also" only
# where there is something to say. PR08, PR09, RT03, RT04, RT05: a description may be a phrase.
# SS06: ruff checks the summary.
LEFT_OUT = {"GL01", "ES01", "SA01", "PR08", "PR09", "RT03", "RT04", "RT05", "SS06"}


@pytest.mark.parametrize("name", PUBLIC)
def test_docstrings_of_public_names_are_numpydoc(name):
    public = getattr(recsys_interest, name)
    # The function that returns a result shows it, and its fields stand under "Attributes".
    is_result = is_dataclass(public) or (isinstance(public, type) and issubclass(public, Exception))
    left_out = LEFT_OUT | ({"EX01", "PR01"} if is_result else set())
    errors = validate(f"{public.__module__}.{public.__qualname__}")["errors"]
    assert not [e for e in errors if e[0] not in left_out]


@pytest.mark.parametrize("name", ROAD)
def test_every_module_says_its_job_and_its_chapter(name):
    module = importlib.import_module(f"recsys_interest.{name}")
    first, _, rest = module.__doc__.strip().partition("\n")
    assert first.endswith("."), first
    assert re.search(r"^Chapter: \d\d \(", rest, flags=re.MULTILINE)
    assert module.__all__ == sorted(module.__all__, key=_isort_key)


def _isort_key(name: str) -> tuple[int, str]:
    # CONSTANTS, Classes, functions: the order in which ruff keeps __all__.
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)


# The road


def test_the_road_names_every_module():
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    modules = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"} | rooms
    assert modules == set(ROAD)
    assert len(ROAD) == len(set(ROAD))


def imported_stations(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level == 1:
                yield from [module.split(".")[0]] if module else [a.name for a in node.names]
            elif module == "recsys_interest":
                yield from (a.name for a in node.names if a.name != "__version__")
            elif module.startswith("recsys_interest."):
                yield module.split(".")[1]
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "recsys_interest":
                    yield [*alias.name.split("."), "the package itself"][1]


@pytest.mark.parametrize("name", ROAD)
def test_a_module_imports_only_from_earlier_stations(name):
    # The modules of a room with several of them import from one another.
    earlier = {*ROAD[: ROAD.index(name)], *([name] if (PACKAGE / name).is_dir() else [])}
    sources = [PACKAGE / f"{name}.py", *(PACKAGE / name).glob("*.py")]
    trees = [ast.parse(path.read_text()) for path in sources if path.exists()]
    crossing = sorted({s for tree in trees for s in imported_stations(tree)} - earlier)
    assert not crossing, f"{name} imports {crossing}; it may import only {earlier}"


@pytest.mark.parametrize(
    ("line", "station"),
    [
        ("from .tiers import x", "tiers"),
        ("from . import tiers", "tiers"),
        ("def f():\n    from recsys_interest.tiers import x", "tiers"),
        ("from recsys_interest import tiers", "tiers"),
        ("import recsys_interest.tiers", "tiers"),
        ("import recsys_interest", "the package itself"),
    ],
)
def test_every_way_to_import_is_seen(line, station):
    assert list(imported_stations(ast.parse(line))) == [station]


def test_importing_the_package_loads_nothing_heavy():
    heavy = ["torch", "pandas", "numpy", "sklearn", "transformers", "matplotlib", "scipy"]
    code = f"import sys, recsys_interest; print([m for m in {heavy} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (run.stdout.strip(), run.stderr) == ("[]", "")


def test_public_names_are_found_where_the_stub_says():
    for name in PUBLIC:
        assert getattr(recsys_interest, name).__name__ == name


# What a stranger reads


def test_the_readme_begins_with_two_commands_that_exist():
    readme = (ROOT / "README.md").read_text()
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    named = re.findall(r"\bmake ([a-z]+)\b", readme)
    assert {"book", "test"} <= set(named) <= set(targets)
    assert readme.index("make book") < 2500


def test_make_help_names_every_target():
    makefile = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.*)$", makefile, flags=re.MULTILINE)[1].split()
    run = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(re.findall(r"^make (\w+)", run.stdout, flags=re.MULTILINE)) == {*phony} - {"help"}


def test_ci_runs_exactly_the_two_commands():
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    assert [line for line in lines if re.match(r"\s*make\b", line)] == ["make test", "make book"]
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert "set -euo pipefail" in lines


def repository_files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    return [path for path in paths if path.is_file()]


# Written in two parts, so that this file does not find itself.
MACHINE_PATH = re.compile(r"(?<![\w.\-/:])/" + r"(?:work|root|home/\w+|Users/\w+|tmp/w)/[\w.]")


def test_no_file_holds_a_path_of_one_machine():
    found = []
    for path in repository_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{path.relative_to(ROOT)}: {m[0]}" for m in MACHINE_PATH.finditer(text)]
    assert not found


def test_a_machine_path_would_be_found():
    for folder in ("work", "root", "home/ann", "Users/ann"):
        assert MACHINE_PATH.search(f'File "/{folder}/main/x.py"')
    assert not MACHINE_PATH.search("https://example.org/home/index.html")


def test_no_large_file_is_tracked():
    large = [p.name for p in repository_files() if p.stat().st_size > 1_000_000]
    assert not large


def test_citation_and_package_have_one_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    versions = {citation["version"], PROJECT["project"]["version"], recsys_interest.__version__}
    assert len(versions) == 1, versions
    changes = re.findall(
        r"^## \[?([\w.]+)", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE
    )
    assert changes[0] in {"Unreleased", recsys_interest.__version__}


def test_licences_are_the_declared_ones():
    assert (ROOT / "LICENSE").read_text().startswith("MIT License")
    assert PROJECT["project"]["license"] == "MIT"
    text = (ROOT / "LICENSE-CC-BY-4.0").read_text()
    assert text.startswith("Attribution 4.0 International")
    assert "Section 8 -- Interpretation." in text


# The book's table of contents and the API pages


def toc_files() -> list[str]:
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    chapters = [chapter for part in toc["parts"] for chapter in part["chapters"]]
    sections = [section for chapter in chapters for section in chapter.get("sections", [])]
    return [toc["root"], *(entry["file"] for entry in chapters + sections)]


def test_the_table_of_contents_names_files_that_exist():
    missing = [
        f for f in toc_files() if not list(ROOT.glob(f"{f}.md")) + list(ROOT.glob(f"{f}.ipynb"))
    ]
    assert not missing


def test_every_page_is_in_the_table_of_contents():
    pages = [*(ROOT / "book").rglob("*.md"), *(ROOT / "notebooks").glob("*.ipynb")]
    named = {page.relative_to(ROOT).with_suffix("").as_posix() for page in pages}
    assert named <= set(toc_files())


def api_modules() -> set[str]:
    pages = "".join(page.read_text() for page in (ROOT / "book" / "api").glob("*.md"))
    return set(re.findall(r"automodule:: recsys_interest\.(\w+)\n +:members:", pages))


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_on_an_api_page(name):
    home = getattr(recsys_interest, name).__module__.removeprefix("recsys_interest.")
    assert home in api_modules()
    assert name in importlib.import_module(f"recsys_interest.{home}").__all__
    index = (ROOT / "book" / "api" / "index.md").read_text()
    assert f"`.{name}`" in index, f"{name} is not in the table of book/api/index.md"


def test_the_command_line_page_names_every_option():
    run = subprocess.run(
        [sys.executable, "-m", "recsys_interest", "run", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    options = set(re.findall(r"--[a-z]+", run.stdout)) - {"--help"}
    page = (ROOT / "book" / "api" / "command_line.md").read_text()
    assert options
    assert options == set(re.findall(r"--[a-z]+", page))


# Skips in CI


@pytest.mark.parametrize(("ci", "outcome"), [("true", "1 failed, 1 skipped"), ("", "2 skipped")])
def test_a_skip_for_want_of_data_fails_in_ci(tmp_path, ci, outcome):
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path)
    (tmp_path / "test_it.py").write_text(
        "import pytest\n\n"
        "def test_data():\n    pytest.skip('needs data: it is far away')\n\n"
        "def test_system():\n    pytest.skip('only on another system')\n"
    )
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path,
        env={**os.environ, "CI": ci},
        capture_output=True,
        text=True,
    )
    assert outcome in run.stdout
