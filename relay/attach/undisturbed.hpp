#pragma once

#include <signal.h>

namespace millrace::attach {

/// While it lives, Ctrl-C, a closed terminal and SIGTERM wait: neither we nor the programs that we
/// run stop half-way through a change. Afterwards they have their effect. For the calling thread.
class Undisturbed {
  public:
    Undisturbed() {
        sigset_t held;
        ::sigemptyset(&held);
        for (int const signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) {
            ::sigaddset(&held, signal);
        }
        ::pthread_sigmask(SIG_BLOCK, &held, &before_);
    }
    Undisturbed(const Undisturbed&) = delete;
    Undisturbed& operator=(const Undisturbed&) = delete;
    ~Undisturbed() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

  private:
    sigset_t before_{};
};

}  // namespace millrace::attach
