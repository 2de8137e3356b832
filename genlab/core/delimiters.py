"""What separates the fields of a table of text, as its header tells, and what a field says."""

import re

DELIMITERS = ",;\t|"


def delimiter_of(header: str) -> str:
    """Return what separates the names of a header; what stands in quotes does not count."""
    bare = re.sub(r'"(?:[^"]|"")*"', "", header)
    return max(DELIMITERS, key=bare.count)


def said_in(field: str) -> str:
    """Return a field's text: of ="007", which keeps the zeros in Excel, what stands in quotes."""
    if not field.startswith('="'):
        return field
    found = re.fullmatch(r'="((?:[^"]|"")*)"', field)
    return found[1].replace('""', '"') if found else field
