#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>

#include "relay/cli/learned.hpp"
#include "relay/cli/terminal.hpp"

/// What was learned, for people and for programs. Pure.
namespace millrace::relay {

/// Where it was read.
struct LearnedFrom {
    std::vector<std::string> files;
    std::uint64_t lines = 0;
    std::uint64_t bytes = 0;  ///< unpacked
};

/// The `top` largest destinations; the servers that asked for less, and what the limits seem to be;
/// what was refused, and how to read it.
std::string view_lessons(const Lessons& lessons,
                         const LearnedFrom& from,
                         std::size_t top,
                         const Style& style);

/// The seed format `millrace-learn-1`, one object:
///   format, files, lines, bytes, from, to (`2026-11-24T14:08:41`, in the log's own time zone),
///   attempts, left_out (recipients of destinations too small to be kept), and the lists
///   destinations and servers, largest first. Each: name, messages, sent, deferred, bounced,
///   suspended (recipients), busiest_hour and busiest_minute {at, messages}, days [{date, sent,
///   deferred, bounced}], replies [{blame, count, last, example}] (blame as in the log:
///   `connections`, `rate`, `greylist` …; `no-reply` for attempts without an answer), connections
///   {good, bad}: the most at once that went well, the least that were too many,
///   messages_per_minute {good, bad}: likewise; a limit that nobody spoke of has no `bad`.
///   servers have hosts: the names that were spoken to, at most 8.
boost::json::object lessons_as_json(const Lessons& lessons, const LearnedFrom& from);

}  // namespace millrace::relay
