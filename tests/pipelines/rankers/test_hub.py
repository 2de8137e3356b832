"""Rankers of a Hub on loopback: the pipeline end to end, and every way in which one is not had."""

import hashlib
import json
import subprocess
from pathlib import Path

import pytest

from genlab.core.tables import read_table
from tests.hub_server import Fault, Hub, files_of, serving
from tests.pipelines.rankers.tiny_run import copy_pipeline
from tests.sources.test_hub import run
from tests.tiny_models import save_base

COMMIT = "c0ffee" + "0" * 34
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
VOCABULARY += [*LETTERS, *(f"##{letter}" for letter in LETTERS), *".,?!<>=/\"'"]
# As they lie beside most rankers: code, and weights for other libraries, of which a .bin is no
# pickle where its .xml is.
UNREAD = {
    "pytorch_model.bin": b"pickle",
    "train_script.py": b"code",
    "onnx/model.onnx": b"onnx",
    "openvino/openvino_model.bin": b"openvino",
    "openvino/openvino_model.xml": b"<net/>",
}
RUN = """\
from pathlib import Path
from tests.pipelines.rankers.tiny_run import STAGES, run_stages
run_stages(Path.cwd(), STAGES)
"""


def save_bert(folder: Path, kind: str, **options) -> None:
    """Write a BERT of one layer that reads letters, in the layout of transformers."""
    import torch
    import transformers

    torch.manual_seed(1)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = transformers.BertConfig(
        vocab_size=len(VOCABULARY),
        intermediate_size=16,
        max_position_embeddings=64,
        initializer_range=0.5,
        **sizes,
        **options,
    )
    getattr(transformers, kind)(config).save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY))
    tokenizer = transformers.BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=64)
    tokenizer.save_pretrained(folder)


def save_dual_encoder(folder: Path) -> None:
    """Write a dual encoder as sentence-transformers does: modules.json, pooling, normalization."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Transformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling

    save_bert(folder.with_name("bert"), "BertModel")
    modules = [Transformer(str(folder.with_name("bert"))), Pooling(16), Normalize()]
    made = SentenceTransformer(modules=modules, device="cpu")
    made.save_pretrained(str(folder), create_model_card=False)


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> dict[str, dict[str, bytes]]:
    """Return the files of a dual encoder, a cross-encoder and a language model, by repository."""
    folder = tmp_path_factory.mktemp("models")
    save_dual_encoder(folder / "dual")
    save_bert(folder / "cross", "BertForSequenceClassification", num_labels=1)
    save_base(folder / "plain", n_embd=16)
    return {f"some/{name}": files_of(folder / name) for name in ("dual", "cross", "plain")}


@pytest.fixture
def hub(models):
    with serving(Hub()) as hub:
        for name, files in models.items():
            hub.add(f"models/{name}", COMMIT, files | UNREAD)
        yield hub


def entry(hub_id: str, kind: str) -> dict[str, str]:
    """Return what a ranker of the Hub has in params.yaml in place of BM25's values."""
    return {"kind": kind, "source": "hub", "hub_id": hub_id, "revision": COMMIT}


def fetch(hub: Hub, home: Path, hub_id: str, kind: str, **more: str) -> subprocess.CompletedProcess:
    """Run the stage fetch for a ranker x of a Hub."""
    options = entry(hub_id, kind) | {"path": "none", "max_queries": 1, "dim": 1, "epochs": 1}
    options |= {"seed": 1, "metrics": "metrics.json", "manifest": "manifest.json"}
    options |= {name: more.pop(name) for name in ("revision",) if name in more}
    words = [f"--{name}={value}" for name, value in options.items()]
    program = ["-m", "pipelines.rankers.stages.fetch", "ranker", "out/x"]
    return run([*program, *words], hub.address, home, **more)


def refusal(hub: Hub, home: Path, *arguments: str, **more: str) -> str:
    """Return the one line with which a fetch fails; it leaves nothing behind."""
    done = fetch(hub, home, *arguments, **more)
    assert done.returncode == 1, done.stdout
    assert not list(home.glob("out/*")) and not (home / "manifest.json").exists()
    assert "Traceback" not in done.stderr
    return done.stderr.splitlines()[-1]


def test_rankers_of_the_hub_go_through_the_whole_pipeline(hub, models, tmp_path):
    here = copy_pipeline(
        tmp_path / "project",
        dual=entry("some/dual", "sentence_transformer"),
        cross=entry("some/cross", "cross_encoder"),
    )
    done = run(["-c", RUN], hub.address, here)
    assert done.returncode == 0, done.stderr
    for name in ("dual", "cross"):
        manifest = json.loads((here / f"metrics/fetch/rankers/{name}_manifest.json").read_text())
        assert (manifest["asset"], manifest["revision"]) == (f"some/{name}", COMMIT)
        files = models[f"some/{name}"]
        kept = {each.removeprefix("model/") for each in manifest["files"]} - {"ranker.json"}
        assert kept == {each for each in files if each != ".gitattributes"}
        told = manifest["files"]["model/model.safetensors"]["sha256"]
        assert told == hashlib.sha256(files["model.safetensors"]).hexdigest()
        placed = read_table(here / f"data/probe/{name}.parquet")
        assert placed["ranker"].unique().to_list() == [name]
        assert placed["location"].null_count() == 0
    kinds = {
        name: json.loads((here / f"metrics/probe/{name}.json").read_text())["lakes"]
        for name in ("dual", "cross")
    }
    assert (kinds["dual"]["is_symmetric"], kinds["cross"]["is_symmetric"]) == (1, 0)
    assert kinds["dual"]["reads_order"] == kinds["cross"]["reads_order"] == 1


@pytest.mark.parametrize("revision", ["main", "none"])
def test_a_revision_that_is_no_commit_is_refused_before_the_hub_is_asked(hub, tmp_path, revision):
    line = refusal(hub, tmp_path, "some/dual", "sentence_transformer", revision=revision)
    assert line.startswith(f"error: rankers.x: some/dual at {revision}: not a commit; give one of")
    assert hub.asked == []


@pytest.mark.parametrize(
    ("hub_id", "kind", "found"),
    [
        ("some/plain", "sentence_transformer", "plain transformers"),
        ("some/plain", "cross_encoder", "plain transformers"),
        ("some/cross", "sentence_transformer", "cross_encoder"),
        ("some/dual", "cross_encoder", "sentence_transformer"),
    ],
)
def test_a_model_of_another_kind_is_refused_before_its_weights_are_downloaded(
    hub, tmp_path, hub_id, kind, found
):
    line = refusal(hub, tmp_path, hub_id, kind)
    said = f"error: rankers.x: {hub_id} at {COMMIT}: this looks like a {found} model, but kind is"
    assert line.startswith(said)
    assert not any("/cdn/" in path for path in hub.downloads())


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (
            Fault("/api/", 403, {"X-Error-Code": "GatedRepo"}, times=99),
            "(403: its owner grants access on request); ask for it on its page and set HF_TOKEN",
        ),
        (Fault("/api/", 401, times=99), "(401: there is none of this name, or it is not open to"),
        (Fault("/resolve/", 401, times=99), "(401: there is none of this name, or it is not open"),
        (
            Fault("/tokenizer.json", 404, {"X-Error-Code": "EntryNotFound"}, times=99),
            "(404: it lists tokenizer.json and does not have it); take another commit",
        ),
        (
            Fault("/cdn/", cut_after=1000, times=99),
            "(the connection broke off at each of 4 tries); try again later",
        ),
    ],
    ids=["gated", "closed", "closed files", "missing file", "cut"],
)
def test_what_the_hub_does_not_give_is_one_line_with_what_to_do(hub, tmp_path, fault, expected):
    hub.faults.append(fault)
    line = refusal(hub, tmp_path, "some/dual", "sentence_transformer")
    asked = f"error: rankers.x: some/dual at {COMMIT} cannot be downloaded"
    assert line.startswith(f"{asked} {expected}"), line
    assert line.endswith("set rankers.x.source to file and .path to a model folder")


def test_without_a_network_nothing_is_taken_for_a_ranker_that_is_not_in_the_cache(hub, tmp_path):
    line = refusal(hub, tmp_path, "some/dual", "sentence_transformer", HF_HUB_OFFLINE="1")
    assert "(HF_HUB_OFFLINE is set, and it is not in the cache); run once without" in line
    hub.faults.append(Fault("/cdn/", 503, times=99))
    refusal(hub, tmp_path, "some/dual", "sentence_transformer")  # its descriptions are there now
    line = refusal(hub, tmp_path, "some/dual", "sentence_transformer", HF_HUB_OFFLINE="1")
    assert "(HF_HUB_OFFLINE is set, and it is not in the cache); run once without" in line
