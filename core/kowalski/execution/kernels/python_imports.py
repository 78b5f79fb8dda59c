"""What the program imports: installed packages on demand, and what the kernel adds to modules."""

import _thread
import builtins
import posix
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import types
    import typing

    from kowalski.execution.kernels.python_interrupts import Interrupts

_machinery: "typing.Any" = sys.modules["_frozen_importlib_external"]
# The standard library tries these on every system.
_ELSEWHERE = frozenset(("_overlapped", "_winapi", "msvcrt", "nt", "org", "vms_lib", "winreg"))
_LOOK_AT_PACKAGES = frozenset(
    (
        "importlib.metadata",
        "importlib.resources",
        "multiprocessing",
        "pkgutil",
        "pydoc",
        "runpy",
        "site",
        "sysconfig",
    )
)
# Before Python 3.10 only what the kernel itself may load, and what that loads.
_STANDARD = getattr(
    sys,
    "stdlib_module_names",
    [
        "collections",
        "copyreg",
        "enum",
        "functools",
        "heapq",
        "json",
        "keyword",
        "operator",
        "os",
        "re",
        "reprlib",
        "select",
        "site",
        "sre_compile",
        "sre_constants",
        "sre_parse",
        "stat",
        "types",
    ],
)
_FIGURES = "kowalski_figures"


class Imports:
    """The first of the import system's finders.

    The interpreter starts without `site`, since that takes half of a start. Its work is done when
    an import fails, or when the program looks at what is installed.
    """

    def __init__(self, folder: str, interrupts: "Interrupts", figures: "dict[str, object]") -> None:
        self.library = tuple(sys.path)
        self._folder = folder
        self._interrupts = interrupts
        self._figures = figures
        self._loaded: "typing.Callable[[types.ModuleType], None] | None" = None
        self._private: "int | None" = None
        self._own: "dict[str, types.ModuleType]" = {}
        self._site_lock = _thread.RLock()
        self._site_begun = self._site_done = False
        self._user_site = _taken_from_environment("KOWALSKI_USER_SITE")
        self._environment = _taken_from_environment("KOWALSKI_ENVIRONMENT")

    def install(self, on_linecache: "typing.Callable[[types.ModuleType], None]") -> None:
        """Take part in imports; the working folder comes first, as in `python -c`."""
        self._loaded = on_linecache
        if self._environment:
            # The links of a virtual environment may lead where a sandbox shows nothing.
            sys.executable = self._environment + "/bin/python"
            sys.prefix = sys.exec_prefix = self._environment
        sys.path.insert(0, "")
        sys.meta_path.insert(0, self)
        sys.meta_path.append(Installed(self))
        _set_quitters()

    def find_spec(
        self, name: str, path: "typing.Any" = None, target: "typing.Any" = None
    ) -> "typing.Any":
        """As `importlib.abc.MetaPathFinder.find_spec`."""
        if self._private is not None and self._private == _thread.get_ident() and path is None:
            if name in sys.builtin_module_names:
                return None
            return _machinery.PathFinder.find_spec(name, self.library)
        if name in _LOOK_AT_PACKAGES:
            self.add_installed()
        elif name == _FIGURES:
            return self._spec_of_figures()
        elif name == "linecache":
            return self._followed(name, path, target, self._loaded)
        elif name == "matplotlib":
            self.add_installed()
            return self._followed(name, path, target, _draw_figures)
        return None

    def add_installed(self) -> None:
        """Do what `site` does: installed packages, `.pth` files, the virtual environment."""
        if self._site_done:
            return
        with self._interrupts, self._site_lock:
            if self._site_begun:
                return
            self._site_begun = True
            site = self.standard("site")
            if self._user_site:
                site.ENABLE_USER_SITE = True
                site.USER_SITE = self._user_site
                site.USER_BASE = self._user_site.rsplit("/", 3)[0]
            first = sys.path[:1] == [""]
            if first:
                # Else it would be made absolute, and no longer follow the program around.
                del sys.path[0]
            try:
                site.main()
            finally:
                if first:
                    sys.path.insert(0, "")
                _set_quitters()
                self._site_done = True

    def mentioned(self, code: str) -> None:
        """Prepare for code that looks at where packages are without importing anything."""
        if not self._site_done and ("sys.path" in code or "prefix" in code):
            self.add_installed()

    def standard(self, name: str) -> "typing.Any":
        """A module of the standard library, though a file of the working folder bears its name."""
        module = self._own.get(name)
        if module is None:
            foreign = {
                known: found for known, found in list(sys.modules.items()) if self._foreign(found)
            }
            for known in foreign:
                del sys.modules[known]
            before = self._private
            self._private = _thread.get_ident()
            try:
                __import__(name)
                module = self._own[name] = sys.modules[name]
            finally:
                self._private = before
                sys.modules.update(foreign)
        return module

    def _foreign(self, module: "typing.Any") -> bool:
        """Whether it has the name of a standard module, but is another."""
        spec: "typing.Any" = getattr(module, "__spec__", None)
        origin = getattr(spec, "origin", None)
        if not isinstance(origin, str) or not origin.startswith("/"):
            return False
        if origin.startswith(self.library) and "/site-packages/" not in origin:
            return False
        return str(spec.name).partition(".")[0] in _STANDARD

    def _followed(
        self, name: str, path: "typing.Any", target: "typing.Any", then: "typing.Any"
    ) -> "typing.Any":
        """What the other finders have; `then` gets the module once it is loaded."""
        for finder in list(sys.meta_path):
            spec: "typing.Any" = (
                finder.find_spec(name, path, target) if finder is not self else None
            )
            if spec is not None:
                spec.loader = Followed(spec.loader, then)
                return spec
        return None

    def _spec_of_figures(self) -> "typing.Any":
        spec = _machinery.spec_from_file_location(_FIGURES, self._folder + "/figures.py")
        spec.loader = Followed(spec.loader, lambda module: module.__dict__.update(self._figures))
        return spec


class Installed:
    """The last of the import system's finders: asked for what nobody else has."""

    def __init__(self, imports: Imports) -> None:
        self._imports = imports
        self._asking = False

    def find_spec(
        self, name: str, path: "typing.Any" = None, target: "typing.Any" = None
    ) -> "typing.Any":
        """As `importlib.abc.MetaPathFinder.find_spec`."""
        if path is not None or name in _ELSEWHERE or self not in sys.meta_path:
            return None
        sys.meta_path.remove(self)
        self._imports.add_installed()
        for finder in list(sys.meta_path):
            spec = None if finder is self._imports else finder.find_spec(name, path, target)
            if spec is not None:
                return spec
        return None


class Followed:
    """A loader that hands on what it loaded."""

    def __init__(self, loader: "typing.Any", then: "typing.Any") -> None:
        self._loader = loader
        self._then = then

    def create_module(self, spec: "typing.Any") -> "typing.Any":
        """As `importlib.abc.Loader.create_module`."""
        return self._loader.create_module(spec)

    def exec_module(self, module: "typing.Any") -> None:
        """As `importlib.abc.Loader.exec_module`."""
        module.__spec__.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)
        self._then(module)


def sibling(folder: str, name: str) -> "types.ModuleType":
    """A module of the kernel's own, kept out of `sys.modules`: those are the program's."""
    path = "%s/%s.py" % (folder, name)
    module = type(sys)("kowalski." + name)
    module.__file__ = path
    exec(
        _machinery.SourceFileLoader(module.__name__, path).get_code(module.__name__),
        module.__dict__,
    )
    return module


def _draw_figures(matplotlib: "typing.Any") -> None:
    if not posix.environ.get(b"MPLBACKEND"):
        matplotlib.rcParams["backend"] = "module://" + _FIGURES


def _set_quitters() -> None:
    # Those of `site` would close stdin, which the next run reads.
    builtins.exit = builtins.quit = Quitter()  # type: ignore[assignment]
    builtins.help = Help()  # type: ignore[assignment]


class Quitter:
    """`exit` and `quit`: end the run."""

    def __call__(self, code: object = None) -> "typing.NoReturn":
        """End the run with this exit code, or with 1 and this text."""
        raise SystemExit(code)

    def __repr__(self) -> str:
        return "exit() ends the run"


class Help:
    """`help`, as `site` defines it."""

    def __call__(self, *subject: object) -> None:
        """Print what is known about the subject."""
        import pydoc

        pydoc.help(*subject or ("help",))

    def __repr__(self) -> str:
        return "Type help(object) for help about object."


def _taken_from_environment(name: str) -> str:
    posix.unsetenv(name)
    value = posix.environ.pop(name.encode("ascii"), b"").decode("utf-8", "surrogateescape")
    if "os" in sys.modules:
        sys.modules["os"].environ.pop(name, None)
    return value
