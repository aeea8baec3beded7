"""A table shared by several benchmarks: each writes its own section and leaves the others. Pure."""

import re


def with_section(text: str, title: str, body: str) -> str:
    """Return the document with this section in its place, in the order of titles."""
    head, *rest = re.split(r"^## ", text, flags=re.MULTILINE)
    sections = {one.partition("\n")[0]: one.partition("\n")[2].strip() for one in rest}
    sections[title] = body.strip()
    written = [f"## {name}\n\n{sections[name]}\n" for name in sorted(sections)]
    return "\n".join([head.rstrip() + "\n", *written])
