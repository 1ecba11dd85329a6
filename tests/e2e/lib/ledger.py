"""What senders know of their messages, kept outside of everything under test. A message that was answered 250
must arrive; one answered 4xx or cut off may be sent again and may arrive; one answered 5xx must not."""
import threading


class Ledger:
    def __init__(self):
        self._lock = threading.Lock()
        self._answers = {}

    def answered(self, token, code):
        """code: the final reply's, or 0 when the connection broke before it."""
        with self._lock:
            self._answers.setdefault(token, []).append(code)

    def accepted(self):
        with self._lock:
            return {t for t, codes in self._answers.items() if any(200 <= c < 300 for c in codes)}

    def codes(self):
        """How often each reply code was seen."""
        with self._lock:
            counts = {}
            for codes in self._answers.values():
                for code in codes:
                    counts[code] = counts.get(code, 0) + 1
            return dict(sorted(counts.items()))

    def lost(self, arrived):
        """Tokens that were answered 250 and are not among those that arrived."""
        return self.accepted() - set(arrived)
