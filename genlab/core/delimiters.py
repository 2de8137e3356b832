"""Find the delimiter of a table of text, and the text of a field that Excel wrote as a formula."""

import re

DELIMITERS = ",;\t|"


def delimiter_of(header: str) -> str:
    """Return what separates the names of a header; what stands in quotes does not count."""
    bare = re.sub(r'"(?:[^"]|"")*"', "", header)
    return max(DELIMITERS, key=bare.count)


def said_in(field: str) -> str:
    """Return a field's text: 007 of ="007", the formula that keeps the zeros in Excel."""
    if not field.startswith('="'):
        return field
    found = re.fullmatch(r'="((?:[^"]|"")*)"', field)
    return found[1].replace('""', '"') if found else field
