"""Downloads from a Hub on loopback, by the real client libraries, each in a process of its own.

Of its own, because the libraries read HF_ENDPOINT and HF_HOME when they are imported.
"""

import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from genlab.models.quiet_tensorflow import import_tensorflow
from genlab.sources.hub import retried
from tests.hub_server import Fault, Hub, archive_of, files_of, make_certificate, serving
from tests.project_copy import ROOT
from tests.ranking.test_rankers import save_tensorflow_model
from tests.tiny_models import save_base

OLD, NEW = "a" * 40, "b" * 40
LARGE = bytes(range(256)) * 50_000  # 12.8 MB: the client takes pieces of 10 MB

DOWNLOAD = """\
import sys
from pathlib import Path
from genlab.sources import hub
from genlab.core.program import InputError, fail

try:
    folder = hub.download_snapshot(
        "some/model", sys.argv[1], ["*.json", "*.safetensors"], asked="a.b", instead="do c"
    )
except InputError as error:
    fail(str(error))
for file in sorted(folder.iterdir()):
    print(file.name, hub.sha256_of(file))
"""


@pytest.fixture
def hub():
    with serving(Hub()) as hub:
        hub.add("models/some/model", OLD, {"config.json": b"{}", "model.safetensors": b"old"})
        hub.add("models/some/model", NEW, {"config.json": b"{}", "model.safetensors": b"new"})
        yield hub


def run(words: list[str], address: str, home: Path, **more: str) -> subprocess.CompletedProcess:
    """Run Python with the Hub at `address`, in a fresh cache below `home`, and with short waits."""
    kept = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    environment = kept | {
        "HF_ENDPOINT": address,
        "HF_HOME": str(home / "hf"),
        "TFHUB_CACHE_DIR": str(home / "tf"),
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_XET_CLIENT_RETRY_BASE_DELAY": "10ms",
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests/short_waits")]),
    }
    return subprocess.run(
        [sys.executable, *words],
        env=environment | more,
        cwd=home,
        capture_output=True,
        text=True,
        timeout=90,
    )


def download(hub: Hub, home: Path, revision: str = NEW, **more: str) -> dict[str, str]:
    """Return the sha256 of what is downloaded by name; AssertionError if that fails."""
    done = run(["-c", DOWNLOAD, revision], hub.address, home, **more)
    assert done.returncode == 0, done.stderr
    return dict(line.split() for line in done.stdout.splitlines())


def error_of(hub: Hub, home: Path, revision: str = NEW, **more: str) -> str:
    """Return the one line that a failing download ends with."""
    done = run(["-c", DOWNLOAD, revision], hub.address, home, **more)
    assert done.returncode == 1, done.stdout
    assert "Traceback" not in done.stderr
    return done.stderr.splitlines()[-1]


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_the_pinned_revision_is_downloaded_and_not_the_newest(hub, tmp_path):
    assert download(hub, tmp_path, OLD)["model.safetensors"] == digest(b"old")
    assert download(hub, tmp_path, NEW)["model.safetensors"] == digest(b"new")


def test_a_branch_a_tag_and_no_revision_are_refused_before_the_hub_is_asked(hub, tmp_path):
    for revision in ("main", "v1.0", "none", "", "a" * 39):
        said = error_of(hub, tmp_path, revision)
        assert said.startswith("error: a.b: not a commit; give one of some/model (40 hex digits")
    assert hub.asked == []


def test_a_download_whose_connection_breaks_is_resumed_where_it_broke(hub, tmp_path):
    hub.add("models/some/model", NEW, {"model.safetensors": LARGE})
    hub.faults.append(Fault("/cdn/", cut_after=11_000_000))
    assert download(hub, tmp_path) == {"model.safetensors": digest(LARGE)}
    ranges = [wanted for method, path, wanted in hub.asked if path.startswith("/cdn/")]
    assert ranges == ["", "bytes=10485760-"]  # one whole piece of 10 MiB was kept


def test_where_the_storage_of_xet_fails_the_hub_itself_is_asked_for_the_file(hub, tmp_path):
    """The real Hub keeps large files there, and the library has no way back."""
    hub.xet = f"{hub.address}/xet"  # 404
    assert download(hub, tmp_path)["model.safetensors"] == digest(b"new")
    asked = [path for path in hub.downloads() if path.startswith(("/xet/", "/cdn/"))]
    assert [path.split("/")[1] for path in asked] == ["xet", "xet", "cdn"]  # two of its versions
    hub.asked.clear()
    (tmp_path / "plain").mkdir()
    plain = download(hub, tmp_path / "plain", HF_HUB_DISABLE_XET="1")
    assert plain["model.safetensors"] == digest(b"new")
    assert not any(path.startswith("/xet/") for path in hub.downloads())


@pytest.mark.parametrize("where", ["/api/models/some/model/revision/", "/cdn/"])
@pytest.mark.parametrize(
    ("status", "headers"), [(500, {}), (503, {}), (429, {"Retry-After": "0"}), (429, {})]
)
def test_a_hub_that_is_out_of_order_for_a_moment_is_asked_again(
    hub, tmp_path, where, status, headers
):
    hub.faults.append(Fault(where, status, headers))
    assert download(hub, tmp_path)["model.safetensors"] == digest(b"new")
    assert len([path for method, path, _ in hub.asked if where in path]) == 2


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (503, {}, "(503: the hub is out of order, after 4 tries); try again later, or do c"),
        (429, {}, "(429: too many requests, after 4 tries); wait some minutes, or set HF_TOKEN"),
        (401, {}, "(401: there is none of this name, or it is not open to you); check the name"),
        (
            403,
            {"X-Error-Code": "GatedRepo"},
            "(403: its owner grants access on request); ask for it on its page and set HF_TOKEN",
        ),
        (
            404,
            {"X-Error-Code": "RepoNotFound"},
            "(404: there is none of this name); check the name, or do c",
        ),
    ],
)
def test_an_answer_that_stays_is_one_line_with_what_to_do(hub, tmp_path, status, headers, expected):
    hub.faults.append(Fault("/api/", status, headers, times=99))
    done = run(["-c", DOWNLOAD, NEW], hub.address, tmp_path)
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith(f"error: a.b cannot be downloaded {expected}")
    asked = [path for _, path, _ in hub.asked if path.startswith("/api/models/")]
    assert len(asked) == (4 if status in (503, 429) else 1)


def test_a_pause_is_as_long_as_the_hub_asks_and_at_most_a_minute(monkeypatch):
    waited, answers = [], [{}, {"Retry-After": "30"}, {"Retry-After": "3600"}, {}]

    def attempt() -> None:
        error = OSError("too many requests")
        error.response = SimpleNamespace(status_code=429, headers=answers.pop(0))
        raise error

    monkeypatch.setattr(time, "sleep", waited.append)
    with pytest.raises(OSError, match="too many"):
        retried(attempt)
    assert waited == [1, 30, 60] and not answers


def test_a_revision_that_is_not_there_is_told_from_a_name_that_is_not_there(hub, tmp_path):
    assert "(404: there is no such revision); take the commit from its page" in error_of(
        hub, tmp_path, "c" * 40
    )
    del hub.repositories["models/some/model"]
    assert "(404: there is none of this name); check the name" in error_of(hub, tmp_path)


def test_content_that_differs_from_its_checksum_is_refused_and_then_downloaded_anew(hub, tmp_path):
    for where, name in (("/cdn/", "model.safetensors"), ("/config.json", "config.json")):
        home = tmp_path / name
        home.mkdir()
        hub.faults = [Fault(where, corrupted=True)]
        line = error_of(hub, home)
        assert line.startswith(f"error: a.b: {name} has the checksum") and "the Hub says" in line
        assert download(hub, home)["model.safetensors"] == digest(b"new")


def test_without_a_network_the_earlier_download_serves_and_is_checked_again(hub, tmp_path):
    first = download(hub, tmp_path)
    n_asked = len(hub.asked)
    assert download(hub, tmp_path, HF_HUB_OFFLINE="1") == first
    assert len(hub.asked) == n_asked
    hub.faults.append(Fault("/api/", 503, times=99))
    assert download(hub, tmp_path) == first  # out of order is as good as not there
    assert "HF_HUB_OFFLINE is set, and it is not in the cache" in error_of(
        hub, tmp_path, OLD, HF_HUB_OFFLINE="1"
    )
    [blob] = [path for path in (tmp_path / "hf").rglob("blobs/*") if path.read_bytes() == b"new"]
    blob.write_bytes(b"odd")
    assert "has the checksum" in error_of(hub, tmp_path, HF_HUB_OFFLINE="1")


# ---- the fetch stage with each library


def options_of(group: dict, changes: dict) -> list[str]:
    """Return a params group as DVC unpacks it, with changes."""
    return [f"--{name}={value}" for name, value in (group | changes).items()]


def fetch(asset: str, group: dict, home: Path, address: str, **more: str):
    """Run the stage for an asset; return the finished process and the manifest."""
    words = ["-m", "stages.fetch", asset, str(home / "out"), "--metrics", str(home / "m.json")]
    words += ["--manifest", str(home / "manifest.json")]
    (home / "manifest.json").unlink(missing_ok=True)
    done = run(words + options_of(group, {}), address, home, **more)
    if done.returncode:
        assert not (home / "manifest.json").exists()
        return done, None
    return done, json.loads((home / "manifest.json").read_text())


@pytest.fixture(scope="module")
def params() -> dict:
    return yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))


def test_fetch_writes_a_base_model_from_the_hub_with_its_manifest(hub, tmp_path, params):
    files = files_of(save_base(tmp_path / "made", n_embd=16))
    hub.add("models/some/gpt2", OLD, files | {"pytorch_model.bin": b"pickle", "own.py": b"code"})
    group = params["base"] | {"source": "hub", "hub_id": "some/gpt2", "revision": OLD}
    group["path"] = str(ROOT / group["path"])
    done, manifest = fetch("base", group, tmp_path, hub.address)
    assert done.returncode == 0, done.stderr
    assert manifest == {
        "source": "hub",
        "asset": "some/gpt2",
        "revision": OLD,
        "files": {
            name: {"bytes": len(content), "sha256": digest(content)}
            for name, content in files.items()
        },
    }
    assert files_of(tmp_path / "out") == files


MS_MARCO_README = """\
---
configs:
- config_name: v1.1
  data_files:
  - split: train
    path: v1.1/train-*
- config_name: v2.1
  data_files:
  - split: validation
    path: v2.1/validation-*
  - split: train
    path: v2.1/train-*
---
"""


def parquet_of(query_ids: list[int]) -> bytes:
    """Return rows as MS MARCO's on the Hub."""
    rows = [
        {
            "query_id": number,
            "query": f"what is {number}",
            "passages": {"is_selected": [0, 1], "passage_text": ["Not it.", f"It is {number}."]},
        }
        for number in query_ids
    ]
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    return sink.getvalue().to_pybytes()


def test_fetch_writes_a_dataset_of_the_hub_and_a_second_run_needs_no_network(tmp_path, params):
    group = params["corpus"] | {
        "source": "hub",
        "hub_id": "some/marco",
        "revision": OLD,
        "n_train": 0,
        "n_validation": 0,
    }
    with serving(Hub()) as hub:
        for commit, train in ((OLD, [1, 2, 3]), (NEW, [4])):
            files = {
                "README.md": MS_MARCO_README.encode(),
                "v1.1/train-0.parquet": b"not asked for",
                "v2.1/train-0.parquet": parquet_of(train),
                "v2.1/validation-0.parquet": parquet_of([9]),
            }
            hub.add("datasets/some/marco", commit, files)
        done, manifest = fetch("corpus", group, tmp_path, hub.address)
        assert done.returncode == 0, done.stderr
        assert digest(b"not asked for") not in " ".join(hub.downloads())
    table = pq.read_table(tmp_path / "out").to_pydict()
    assert table["query_id"] == ["1", "2", "3", "9"]
    assert table["split"] == ["train"] * 3 + ["validation"]
    assert (manifest["asset"], manifest["revision"], manifest["rows"]) == (
        "some/marco v2.1",
        OLD,
        4,
    )
    written = (tmp_path / "out").read_bytes()
    assert manifest["files"]["out"] == {"bytes": len(written), "sha256": digest(written)}

    again, same = fetch("corpus", group, tmp_path, hub.address)  # nothing listens there now
    assert again.returncode == 0, again.stderr
    assert same == manifest and (tmp_path / "out").read_bytes() == written
    other, _ = fetch("corpus", group | {"revision": NEW}, tmp_path, hub.address)
    assert other.returncode == 1  # and not the revision that lies in the cache
    [line] = other.stderr.splitlines()
    assert line.startswith(f"error: some/marco v2.1 at revision {NEW} cannot be downloaded")


def test_fetch_writes_a_sentence_transformer_of_the_hub_that_works(hub, tmp_path, params):
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import StaticEmbedding
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    tokenizer = Tokenizer(WordLevel({"[UNK]": 0, "red": 1, "stone": 2}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    made = SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=4)], device="cpu")
    made.save_pretrained(str(tmp_path / "made"))
    files = files_of(tmp_path / "made")
    hub.add("models/some/labse", OLD, files | {"pytorch_model.bin": b"pickle"})
    group = params["rankers"]["labse"] | {
        "source": "hub",
        "hub_id": "some/labse",
        "revision": OLD,
    }
    done, manifest = fetch("ranker", group, tmp_path, hub.address)
    assert done.returncode == 0, done.stderr
    assert manifest["revision"] == OLD
    weights = next(name for name in files if name.endswith(".safetensors"))
    assert manifest["files"][f"model/{weights}"]["sha256"] == digest(files[weights])
    assert "model/pytorch_model.bin" not in manifest["files"]
    assert not any(digest(b"pickle") in path for path in hub.downloads())


def test_fetch_writes_a_module_of_tf_hub_after_a_broken_connection_and_a_pause(tmp_path, params):
    tf, _ = import_tensorflow()

    def embed(texts):
        length = tf.cast(tf.strings.length(texts), tf.float32)
        return tf.stack([length, tf.ones_like(length)], axis=1)

    save_tensorflow_model(tmp_path / "made", embed)
    certificate = make_certificate(tmp_path / "tls.pem")
    module = archive_of(tmp_path / "made")
    group = params["rankers"]["use"] | {"source": "hub"}
    with serving(Hub(archives={"/google/encoder/4": module}), certificate) as hub:
        # Broken off, out of order, and then whole: none of it may be taken for the module.
        hub.faults = [Fault("/google", cut_after=len(module) // 2), Fault("/google", 503)]
        group["hub_id"] = f"{hub.address}/google/encoder/4"
        trusting = {"SSL_CERT_FILE": str(certificate)}
        done, manifest = fetch("ranker", group, tmp_path, "", **trusting)
        assert done.returncode == 0, done.stderr
        assert len(hub.asked) == 3
    graph = (tmp_path / "made/saved_model.pb").read_bytes()
    assert manifest["files"]["model/saved_model.pb"]["sha256"] == digest(graph)
