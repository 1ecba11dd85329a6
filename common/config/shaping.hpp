#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/base/result.hpp"
#include "common/base/time.hpp"
#include "common/net/endpoint.hpp"

/// Rule files about receivers, as they are written: plain values and where they stand. What they
/// mean, and whether every one of them can ever apply, relay/shaping says.
namespace millrace::config {

/// Where something is written.
struct Place {
    std::string file;
    unsigned line = 0;
    /// `FILE:LINE: `, as compilers write it.
    std::string text() const;
    bool operator==(const Place&) const = default;
};

/// One pattern for replies and what it means.
struct ReplyRule {
    Place place;
    std::vector<std::string> says;     ///< all of them are in the text
    std::string code;                  ///< `421`, `4xx`, `5xx`; empty: any refusal
    std::string enhanced;              ///< `4.7.28`, `x.7.28`, `5.7.606-649`, `4.3.x`; empty: any
    std::string type;                  ///< whose fault it is: a word of relay/shaping/blame
    std::string axis;                  ///< on whom it falls; empty: as the type and the reply say
    std::optional<Duration> pause;     ///< the first pause for this cause
    std::optional<bool> escalate;      ///< whether the next pause for the same cause is longer
    bool defer = false;                ///< a permanent code of it is meant for the time being
    std::vector<std::string> example;  ///< replies that prove it; at least one
    bool operator==(const ReplyRule&) const = default;
};

/// A receiver with many domains: how it is recognised, what it is sent at most, what it says.
struct ProviderRule {
    Place place;         ///< of its name
    Place match_place;   ///< of `match`
    Place limits_place;  ///< of `limits`
    std::string name;
    std::vector<std::string> mx;         ///< host names and what lies below them
    std::vector<std::string> domains;    ///< recipient domains; `.example.com`: what lies below
    std::vector<std::string> addresses;  ///< networks of its servers
    // Limits for one of our addresses; not there: nothing is said.
    std::optional<unsigned> connections;
    std::optional<unsigned> messages_per_connection;
    std::optional<double> messages_per_second;
    std::optional<unsigned> messages_per_hour;
    std::optional<unsigned> messages_per_day;
    std::optional<double> connections_per_second;
    std::vector<ReplyRule> replies;
    bool operator==(const ProviderRule&) const = default;
};

struct ShapingRules {
    std::vector<ProviderRule> providers;
    std::vector<ReplyRule> replies;  ///< for every receiver
    bool operator==(const ShapingRules&) const = default;
};

/// A rule file's text; `name` stands for the file in messages. Failure (invalid): place, fault,
/// next step; the first found. Only the form is looked at. Thread: any.
Result<ShapingRules> parse_shaping(const std::string& text, const std::string& name);

/// The files that the patterns name (glob(7); the files of one pattern in the order of their
/// names), one behind the other. Failure (invalid): of parse_shaping(), or a file that cannot be
/// read, or a name without wildcards that is no file.
Result<ShapingRules> load_shaping(const std::vector<std::string>& patterns);

}  // namespace millrace::config
