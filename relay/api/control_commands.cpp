#include "relay/api/control_commands.hpp"

#include <fmt/format.h>

#include "relay/api/control_json.hpp"

namespace millrace::relay {
namespace {

constexpr std::size_t piece = 32 << 10;  // of a message
constexpr Duration progress_after = std::chrono::seconds(1);

bool is_empty(const WorkFilter& f) {
    return !f.message && f.destination.empty() && f.destinations.empty() && f.sender.empty() &&
           f.sender_domain.empty() && f.recipient.empty() && f.account.empty() &&
           f.mta_queue_id.empty() && f.message_id.empty() && !f.held;
}

std::string describe(const WorkFilter& f) {
    std::string text;
    auto const add = [&](std::string_view key, const std::string& value) {
        if (!value.empty()) {
            text += fmt::format("{}{}={}", text.empty() ? "" : " ", key, value);
        }
    };
    add("id", f.message ? f.message->text() : std::string());
    add("destination", f.destination);
    for (auto const& one : f.destinations)
        add("destination", one);
    add("sender", f.sender);
    add("sender_domain", f.sender_domain);
    add("recipient", f.recipient);
    add("account", f.account);
    add("mta_queue_id", f.mta_queue_id);
    add("message_id", f.message_id);
    add("held", f.held ? (*f.held ? "yes" : "no") : "");
    return text.empty() ? "everything" : text;
}

}  // namespace

Task<bool> ControlCommands::answer(std::string line, ControlSink& sink) {
    auto request = parse_control_request(line);
    if (!request) {
        co_return co_await sink.send(control_error(request.error()));
    }
    co_return co_await run(std::move(*request), sink);
}

Task<bool> ControlCommands::run(ControlRequest request, ControlSink& sink) {
    using Command = ControlRequest::Command;
    switch (request.command) {
        case Command::status:
            co_return co_await status(sink);
        case Command::destinations:
            co_return co_await destinations(sink);
        case Command::providers:
            co_return co_await providers(sink);
        case Command::standing:
            co_return co_await standing(std::move(request), sink);
        case Command::queue:
            co_return co_await queue(std::move(request), sink);
        case Command::count:
            co_return co_await count(std::move(request), sink);
        case Command::show:
            co_return co_await show(std::move(request), sink);
        case Command::why:
            co_return co_await why(std::move(request), sink);
        case Command::fetch:
            co_return co_await fetch(std::move(request), sink);
        case Command::change:
            co_return co_await change(std::move(request), sink);
        case Command::events:
            co_return co_await events(std::move(request), sink);
        case Command::reload:
            co_return co_await reload(sink);
        case Command::pause:
        case Command::drain:
            co_return co_await order(std::move(request), sink);
        case Command::resume:
            co_return co_await resume(std::move(request), sink);
        case Command::orders:
            co_return co_await orders(sink);
        case Command::split:
        case Command::join:
            co_return co_await split(std::move(request), sink);
        case Command::trace:
            co_return co_await trace(std::move(request), sink);
        case Command::warm:
            co_return co_await warm(std::move(request), sink);
    }
    co_return false;
}

Task<bool> ControlCommands::status(ControlSink& sink) {
    auto const status = co_await operations_.status();
    co_return co_await sink.send(status ? control_end(*status) : control_error(status.error()));
}

Task<bool> ControlCommands::destinations(ControlSink& sink) {
    auto const found = co_await operations_.destinations();
    if (!found) {
        co_return co_await sink.send(control_error(found.error()));
    }
    for (auto const& destination : *found) {
        bool const heard = co_await sink.send(control_item(destination));
        if (!heard) {
            co_return false;
        }
    }
    co_return co_await sink.send(control_end());
}

Task<bool> ControlCommands::standing(ControlRequest request, ControlSink& sink) {
    auto more = std::move(request.more);
    auto const found = co_await operations_.standing(std::move(more));
    if (!found) {
        co_return co_await sink.send(control_error(found.error()));
    }
    bool heard = true;
    for (auto const& queue : found->queues) {
        heard = heard && co_await sink.send(control_item(queue));
    }
    for (auto const& learned : found->shares) {
        heard = heard && co_await sink.send(control_item(learned));
    }
    co_return heard&& co_await sink.send(control_end(*found));
}

Task<Result<WorkFilter>> ControlCommands::resolve(ControlRequest request) {
    auto const& name = request.name;
    std::vector<WorkFilter> meanings;
    auto const add = [&](auto set) {
        auto filter = request.filter;
        set(filter);
        meanings.push_back(std::move(filter));
    };
    if (name.empty()) {
        co_return request.filter;
    }
    if (looks_like_target(name)) {
        co_return co_await resolve_target(name, request.filter);
    }
    if (auto const id = MessageId::parse(name)) {
        add([&](WorkFilter& f) { f.message = *id; });
    }
    if (name.find('@') == std::string::npos) {
        add([&](WorkFilter& f) { f.mta_queue_id = name; });
    } else if (name.starts_with('<')) {
        add([&](WorkFilter& f) { f.message_id = name; });
    } else {
        add([&](WorkFilter& f) { f.recipient = name; });
        add([&](WorkFilter& f) { f.message_id = "<" + name + ">"; });
        add([&](WorkFilter& f) { f.sender = name; });
    }
    for (auto const& meaning : meanings) {
        auto const found = co_await operations_.queue(meaning, WorkKey{}, 1);
        if (!found) {
            co_return std::unexpected(found.error());
        }
        if (!found->empty()) {
            co_return meaning;
        }
    }
    co_return std::unexpected(Failure{
        Fault::not_found,
        fmt::format("nothing is queued under the name {0}: millrace show '{0}' tells whether "
                    "it is finished",
                    name)});
}

Task<bool> ControlCommands::queue(ControlRequest request, ControlSink& sink) {
    auto const filter = co_await resolve(request);
    if (!filter) {
        co_return co_await sink.send(control_error(filter.error()));
    }
    std::uint64_t sent = 0;
    WorkKey after;
    while (request.limit == 0 || sent < request.limit) {
        auto const max =
            request.limit == 0
                ? page
                : static_cast<unsigned>(std::min<std::uint64_t>(page, request.limit - sent));
        auto const found = co_await operations_.queue(*filter, after, max);
        if (!found) {
            co_return co_await sink.send(control_error(found.error()));
        }
        for (auto const& recipient : *found) {
            bool const heard = co_await sink.send(control_item(recipient));
            if (!heard) {
                co_return false;
            }
        }
        sent += found->size();
        if (found->size() < max) {
            co_return co_await sink.send(control_end());
        }
        after = found->back().work.key;
    }
    // The limit cut the list: how long would it have been?
    auto const counted = co_await operations_.count(*filter);
    co_return co_await sink.send(counted ? control_end(*counted) : control_error(counted.error()));
}

Task<bool> ControlCommands::count(ControlRequest request, ControlSink& sink) {
    auto const filter = co_await resolve(std::move(request));
    if (!filter) {
        co_return co_await sink.send(control_error(filter.error()));
    }
    auto const counted = co_await operations_.count(*filter);
    co_return co_await sink.send(counted ? control_end(*counted) : control_error(counted.error()));
}

Task<Result<std::vector<MessageId>>> ControlCommands::find_messages(ControlRequest request) {
    std::vector<MessageId> ids;
    auto const& name = request.name;
    auto const filter = co_await resolve(request);
    if (filter) {
        auto const found = co_await operations_.queue(*filter, WorkKey{}, page);
        if (!found) {
            co_return std::unexpected(found.error());
        }
        for (auto const& recipient : *found) {
            if (ids.empty() || ids.back() != recipient.work.key.message) {
                ids.push_back(recipient.work.key.message);
            }
        }
    } else if (filter.error().fault != Fault::not_found) {
        co_return std::unexpected(filter.error());
    } else if (auto const id = MessageId::parse(name)) {
        auto const known = co_await operations_.show(*id);
        if (known) {
            co_return std::vector{*id};
        }
    }
    // A queue id means one message; an address or a Message-ID may mean more than those that wait.
    if (ids.empty() || name.find('@') != std::string::npos) {
        auto const searched = co_await find_finished(name, ids);
        if (!searched) {
            co_return std::unexpected(searched.error());
        }
    }
    co_return ids;
}

Task<bool> ControlCommands::show(ControlRequest request, ControlSink& sink) {
    if (request.name.empty()) {
        Failure const unnamed{Fault::invalid, "say which message"};
        co_return co_await sink.send(control_error(unnamed));
    }
    auto const ids = co_await find_messages(std::move(request));
    if (!ids) {
        co_return co_await sink.send(control_error(ids.error()));
    }
    for (std::size_t i = 0; i < ids->size() && i < messages_shown; ++i) {
        auto const report = co_await operations_.show((*ids)[i]);
        if (!report && report.error().fault == Fault::not_found) {
            continue;  // finished in this very moment, and its history trimmed
        }
        if (!report) {
            co_return co_await sink.send(control_error(report.error()));
        }
        bool const heard = co_await sink.send(control_item(*report));
        if (!heard) {
            co_return false;
        }
    }
    Counted const total{0, ids->size()};
    co_return co_await sink.send(control_end(total));
}

/// Envelope first, then the bytes in pieces: a slow reader costs one piece, not a message.
Task<bool> ControlCommands::fetch(ControlRequest request, ControlSink& sink) {
    auto const id = MessageId::parse(request.name);
    if (!id) {
        Failure const unnamed{Fault::invalid, "say which message, by its own id"};
        co_return co_await sink.send(control_error(unnamed));
    }
    auto const report = co_await operations_.show(*id);
    if (!report || !report->mail) {
        Failure const finished{Fault::not_found,
                               fmt::format("{} is not in the queue (any more)", id->text())};
        bool const gone = report || report.error().fault == Fault::not_found;
        co_return co_await sink.send(control_error(gone ? finished : report.error()));
    }
    auto const body = co_await operations_.body(*id);
    if (!body) {
        co_return co_await sink.send(control_error(body.error()));
    }
    log_.info("control.fetch", {{"by", by_}, {"queue_id", id->text()}});
    bool heard = co_await sink.send(control_envelope(*report));
    std::string_view const bytes = **body;
    for (std::size_t at = 0; heard && at < bytes.size(); at += piece) {
        heard = co_await sink.send(control_piece(bytes.substr(at, piece)));
    }
    co_return heard&& co_await sink.send(control_end());
}

Task<bool> ControlCommands::change(ControlRequest request, ControlSink& sink) {
    auto const filter = co_await resolve(request);
    if (!filter) {
        co_return co_await sink.send(control_error(filter.error()));
    }
    if (is_empty(*filter) && !request.all) {
        Failure const all{Fault::invalid, "a change needs a message or a filter"};
        co_return co_await sink.send(control_error(all));
    }
    auto const word = request.change == Change::bounce ? "bounced" : "removed";
    auto const reason =
        fmt::format("{} by {}", request.reason.empty() ? word : request.reason, by_);
    Counted done;
    MessageId last;
    auto told = clock_.now();
    WorkKey after;
    while (true) {
        auto const changed =
            co_await operations_.change(request.change, *filter, after, page, reason);
        if (!changed) {
            log_.warning("control.change",
                         {{"command", to_string(request.change)},
                          {"by", by_},
                          {"filter", describe(*filter)},
                          {"recipients", done.recipients},
                          {"stopped", changed.error().detail}});
            co_return co_await sink.send(control_error(changed.error()));
        }
        done.recipients += changed->recipients;
        done.messages += changed->messages;
        if (!changed->next) {
            break;
        }
        // A message whose recipients fall into two pages is counted once.
        if (changed->next->message == last && changed->messages > 0 && done.messages > 1) {
            --done.messages;
        }
        last = changed->next->message;
        after = *changed->next;
        if (clock_.now() - told >= progress_after) {
            told = clock_.now();
            bool const heard = co_await sink.send(control_progress(done.recipients));
            if (!heard) {
                break;  // the operator left; what is done is done and logged
            }
        }
    }
    log_.info("control.change",
              {{"command", to_string(request.change)},
               {"by", by_},
               {"filter", describe(*filter)},
               {"recipients", done.recipients},
               {"messages", done.messages}});
    co_return co_await sink.send(control_end(done));
}

Task<bool> ControlCommands::reload(ControlSink& sink) {
    auto const reloaded = co_await operations_.reload();
    log_.info("control.reload", {{"by", by_}, {"result", reloaded ? "done" : "refused"}});
    co_return co_await sink.send(reloaded ? control_end(*reloaded)
                                          : control_error(reloaded.error()));
}

}  // namespace millrace::relay
