"""What separates the fields of a table of text, as its header tells."""

import re

DELIMITERS = ",;\t|"


def delimiter_of(header: str) -> str:
    """Return what separates the names of a header; what stands in quotes does not count."""
    bare = re.sub(r'"(?:[^"]|"")*"', "", header)
    return max(DELIMITERS, key=bare.count)
