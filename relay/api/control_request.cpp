#include "relay/api/control_request.hpp"

#include <fmt/format.h>
#include <limits>

#include <boost/json.hpp>

namespace millrace::relay {
namespace {

namespace json = boost::json;

constexpr std::pair<std::string_view, ControlRequest::Command> command_names[] = {
    {"status", ControlRequest::Command::status},
    {"destinations", ControlRequest::Command::destinations},
    {"providers", ControlRequest::Command::providers},
    {"standing", ControlRequest::Command::standing},
    {"queue", ControlRequest::Command::queue},
    {"count", ControlRequest::Command::count},
    {"show", ControlRequest::Command::show},
    {"why", ControlRequest::Command::why},
    {"fetch", ControlRequest::Command::fetch},
    {"events", ControlRequest::Command::events},
    {"reload", ControlRequest::Command::reload},
    {"pause", ControlRequest::Command::pause},
    {"drain", ControlRequest::Command::drain},
    {"resume", ControlRequest::Command::resume},
    {"orders", ControlRequest::Command::orders},
    {"split", ControlRequest::Command::split},
    {"join", ControlRequest::Command::join},
    {"trace", ControlRequest::Command::trace},
    {"warm", ControlRequest::Command::warm},
};
constexpr std::pair<std::string_view, Change> change_names[] = {
    {"hold", Change::hold},
    {"release", Change::release},
    {"retry", Change::retry},
    {"remove", Change::remove},
    {"bounce", Change::bounce},
};

constexpr std::size_t reason_max = 300;
constexpr std::size_t more_max = 500;
constexpr std::uint64_t for_max_ms = 10ULL * 365 * 24 * 3'600'000;  // ten years

std::unexpected<Failure> wrong(std::string_view what) {
    return failure(Fault::invalid, fmt::format("the request is not understood: {}", what));
}

bool take(const json::value& value, std::string& into) {
    if (!value.is_string()) {
        return false;
    }
    into = std::string_view(value.get_string());
    return true;
}

bool take(const json::value& value, std::uint64_t& into) {
    boost::system::error_code error;
    into = value.to_number<std::uint64_t>(error);
    return !error;
}

bool take(const json::value& value, bool& into) {
    if (!value.is_bool()) {
        return false;
    }
    into = value.get_bool();
    return true;
}

bool take_filter(std::string_view key, const json::value& value, WorkFilter& filter) {
    if (key == "id") {
        std::string text;
        auto const id = take(value, text) ? MessageId::parse(text) : std::nullopt;
        filter.message = id;
        return id.has_value();
    }
    if (key == "held") {
        bool held = false;
        bool const good = take(value, held);
        filter.held = held;
        return good;
    }
    constexpr std::pair<std::string_view, std::string WorkFilter::*> texts[] = {
        {"destination", &WorkFilter::destination},
        {"sender", &WorkFilter::sender},
        {"sender_domain", &WorkFilter::sender_domain},
        {"recipient", &WorkFilter::recipient},
        {"account", &WorkFilter::account},
        {"mta_queue_id", &WorkFilter::mta_queue_id},
        {"message_id", &WorkFilter::message_id},
    };
    for (auto const& [name, member] : texts) {
        if (name == key) {
            return take(value, filter.*member);
        }
    }
    return false;
}

bool take_time(const json::value& value, std::optional<Time>& into) {
    boost::system::error_code error;
    auto const ms = value.to_number<std::int64_t>(error);
    // Nanoseconds since 1970 must fit.
    if (error || ms < 0 || ms > std::numeric_limits<std::int64_t>::max() / 1'000'000) {
        return false;
    }
    into = from_unix_millis(ms);
    return true;
}

bool take_option(std::string_view key, const json::value& value, ControlRequest& request) {
    if (key == "name") {
        return take(value, request.name);
    }
    if (key == "reason") {
        return take(value, request.reason) && request.reason.size() <= reason_max;
    }
    if (key == "more") {
        if (!value.is_array() || value.get_array().size() > more_max) return false;
        for (auto const& one : value.get_array()) {
            if (!take(one, request.more.emplace_back())) return false;
        }
        return true;
    }
    if (key == "target") {
        return take(value, request.target);
    }
    if (key == "for_ms") {
        std::uint64_t ms = 0;
        bool const good = take(value, ms) && ms > 0 && ms <= for_max_ms;
        request.time = std::chrono::milliseconds(ms);
        return good;
    }
    if (key == "limit") {
        return take(value, request.limit);
    }
    if (key == "after") {
        return take(value, request.after);
    }
    if (key == "all") {
        return take(value, request.all);
    }
    if (key == "follow") {
        return take(value, request.follow);
    }
    if (key == "since_ms") {
        return take_time(value, request.since);
    }
    if (key == "last") {
        std::uint64_t last = 0;
        bool const good = take(value, last) && last <= 100'000;
        request.last = static_cast<unsigned>(last);
        return good;
    }
    return false;
}

}  // namespace

std::string_view to_string(Change change) {
    for (auto const& [name, value] : change_names) {
        if (value == change) {
            return name;
        }
    }
    return {};
}

Result<ControlRequest> parse_control_request(std::string_view line) {
    boost::system::error_code error;
    auto const value = json::parse(json::string_view(line.data(), line.size()), error);
    if (error || !value.is_object()) {
        return wrong("it is not a JSON object");
    }
    auto const& object = value.get_object();
    auto const* const command = object.if_contains("command");
    if (command == nullptr || !command->is_string()) {
        return wrong("\"command\" is missing");
    }
    std::string_view const name = command->get_string();
    ControlRequest request;
    bool known = false;
    for (auto const& [text, meaning] : command_names) {
        if (text == name) {
            request.command = meaning;
            known = true;
        }
    }
    for (auto const& [text, meaning] : change_names) {
        if (text == name) {
            request.command = ControlRequest::Command::change;
            request.change = meaning;
            known = true;
        }
    }
    if (!known) {
        return wrong(fmt::format("there is no command {}", name));
    }
    for (auto const& [key, option] : object) {
        if (key == "command") {
            continue;
        }
        if (key == "filter" && option.is_object()) {
            for (auto const& [part, wanted] : option.get_object()) {
                if (!take_filter(part, wanted, request.filter)) {
                    return wrong(fmt::format("filter.{}", std::string_view(part)));
                }
            }
        } else if (!take_option(key, option, request)) {
            return wrong(std::string_view(key));
        }
    }
    return request;
}

}  // namespace millrace::relay
