"""A block of Rust as the compiler gets it: statements without a `main` are put into one.

Lines stay where they are. What is added stands on lines that are there, so that only columns of
one line move, and `Source.column` moves them back.
"""

import re

_HEAD = "fn main()->Result<(),Box<dyn std::error::Error>>{"
_TAIL = "\n;Ok(())}\n"
_MAIN = re.compile(r"\bfn\s+main\s*(?:<[^>]*>\s*)?\(")
_LITERAL = re.compile(
    r"""
    //[^\n]* | \b(?:b|c)?r(?P<hashes>\#+)".*?"(?P=hashes) | \b(?:b|c)?r"[^"]*"
    | "(?:\\.|[^"\\])*" | '(?:[^'\\\n]|\\(?:u\{[^}\n]*\}|x..|.))'
    """,
    re.VERBOSE | re.DOTALL,
)
_MODULE = re.compile(
    r"^[ \t]*(?:#\[[^\]\n]*\][ \t]*)*(?:pub(?:\([^)\n]*\))?[ \t]+)?mod[ \t]+\w+[ \t]*;",
    re.MULTILINE,
)
_SPACE = re.compile(r"\s*")
_NOT_LINE_END = re.compile(r"[^\n]")


class Source:
    """What the compiler gets for `code`, and the way back to the code's own places.

    `head` was added on line number `line`; it is empty where nothing was.
    """

    def __init__(self, code: str) -> None:
        if code.startswith("#!") and not code.startswith("#!["):
            # For a shell, and in Rust legal at the very beginning alone.
            code = "// " + code[2:]
        self.lines = code.count("\n") + (not code.endswith("\n"))
        self.line = 0
        self.head = ""
        self._at = 0
        plain = blanked(code)
        if has_main(plain):
            self.text = code
            return
        code, modules = _without_modules(code, plain)
        at = _after_attributes(code, plain)
        self.line = code.count("\n", 0, at) + 1
        self._at = at - (code.rfind("\n", 0, at) + 1)
        self.head = _HEAD
        self.text = code[:at] + _HEAD + code[at:] + _TAIL + modules

    def column(self, line: int, column: int) -> int:
        """A column of the compiler's as one of the block's. Both count from 1."""
        if line != self.line or column <= self._at:
            return column
        return max(self._at + 1, column - len(self.head))


def blanked(code: str) -> str:
    """The code with blanks for what its comments and literals hold; every place stays."""
    parts = []
    at = 0
    while at < len(code):
        if code.startswith("/*", at):
            end = _comment_end(code, at)
        else:
            found = _LITERAL.match(code, at)
            if found is None:
                end = at + 1
                # As far as nothing can begin.
                while end < len(code) and code[end] not in "/\"'rbc":
                    end += 1
                parts.append(code[at:end])
                at = end
                continue
            end = found.end()
        parts.append(_NOT_LINE_END.sub(" ", code[at:end]))
        at = end
    return "".join(parts)


def has_main(plain: str) -> bool:
    """Whether blanked code has a `main` outside of all braces."""
    for found in _MAIN.finditer(plain):
        before = plain[: found.start()]
        if before.count("{") <= before.count("}"):
            return True
    return False


def _without_modules(code: str, plain: str) -> "tuple[str, str]":
    """The code with blanks for its `mod name;`, which no function may hold, and those."""
    modules = ""
    for found in _MODULE.finditer(plain):
        begin, end = found.span()
        if plain.count("{", 0, begin) == plain.count("}", 0, begin):
            modules += code[begin:end].strip() + "\n"
            code = code[:begin] + " " * (end - begin) + code[end:]
    return code, modules


def _comment_end(code: str, at: int) -> int:
    depth = 0
    for found in re.compile(r"/\*|\*/").finditer(code, at):
        depth += 1 if found.group() == "/*" else -1
        if depth == 0:
            return found.end()
    return len(code)


def _after_attributes(code: str, plain: str) -> int:
    """Where the last of the attributes ends that stand at the beginning for all of the code."""
    end = at = 0
    while True:
        space = _SPACE.match(plain, at)
        at = space.end() if space is not None else at
        last_doc = max(code.rfind("//!", end, at), code.rfind("/*!", end, at))
        if last_doc >= 0:
            line_end = code.find("\n", last_doc)
            whole = code.startswith("//!", last_doc)
            stop = line_end + 1 if whole else _comment_end(code, last_doc)
            end = stop if stop > 0 else len(code)
        if not plain.startswith("#!", at):
            return end
        depth = 0
        while at < len(plain):
            depth += (plain[at] == "[") - (plain[at] == "]")
            at += 1
            if plain[at - 1] == "]" and depth == 0:
                break
        end = at
