"""Lines that something has quoted since they were logged: CSV doubles quotes, HTML has entities."""

from __future__ import annotations

import re

# Behind a place, or where JSON begins: a quote that something has doubled
_DOUBLED = re.compile(rb'(?::(?:\d{1,5}|None)|[>\]*xX]) \\{0,7}""[A-Za-z]|\{\s*""\w|:\s*""\w')
_ENTITY = re.compile(
    rb"&(?:amp;)?(quot|apos|lt|gt|#0?34|#0?39|#0?60|#0?62|#[xX]2[27]|#[xX]3[cCeE]);"
)
_MEANT = {
    b"quot": b'"',
    b"#34": b'"',
    b"#x22": b'"',
    b"apos": b"'",
    b"#39": b"'",
    b"#x27": b"'",
    b"lt": b"<",
    b"#60": b"<",
    b"#x3c": b"<",
    b"gt": b">",
    b"#62": b">",
    b"#x3e": b">",
}
# How a line of HTML may end where the file's own does not
BREAK = re.compile(rb"<(?:br|/?p|/?li|/?tr|/?div|/?pre)\b[^<>]{0,80}>", re.IGNORECASE)


def unquoted(line: bytes) -> bytes:
    """The line as it was logged, as far as it shows that it was quoted; else itself."""
    if b'""' in line and _DOUBLED.search(line):
        line = line.replace(b'""', b'"')
    if b"&" in line:
        line = _ENTITY.sub(_meant, line)
    return line


def _meant(found: re.Match[bytes]) -> bytes:
    return _MEANT[found[1].lower().replace(b"#0", b"#")]
