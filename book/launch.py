"""Chapters on other machines: links to Binder and Colab, and the cell that installs on Colab.

    python book/launch.py    write that cell into every chapter

The repository's address is one setting: `launch_repository` in `_config.yml`. While it is empty, no
page has these links, for they would lead nowhere; the notebooks can be downloaded all the same.
Binder makes its machine of `environment.yml`. Colab knows nothing but the notebook, so the notebook
itself has to say where the package is.
"""

from __future__ import annotations

import copy
import re
import sys
from pathlib import Path
from typing import Any

import nbformat
import yaml
from nbformat.v4 import new_code_cell
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.errors import ConfigError

ROOT = Path(__file__).resolve().parent.parent
TAG = "install-on-colab"
ADDRESS = re.compile(r"https://github\.com/[\w.-]+/[\w.-]+(?<!\.git)")
# What the pages' buttons lead to. Binder shows the notebooks in JupyterLab.
BUTTONS = {
    "notebook_interface": "jupyterlab",
    "binderhub_url": "https://mybinder.org",
    "colab_url": "https://colab.research.google.com",
}
CELL = """\
# For Google Colab: installs the package. Anywhere else this cell does nothing.
# If Colab asks for a restart then, restart and run all cells again.
import sys
from importlib.util import find_spec

if "google.colab" in sys.modules and not find_spec("recsys_interest"):
"""
# Not the pins: they would replace the PyTorch and the kernel that Colab brings along.
INSTALL = """\
    origin = "git+{repository}@{branch}"
    %pip install --quiet "recsys-interest[colab] @ {{origin}}\""""
NOWHERE = """\
    raise OSError("launch_repository in _config.yml names no repository")"""


def settings(root: Path = ROOT) -> tuple[str, str]:
    """Return the repository's address, empty if it has none, and the branch."""
    given = yaml.safe_load((root / "_config.yml").read_text("utf-8"))["sphinx"]["config"]
    return checked(given["launch_repository"]), given["launch_branch"]


def checked(repository: str) -> str:
    """Return the address of the repository if both services can open it."""
    if repository and not ADDRESS.fullmatch(repository):
        raise ConfigError(
            f"launch_repository is {repository!r}; it must be https://github.com/OWNER/NAME, "
            "because Colab opens notebooks from there only, or empty"
        )
    return repository


def install_cell(repository: str, branch: str) -> str:
    """Return the source of the cell that installs the package on Colab."""
    if not repository:
        return CELL + NOWHERE
    return CELL + INSTALL.format(repository=repository, branch=branch)


def with_install_cell(notebook: nbformat.NotebookNode, source: str) -> nbformat.NotebookNode:
    """Return the notebook with that cell under its title, and its cells numbered in order."""
    made = copy.deepcopy(notebook)
    others = [cell for cell in made.cells if TAG not in cell.metadata.get("tags", [])]
    cell = new_code_cell(source, id=TAG, metadata={"tags": [TAG, "remove-cell"]})
    made.cells = [others[0], cell, *others[1:]]
    code = [cell for cell in made.cells if cell.cell_type == "code"]
    if any(cell.execution_count for cell in code):
        for count, cell in enumerate(code, start=1):
            cell.execution_count = count
            for output in cell.outputs:
                if "execution_count" in output:
                    output.execution_count = count
    return made


def main() -> int:
    """Write the cell into every chapter and return the exit code."""
    source = install_cell(*settings())
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        before = path.read_text("utf-8")
        made = with_install_cell(nbformat.reads(before, as_version=4), source)
        after = nbformat.writes(made) + "\n"
        if after != before:
            path.write_text(after, encoding="utf-8")
            print(f"{path.name}: written")
    return 0


def add_buttons(app: Sphinx, config: Config) -> None:
    """Tell the theme of the repository, if there is one."""
    if checked(config.launch_repository):
        config.html_theme_options |= {
            "repository_url": config.launch_repository,
            "repository_branch": config.launch_branch,
            "launch_buttons": BUTTONS,
        }


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the settings and read them when they are known."""
    app.add_config_value("launch_repository", "", "html")
    app.add_config_value("launch_branch", "main", "html")
    app.connect("config-inited", add_buttons)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


if __name__ == "__main__":
    sys.exit(main())
