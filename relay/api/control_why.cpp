#include <algorithm>
#include <fmt/format.h>

#include <boost/json.hpp>

#include "relay/api/control_commands.hpp"
#include "relay/api/control_json.hpp"

// The part of the control commands that explains.

namespace millrace::relay {
namespace {

namespace json = boost::json;

json::array array_of(const std::vector<Explanation::Line>& lines) {
    json::array all;
    for (auto const& line : lines)
        all.push_back({{"about", line.about}, {"text", line.text}});
    return all;
}

json::array array_of(const std::vector<std::string>& texts) {
    json::array all;
    for (auto const& text : texts)
        all.emplace_back(text);
    return all;
}

std::string item(json::object o) {
    return json::serialize(json::object{{"item", std::move(o)}});
}

}  // namespace

std::string control_item(const Explanation& e) {
    json::object o;
    constexpr std::string_view words[] = {"message", "destination", "provider"};
    o["about"] = words[static_cast<std::size_t>(e.about)];
    if (e.about == Explanation::About::message) {
        o["id"] = e.id.text();
        o["recipient"] = e.recipient;
        o["sender"] = e.sender;
    }
    put(o, "message_id", e.message_id);
    put(o, "mta_queue_id", e.mta_queue_id);
    put(o, "account", e.account);
    put(o, "class", e.klass);
    put(o, "destination", e.destination);
    put(o, "provider", e.provider);
    put(o, "source", e.source);
    o["state"] = e.state;
    o["answer"] = e.answer;
    o["lines"] = array_of(e.lines);
    o["history"] = array_of(e.history);
    put(o, "cause", e.cause);
    put(o, "said", e.said);
    put(o, "learned", e.learned);
    put(o, "until", e.until);
    put(o, "next_attempt", e.next_attempt);
    put(o, "gives_up", e.gives_up);
    put(o, "expected", e.expected);
    put(o, "finished", e.finished);
    if (e.before) o["before"] = *e.before;
    return item(std::move(o));
}

std::string control_item(const ProviderStatus& p) {
    json::object o;
    put(o, "source", p.source);
    o["provider"] = p.provider;
    o["state"] = p.state;
    put(o, "cause", p.cause);
    put(o, "until", p.until);
    json::array allowances;
    for (auto const& a : p.allowances) {
        json::object one{{"what", a.what}, {"text", a.text}, {"from", a.from}};
        put(one, "since", a.since);
        put(one, "said", a.said);
        allowances.push_back(std::move(one));
    }
    o["allowances"] = std::move(allowances);
    o["connections"] = p.connections;
    o["connections_allowed"] = p.connections_allowed;
    o["rate"] = p.rate;
    o["queued"] = p.queued;
    o["held"] = p.held;
    put(o, "oldest", p.oldest);
    o["unknown_users"] = p.unknown_users;
    put(o, "last_reply", p.last_reply);
    put(o, "last_host", p.last_host);
    o["sites"] = array_of(p.sites);
    o["evidence"] = array_of(p.evidence);
    json::array destinations;
    boost::system::error_code error;
    for (auto const& d : p.destinations) {
        // As `destinations` has them.
        auto line = json::parse(control_item(d), error);
        if (!error) destinations.push_back(std::move(line.as_object().at("item")));
    }
    o["destinations"] = std::move(destinations);
    return item(std::move(o));
}

Task<bool> ControlCommands::providers(ControlSink& sink) {
    auto const found = co_await operations_.providers();
    if (!found) {
        co_return co_await sink.send(control_error(found.error()));
    }
    for (auto const& provider : *found) {
        bool const heard = co_await sink.send(control_item(provider));
        if (!heard) {
            co_return false;
        }
    }
    co_return co_await sink.send(control_end());
}

/// A name without an @ may be a destination or a provider; else it is of messages.
Task<bool> ControlCommands::why(ControlRequest request, ControlSink& sink) {
    auto const name = request.name;
    if (name.empty()) {
        Failure const unnamed{Fault::invalid, "say of what: a message, an address, a destination"};
        co_return co_await sink.send(control_error(unnamed));
    }
    if (name.find('@') == std::string::npos) {
        auto const place = co_await operations_.why_destination(name);
        if (place) {
            bool const heard = co_await sink.send(control_item(*place));
            co_return heard&& co_await sink.send(control_end(Counted{0, 0}));
        }
        // No queue id holds a dot.
        if (place.error().fault != Fault::not_found || name.find('.') != std::string::npos) {
            co_return co_await sink.send(control_error(place.error()));
        }
    }
    auto const ids = co_await find_messages(std::move(request));
    if (!ids) {
        co_return co_await sink.send(control_error(ids.error()));
    }
    std::uint64_t told = 0;
    for (std::size_t i = 0; i < ids->size() && i < messages_shown; ++i) {
        auto const answers = co_await operations_.why((*ids)[i]);
        if (!answers && answers.error().fault == Fault::not_found) {
            continue;  // finished in this very moment, and its history trimmed
        }
        if (!answers) {
            co_return co_await sink.send(control_error(answers.error()));
        }
        for (auto const& answer : *answers) {
            // Who asks for an address wants to hear of that recipient.
            bool const other = name.find('@') != std::string::npos && ids->size() == 1 &&
                               answer.recipient != name && answers->size() > 1 &&
                               std::ranges::any_of(*answers, [&](const Explanation& e) {
                                   return e.recipient == name;
                               });
            if (other) continue;
            ++told;
            bool const heard = co_await sink.send(control_item(answer));
            if (!heard) {
                co_return false;
            }
        }
    }
    if (told == 0) {
        Failure const unknown{
            Fault::not_found,
            fmt::format("nothing is known by the name {}: neither the queue nor the journal has "
                        "it (any more)",
                        name)};
        co_return co_await sink.send(control_error(unknown));
    }
    co_return co_await sink.send(control_end(Counted{told, ids->size()}));
}

}  // namespace millrace::relay
