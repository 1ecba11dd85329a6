#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "common/base/time.hpp"
#include "common/net/random.hpp"
#include "relay/shaping/blame.hpp"

namespace millrace::relay {

/// What a receiver allows and does not tell. Zero: no limit of that kind. A value.
struct HiddenLimits {
    unsigned connections = 0;              ///< open at once, from one of our addresses
    unsigned messages_per_connection = 0;  ///< answered with 421 at the next one
    double messages_per_second = 0;        ///< a bucket that fills at this rate …
    double burst = 1;                      ///< … and holds so many
    unsigned messages_per_window = 0;      ///< so many in `window`, …
    Duration window{};
    bool sliding = false;  ///< … in any span of that length; else from one boundary to the next
    double sender_domain_per_second = 0;  ///< for each domain of MAIL FROM, whatever our address
    double sender_domain_burst = 1;
    Duration greylist{};         ///< a recipient is first told to come back after this
    double unknown_users = 0;    ///< share of recipients that it does not know
    bool silent = false;         ///< hangs up where others say which limit was reached
    bool down = false;           ///< cannot be reached
    Blame block = Blame::none;   ///< refuses everything: reputation, blocklist, compliance
    std::string blocked_domain;  ///< … of this sender's domain alone; empty: of everybody
    bool asks_for_rest = false;  ///< says `try again in N seconds` with a limit

    unsigned punish_after = 0;  ///< refusals for limits in one minute, then it is shut for …
    Duration punished_first = std::chrono::hours(1);
    Duration punished_again = std::chrono::hours(24);  ///< … and from the second time so long

    Duration reply = std::chrono::milliseconds(20);     ///< until it greets, or refuses
    Duration message = std::chrono::milliseconds(100);  ///< median, from MAIL to the final reply
    double message_spread = 0.5;  ///< a slow one in six takes e^spread times as long
    Duration sees_end_after{};    ///< a connection that has ended counts so much longer
};

/// What the receiver says, before anybody has typed it.
struct Refusal {
    unsigned code = 0;  ///< 0: nothing, it hangs up
    std::string enhanced, text;
    bool gone = false;          ///< it cannot be reached
    bool ends = false;          ///< and it closes the connection
    Blame meant = Blame::none;  ///< for checkers and statistics; the sender is not told
    bool any() const { return gone || code != 0 || ends; }
};

/// A receiving back end, whatever the number of names and addresses in front of it. Pure: (state,
/// now, what arrives) → answer. Calls come in order of time. What it remembers is bounded by its
/// window and by the greylisted recipients.
class HiddenReceiver {
  public:
    HiddenReceiver(std::string name, HiddenLimits limits, std::uint64_t seed);

    const std::string& name() const { return name_; }
    const HiddenLimits& limits() const { return limits_; }
    /// From now on. What has been counted stays counted.
    void change(const HiddenLimits& limits, Time now);

    /// A connection arrives. Taken (no refusal): it counts until closed().
    Refusal connect(Time now);
    /// `before`: messages taken or refused on this connection so far.
    Refusal message(Time now,
                    unsigned before,
                    const std::string& sender_domain,
                    std::uint64_t recipient);
    void closed(Time now);
    /// How long it takes over a message that it accepts.
    Duration takes();

    unsigned open(Time now) const;
    /// Shut for our sins, or by a block: no attempt is welcome before `until`; zero: open.
    Time shut_until() const { return shut_until_; }
    unsigned punished() const { return punished_; }
    std::uint64_t accepted() const { return accepted_; }
    std::uint64_t refused() const { return refused_; }

  private:
    struct Bucket {
        double level = 0;
        Time at{};
        bool born = false;
    };
    static bool take(Bucket& bucket, double rate, double burst, Time now, Duration& missing);
    bool window_open(Time now, Duration& missing);
    Refusal limit(Blame meant, Time now, Duration missing, bool ends);
    Refusal shut(Time now) const;

    std::string name_;
    HiddenLimits limits_;
    SeededRandom random_;
    unsigned open_ = 0;
    std::deque<Time> ended_;  ///< ends that it has not seen yet
    Bucket bucket_;
    std::map<std::string, Bucket> domains_;
    std::deque<Time> taken_;  ///< in the sliding window
    std::uint64_t window_index_ = 0;
    unsigned in_window_ = 0;
    std::map<std::uint64_t, Time> greylisted_;
    std::deque<Time> violations_;
    unsigned punished_ = 0;
    Time shut_until_{};
    std::uint64_t accepted_ = 0, refused_ = 0;
};

}  // namespace millrace::relay
