#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/id.hpp"
#include "common/base/result.hpp"
#include "common/base/time.hpp"

namespace millrace::relay {

/// What a conversation carries at the moment; all empty between messages.
struct TraceLoad {
    std::string destination, account, sender_domain;
    MessageId message{};
};

/// One line of a dialogue with a receiving server, fit to be seen: without passwords, without the
/// message.
struct TraceLine {
    enum class Kind : std::uint8_t {
        note,   ///< what happened to the connection
        said,   ///< a command of ours
        heard,  ///< a line of a reply
        sent,   ///< the message went out: how many bytes
    };
    Time at{};
    std::uint64_t conversation = 0;  ///< counts from 1 since the start
    Kind kind = Kind::note;
    std::string text;  ///< one line, bounded, bytes as they came
    std::string site;
    std::string host;    ///< `mx.example.com [192.0.2.1]`
    std::string source;  ///< our address; empty before the connection stands
    TraceLoad load;
};
std::string_view to_string(TraceLine::Kind kind);

/// Somebody who watches. What he does not take in time is lost to him, and he is told how much;
/// nobody ever waits for him. Thread: the loop's.
class TraceListener {
  public:
    /// Lines kept for a reader.
    static constexpr std::size_t most = 2'000;

    explicit TraceListener(std::function<bool(const TraceLine&)> wants)
        : wants_(std::move(wants)) {}
    void tell(const TraceLine& line);

    struct Taken {
        std::deque<TraceLine> lines;
        std::uint64_t lost = 0;  ///< after them
    };
    /// What has come since the last time.
    Taken take();

  private:
    std::function<bool(const TraceLine&)> wants_;
    Taken kept_;
};

/// Where the conversations' lines go. Without a listener it costs its owner one branch.
/// Thread: the loop's.
class TraceHub {
  public:
    static constexpr std::size_t listeners_max = 16;

    bool listening() const { return !listeners_.empty(); }
    /// The listener hears what he wants until he is destroyed. Failure (unavailable): there are
    /// listeners_max already.
    Result<std::shared_ptr<TraceListener>> listen(std::function<bool(const TraceLine&)> wants);
    void tell(const TraceLine& line);

  private:
    void forget_those_gone();

    std::vector<std::weak_ptr<TraceListener>> listeners_;
};

}  // namespace millrace::relay
