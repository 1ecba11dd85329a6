#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/cli/log_line.hpp"
#include "relay/shaping/blame.hpp"

/// What a log of the past teaches about those who were sent to.
namespace millrace::relay {

/// Replies of one kind.
struct Said {
    std::uint64_t count = 0;
    std::int64_t last = 0;  ///< second, in the log's time zone
    std::string example;    ///< the last one: `421 4.7.0 too many connections`
};

/// The most that went well, and the least that was too much; none: never seen.
struct Interval {
    std::optional<std::uint64_t> good, bad;
};

/// One destination, or one server.
struct Learned {
    struct Day {
        std::uint64_t sent = 0, deferred = 0, bounced = 0;
    };
    struct Peak {
        std::int64_t at = 0;  ///< second it begins
        std::uint64_t messages = 0;
    };
    std::uint64_t messages = 0;  ///< transactions that went through
    std::uint64_t sent = 0, deferred = 0, bounced = 0, suspended = 0;  ///< recipients
    std::map<std::int64_t, Day> days;  ///< by day since 1970; the latest 400
    Peak hour, minute;                 ///< the busiest
    std::map<Blame, Said> said;        ///< what was refused, by kind
    Said silent;                       ///< attempts that ended without a reply
    Interval connections;  ///< at once; what is too much: nine of ten refusals came then
    std::vector<std::uint32_t> crowded;  ///< refusals by connections at once
    Interval rate;                       ///< messages in a minute
    std::vector<std::string> hosts;      ///< of a server: at most 8 names

    std::uint64_t total() const { return sent + deferred + bounced; }
};

/// Takes attempts in the order of the log and keeps sums: memory is bounded by the number of names
/// kept. When there are more, the smallest are summed up and forgotten: one that comes again starts
/// anew, so figures of small ones may be too low.
class Lessons {
  public:
    explicit Lessons(std::size_t names_max = 5'000) : names_max_(names_max) {}

    void take(const LoggedAttempt& attempt);
    /// The next file begins: what was counted for the minute and hour under way is closed.
    void new_file();

    struct Sums {
        std::uint64_t attempts = 0;
        std::int64_t from = 0, to = 0;  ///< seconds; 0: nothing was taken
        std::uint64_t left_out = 0;     ///< recipients of destinations that were forgotten
    };
    Sums sums() const { return sums_; }

    struct Named {
        std::string name;
        const Learned* learned;
    };
    /// Largest first.
    std::vector<Named> destinations() const { return sorted(destinations_); }
    /// By the domain of the server's name (`google.com`): what is behind many destinations.
    std::vector<Named> servers() const { return sorted(servers_); }

  private:
    /// What is under way in the log's present.
    struct Present {
        std::int64_t minute = 0, hour = 0;
        std::uint64_t in_minute = 0, in_hour = 0;
        bool limited = false;  ///< the minute saw a reply about the rate
        std::string transaction;
        struct Connection {
            std::uint64_t process = 0;
            std::int64_t from = 0, to = 0;  ///< milliseconds
        };
        std::array<Connection, 64> recent{};
        std::size_t next = 0;
    };
    struct Entry {
        Learned learned;
        Present present;
    };
    using Names = std::map<std::string, Entry, std::less<>>;

    void take(Names& names, std::string_view name, const LoggedAttempt& attempt, Blame blame);
    static void count(Entry& entry, const LoggedAttempt& attempt, Blame blame);
    static void close_minute(Entry& entry);
    static void close_hour(Entry& entry);
    static std::uint64_t at_once(Present& present, const LoggedAttempt& attempt);
    void forget_the_smallest(Names& names);
    static std::vector<Named> sorted(const Names& names);

    std::size_t names_max_;
    Names destinations_, servers_;
    Sums sums_;
};

/// `mx1.example.co.uk` → `example.co.uk`, `gmail-smtp-in.l.google.com` → `google.com`; an address
/// as it is. A guess without a list of public suffixes: `co`, `com` and the like before a country's
/// code count as part of it.
std::string server_domain(std::string_view host);

}  // namespace millrace::relay
