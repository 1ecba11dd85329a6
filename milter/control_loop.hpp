#pragma once

#include <optional>
#include <string>

#include "common/config/settings.hpp"
#include "milter/service.hpp"

namespace millrace::milter {

/// Inside the worker process: follows what the supervisor says on the control socket. A frame is
/// its kind, the size of the payload (32 bits, host order) and the payload.
class ControlLoop {
  public:
    static constexpr char reload = 'R';  ///< payload: the whole configuration as text
    static constexpr char drain = 'D';   ///< payload: nanoseconds as decimal text

    ControlLoop(int control, int listener, Service& service);

    /// Returns when the process is to end: it was told to drain, or the supervisor is gone; the
    /// open sessions have had their time.
    void run();

  private:
    struct Frame {
        char kind;
        std::string payload;
    };
    std::optional<Frame> receive() const;
    void apply(const std::string& text);
    void finish(Duration at_most);

    int control_;
    int listener_;
    Service& service_;
    Duration drain_;  ///< for the case that nobody says how long
    unsigned generation_ = 1;
};

/// The worker process: libmilter on this thread, the control loop on another. Ends the process.
[[noreturn]] void serve_until_told(
    int listener, int control, const config::Settings& settings, const Clock& clock, Log& log);

}  // namespace millrace::milter
