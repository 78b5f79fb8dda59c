"""The names that a program made, each with a short picture of its value."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing

_MOST = 200
_MOST_CHARACTERS = 80
_MOST_ITEMS = 4
_DEEPEST = 3
_LONGEST_NUMBER_BITS = 256
_FUNCTIONS = ("function", "builtin_function_or_method")


def listed(names: "dict[str, object]", hidden: "typing.Container[int]") -> "list[dict[str, str]]":
    """Name, type and preview of what is in `names`, but for modules and objects in `hidden`."""
    found: "list[dict[str, str]]" = []
    for name, value in list(names.items()):
        if len(found) == _MOST:
            break
        if not name.startswith("_") and id(value) not in hidden and not _imported(value):
            found.append({"name": name, "type": _type_of(type(value)), "preview": preview(value)})
    return found


def preview(value: object) -> str:
    """A value in at most 80 characters of one line; never costs more than that is worth."""
    text = " ".join(_picture(value, 0).split())
    return text if len(text) <= _MOST_CHARACTERS else text[: _MOST_CHARACTERS - 1] + "…"


def _imported(value: object) -> bool:
    if type(value).__name__ == "module":
        return True
    is_code = isinstance(value, type) or type(value).__name__ in _FUNCTIONS
    return is_code and getattr(value, "__module__", None) != "__main__"


def _type_of(kind: type) -> str:
    module = kind.__module__
    return (
        kind.__qualname__
        if module in ("builtins", "__main__")
        else module + "." + kind.__qualname__
    )


def _picture(value: "typing.Any", depth: int) -> str:
    kind = type(value)
    if kind in (str, bytes, bytearray):
        short = value[: _MOST_CHARACTERS + 1]
        return repr(short) if len(short) == len(value) else repr(short)[:-1]
    if kind is int and value.bit_length() > _LONGEST_NUMBER_BITS:
        return "a number of %d bits" % value.bit_length()
    if kind in (list, tuple, set, frozenset, dict):
        return _container(value, kind, depth)
    shape = (
        getattr(value, "shape", None) if kind.__module__ not in ("builtins", "__main__") else None
    )
    if isinstance(shape, tuple) and shape:
        return "%s of shape %s" % (kind.__name__, shape)
    try:
        return str(repr(value))
    except Exception as error:
        return "<%s whose picture raised %s>" % (kind.__name__, type(error).__name__)


def _container(value: "typing.Any", kind: type, depth: int) -> str:
    brackets: "dict[object, tuple[str, str]]" = {
        list: ("[", "]"),
        tuple: ("(", ")"),
        set: ("{", "}"),
        frozenset: ("frozenset({", "})"),
        dict: ("{", "}"),
    }
    before, after = brackets[kind]
    if not value and kind is set:
        return "set()"
    items = []
    for index, item in enumerate(value):
        if index == _MOST_ITEMS:
            items.append("... %d in all" % len(value))
            break
        if depth == _DEEPEST:
            return before + "..." + after
        text = _picture(item, depth + 1)
        items.append(text + ": " + _picture(value[item], depth + 1) if kind is dict else text)
    if kind is tuple and len(value) == 1:
        after = ",)"
    return before + ", ".join(items) + after
