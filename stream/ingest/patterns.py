"""Patterns of the service model. They are written for Java and match a whole value."""

import re
import unicodedata
from functools import cache

# A class of Unicode letters, separators or digits becomes the ASCII characters of that class, and a value's
# other characters are put into ASCII by the class they are of: Python's `re` knows no such classes.
_CLASSES = {"L": ("a-zA-Z", "a"), "Z": (" ", " "), "N": ("0-9", "0")}
_CLASS = re.compile(r"\\p\{([LZN])\}")


def matches(pattern: str, value: str) -> bool:
    """Whether all of `value` fits.

    >>> matches(r"[\\p{L}\\p{Z}\\p{N}_]*", "größe ٣"), matches(r"[\\p{L}]*", "a!"), matches("[0-9]+", "1x")
    (True, False, False)
    """
    classes, compiled = _compiled(pattern)
    return compiled.fullmatch(_folded(value) if classes else value) is not None


@cache
def _compiled(pattern: str) -> tuple[bool, re.Pattern[str]]:
    ascii_only, classes = _CLASS.subn(lambda found: _CLASSES[found[1]][0], pattern)
    # In Java a class such as \w holds ASCII only, and the last $ stands before no newline.
    return classes > 0, re.compile(re.sub(r"(?<!\\)\$$", r"\\Z", ascii_only), re.ASCII)


def _folded(value: str) -> str:
    return value if value.isascii() else "".join(map(_fold, value))


def _fold(char: str) -> str:
    _, representative = _CLASSES.get(unicodedata.category(char)[0], ("", char))
    return char if char.isascii() else representative
