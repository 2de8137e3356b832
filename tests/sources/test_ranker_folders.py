"""Rankers from outside: what is copied, what is refused, and what a dead or a hostile hub gives."""

import hashlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import PurePath

import pytest

from genlab.core.program import InputError
from genlab.sources.ranker_folders import (
    check_safetensors,
    copy_model,
    download_model,
    recognise_kind,
)
from tests.project_copy import ROOT

COMMIT = "0123456789abcdef0123456789abcdef01234567"
DUAL_ENCODER = {"modules.json": "[]", "model.safetensors": "weights", "tokenizer.json": "{}"}
CLASSIFIER = {
    "config.json": json.dumps({"architectures": ["BertForSequenceClassification"]}),
    "model.safetensors": "weights",
}
SAVED_MODEL = {"saved_model.pb": "graph", "variables/variables.index": "weights"}


def write_files(folder, contents):
    for name, text in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def read_files(folder):
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize(
    ("kind", "files"),
    [
        ("sentence_transformer", DUAL_ENCODER),
        ("cross_encoder", CLASSIFIER),
        ("tensorflow_hub", SAVED_MODEL),
    ],
)
def test_a_model_folder_is_recognised_and_copied_whole(tmp_path, kind, files):
    folder = write_files(tmp_path / "mine", files)
    assert recognise_kind(folder) == kind
    copy_model(kind, folder, tmp_path / "copy")
    assert read_files(tmp_path / "copy") == files


def test_pickles_and_code_beside_safetensors_stay_behind(tmp_path):
    unread = {"pytorch_model.bin": "pickle", "modeling.py": "code", "tf_model.h5": "more weights"}
    dense = {"2_Dense/config.json": "{}", "2_Dense/model.safetensors": "weights"}
    folder = write_files(tmp_path / "mine", DUAL_ENCODER | dense | unread)
    copy_model("sentence_transformer", folder, tmp_path / "copy")
    assert read_files(tmp_path / "copy") == DUAL_ENCODER | dense


@pytest.mark.parametrize(
    ("kind", "files", "message"),
    [
        ("sentence_transformer", {}, "no sentence_transformer model; expected a SentenceTr"),
        ("sentence_transformer", {"modules.json": "[]"}, "no weights .*expected a SentenceTr"),
        ("tensorflow_hub", {"saved_model.txt": ""}, "no tensorflow_hub model; expected a SavedM"),
        ("tensorflow_hub", DUAL_ENCODER, "looks like a sentence_transformer model, but kind is te"),
        ("sentence_transformer", SAVED_MODEL, "looks like a tensorflow_hub model, but kind is se"),
        ("sentence_transformer", CLASSIFIER, "looks like a cross_encoder model, but kind is sen"),
        ("sentence_transformer", {"config.json": '{"a": 1}'}, "looks like a plain transformers m"),
        ("cross_encoder", {"config.json": '{"architectures": [null]}'}, "looks like a plain"),
        ("cross_encoder", {"config.json": '{"architectures": {"a": 1}}'}, "looks like a plain"),
        ("cross_encoder", DUAL_ENCODER, "looks like a sentence_transformer model, but kind is cr"),
    ],
)
def test_a_folder_that_is_not_of_its_kind_is_refused(tmp_path, kind, files, message):
    folder = write_files(tmp_path / "mine", files)
    folder.mkdir(exist_ok=True)
    with pytest.raises(InputError, match=f"mine: .*{message}"):
        copy_model(kind, folder, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


@pytest.mark.parametrize("name", ["config.json", "config_sentence_transformers.json"])
def test_a_pipe_in_the_place_of_a_description_is_not_waited_for(tmp_path, name):
    folder = write_files(tmp_path / "mine", DUAL_ENCODER)
    os.mkfifo(folder / name)
    with pytest.raises(InputError, match=rf"mine: {name} is neither a file nor a folder"):
        copy_model("sentence_transformer", folder, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_a_text_classifier_is_asked_for_in_its_own_words(tmp_path):
    folder = write_files(tmp_path / "mine", CLASSIFIER)
    copy_model("classifier", folder, tmp_path / "copy")
    (folder / "config.json").write_text(json.dumps({"architectures": ["BertForMaskedLM"]}))
    with pytest.raises(InputError, match=r"mine: this looks .* a text classifier's .*; take anoth"):
        copy_model("classifier", folder, tmp_path / "other")


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(InputError, match=r"mine: no such folder; expected a SavedModel"):
        copy_model("tensorflow_hub", tmp_path / "mine", tmp_path / "copy")


@pytest.mark.parametrize(
    "files",
    [
        ["modules.json", "pytorch_model.bin"],
        ["modules.json", "model.safetensors", "2_Dense/pytorch_model.bin"],
        ["modules.json", "pytorch_model-00001-of-00002.bin", "2_Dense/model.safetensors"],
    ],
)
def test_weights_that_exist_only_as_a_pickle_are_refused(files):
    with pytest.raises(InputError, match=r"mine: .*\.bin is a pickle.*safe_serialization=True"):
        check_safetensors([PurePath(file) for file in files], "mine", "a model")


def test_openvinos_weights_beside_safetensors_are_no_pickles():
    names = ["modules.json", "model.safetensors", "openvino/model.xml", "openvino/model.bin"]
    check_safetensors(names, "mine", "a model")
    with pytest.raises(InputError, match=r"mine: openvino/other.bin is a pickle"):
        check_safetensors([*names, "openvino/other.bin"], "mine", "a model")


def test_a_cross_encoder_saved_by_its_library_is_no_sentence_transformer(tmp_path):
    described = {"config_sentence_transformers.json": '{"model_type": "CrossEncoder"}'}
    assert recognise_kind(write_files(tmp_path, DUAL_ENCODER | described)) == "cross_encoder"


def download(folder, **environment):
    """Run download_model in a process of its own: the hub's address is read once, at import."""
    program = (
        "import sys; from pathlib import Path; from genlab.core.program import InputError, fail\n"
        "from genlab.sources.ranker_folders import download_model\n"
        "kind, commit, folder = 'sentence_transformer', sys.argv[1], Path(sys.argv[2])\n"
        "try: download_model(kind, 'a/b', commit, folder, 'rankers.x')\n"
        "except InputError as error: fail(str(error))"
    )
    folder.mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, "-c", program, COMMIT, str(folder / "model")],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(folder)}
        | {"HF_HOME": str(folder / "cache"), "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
        | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture
def closed_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture
def hub():
    """Serve a repository as the Hugging Face Hub does: {name: text}, and the names asked for."""
    files, asked = {}, []

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.answer(send_body=False)

        def do_GET(self):
            self.answer(send_body=True)

        def answer(self, send_body):
            headers = {"X-Repo-Commit": COMMIT}
            if "/resolve/" in self.path:
                name = self.path.split(COMMIT + "/")[1]
                asked.append(name)
                body = files[name].encode()
                headers["ETag"] = '"' + hashlib.sha256(body).hexdigest() + '"'
            elif "/tree/" in self.path:
                body = json.dumps(
                    [
                        {"type": "file", "path": name, "size": len(text), "oid": "0" * 40}
                        for name, text in files.items()
                    ]
                ).encode()
            else:
                siblings = [{"rfilename": name} for name in files]
                body = json.dumps({"id": "a/b", "sha": COMMIT, "siblings": siblings}).encode()
            self.send_response(200)
            for name, value in (headers | {"Content-Length": str(len(body))}).items():
                self.send_header(name, value)
            self.end_headers()
            if send_body:
                self.wfile.write(body)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", files, asked
    server.shutdown()


def test_a_model_is_downloaded_without_its_pickles_and_later_comes_from_the_cache(
    tmp_path, hub, closed_port
):
    address, files, asked = hub
    files |= DUAL_ENCODER | {"pytorch_model.bin": "pickle", "modeling.py": "code"}
    run = download(tmp_path, HF_ENDPOINT=address)
    assert (run.returncode, run.stderr) == (0, "")
    assert read_files(tmp_path / "model") == DUAL_ENCODER
    assert set(asked) == set(DUAL_ENCODER)

    for path in (tmp_path / "model").iterdir():
        path.unlink()
    dead = f"http://127.0.0.1:{closed_port}"
    assert download(tmp_path, HF_ENDPOINT=dead).returncode == 0
    assert read_files(tmp_path / "model") == DUAL_ENCODER


def test_a_hub_model_with_pickles_only_is_refused_before_anything_is_downloaded(tmp_path, hub):
    address, files, asked = hub
    files |= {"modules.json": "[]", "pytorch_model.bin": "pickle"}
    run = download(tmp_path, HF_ENDPOINT=address)
    assert run.returncode == 1
    assert run.stderr.startswith(f"error: rankers.x: a/b at {COMMIT}: pytorch_model.bin is a pick")
    assert asked == []


def test_a_hub_out_of_reach_gives_one_line_within_seconds(tmp_path, closed_port):
    started = time.monotonic()
    run = download(tmp_path, HF_ENDPOINT=f"http://127.0.0.1:{closed_port}")
    assert time.monotonic() - started < 30  # 23 s of retries otherwise
    assert run.returncode == 1
    [line] = run.stderr.splitlines()
    assert line.startswith(f"error: rankers.x: a/b at {COMMIT} cannot be downloaded (ConnectError")
    assert "set rankers.x.source to file" in line


def test_tf_hub_out_of_reach_is_an_error_with_a_way_out(tmp_path, closed_port, monkeypatch):
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "tf"))
    handle = f"https://127.0.0.1:{closed_port}/google/encoder/4"
    with pytest.raises(InputError) as error:
        download_model("tensorflow_hub", handle, "none", tmp_path / "model", "rankers.x")
    assert str(error.value).startswith(f"rankers.x: {handle} cannot be downloaded (URLError: ")
    assert "set rankers.x.source to file" in str(error.value)
    assert socket.getdefaulttimeout() is None


def test_a_tf_hub_module_comes_from_its_cache_without_a_network(tmp_path, monkeypatch):
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "tf"))
    handle = "https://tfhub.dev/google/universal-sentence-encoder/4"
    cached = tmp_path / "tf" / hashlib.sha1(handle.encode()).hexdigest()
    write_files(cached, SAVED_MODEL)
    download_model("tensorflow_hub", handle, "none", tmp_path / "model", "rankers.x")
    assert read_files(tmp_path / "model") == SAVED_MODEL


def test_a_tf_hub_name_that_is_no_handle_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"^none: not a TF-Hub handle; expected https://tfhub"):
        download_model("tensorflow_hub", "none", "none", tmp_path / "model", "rankers.x")
