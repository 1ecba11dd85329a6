"""The manual pages, read by mandoc, which warns of everything that a reader might stumble over."""
import shutil
import subprocess

import places


def run(results):
    pages = sorted((places.repository / "contrib/man").iterdir())
    if not shutil.which("mandoc"):
        results.skip("manual pages", "mandoc is missing: apt-get install mandoc", len(pages))
        return
    for page in pages:
        done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", page], capture_output=True, text=True)
        results.check(f"mandoc has nothing to say about {page.name}", done.returncode == 0 and not done.stdout,
                      done.stdout + done.stderr)
    results.check("all five pages were read", len(pages) >= 5)
