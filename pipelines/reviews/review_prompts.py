"""How a review is asked for, in one place: training and generation must agree to the letter."""

import string

import typer

FIELDS = ("rubrics", "rating", "keywords")
BETWEEN = ", "  # rubrics, and keywords


def write_prompt(template: str, rubrics: list[str], rating: int, keywords: list[str]) -> str:
    """Return the template with a review's rubrics, rating and keywords in their places."""
    return template.format(
        rubrics=BETWEEN.join(rubrics), rating=rating, keywords=BETWEEN.join(keywords)
    )


def check_template(template: str) -> str:
    """Return the template; raise what Typer shows for an option, unless it has each field once."""
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        raise typer.BadParameter(f"{error}; a brace of the text itself is written twice") from None
    named = [field for _, field, _, _ in parts if field is not None]
    for field in FIELDS:
        if named.count(field) != 1:
            raise typer.BadParameter(f"must have {{{field}}} once, not {named.count(field)} times")
    for field in named:
        if field not in FIELDS:
            known = ", ".join(f"{{{name}}}" for name in FIELDS)
            raise typer.BadParameter(f"{{{field}}} stands for nothing; there are {known}")
    if any(layout or conversion for _, _, layout, conversion in parts):
        raise typer.BadParameter("a field must stand alone in its braces, without : or !")
    return template
