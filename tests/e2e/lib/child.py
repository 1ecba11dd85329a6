"""A program in the foreground, ended by its own pid; its output goes to a file that tests can read."""
import os
import signal
import subprocess


class Child:
    def __init__(self, argv, log, env=None, cwd=None, pass_fds=()):
        self.log_path = str(log)
        self._log = open(log, "ab", buffering=0)
        self.process = subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=self._log,
                                        stderr=self._log, env={**os.environ, **(env or {})}, cwd=cwd,
                                        pass_fds=pass_fds)

    @property
    def pid(self):
        return self.process.pid

    def running(self):
        return self.process.poll() is None

    def tell(self, number):
        self.process.send_signal(number)

    def output(self):
        with open(self.log_path, "rb") as f:
            return f.read().decode("utf-8", "replace")

    def stop(self, number=signal.SIGTERM, deadline=30):
        """Its exit status. Killed when it does not end within the deadline, which is an error."""
        if self.running():
            self.tell(number)
        try:
            return self.process.wait(deadline)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"{self.process.args[0]} did not end within {deadline} s of signal {number}")
        finally:
            self._log.close()

    def kill(self):
        if self.running():
            self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.running():
            self.stop()
