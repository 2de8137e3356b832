"""Lets `python -m genlab` find the repository's genlab, and its pipelines, from this folder."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(1, str(ROOT))
__path__ = [str(ROOT / "genlab")]
