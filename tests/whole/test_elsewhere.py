"""The notebook, the container and the citation speak of what is there."""

import ast
import html
import json
import re

import pytest
import yaml

from tests.project_copy import ROOT

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
NOTEBOOK = json.loads((ROOT / "notebook.ipynb").read_text(encoding="utf-8"))
CODE = ["".join(cell["source"]) for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]


def test_the_notebook_is_python_with_no_output_and_asks_make_for_what_it_makes():
    for cell in CODE:
        ast.parse(cell)
    assert all(not cell.get("outputs") for cell in NOTEBOOK["cells"])
    for target in re.findall(r'"make", "(\w+)"', "\n".join(CODE)):
        assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE)


def test_the_notebooks_page_is_shown_whole_whatever_it_holds(tmp_path, monkeypatch):
    """The page goes into an attribute, which a quote would end."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "report").mkdir()
    (tmp_path / "report/index.html").write_text('<p title="a &amp; b">"</p>')
    shown = []
    cell = next(cell for cell in CODE if "srcdoc" in cell)
    cell = cell.replace("from IPython.display import HTML, display", "")
    exec(cell, {"HTML": str, "display": shown.append})
    (srcdoc,) = re.findall(r'srcdoc="([^"]*)"', shown[0])
    assert html.unescape(srcdoc) == '<p title="a &amp; b">"</p>'


def test_the_container_has_the_python_of_the_makefile_and_makes_its_packages():
    image = (ROOT / ".devcontainer/Dockerfile").read_text(encoding="utf-8")
    (version,) = re.findall(r"^FROM python:(\d+\.\d+)", image, re.MULTILINE)
    assert f"PYTHON := python{version}" in MAKEFILE
    container = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text(encoding="utf-8"))
    assert container["build"]["dockerfile"] == "Dockerfile"
    target = container["postCreateCommand"].removeprefix("make .venv/")
    assert f"$(VENV)/{target}:" in MAKEFILE


@pytest.mark.parametrize("key", ["cff-version", "message", "title", "authors", "license"])
def test_the_citation_has_what_the_format_needs(key):
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))[key]
