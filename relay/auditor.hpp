#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/base/log.hpp"
#include "common/net/clock.hpp"
#include "relay/spool/spool.hpp"

namespace millrace::relay {

/// What an audit came to.
struct Audit {
    Time at{};
    Stock stock;
    std::vector<std::string> wrong;  ///< sentences; empty: it adds up
};

/// Asks, in production too, whether everything that was ever taken over has ended or is there:
/// every minute whether the books add up, every ten minutes – less often where that takes long –
/// whether what is on disk is what the books say. What is wrong is an error in the log
/// (`audit.mismatch`), a problem in the status and a metric; nothing is changed.
/// Thread: the loop's.
class Auditor {
  public:
    struct Parts {
        Clock& clock;
        Spool& spool;
        Log& log;
        std::function<void(std::string what, std::string detail)> on_problem;
    };
    explicit Auditor(Parts parts) : parts_(std::move(parts)) {}
    Auditor(const Auditor&) = delete;

    /// Runs until it is cancelled.
    Task<void> run();
    /// The last time that everything was counted; none: not yet.
    const std::optional<Audit>& last() const { return last_; }
    /// Things that do not add up now.
    std::size_t mismatches() const { return wrong_.size(); }

  private:
    Task<void> count();
    void judge(std::vector<std::string> wrong);

    Parts parts_;
    std::optional<Audit> last_;
    Time count_at_{};
    std::vector<std::string> wrong_;
};

}  // namespace millrace::relay
