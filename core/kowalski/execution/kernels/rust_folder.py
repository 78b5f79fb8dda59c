"""A folder of the kernel's own, for what the compiler and cargo read and write."""

import posix

TO_WRITE = posix.O_WRONLY | posix.O_CREAT | posix.O_TRUNC | posix.O_NOFOLLOW | posix.O_CLOEXEC

_CHUNK = 1 << 20


class Folder:
    """Files by their names."""

    def __init__(self, path: str) -> None:
        self.path = path

    def make(self) -> None:
        """Make it, if it is not there."""
        try:
            posix.mkdir(self.path, 0o700)
        except FileExistsError:
            pass

    def put(self, name: str, data: bytes, mode: int = 0o600) -> str:
        """Write a file anew; its path."""
        path = "%s/%s" % (self.path, name)
        fd = posix.open(path, TO_WRITE, mode)
        try:
            while data:
                data = data[posix.write(fd, data) :]
        finally:
            posix.close(fd)
        return path

    def text(self, name: str, most: int = 64 * _CHUNK) -> str:
        """What a file holds, as text from which its bytes can be had again."""
        return self.data(name, most).decode("utf-8", "surrogateescape")

    def data(self, name: str, most: int = 64 * _CHUNK) -> bytes:
        """What a file holds, up to so many bytes."""
        fd = posix.open("%s/%s" % (self.path, name), posix.O_RDONLY | posix.O_CLOEXEC)
        parts, left = [], most
        try:
            while left > 0:
                data = posix.read(fd, min(left, _CHUNK))
                if not data:
                    break
                parts.append(data)
                left -= len(data)
        finally:
            posix.close(fd)
        return b"".join(parts)

    def drop(self, *names: str) -> None:
        """Remove files, as far as they are there."""
        for name in names:
            try:
                posix.unlink("%s/%s" % (self.path, name))
            except FileNotFoundError:
                pass
