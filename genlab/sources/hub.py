"""Downloads from the Hugging Face Hub at a pinned revision, and their errors in one line.

`download_snapshot` returns a folder of huggingface_hub's cache and checks every file against the
Hub's checksum; without a network it returns the copy downloaded earlier. The library itself resumes
what was cut off, but it checks sizes only, gives up at the first 5xx, and takes half a minute to
notice that there is no network. All failures become one InputError with what to do.
"""

import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from traceback import walk_tb
from typing import Any, TypeVar
from urllib.parse import unquote

import yaml

from genlab.core.files import sha256_of
from genlab.core.params import check_commit
from genlab.core.program import InputError
from genlab.models.model_files import first_line

TIMEOUT_SECONDS = 10  # for a hub to answer
WAITS_SECONDS = (1, 2, 4)  # before trying again; 7 in all, so that nobody believes it hangs
MOST_SECONDS = 60  # a hub may ask for a longer pause, but not for an hour
PASSING = {408, 429, 500, 502, 503, 504}  # what another try may mend
# So may it a connection that broke on the way: the names that urllib, tarfile and httpx give that.
BROKEN = {"ReadError", "RemoteProtocolError", "IncompleteRead", "ConnectionResetError", "EOFError"}

Result = TypeVar("Result")


def download_snapshot(
    hub_id: str,
    revision: str,
    patterns: list[str] | None,
    *,
    asked: str,
    instead: str,
    repo_type: str = "model",
    check_names: Callable[[list[str]], None] = lambda names: None,
) -> Path:
    """Return the local folder of a Hub repository at `revision`; its name is the commit.

    Only files that match one of `patterns` (None: all) are downloaded. `asked` and `instead` are
    for messages: what was asked for, and what else the user could do. `check_names` sees the names
    of all files before any of them is downloaded, and may raise. `revision` must be a commit.
    """
    check_commit(asked, hub_id, revision)
    from huggingface_hub import HfApi

    download = partial(
        download_files, hub_id, repo_type=repo_type, revision=revision, allow_patterns=patterns
    )

    def ask() -> Any:
        return HfApi().repo_info(
            hub_id, repo_type=repo_type, revision=revision, timeout=TIMEOUT_SECONDS
        )

    try:
        # Asked first, because snapshot_download tries for half a minute before it gives up.
        info = retried(ask)
        check_names([file.rfilename for file in info.siblings or []])
        folder = Path(retried(download))
    except InputError:
        raise
    except Exception as error:  # huggingface_hub's, its HTTP client's and the disk's
        try:
            if not is_out_of_reach(error):
                raise error
            folder = Path(download(local_files_only=True))
        except Exception:
            raise failure(asked, error, instead) from error
    check_blobs(folder, asked)
    return folder


def download_files(hub_id: str, **options: Any) -> str:
    """Return snapshot_download's folder; if Xet, where the Hub keeps large files, fails, without.

    Xet is a host of its own, which a proxy may not let through; the Hub serves the same files
    itself, but the library does not turn to it.
    """
    from huggingface_hub import constants, snapshot_download

    os.environ.setdefault("HF_XET_CLIENT_RETRY_MAX_ATTEMPTS", "2")  # 5 seconds; its own 5: minutes
    try:
        return snapshot_download(hub_id, **options)
    except (RuntimeError, OSError) as error:
        if not any(frame.f_code.co_name == "xet_get" for frame, _ in walk_tb(error.__traceback__)):
            raise
        constants.HF_HUB_DISABLE_XET = True  # for what is left to download, too
        return snapshot_download(hub_id, **options)


def load_dataset(
    hub_id: str, name: str, revision: str, splits: list[str], *, asked: str, instead: str
) -> tuple[dict, str]:
    """Return `splits` of a Hub dataset (name -> datasets.Dataset) at `revision`, and its commit.

    `name` is its configuration, "" if it has one only; nothing is downloaded of others. `hub_id`
    may be a local folder in the Hub's layout. The files are downloaded first, because
    `datasets.load_dataset` without a network takes ANY revision it finds in its cache.
    """
    import datasets

    commit, folder, files = "none", Path(hub_id), None
    if not folder.is_dir():
        download = partial(
            download_snapshot, hub_id, asked=asked, instead=instead, repo_type="dataset"
        )
        folder = download(revision, ["README.md"])
        commit, files = folder.name, data_files(folder, name, splits)
        # From here on the commit: a branch may move between two downloads.
        wanted = ["README.md", *chain(*files.values())] if files else None
        folder = download(commit, wanted)
    try:
        dataset = datasets.load_dataset(str(folder), name or None, data_files=files)
    except Exception as error:  # these libraries raise a dozen unrelated classes
        raise InputError(
            f"{asked}: the Hub dataset cannot be read ({type(error).__name__}: "
            f"{' '.join(str(error).split())[:150]}); correct the name or the configuration, or "
            f"{instead}"
        ) from error
    for split in splits:
        if split not in dataset:
            raise InputError(f"{asked}: no split {split}, only {', '.join(map(str, dataset))}")
    return {split: dataset[split] for split in splits}, commit


def data_files(folder: Path, name: str, splits: list[str]) -> dict[str, list[str]] | None:
    """Return the file patterns of `splits` of a configuration by the README's metadata.

    None if it does not tell, or lacks one of the splits: then all files are needed to find out.
    """
    try:
        text = (folder / "README.md").read_text(encoding="utf-8")
        (header,) = re.findall(r"\A---\n(.*?)\n---", text, re.DOTALL)
        metadata = yaml.safe_load(header)
        named = {each["config_name"]: each["data_files"] for each in metadata["configs"]}
        paths = {each["split"]: each["path"] for each in named[name]}
        return {
            split: [paths[split]] if isinstance(paths[split], str) else list(paths[split])
            for split in splits
        }
    except (OSError, TypeError, KeyError, ValueError, yaml.YAMLError):
        return None


def retried(attempt: Callable[[], Result]) -> Result:
    """Return attempt(), called again after a pause if it fails in a way that may pass."""
    for wait in WAITS_SECONDS:
        try:
            return attempt()
        except Exception as error:
            status, pause = answer_of(error)
            if status not in PASSING and not is_broken(error):
                raise
            time.sleep(min(max(wait, pause), MOST_SECONDS))
    return attempt()


def is_broken(error: BaseException) -> bool:
    """Return whether an error is of a connection that broke on the way."""
    return any(type(each).__name__ in BROKEN for each in causes(error))


def answer_of(error: BaseException) -> tuple[int | None, float]:
    """Return the HTTP status in an error or its causes, and the seconds the hub asks to wait."""
    for each in causes(error):
        response = getattr(each, "response", None)
        status = getattr(response, "status_code", None) or getattr(each, "code", None)
        if isinstance(status, int):
            headers = getattr(response, "headers", None) or getattr(each, "headers", None) or {}
            pause = str(headers.get("Retry-After") or "")
            return status, float(pause) if pause.isdecimal() else 0.0
    return None, 0.0


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, what it was raised from or while handling, and so on."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def is_out_of_reach(error: BaseException) -> bool:
    """Return whether an error speaks of the way to the hub, and not of what was asked for."""
    status, _ = answer_of(error)
    return status is None or status in PASSING


def failure(asked: str, error: BaseException, instead: str) -> InputError:
    """Return the one-line error for a download that failed: why, and what to do."""
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        OfflineModeIsEnabled,
        RevisionNotFoundError,
    )

    status, _ = answer_of(error)
    kinds = {kind for each in causes(error) for kind in type(each).__mro__}
    if GatedRepoError in kinds:
        reason = f"{status}: its owner grants access on request"
        advice = "ask for it on its page and set HF_TOKEN in the environment"
    elif status in (401, 403):  # the Hub answers 401 for names that it does not have, too
        reason = f"{status}: there is none of this name, or it is not open to you"
        advice = "check the name, or set HF_TOKEN in the environment"
    elif RevisionNotFoundError in kinds:
        reason, advice = f"{status}: there is no such revision", "take the commit from its page"
    elif status == 404 and EntryNotFoundError in kinds:
        reason = f"404: it lists {missing_file(error)} and does not have it"
        advice = "take another commit"
    elif status == 404:
        reason, advice = "404: there is none of this name", "check the name"
    elif status == 429:
        reason = f"429: too many requests, after {len(WAITS_SECONDS) + 1} tries"
        advice = "wait some minutes, or set HF_TOKEN in the environment"
    elif status is not None and status >= 500:
        reason = f"{status}: the hub is out of order, after {len(WAITS_SECONDS) + 1} tries"
        advice = "try again later"
    elif OfflineModeIsEnabled in kinds:
        reason, advice = "HF_HUB_OFFLINE is set, and it is not in the cache", "run once without"
    elif is_broken(error):
        reason = f"the connection broke off at each of {len(WAITS_SECONDS) + 1} tries"
        advice = "try again later"
    else:
        reason = f"{type(error).__name__}: {first_line(error)}"
        advice = "check the name and the network"
    return InputError(f"{asked} cannot be downloaded ({reason}); {advice}, or {instead}")


def missing_file(error: BaseException) -> str:
    """Return the name of the file that an address in an error or its causes asks for."""
    for each in causes(error):
        address = str(getattr(getattr(each, "response", None), "url", ""))
        if found := re.search(r"/resolve/[^/]+/([^?]+)", address):
            return unquote(found[1])
    return "a file"


def check_blobs(folder: Path, asked: str) -> None:
    """Raise InputError if a file is not what the Hub's checksum says; the bad file is deleted.

    The cache links every file to a blob named by that checksum: sha256 of large files, of small
    ones git's (sha1 of a header and the content). A blob named otherwise cannot be checked.
    """
    for file in sorted(folder.rglob("*")):
        if not file.is_symlink():
            continue
        expected = os.path.basename(os.readlink(file))
        digest = {64: sha256_of, 40: git_sha1_of}.get(len(expected))
        if digest and (found := digest(file)) != expected:
            file.resolve().unlink()
            file.unlink()
            raise InputError(
                f"{asked}: {file.relative_to(folder)} has the checksum {found}, and the Hub says "
                f"{expected}; it was deleted, so run again to download it anew"
            )


def git_sha1_of(file: Path) -> str:
    """Return the hex id that git gives a file's content."""
    digest = hashlib.sha1(b"blob %d\0" % file.stat().st_size, usedforsecurity=False)
    with open(file, "rb") as stream:
        while piece := stream.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()
