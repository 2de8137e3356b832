"""Check every value in params.yaml before any stage runs.

    python -m genlab check              # only check: names a key that DVC would stumble over
    python -m genlab check OUTPUT       # the first stage of every pipeline

A wrong value raises an InputError that names its key and says what to do. No option, type, range or
pipeline is known here: each stage's own Typer command parses its command line from dvc.yaml. What
must hold between the options of one stage stands in its program, in a function `check` (of the
command NAME of several: `check_NAME`), which takes some of the options by name. The program calls
it first; so does this check, for all stages. A parameter `made_by` gets {output: options} of all
stages, for what must hold between two of them.

OUTPUT never changes, so nothing is run again because of it.
"""

import os
import platform
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from genlab.core.assets import check_hub_id, check_mini, check_revision, check_source
from genlab.core.bounds import check_numbers
from genlab.core.command_lines import check_launcher, parse
from genlab.core.files import written_whole
from genlab.core.names import check_inputs, check_names, check_outputs, instances_of
from genlab.core.options import arguments_of
from genlab.core.params import did_you_mean
from genlab.core.params_file import Params, check_params_file, read_params, text_of
from genlab.core.pipeline import (
    PIPELINE,
    Stage,
    check_pipeline_here,
    load_stages,
    read_entries,
)
from genlab.core.processor import processor_flags, read_cpuinfo
from genlab.core.program import InputError, run, stage_app
from genlab.core.scratch import scratch_root
from genlab.core.templating import KEY, all_entries, check_entry, foreach_groups

app = stage_app()


def check_processor() -> None:
    """Raise InputError on an x86-64 processor without AVX2: Polars or TensorFlow would crash."""
    flags = processor_flags(read_cpuinfo())
    if flags and platform.machine() == "x86_64" and "avx2" not in flags:
        raise InputError(
            "this processor lacks AVX2, which Polars and TensorFlow are built for. A virtual "
            "machine may hide it: give it its host's processor (of QEMU: -cpu host)"
        )


def check_params(pipeline: Path, entries: Mapping[str, dict]) -> Params:
    """Return the values of params.yaml beside a dvc.yaml with these entries.

    Raises InputError for a key that a stage lacks or none uses, and for a value that would not
    arrive as it is written. DVC is not asked: it stops at some of these, and deletes what a name
    like ../../tests leads to.
    """
    path = pipeline.parent / "params.yaml"
    params = read_params(text_of(path))
    check_params_file(params)
    check_all_used(pipeline, params)
    for entry in all_entries(entries, params):
        check_entry(entry, params)
    return params


def check_all_used(pipeline: Path, params: Params) -> None:
    """Raise InputError for a key of params.yaml that no stage uses."""
    used = set(re.findall(KEY, pipeline.read_text(encoding="utf-8")))
    for key in params.values:
        parts = key.split(".")
        groups = [".".join(parts[:n]) for n in range(1, len(parts) + 1)]
        if used.isdisjoint(groups):
            missing = [name for name in used if not has_key(params.content, name)]
            hint = did_you_mean(key, missing) or did_you_mean(parts[0], missing)
            raise InputError(f"{key} is used by no stage{hint or did_you_mean(key, used)}")


def has_key(content: object, key: str) -> bool:
    """Return whether nested dicts have a dotted key."""
    for part in key.split("."):
        if not isinstance(content, dict) or part not in content:
            return False
        content = content[part]
    return True


def check_stages(stages: list[Stage], foreaches: dict[str, str], params: Params) -> None:
    """Parse every command as its program will, then check what holds between options.

    foreaches: what `foreach_groups` found.
    """
    parsed = {stage.name: (stage, *parse(stage, params)) for stage in stages}
    produced = frozenset().union(*(stage.outputs for stage in stages))
    made_by = {out: options for stage, options, _ in parsed.values() for out in stage.outputs}
    for stage, options, own_check in parsed.values():
        check_launcher(stage)
        check_numbers(stage, options)
        check_inputs(stage, produced)
        check_source(stage, options, produced)
        check_mini(stage, options, produced)
        check_revision(stage, options)
        for group, entry in foreaches.items():
            check_names(stage, options, group, instances_of(entry, parsed), params)
        if own_check:
            with made_by_a_stage(stage):
                own_check(**arguments_of(own_check, options | {"made_by": made_by}))
        check_hub_id(stage, options)


@contextmanager
def made_by_a_stage(stage: Stage) -> Iterator[None]:
    """Turn the block's KeyError for an input that no stage makes into an InputError."""
    try:
        yield
    except KeyError as error:
        if error.args[0] not in stage.inputs:
            raise
        raise InputError(
            f"{PIPELINE}: stage {stage.name} reads {error.args[0]}, which is no stage's output; "
            "list it among the outs of the stage that makes it"
        ) from None


def check_writable(folders: Iterable[Path]) -> None:
    """Raise InputError if a folder that stages write to cannot be made or written."""
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            probe = folder / f".probe-{os.getpid()}"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise InputError(
                f"{folder}: cannot be written ({error.strerror}); this must be a folder that "
                "stages can write to"
            ) from error


@contextmanager
def way_out_told() -> Iterator[None]:
    """Add to the block's InputError how to undo a change of params.yaml that git shows.

    `dvc exp run -S` leaves the value that failed in params.yaml. Experiments in a temporary folder
    (`--temp`, `--queue`) are left out: they do not change the workspace's params.yaml.
    """
    try:
        yield
    except InputError as error:
        words = ["git", "status", "--porcelain", "--untracked-files=no", "--", "params.yaml"]
        is_changed = bool(subprocess.run(words, capture_output=True).stdout)  # b"" outside of git
        if not is_changed or ".dvc" in Path.cwd().parts:
            raise
        raise InputError(
            f"{error} (params.yaml keeps what was changed: put it right there, or "
            "`python -m genlab back` returns to the committed run)"
        ) from None


@app.command()
def main(
    output: Annotated[
        Path | None, typer.Argument(help="file to write; none if left out: only check")
    ] = None,
) -> None:
    """Check every stage's options, and what must hold between them."""
    check_processor()
    check_pipeline_here()
    with way_out_told():
        entries = read_entries(PIPELINE)
        params = check_params(PIPELINE, entries)
        stages = load_stages(PIPELINE, entries)
        check_outputs(stages)
        check_stages(stages, foreach_groups(entries), params)
    check_writable([Path("data"), Path("metrics"), scratch_root()])

    if output is not None:
        with written_whole(output) as partial:
            partial.write_text("ok\n")


if __name__ == "__main__":
    run(app)
