"""README's table of stages: a row for each program, in the words of its docstring."""

import pytest

from genlab.core.program import InputError
from genlab.experiments.stages_table import stages_table, tell_program

STAGES = """\
stages:
  check:
    cmd: python -m genlab check data/check.txt
  fetch_corpus:
    cmd: python -m stages.fetch corpus data/a
  fetch_base:
    cmd: python -m stages.fetch base data/b
  train:
    foreach: ${arms}
    do:
      cmd: ${launch.train} -m stages.clean data/c ${item}
  rows:
    cmd: python -m genlab rows metrics/rows.parquet
"""


def test_a_program_of_several_stages_has_one_row_and_what_all_pipelines_have_has_none(tmp_path):
    (tmp_path / "dvc.yaml").write_text(STAGES)
    assert stages_table(tmp_path / "dvc.yaml").splitlines() == [
        "| stage | what it does |",
        "| --- | --- |",
        "| fetch | The corpus, the base model and the rankers - the only stage that reaches "
        "outside |",
        "| clean | Clean the corpus to plain text, and count every drop by its reason |",
    ]


def test_a_program_that_is_not_there_or_says_nothing_is_named():
    with pytest.raises(InputError, match=r"stages/fetched\.py: has no docstring; its first line"):
        tell_program("stages.fetched")
