"""What no request may be, whoever asks and whatever the owner allows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from kowalski.errors import InvalidRequest
from kowalski.model.session_name import OWNED_SESSION_NAME, SESSION_NAME_IN_WORDS
from kowalski.settings.model import MB

if TYPE_CHECKING:
    from kowalski.model.run import RunRequest

_MAX_CODE_BYTES: Final = 8 * MB
_MAX_ARGUMENTS: Final = 1000
_MAX_ARGUMENT_BYTES: Final = 128 * 1024
_MAX_STDIN_BYTES: Final = 64 * MB


def check_request(request: RunRequest) -> None:
    """Whether a request makes sense at all, on whichever device.

    Raises:
        InvalidRequest: it does not.
    """
    if len(request.code) > _MAX_CODE_BYTES:
        raise InvalidRequest(f"The code is over {_MAX_CODE_BYTES // MB} MB. Read it from a file.")
    for what, text in (("code", request.code), ("session's name", request.session or "")):
        if not _is_unicode(text):
            raise InvalidRequest(f"The {what} is not Unicode: it holds bytes that are no UTF-8.")
    if "\0" in request.code:
        raise InvalidRequest("The code holds a NUL byte, which no program text can.")
    if request.stdin is not None and len(request.stdin) > _MAX_STDIN_BYTES:
        raise InvalidRequest(
            f"stdin is over {_MAX_STDIN_BYTES // MB} MB. Put it into the workspace, or give it as "
            "an input."
        )
    if request.background and (request.session is None or request.host_functions):
        raise InvalidRequest(
            "What goes on in the background needs a session, with which it ends, and has nobody "
            "to call: name a session, and no host functions."
        )
    if request.session is not None and not re.fullmatch(OWNED_SESSION_NAME, request.session):
        raise InvalidRequest(
            f"{request.session[:80]!r} cannot be the name of a session. A name has "
            f"{SESSION_NAME_IN_WORDS}."
        )
    _check_program(request)
    for name in (*request.inputs, *request.host_functions):
        if not name.isidentifier() or not name.isascii():
            raise InvalidRequest(f"{name!r} cannot be the name of an input or a function.")


def _check_program(request: RunRequest) -> None:
    origin = request.origin
    names = (origin.document, origin.name or "") if origin is not None else ()
    try:
        words = [word.encode("utf-8", "surrogateescape") for word in (*names, *request.args)]
    except UnicodeEncodeError:
        raise InvalidRequest("An argument, or the file's name, is not Unicode.") from None
    if any(b"\0" in word for word in words):
        raise InvalidRequest("An argument, or the file's name, holds a NUL, which none can.")
    if len(request.args) > _MAX_ARGUMENTS or sum(map(len, words)) > _MAX_ARGUMENT_BYTES:
        raise InvalidRequest(
            f"There are over {_MAX_ARGUMENTS} arguments, or over {_MAX_ARGUMENT_BYTES // 1024} kB "
            "of them. Let the program read them from stdin or a file."
        )


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
