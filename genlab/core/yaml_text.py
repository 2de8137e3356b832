"""Read people's YAML as DVC does, by YAML 1.2: `no` is a text, 1e-4 a number.

The number of values is limited, because aliases of aliases can stand for billions of them.
"""

import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from genlab.core.program import InputError

MOST_VALUES = 100_000  # ours: fifty times what any file here holds
MOST_LEVELS = 200  # ours: of lists in lists; from some thousands on DVC's parser ends its process


def read_yaml_file(path: Path, instead: str) -> Any:
    """Return what a file of YAML says.

    Raises InputError if it cannot be read. Its message ends in `instead`: what to do.
    """
    try:
        text = path.read_text(encoding="utf-8")
        content, top = load_yaml(text), compose_yaml(text)
        if top is not None:
            check_digits(top, set())
        return content
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; {instead}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); {instead}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"{path}: not YAML in UTF-8 ({reason}); mend it; what starts with {{ or [ needs quotes"
        ) from None


def nests_deeply(text: str) -> bool:
    """Return whether a text of YAML has more than MOST_LEVELS levels, without parsing it."""
    level = deepest = 0
    for bracket in re.findall(r"[\[\]{}]", text):
        level += 1 if bracket in "[{" else -1
        deepest = max(deepest, level)
    return deepest > MOST_LEVELS or bool(re.search(rf"(?m)^[- ]{{{2 * MOST_LEVELS}}}", text))


def load_yaml(text: str) -> Any:
    """Return what a text of YAML says.

    Raises yaml.YAMLError for broken YAML, aliases that expand to too many values or contain
    themselves, and a key that occurs twice.
    """
    from ruamel.yaml import YAML, YAMLError

    compose_yaml(text)
    try:
        return YAML(typ="safe").load(text)
    except (YAMLError, ValueError, RecursionError) as error:
        raise yaml.YAMLError(str(error)) from None


@lru_cache(maxsize=8)  # texts: a check reads one dvc.yaml four times
def compose_yaml(text: str) -> yaml.Node | None:
    """Return a text's tree of nodes, None if it is empty; raises yaml.YAMLError as `load_yaml`.

    Do not change the tree: it is cached by the text.
    """
    try:
        top = yaml.compose(text, Loader=yaml.SafeLoader)
        if top is not None and count_values(top, {}) > MOST_VALUES:
            raise yaml.YAMLError(
                f"it stands for more than {MOST_VALUES} values; write fewer aliases"
            )
    except RecursionError:
        raise yaml.YAMLError("it is nested too deeply") from None
    return top


def count_values(node: yaml.Node, counted: dict[int, int]) -> int:
    """Return how many values a node stands for with its aliases expanded; nodes are memoised.

    Raises yaml.YAMLError for a node that contains itself, and for a key that occurs twice.
    """
    if isinstance(node, yaml.ScalarNode):
        return 1
    if id(node) in counted:
        if counted[id(node)] == 0:
            raise yaml.YAMLError(f"line {node.start_mark.line + 1}: an alias stands in itself")
        return counted[id(node)]
    counted[id(node)] = 0  # not known yet
    if isinstance(node, yaml.MappingNode):
        check_keys_differ(node)
    children = [each for child in node.value for each in as_tuple(child)]
    counted[id(node)] = 1 + sum(count_values(child, counted) for child in children)
    return counted[id(node)]


def check_keys_differ(node: yaml.MappingNode) -> None:
    """Raise yaml.YAMLError for a key that occurs twice."""
    seen = set()
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode):
            if key.value in seen:
                raise yaml.YAMLError(f"line {key.start_mark.line + 1}: {key.value} occurs twice")
            seen.add(key.value)


def check_digits(node: yaml.Node, seen: set[int]) -> None:
    """Raise yaml.YAMLError for a number with _ in it: 0_1 would be 1 without a word."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.ScalarNode):
        if not node.style and "_" in node.value and node.tag.endswith((":int", ":float")):
            line = node.start_mark.line + 1
            raise yaml.YAMLError(
                f"line {line}: write the number {node.value} without _, or the text in quotes"
            )
        return
    for child in node.value:
        for each in as_tuple(child):
            check_digits(each, seen)


def as_tuple(child: yaml.Node | tuple[yaml.Node, yaml.Node]) -> tuple[yaml.Node, ...]:
    """Return the nodes of a list's item (itself) or of a mapping's item (key and value)."""
    return child if isinstance(child, tuple) else (child,)
