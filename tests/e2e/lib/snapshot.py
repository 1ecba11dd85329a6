"""The state of folders, to be compared later: every file's bytes, owner and mode."""
import hashlib
import os
import pathlib


def snapshot(*folders):
    """path -> what it is. Times do not count."""
    state = {}
    for folder in map(pathlib.Path, folders):
        for path in [folder, *folder.rglob("*")]:
            status = path.lstat()
            what = (os.readlink(path) if path.is_symlink() else
                    hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "")
            state[str(path)] = (oct(status.st_mode), status.st_uid, status.st_gid, what)
    return state


def changed(before, after):
    """The paths that differ, each with what happened to it; "" when none."""
    found = []
    for path in sorted({*before, *after}):
        if before.get(path) != after.get(path):
            found.append(f"{path} " + ("is new" if path not in before else "is gone" if path not in after else
                                       f"{before[path]} became {after[path]}"))
    return "; ".join(found)
