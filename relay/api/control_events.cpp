#include <algorithm>
#include <fmt/format.h>

#include "relay/api/control_commands.hpp"
#include "relay/api/control_json.hpp"

// The part of the control commands that reads the journal. Event ids only grow but may have gaps,
// and the oldest are trimmed, so places in it are found by asking, not by arithmetic.

namespace millrace::relay {
namespace {

constexpr std::uint64_t searched_max = 500'000;
constexpr Duration search_time = std::chrono::seconds(10);
constexpr Duration extra_time = std::chrono::seconds(2);
constexpr Duration follow_pause = std::chrono::milliseconds(200);

bool names(const Event& event, const std::string& name) {
    return event.mta_queue_id == name || event.message_id == name ||
           event.message_id == "<" + name + ">" || event.recipient == name || event.sender == name;
}

}  // namespace

Task<Result<std::uint64_t>> ControlCommands::last_event() {
    std::uint64_t low = 0;  // an event with an id > low exists, or low is 0
    std::uint64_t high = 1;
    while (true) {
        auto const found = co_await operations_.events(high, 1);
        if (!found) {
            co_return std::unexpected(found.error());
        }
        if (found->empty()) {
            break;
        }
        low = found->front().id;
        high = low * 2;
    }
    while (low < high) {  // nothing lies behind high
        auto const middle = low + (high - low) / 2;
        auto const found = co_await operations_.events(middle, 1);
        if (!found) {
            co_return std::unexpected(found.error());
        }
        if (found->empty()) {
            high = middle;
        } else {
            low = found->front().id;
        }
    }
    co_return low;
}

Task<Result<std::uint64_t>> ControlCommands::first_event_since(Time t) {
    auto const last = co_await last_event();
    if (!last) {
        co_return last;
    }
    std::uint64_t low = 0;       // events up to here are older than t
    std::uint64_t high = *last;  // events behind here are not
    while (low < high) {
        auto const middle = low + (high - low) / 2;
        auto const found = co_await operations_.events(middle, 1);
        if (!found) {
            co_return std::unexpected(found.error());
        }
        if (found->empty() || found->front().at >= t) {
            high = middle;
        } else {
            low = std::max(found->front().id, middle + 1);
        }
    }
    co_return low;
}

Task<Result<void>> ControlCommands::find_finished(std::string name, std::vector<MessageId>& ids) {
    auto const last = co_await last_event();
    if (!last) {
        co_return std::unexpected(last.error());
    }
    // Who already has an answer does not wait long for the rest of it.
    auto const deadline = clock_.now() + (ids.empty() ? search_time : extra_time);
    auto end = *last;
    for (std::uint64_t searched = 0; ids.size() < messages_shown; searched += page) {
        auto const begin = end > page ? end - page : 0;
        auto const found = co_await operations_.events(begin, page);
        if (!found) {
            co_return std::unexpected(found.error());
        }
        for (auto event = found->rbegin(); event != found->rend(); ++event) {
            if (event->id <= end && names(*event, name) &&
                std::find(ids.begin(), ids.end(), event->message) == ids.end() &&
                ids.size() < messages_shown) {
                ids.push_back(event->message);
            }
        }
        if (begin == 0) {
            break;
        }
        if (clock_.now() > deadline || searched + page >= searched_max) {
            if (!ids.empty()) {
                break;
            }
            co_return std::unexpected(
                Failure{Fault::not_found,
                        fmt::format("no message is known as {} in the queue or among the last {} "
                                    "events; with its own id an older one is found at once",
                                    name,
                                    searched + page)});
        }
        end = begin;
    }
    if (ids.empty()) {
        co_return std::unexpected(Failure{
            Fault::not_found,
            fmt::format("no message is known as {}: neither the queue nor the journal has it",
                        name)});
    }
    co_return Result<void>{};
}

Task<Result<std::uint64_t>> ControlCommands::events_start(ControlRequest request) {
    if (request.since) {
        co_return co_await first_event_since(*request.since);
    }
    if (request.last) {
        auto const last = co_await last_event();
        if (!last) {
            co_return last;
        }
        co_return *last > *request.last ? *last - *request.last : 0;
    }
    co_return request.after;
}

Task<bool> ControlCommands::events(ControlRequest request, ControlSink& sink) {
    auto const start = co_await events_start(request);
    if (!start) {
        co_return co_await sink.send(control_error(start.error()));
    }
    auto after = *start;
    std::uint64_t sent = 0;
    auto beat = clock_.now() + heartbeat;
    while (true) {
        auto const found = co_await operations_.events(after, page);
        if (!found) {
            co_return co_await sink.send(control_error(found.error()));
        }
        for (auto const& event : *found) {
            after = event.id;
            bool const matches = request.name.empty() || names(event, request.name) ||
                                 event.message.text() == request.name;
            if (!matches) {
                continue;
            }
            bool const heard = co_await sink.send(control_item(event));
            if (!heard) {
                co_return false;
            }
            if (++sent == request.limit) {
                co_return co_await sink.send(control_end());
            }
        }
        if (found->size() == page) {
            continue;
        }
        if (!request.follow) {
            co_return co_await sink.send(control_end());
        }
        if (clock_.now() >= beat) {  // the only way to notice that the reader has gone
            beat = clock_.now() + heartbeat;
            bool const heard = co_await sink.send(control_progress(sent));
            if (!heard) {
                co_return false;
            }
        }
        co_await clock_.sleep(follow_pause);
    }
}

}  // namespace millrace::relay
