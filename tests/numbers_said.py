"""Numbers that people type into a sentence, beside what they are of.

Tables of READMEs are made by a program (tests/experiments/test_readme.py). Here is what stands in
prose and in the comments of params.yaml and can be reckoned again, from the record, the params or a
mini world. A sentence that is gone or said in other words fails as well: change its line, too.
"""

import json
import re
from functools import cache
from pathlib import Path

import yaml

from tests.project_copy import ROOT


class Pipeline:
    """A folder's params and its record."""

    def __init__(self, folder: str):
        self.folder = ROOT / folder

    @cache  # noqa: B019 - one or two for a test run
    def params(self) -> dict:
        return yaml.safe_load((self.folder / "params.yaml").read_text(encoding="utf-8"))

    @cache  # noqa: B019
    def metrics(self, name: str) -> dict:
        path = self.folder / "metrics" / f"{name}.json"
        return json.loads(path.read_text(encoding="utf-8"))


def check_said(path: Path, pattern: str, expected: list[str]) -> None:
    """Compare the groups of `pattern`, which the file has once, with what they must be.

    A blank in the pattern is any white space, a comment's mark among it.
    """
    text = path.read_text(encoding="utf-8")
    found = re.findall(pattern.replace(" ", r"[\s#]+"), text)
    assert len(found) == 1, f"{path.name}: {len(found)} times: {pattern}"
    said = [found[0]] if isinstance(found[0], str) else list(found[0])
    assert said == expected, f"{path.name}: {pattern}"
