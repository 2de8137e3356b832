"""What a stage fetches: its source must be able to give it, by a path here or a pinned commit."""

import sys
from pathlib import Path

from genlab.core.command_lines import key_of
from genlab.core.params import check_commit
from genlab.core.pipeline import Stage, program_of
from genlab.core.program import InputError


def check_source(stage: Stage, options: dict, produced: frozenset[str]) -> None:
    """Raise InputError if the asset is to be read from the user's path and nothing is there."""
    path, source = options.get("path"), options.get("source")  # a dep, whatever the source
    if str(path) == "none":
        if str(source) not in sources_without_path(stage):
            raise InputError(
                f"{key_of(stage, 'path')}=none, but {key_of(stage, 'source')}={source} reads "
                "a file or folder; name it"
            )
    elif path is not None and not path.exists() and str(path) not in produced:
        short = " (~ and $ are not expanded; write the whole path)" * str(path).startswith(
            ("~", "$")
        )
        raise InputError(f"{key_of(stage, 'path')}={path}: no such file or folder{short}")
    made_from = options.get("made_from")  # of a model that is made here; a dep, too
    if made_from is not None and not made_from.exists() and str(made_from) not in produced:
        raise InputError(f"{key_of(stage, 'made_from')}={made_from}: no such file")
    tokenizer = options.get("tokenizer_path", "none")
    if str(tokenizer) != "none" and not tokenizer.is_dir():
        raise InputError(f"{key_of(stage, 'tokenizer_path')}={tokenizer}: no such folder")


def check_mini(stage: Stage, options: dict, produced: frozenset[str]) -> None:
    """Raise InputError if a mini asset's `path` is a file of the user's own.

    A mini asset is made from a stage's table, or from words in a YAML file of the repository. A
    Parquet file is accepted, as it may be another pipeline's table.
    """
    path = options.get("path")
    if str(options.get("source")) != "mini" or not isinstance(path, Path) or not path.is_file():
        return
    if str(path) in produced or path.suffix in (".yaml", ".yml", ".parquet") or path.name == "none":
        return
    source = key_of(stage, "source")
    raise InputError(
        f"{key_of(stage, 'path')}={path}: {source} is mini, which makes it here of the words in "
        f"a YAML file; for a file of your own set {source}=file"
    )


def check_revision(stage: Stage, options: dict) -> None:
    """Raise InputError if a download from the Hub is not pinned to a commit."""
    if "revision" not in options or str(options.get("source", "hub")) != "hub":
        return
    hub_id = str(options["hub_id"])  # none; or a folder; or TF-Hub's, which ends in its version
    if hub_id != "none" and not hub_id.startswith("https://") and not Path(hub_id).is_dir():
        key = key_of(stage, "revision")
        check_commit(f"{key}={options['revision']}", hub_id, str(options["revision"]))


def check_hub_id(stage: Stage, options: dict) -> None:
    """Raise InputError if the asset is to be downloaded and its hub_id is missing."""
    if str(options.get("source")) == "hub" and str(options.get("hub_id")) == "none":
        raise InputError(
            f"{key_of(stage, 'hub_id')}=none, but {key_of(stage, 'source')}=hub downloads what it "
            "names; name it, or take another source"
        )


def sources_without_path(stage: Stage) -> frozenset[str]:
    """Return the sources that ignore `path`: hub, or those that the stage's program lists.

    A program lists them per command in SOURCES_WITHOUT_PATH.
    """
    module, words = program_of(stage) or ("", [])
    said = getattr(sys.modules.get(module), "SOURCES_WITHOUT_PATH", {})
    return said.get(words[0] if words else "", frozenset({"hub"}))
