"""Building our programs with a sanitizer, running things with it, and what it found. A finding is a file that the
sanitizer wrote: it is there even when the program is restarted, killed later, or nobody asks for its exit status."""
import glob
import os
import pathlib
import subprocess
import tempfile

top = pathlib.Path(__file__).resolve().parents[3]
builds = pathlib.Path(os.environ.get("MILLRACE_SANITIZE_BUILD", top / "build"))
KINDS = {"asan": "address,undefined", "tsan": "thread"}
SIGNS = ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:", "WARNING: ThreadSanitizer",
         "Sanitizer: DEADLYSIGNAL")
# One fault of each sort that must be found, else finding nothing means nothing.
FAULTS = {
    "asan": {
        "use after free": "int main(int argc, char**) { auto* p = new int[2]; delete[] p; return p[argc]; }",
        "overflow": "int main(int argc, char**) { volatile int most = 2147483647; most = most + argc; }",
        "leak": "int* volatile kept; int main() { kept = new int[4]; kept = nullptr; }",
    },
    "tsan": {
        "data race": "#include <thread>\nint n; int main() { std::thread t([] { ++n; }); ++n; t.join(); }",
    },
}


def build(kind, *targets):
    """Builds the targets with that sanitizer; the folder of the build. Ends the process when it fails."""
    folder = builds / kind
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "build.ninja").exists():
        subprocess.run(["cmake", "-S", top, "-B", folder, "-G", "Ninja", "-DCMAKE_CXX_COMPILER=clang++-19",
                        "-DMILLRACE_BATCHES=ON", f"-DMILLRACE_SANITIZE={KINDS[kind]}"], check=True, stdout=subprocess.DEVNULL)
    done = subprocess.run(["ninja", "-C", folder, *targets], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{done.stdout[-3000:]}\n0 passed, 1 failed")
    return folder


class Watch:
    """Where the findings of one kind of sanitizer go."""

    def __init__(self, kind):
        self.kind = kind
        self.folder = tempfile.TemporaryDirectory(prefix="millrace-sanitize-")
        self.log = f"{self.folder.name}/finding"

    def options(self):
        """The environment that a program needs."""
        common = f"log_path={self.log}:exitcode=66"
        lsan = f"suppressions={top}/tests/sanitize/lsan.supp:print_suppressions=0"
        tsan = f"suppressions={top}/tests/sanitize/tsan.supp:print_suppressions=0"
        return {"TSAN_OPTIONS": f"{common}:{tsan}:ignore_noninstrumented_modules=1:second_deadlock_stack=1",
                "ASAN_OPTIONS": f"{common}:detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1",
                "UBSAN_OPTIONS": f"{common}:print_stacktrace=1", "LSAN_OPTIONS": lsan}

    def findings(self):
        texts = [pathlib.Path(f).read_text(errors="replace") for f in glob.glob(f"{self.log}.*")]
        return [t for t in texts if any(sign in t for sign in SIGNS)]

    def check(self, results, name):
        """One check that nothing was found since the last one; a finding is printed, and then forgotten."""
        found = self.findings()
        results.check(f"{self.kind}: {name}: no finding", not found,
                      f"{len(found)} findings, the first:\n{found[0][:6000] if found else ''}")
        self.forget()

    def forget(self):
        for file in glob.glob(f"{self.log}.*"):
            os.unlink(file)

    def check_alarm(self, results):
        """The sanitizer finds what is there to be found, in this place and with these options."""
        for name, text in FAULTS[self.kind].items():
            program = f"{self.folder.name}/fault"
            subprocess.run(["clang++-19", "-g1", f"-fsanitize={KINDS[self.kind]}", "-fno-sanitize-recover=all", "-x", "c++",
                            "-", "-o", program], input=text, text=True, check=True)
            status = subprocess.run([program], env={**os.environ, **self.options()}, capture_output=True).returncode
            found = self.findings()
            results.check(f"{self.kind}: a planted {name} is found", status == 66 and len(found) == 1,
                          f"exit {status}, {len(found)} findings")
            self.forget()
