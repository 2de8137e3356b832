"""A report's page: pieces that every pipeline's page has, and the HTML around them.

Nothing from outside can become markup. Jinja escapes whatever is put into a page. In JSON `<`, `>`,
`&` and the two line separators that old JavaScript trips over are escaped. And the page's own
policy lets no script run but the one whose hash it names.
"""

import base64
import hashlib
import json
import re
from pathlib import Path

from genlab.core.program import InputError
from genlab.core.terminal import with_ends

PAGE = Path(__file__).resolve().parent / "page_files"

Table = list[list[str]]  # the first row is the header, and each row's first cell its heading


def render(template: str, script: str = "", **parts: object) -> str:
    """Return the HTML of a page from a template in page_files; `script` is all that may run."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(PAGE), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters["tojson_text"] = lambda content: json.dumps(
        content, indent=2, ensure_ascii=False
    )
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    allowed = f"'sha256-{digest}'" if script else "'none'"
    return environment.get_template(template).render(
        parts
        | {
            "policy": f"default-src 'none'; style-src 'unsafe-inline'; script-src {allowed}",
            "style": Markup((PAGE / "page.css").read_text(encoding="utf-8")),
            "script": Markup(script),
        }
    )


def embed(content: object) -> str:
    """Return JSON that can stand in a script element, whatever its strings hold."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return re.sub("[<>&\u2028\u2029]", lambda match: f"\\u{ord(match[0]):04x}", text)


def read_metrics(folder: Path, names: list[str]) -> dict[str, dict]:
    """Return the content of those files NAME.json that are there, by name."""
    found = {}
    for name in names:
        path = folder / f"{name}.json"
        if path.is_file():
            try:
                found[name] = json.loads(path.read_text(encoding="utf-8"))
            except json.JSONDecodeError as error:
                raise InputError(f"{path}: no JSON ({error}); run `dvc repro`") from None
    return found


def number_tables(nested: dict) -> list[Table]:
    """Return nested numbers as tables: a column for each group, those with other rows apart.

    Numbers outside any group are a group of their own.
    """
    alone = {name: value for name, value in nested.items() if not isinstance(value, dict)}
    groups = {name: value for name, value in nested.items() if isinstance(value, dict)}
    groups |= {"value": alone} if alone else {}
    columns = {name: leaves_in_words(group) for name, group in groups.items()}
    kinds: dict[tuple, list[str]] = {}
    for name, column in columns.items():
        kinds.setdefault(tuple(column), []).append(name)
    return [
        [["", *names]] + [[row, *(columns[name][row] for name in names)] for row in rows]
        for rows, names in kinds.items()
        if rows
    ]


def leakage_table(leakage: dict) -> Table:
    """Return the mean places of the queries with and without each kind of leak, and the gap."""
    rows = [["leak", "ranker", "mean place, clean (n)", "leaked (n)", "leaked less clean"]]
    for kind, rankers in leakage.items():
        for ranker, numbers in rankers.items():
            place = numbers.get("average_loc", {})
            cells = [
                f"{brief(place[half]) if half in place else '-'} ({numbers[f'n_{half}']})"
                for half in ("clean", "leaked")
            ]
            gap = "-"
            if "difference" in place:
                gap = with_ends(place | {"value": place["difference"]})
            rows.append([kind, ranker, *cells, gap])
    return rows


def leaves_in_words(nested: dict, prefix: str = "") -> dict[str, str]:
    """Return name -> number, an interval {value, low, high} as one cell."""
    found = {}
    for name, value in nested.items():
        if isinstance(value, dict) and {"value", "low", "high"} <= value.keys():
            found[prefix + name] = with_ends(value)
        elif isinstance(value, dict):
            found |= leaves_in_words(value, f"{prefix}{name}: ")
        else:
            found[prefix + name] = brief(value)
    return found


def brief(value: float) -> str:
    """Return a number with three decimals, or none if it is whole."""
    return str(int(value)) if value == int(value) else f"{value:.3f}"
