"""Counts what passed; the last line a script prints is `N passed, N failed[, N skipped]`."""
import sys
import traceback


class Results:
    def __init__(self):
        self.passed, self.failed, self.skipped = 0, 0, 0

    def check(self, name, ok, detail=""):
        """Counts one check. A failure is printed with its detail; True when it passed."""
        if ok:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAILED {name}" + (f": {detail}" if detail else ""), flush=True)
        return bool(ok)

    def run(self, name, test, *arguments):
        """Runs one test; an exception is its failure."""
        try:
            test(*arguments)
            self.passed += 1
            print(f"ok {name}", flush=True)
            return True
        except Exception as e:  # noqa: BLE001 - a test may fail in any way
            self.failed += 1
            print(f"FAILED {name}: {type(e).__name__}: {e}", flush=True)
            if not isinstance(e, AssertionError):
                traceback.print_exc(file=sys.stdout)
            return False

    def skip(self, name, reason, count=1):
        self.skipped += count
        print(f"SKIPPED {name}: {reason}", flush=True)

    def close(self):
        """Prints the last line and ends the process."""
        line = f"{self.passed} passed, {self.failed} failed"
        print(line + (f", {self.skipped} skipped" if self.skipped else ""), flush=True)
        sys.exit(1 if self.failed else 0)
