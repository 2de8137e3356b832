import json
import re
from pathlib import Path

import pytest

from genlab.program import InputError
from genlab.readme import fill, render, with_interval

ROOT = Path(__file__).parent.parent


def test_the_readme_says_what_the_committed_metrics_say():
    assert (ROOT / "README.md").read_text(encoding="utf-8") == render(ROOT)


def test_the_committed_claims_belong_to_the_committed_run():
    settled = json.loads((ROOT / "metrics/claims.json").read_text())
    headline = json.loads((ROOT / "metrics/score.json").read_text())
    for ranker, metrics in settled["arms"]["tuned"].items():
        for metric, numbers in metrics.items():
            assert numbers["value"] == pytest.approx(headline[ranker][metric], abs=1e-12)


def test_a_table_replaces_what_stood_between_its_markers():
    text = "a\n<!-- t -->\nold\n<!-- /t -->\nb\n"
    assert fill(text, {"t": "new"}) == "a\n<!-- t -->\nnew\n<!-- /t -->\nb\n"


def test_a_missing_marker_is_an_error():
    with pytest.raises(InputError, match="no markers <!-- t -->"):
        fill("nothing here", {"t": "new"})


def test_numbers_carry_their_interval():
    assert with_interval({"value": 4.555, "low": 4.3, "high": 4.8}) == "4.55 (4.30-4.80)"


def test_every_file_the_readme_names_is_there():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"\b(?:sweeps|stages|genlab|tests|benchmarks)/[\w/.]+\.\w+", text))
    assert named, "the README names no file, so this test proves nothing"
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []
    modules = set(re.findall(r"python -m ([\w.]+)", text))
    missing = [m for m in sorted(modules) if not (ROOT / (m.replace(".", "/") + ".py")).exists()]
    assert missing == []


def test_the_readme_is_at_most_200_lines():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 200
