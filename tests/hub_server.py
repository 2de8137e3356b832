"""A small Hugging Face Hub on loopback, and TF-Hub beside it: what their client libraries ask for.

As on the real Hub, binary files lie on another host than the rest, under the sha256 of their
content; text files have git's ids. It may offer them by Xet, too, but has no such storage. A fault
is an answer given in place of the right one, so many times. What is uploaded becomes a commit.
"""

import base64
import hashlib
import io
import json
import ssl
import tarfile
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import unquote, urlsplit

TEXT = (".json", ".md", ".txt", ".py")


@dataclass
class Fault:
    """What happens to the next `times` requests whose path holds `where`."""

    where: str
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut_after: int | None = None  # bytes of the body, then the connection closes
    corrupted: bool = False  # a body of the right length with other bytes
    method: str = "GET"
    times: int = 1


@dataclass
class Hub:
    """What is served: repositories by path ("models/a/b") and commit, archives by path."""

    repositories: dict[str, dict[str, dict[str, bytes]]] = field(default_factory=dict)
    archives: dict[str, bytes] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    asked: list[tuple[str, str, str]] = field(default_factory=list)  # method, path, Range
    address: str = ""
    elsewhere: str = ""  # the same server under another host name
    uploaded: dict[str, bytes] = field(default_factory=dict)  # by sha256, not yet in a commit
    xet: str = ""  # the address of the Xet storage that is said to have the binary files, if any

    def add(self, path: str, commit: str, files: dict[str, bytes]) -> None:
        """Add a commit to a repository; the last one added is its main."""
        self.repositories.setdefault(path, {})[commit] = files

    def downloads(self) -> list[str]:
        """Return the paths of the files whose content was asked for, in order."""
        return [path for method, path, _ in self.asked if method == "GET" and "/api/" not in path]

    def take_fault(self, method: str, path: str) -> Fault | None:
        """Return the fault that this request meets, used up by one."""
        for fault in self.faults:
            if fault.method == method and fault.where in path and fault.times > 0:
                fault.times -= 1
                return fault
        return None

    def answer(self, method: str, path: str) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body for a request."""
        if path in self.archives:
            return 200, {}, self.archives[path]
        if path.startswith("/cdn/"):
            contents = {
                hashlib.sha256(content).hexdigest(): content
                for commits in self.repositories.values()
                for files in commits.values()
                for content in files.values()
            }
            return 200, {}, contents[path.removeprefix("/cdn/")]
        if path == "/api/xet-token":
            given = {"Cas-Url": self.xet, "Access-Token": "open", "Token-Expiration": "9" * 10}
            return 200, {f"X-Xet-{name}": value for name, value in given.items()}, b"{}"
        if path.count("/") < 4:
            return 404, {}, b"{}"  # the client asks after other things, too
        kind, name, what, revision, file = split_path(path)
        commits = self.repositories.get(f"{kind}/{name}")
        if commits is None:
            return 404, {"X-Error-Code": "RepoNotFound"}, b"{}"
        commit = list(commits)[-1] if revision == "main" else revision
        if commit not in commits:
            return 404, {"X-Error-Code": "RevisionNotFound"}, b"{}"
        files = commits[commit]
        if what == "revision":
            siblings = [{"rfilename": each} for each in files]
            return as_json({"id": name, "sha": commit, "siblings": siblings})
        if what == "tree":
            return as_json([describe_file(each, content) for each, content in files.items()])
        headers = {"X-Repo-Commit": commit}
        if file not in files:
            return 404, headers | {"X-Error-Code": "EntryNotFound"}, b""
        content = files[file]
        if file.endswith(TEXT):
            return 200, headers | {"ETag": f'"{git_id(content)}"'}, content
        digest = hashlib.sha256(content).hexdigest()
        headers |= {"X-Linked-Etag": f'"{digest}"', "X-Linked-Size": str(len(content))}
        if self.xet:
            headers |= {
                "X-Xet-Hash": digest,
                "X-Xet-Refresh-Route": f"{self.address}/api/xet-token",
            }
        return 302, headers | {"Location": f"{self.elsewhere}/cdn/{digest}"}, b""

    def take(self, path: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        """Return the answer to a POST or PUT: what an upload consists of."""
        if path.startswith("/lfs/"):
            self.uploaded[path.removeprefix("/lfs/")] = body
            return 200, {}, b""
        if path == "/api/validate-yaml":
            return as_json({"errors": [], "warnings": []})
        if path.endswith("/commit/main"):
            return self.commit(path, body)
        content = json.loads(body)
        if path == "/api/repos/create":
            name = "/".join(part for part in (content.get("organization"), content["name"]) if part)
            self.repositories.setdefault(f"{content.get('type') or 'model'}s/{name}", {})
            return as_json({"url": f"{self.address}/{name}"})
        if path.endswith("/preupload/main"):
            files = [
                {
                    "path": each["path"],
                    "uploadMode": "regular" if each["path"].endswith(TEXT) else "lfs",
                    "shouldIgnore": False,
                }
                for each in content["files"]
            ]
            return as_json({"files": files})
        objects = [
            each | {"actions": {"upload": {"href": f"{self.elsewhere}/lfs/{each['oid']}"}}}
            for each in content["objects"]
        ]
        return as_json({"transfer": "basic", "objects": objects})

    def commit(self, path: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        """Make a commit of what was sent, a JSON of a line each."""
        kind, owner, name = path.removeprefix("/api/").split("/")[:3]
        files = {}
        for line in body.splitlines():
            entry = json.loads(line)
            value = entry["value"]
            if entry["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif entry["key"] == "lfsFile":
                files[value["path"]] = self.uploaded[value["oid"]]
        self.add(f"{kind}/{owner}/{name}", "c" * 40, files)
        url = f"{self.address}/{owner}/{name}/commit/{'c' * 40}"
        return as_json({"commitUrl": url, "commitOid": "c" * 40, "success": True})


def split_path(path: str) -> tuple[str, str, str, str, str]:
    """Return (models | datasets, repository, revision | tree | resolve, revision, file)."""
    is_api = path.startswith("/api/")
    parts = path.removeprefix("/api").strip("/").split("/")
    kind = parts.pop(0) if is_api or parts[0] == "datasets" else "models"
    what, revision, *file = [*parts[2:], "main"] if len(parts) == 2 else parts[2:]
    return kind, "/".join(parts[:2]), what, unquote(revision), "/".join(file)


def as_json(content: object) -> tuple[int, dict[str, str], bytes]:
    return 200, {"Content-Type": "application/json"}, json.dumps(content).encode()


def describe_file(name: str, content: bytes) -> dict:
    """Return a file's entry in a repository's tree."""
    entry = {"type": "file", "path": name, "size": len(content), "oid": git_id(content)}
    if not name.endswith(TEXT):
        digest = hashlib.sha256(content).hexdigest()
        entry["lfs"] = {"oid": digest, "size": len(content), "pointerSize": 134}
    return entry


def git_id(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def files_of(folder: Path) -> dict[str, bytes]:
    """Return the files below a folder as a commit's."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def archive_of(folder: Path) -> bytes:
    """Return a folder as TF-Hub's tar.gz."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.add(folder, arcname=".")
    return packed.getvalue()


@contextmanager
def serving(hub: Hub, certificate: Path | None = None):
    """Serve in a thread, over TLS if a certificate is given; afterwards nothing listens."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self):
            self.respond()

        def do_GET(self):
            self.respond()

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = urlsplit(self.path).path
            hub.asked.append((self.command, path, ""))
            fault = hub.take_fault(self.command, path)
            status, headers, answer = (
                (fault.status, fault.headers, b"{}") if fault else hub.take(path, body)
            )
            self.send_response(status)
            for name, value in (headers | {"Content-Length": str(len(answer))}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer)

        do_PUT = do_POST

        def respond(self):
            path = urlsplit(self.path).path
            wanted = self.headers.get("Range", "")
            hub.asked.append((self.command, path, wanted))
            fault = hub.take_fault(self.command, path)
            status, headers, body = hub.answer(self.command, path)
            if fault and fault.status != 200:
                status, headers, body = fault.status, fault.headers, b"{}"
            if fault and fault.corrupted:
                body = bytes(len(body))
            if wanted and status == 200:
                start = int(wanted.removeprefix("bytes=").rstrip("-"))
                headers |= {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"}
                status, body = 206, body[start:]
            self.send_response(status)
            for name, value in (headers | {"Content-Length": str(len(body))}).items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                cut = fault.cut_after if fault else None
                self.wfile.write(body[:cut])
                self.close_connection = cut is not None

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    scheme = "http"
    if certificate:
        scheme, context = "https", ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    hub.address = f"{scheme}://127.0.0.1:{server.server_port}"
    hub.elsewhere = f"{scheme}://localhost:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


def make_certificate(path: Path) -> Path:
    """Write a key and a certificate for 127.0.0.1, signed by itself, to one PEM file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    hosts = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(hosts, critical=False)
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    private = key.private_bytes(
        encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + certificate.public_bytes(encoding))
    return path
