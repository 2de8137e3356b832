"""Prompt templates as promptsource writes them (Bach et al. 2022): YAML with two tags of its own.

A folder of templates is searched for files named templates.yaml, at any depth. No class is made of
a tag: what stands in the file are strings, lists and switches, or it is refused.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

import yaml

from genlab.core.files import written_whole
from genlab.core.params import did_you_mean
from genlab.core.program import InputError
from genlab.core.yaml_text import compose_yaml
from genlab.sources.file_text import is_hidden
from genlab.sources.foreign_files import files_in

NAME = "templates.yaml"
PREFIX = "T5 prefix"  # the name of the template that is T5's way of asking
SEPARATOR = "|||"  # between input and target, and between answer choices
ACCURACY = "Accuracy"  # of the choices; other metrics are of open answers
KEYS = {"id", "name", "jinja", "reference", "metadata", "answer_choices"}


@dataclass(frozen=True)
class PromptTemplate:
    """One way of asking a task; `jinja` gives the input, |||, and the target."""

    dataset: str  # with its subset, as super_glue/rte
    id: str
    name: str
    jinja: str
    answer_choices: str  # Jinja, too; "" if the answer is open
    is_original: bool  # asks what the data set's authors asked
    shows_choices: bool
    is_ranked: bool  # one of the choices is the answer; else the target is open

    @property
    def shown(self) -> str:
        """What messages call it."""
        return f"template {self.name!r} of {self.dataset}"


class TemplateLoader(yaml.SafeLoader):
    """YAML's safe loader, which reads promptsource's two tags as mappings."""


def as_mapping(loader: TemplateLoader, node: yaml.MappingNode) -> dict:
    return loader.construct_mapping(node, deep=True)


for tag in ("!Template", "!TemplateMetadata"):
    TemplateLoader.add_constructor(tag, as_mapping)


def read_templates(folder: Path) -> dict[str, list[PromptTemplate]]:
    """Return the templates of a folder by data set, in their files' order.

    Raises InputError if there are none, for a file that is not promptsource's, and for a link that
    leads out of the folder or a pipe in it.
    """
    found: dict[str, list[PromptTemplate]] = {}
    for file in template_files(folder):
        for template in read_template_file(file):
            found.setdefault(template.dataset, []).append(template)
    if not found:
        raise InputError(f"{folder}: no {NAME} with templates in it")
    return found


def template_files(folder: Path) -> list[Path]:
    """Return the templates.yaml files in a folder, hidden ones aside, or the one file given."""
    if folder.is_file():
        return [folder]
    names = files_in(folder, f"tasks.templates={folder}", deep=True)
    return [folder / name for name in names if name.name == NAME and not is_hidden(name)]


def copy_templates(folder: Path, output: Path) -> None:
    """Copy a folder's templates.yaml files, and nothing else of it, to `output`."""
    with written_whole(output) as partial:
        for file in template_files(folder):
            copied = partial / (NAME if file == folder else file.relative_to(folder))
            copied.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copied)


def read_template_file(path: Path) -> list[PromptTemplate]:
    """Return the templates of one file; raise InputError naming what is wrong."""
    try:
        text = path.read_text(encoding="utf-8")
        compose_yaml(text)  # a key that occurs twice would take the other's place
        content = yaml.load(text, Loader=TemplateLoader)
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:  # 2020-99-99 is no date
        raise InputError(
            f"{path}: not promptsource's YAML ({' '.join(str(error).split())})"
        ) from None
    if not isinstance(content, dict) or not isinstance(content.get("templates"), dict):
        raise InputError(
            f"{path}: no templates: in it; promptsource's files have dataset, templates"
        )
    dataset = content.get("dataset")
    if not isinstance(dataset, str) or not dataset:
        raise InputError(f"{path}: dataset must be a name")
    subset = content.get("subset")
    if not isinstance(subset, str | None):  # no means false to YAML
        raise InputError(f"{path}: subset must be a name, in quotes")
    name = f"{dataset}/{subset}" if subset else dataset
    templates = [
        as_template(f"{path}: {key}", name, each) for key, each in content["templates"].items()
    ]
    names = [template.name for template in templates]
    if twice := {each for each in names if names.count(each) > 1}:
        raise InputError(f"{path}: two templates are named {sorted(twice)[0]!r}; give each its own")
    return templates


def as_metric(name: object) -> str:
    """Return a metric's name as promptsource writes it: Accuracy for accuracy."""
    return str(name).strip().capitalize()


def as_template(where: str, dataset: str, entry: object) -> PromptTemplate:
    """Return a template of its entry; raise InputError for a key that is missing or no text.

    Where answer choices have no metric, they are ranked by accuracy.
    """
    if not isinstance(entry, dict):
        raise InputError(f"{where}: must be a !Template, not {type(entry).__name__}")
    for key in entry:
        if key not in KEYS:
            raise InputError(f"{where}: no key {key} is known{did_you_mean(str(key), KEYS)}")
    metadata = entry.get("metadata") or {}
    for key in ("name", "jinja"):
        if not isinstance(entry.get(key), str):
            raise InputError(f"{where}: {key} must be text")
    choices = entry.get("answer_choices")
    if not isinstance(choices, str | None) or not isinstance(metadata, dict):
        raise InputError(f"{where}: answer_choices must be text, and metadata a !TemplateMetadata")
    metrics = metadata.get("metrics") or [ACCURACY]
    if not isinstance(metrics, list):
        raise InputError(f"{where}: metadata.metrics must be a list, not {type(metrics).__name__}")
    for key in ("original_task", "choices_in_prompt"):
        if not isinstance(metadata.get(key), bool | None):
            raise InputError(f"{where}: metadata.{key} must be true or false, without quotes")
    if SEPARATOR not in entry["jinja"]:
        raise InputError(f"{where}: jinja has no {SEPARATOR} between input and target")
    is_original = bool(metadata.get("original_task"))
    return PromptTemplate(
        dataset=dataset,
        id=str(entry.get("id")),
        name=entry["name"],
        jinja=entry["jinja"],
        answer_choices=choices or "",
        is_original=is_original,
        shows_choices=bool(metadata.get("choices_in_prompt")),
        is_ranked=bool(choices) and is_original and ACCURACY in map(as_metric, metrics),
    )
