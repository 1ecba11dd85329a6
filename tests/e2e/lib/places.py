"""Where things are: the repository, our programs, the cache of unpacked MTAs, the shared corpora."""
import os
import pathlib

repository = pathlib.Path(__file__).resolve().parents[3]


def _from_environment(name, default):
    return pathlib.Path(os.environ.get(name) or default).resolve()


programs = _from_environment("MILLRACE_BIN", repository / "build" / "bin")
tests = _from_environment("MILLRACE_TESTS", repository / "build" / "tests")
cache = _from_environment("MILLRACE_CACHE", repository / "build" / "mta-cache")
shared = _from_environment("MILLRACE_SHARED", repository.parent / "shared")


def program(name):
    """The path of one of our programs; says how to build it when it is not there."""
    path = programs / name
    if not path.exists():
        raise SystemExit(f"{path} is not built: cmake --build {programs.parent}")
    return str(path)
