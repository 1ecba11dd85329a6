"""Debian packages unpacked into a private folder, never installed: an MTA package would remove the user's own MTA."""
import fcntl
import pathlib
import shutil
import subprocess
import tempfile

import places


def unpacked(name, packages):
    """The folder `name` of the cache with these packages unpacked over each other. Downloads them once
    (apt-get download, dpkg -x); later calls need no network. RuntimeError when that is not possible."""
    places.cache.mkdir(parents=True, exist_ok=True)
    target = places.cache / name
    with open(places.cache / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.exists():
            return target
        with tempfile.TemporaryDirectory(dir=places.cache, prefix=f"{name}-") as work:
            work = pathlib.Path(work)
            tree = work / "tree"
            tree.mkdir()
            _run(["apt-get", "download", "-q", *packages], cwd=work)
            for package in sorted(work.glob("*.deb")):
                _run(["dpkg", "-x", str(package), str(tree)])
            _drop_set_id(tree)
            shutil.move(tree, target)
    return target


def _drop_set_id(tree):
    """A set-id program ignores LD_LIBRARY_PATH, by which an unpacked one finds its libraries."""
    for path in tree.rglob("*"):
        if path.is_file() and not path.is_symlink():
            path.chmod(path.stat().st_mode & 0o777)


def _run(command, cwd=None):
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
