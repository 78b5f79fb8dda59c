"""Everything that can go wrong in Kowalski itself, under one root.

A program of the user's that fails is no error of Kowalski's: it is a result.
"""

from __future__ import annotations

from typing import Any, ClassVar


class KowalskiError(Exception):
    """The root. `user_message` is written for the person who asked.

    Attributes:
        code: stable, for programs.
        recoverable: whether the same request may succeed later or with the remedy named.
    """

    code: ClassVar[str] = "kowalski_error"
    recoverable: ClassVar[bool] = False

    def __init__(self, user_message: str) -> None:
        super().__init__(user_message)
        self.user_message = user_message


class UnsupportedLanguage(KowalskiError):
    """The name is no language that Kowalski runs."""

    code = "unsupported_language"


class LanguageUnavailable(KowalskiError):
    """The language is known, but this device has no working interpreter for it."""

    code = "language_unavailable"
    recoverable = True


class SandboxUnavailable(KowalskiError):
    """No sandbox of the level that the device's owner demands works here."""

    code = "sandbox_unavailable"
    recoverable = True


class RightsDenied(KowalskiError):
    """The device's owner has not granted what was asked for."""

    code = "rights_denied"
    recoverable = True


class InvalidRequest(KowalskiError):
    """A request that makes no sense: a value out of range, a name that is none."""

    code = "invalid_request"


class InvalidDocument(KowalskiError):
    """A document whose blocks contradict each other, with the place."""

    code = "invalid_document"


class DocumentTooLarge(KowalskiError):
    """A document beyond the size that is read."""

    code = "document_too_large"


class ContextTooLarge(KowalskiError):
    """A prompt beyond what the model can read.

    `limit_tokens` is what it can read, where the server said so.
    """

    code = "context_too_large"

    def __init__(self, user_message: str, limit_tokens: int | None = None) -> None:
        super().__init__(user_message)
        self.limit_tokens = limit_tokens


class InvalidSettings(KowalskiError):
    """Settings that cannot be used, with file, line and key."""

    code = "invalid_settings"


class Busy(KowalskiError):
    """Too much is going on; the same request may succeed in a moment."""

    code = "busy"
    recoverable = True


class NoDeviceAvailable(KowalskiError):
    """No device can take the run."""

    code = "no_device_available"


class AgentUnavailable(KowalskiError):
    """The agent of this device cannot be reached or started."""

    code = "agent_unavailable"
    recoverable = True


class RunLost(KowalskiError):
    """The agent went away under a run: what that did until then stays done."""

    code = "run_lost"


class NoServerAvailable(KowalskiError):
    """No server of language models can take the prompt."""

    code = "no_server_available"
    recoverable = True


class ServerUnavailable(KowalskiError):
    """A server of language models did not answer, or not to the end.

    `retry_after_s` is when it said that it may.
    """

    code = "server_unavailable"
    recoverable = True

    def __init__(self, user_message: str, retry_after_s: float | None = None) -> None:
        super().__init__(user_message)
        self.retry_after_s = retry_after_s


class ModelUnavailable(KowalskiError):
    """No server has this model loaded, or none can load it.

    `retry_after_s` is when to ask again where it is being loaded; None where it is not.
    """

    code = "model_unavailable"
    recoverable = True

    def __init__(self, user_message: str, retry_after_s: float | None = None) -> None:
        super().__init__(user_message)
        self.retry_after_s = retry_after_s


class RequestRefused(KowalskiError):
    """A server of language models refuses this request, and would again."""

    code = "request_refused"


class StorageUnavailable(KowalskiError):
    """What Kowalski keeps cannot be written or read, often because the disk is full."""

    code = "storage_unavailable"
    recoverable = True


class DeadlineExceeded(KowalskiError):
    """A prompt had no whole answer within its time."""

    code = "deadline_exceeded"
    recoverable = True


class AnswerInvalid(KowalskiError):
    """A model's answers did not satisfy the schema. `partial_text` is the last of them."""

    code = "answer_invalid"
    recoverable = True

    def __init__(self, user_message: str, partial_text: str = "") -> None:
        super().__init__(user_message)
        self.partial_text = partial_text


class UnknownRun(KowalskiError):
    """No run, session, handle or artifact of that name is kept."""

    code = "unknown_run"


class RunFailed(KowalskiError):
    """Raised by `result.check()` for a run that did not end `ok`.

    `result` is that `kowalski.model.event.RunResult`, which this lowest layer does not know.
    """

    code = "run_failed"

    def __init__(self, user_message: str, result: Any = None) -> None:
        super().__init__(user_message)
        self.result = result


class RunTimeout(RunFailed):
    """Raised by `result.check()` for a run that reached a limit of time."""

    code = "run_timeout"
    recoverable = True


def by_code(code: str, user_message: str) -> KowalskiError:
    """The error that `code` names, for messages that crossed a process; the root if unknown."""
    pending: list[type[KowalskiError]] = [KowalskiError]
    while pending:
        kind = pending.pop()
        if kind.code == code:
            return kind(user_message)
        pending.extend(kind.__subclasses__())
    return KowalskiError(user_message)
