"""A finished run of the flagship at the size of seconds: its outputs are written here, not run."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from starlette.testclient import TestClient

from genlab.core.tables import QUERY_SCHEMA, read_table, write_table
from genlab.playground.play import PAGE
from genlab.playground.playable import Playable
from genlab.playground.routes import play_routes
from genlab.ranking import bm25
from genlab.ranking.candidates import SCHEMA, evaluated_queries, score_candidates
from genlab.web.server import TOKEN_HEADER, page_app
from genlab.web.streams import Streams
from tests.option_words import option_words
from tests.project_copy import change_params, copy_project, start_git, start_python
from tests.query_tables import table
from tests.tiny_models import save_base

TOKEN = "token-of-the-page"
HOSTILE = '<img src=x onerror="document.title=1"><b>old stone</b>'
QUERIES = table(
    ("validation", "where is the old stone", ["a red tower", ("the old stone is north",), HOSTILE]),
    ("validation", "who built the bridge", ["a quiet garden", "a new market", "blue river south"]),
    ("train", "what is green", [("the garden is green",)]),
)
# Other names than the default's, to show that none is written down in the code.
RANKER = {"kind": "bm25", "source": "mini", "path": "data/dedup.parquet", "hub_id": "none"}
RANKER |= {"revision": "none", "max_queries": 10, "dim": 8, "epochs": 1, "seed": 17}
PARAMS = {
    "rankers": {"first_judge": RANKER, "second_judge": RANKER},
    "score.rankers": ["first_judge", "second_judge"],
    "gen.cap": 12,
    "gen.max_len": 8,
    "probe.repeats": [2, 3],
}
DECODING = {
    **{"temperature": 0.8, "top_k": 50, "top_p": 1.0, "num_beams": 1, "repetition_penalty": 1.0},
    **{"model": "tuned", "cap": 12, "n_samples": 1, "n_queries": 0, "batch_size": 4},
    **{"dtype": "float32", "seed": 17, "ignore_eos": False},
}


def make_run(folder: Path) -> None:
    """Make a repository of the project with the outputs that the page reads."""
    copy_project(folder)
    change_params(folder, PARAMS)
    start_git(folder)
    data = folder / "data"
    write_table(data / "dedup.parquet", [QUERIES], QUERY_SCHEMA)
    save_base(data / "fetch/base", seed=1, n_embd=16)
    save_base(data / "train", seed=2, n_embd=16)
    queries = evaluated_queries(data / "dedup.parquet", 0)
    for name in PARAMS["rankers"]:
        ranker = data / "fetch/rankers" / name
        bm25.write_collection(data / "dedup.parquet", ranker)
        manifest = {"name": name, "kind": "bm25", "source": "mini"}
        (ranker / "ranker.json").write_text(json.dumps(manifest))
        relevance = partial(bm25.score_pairs, bm25.read_collection(ranker))
        scored = score_candidates(queries, relevance, 17)
        write_table(data / "candidates" / f"{name}.parquet", [scored], SCHEMA)
    generate(data)


def generate(data: Path) -> None:
    """Run the stage generate."""
    from typer.testing import CliRunner

    from stages import generate

    paths = [data / "dedup.parquet", data / "train", data / "fetch/base", data / "generate.parquet"]
    words = [*map(str, paths), "--metrics", str(data / "generate.json"), *option_words(DECODING)]
    result = CliRunner().invoke(generate.app, words, catch_exceptions=False)
    assert result.exit_code == 0
    assert read_table(paths[-1]).height == 2


@contextmanager
def playing(folder: Path) -> Iterator[tuple[subprocess.Popen, str]]:
    """Yield the program and its page's address."""
    process = start_python(["-m", "genlab", "play"], folder)
    try:
        assert process.stdout is not None and process.stderr is not None
        address = process.stdout.readline().strip()
        assert address, process.stderr.read()
        yield process, address
    finally:
        process.kill()
        process.communicate()


def client_of(collections: Mapping[str, Playable]) -> TestClient:
    """Return a client of the page's routes that knows the token."""
    app = page_app(PAGE, play_routes(collections, Streams()), TOKEN, 8000)
    return TestClient(app, base_url="http://127.0.0.1:8000", headers={TOKEN_HEADER: TOKEN})


def asked(client: TestClient, path: str, **body) -> dict:
    """Return what a route answers; it must not refuse."""
    reply = client.post(path, json=body)
    assert reply.status_code == 200, reply.text
    return reply.json()
