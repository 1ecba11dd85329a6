#pragma once

#include <algorithm>
#include <string>

#include "common/base/time.hpp"

namespace millrace::relay {

/// How many messages a receiver takes on one connection. It says so by refusing one more, or by
/// hanging up; in peace it is asked once a day whether it is twice as many now. Pure.
class UseKnob {
  public:
    /// What has been learned; survives a restart.
    struct Learned {
        unsigned limit = 0;  ///< 0: none known
        Time since{};        ///< of the refusal, or of the last raise
        std::string said;    ///< the refusal; what was raised is not from it
        bool operator==(const Learned&) const = default;
    };

    unsigned most(unsigned ceiling) const {
        return std::max(1U, learned_.limit == 0 ? ceiling : std::min(ceiling, learned_.limit));
    }
    /// The message that was the `use`th (>= 2) of its connection was refused for that.
    void refused(unsigned use, Time now, const std::string& said) {
        learned_ = {use - 1, now, said};
    }
    /// A connection stands. True: it may have more messages than before.
    bool greeted(Time now) {
        if (learned_.limit == 0 || !calm_ || now - learned_.since < raise_every) return false;
        learned_ = {std::min(2 * learned_.limit, limit_most), now, {}};
        return true;
    }
    /// Whether raising is allowed (design §5).
    void calm(bool yes) { calm_ = yes; }

    const Learned& learned() const { return learned_; }
    void restore(const Learned& learned) { learned_ = learned; }

  private:
    static constexpr Duration raise_every = std::chrono::hours(24);
    static constexpr unsigned limit_most = 1'000'000;

    Learned learned_;
    bool calm_ = true;
};

}  // namespace millrace::relay
