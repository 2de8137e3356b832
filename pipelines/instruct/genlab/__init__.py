"""Lets `python -m genlab` find the repository's genlab, and its pipelines, from this folder.

A program that is started here imports this in place of the repository's genlab/__init__.py, and
begins as it does.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(1, str(ROOT))
__path__ = [str(ROOT / "genlab")]

from genlab.core.startup import begin  # noqa: E402  # it is found now

begin()
