#include <fmt/format.h>

#include "relay/api/control_commands.hpp"
#include "relay/api/control_json.hpp"

// The part of the control commands that gives standing orders, and says what their targets mean.

namespace millrace::relay {

Task<Result<WorkFilter>> ControlCommands::resolve_target(std::string word, WorkFilter narrowed) {
    auto const target = OrderTarget::parse(word);
    if (!target) {
        co_return std::unexpected(target.error());
    }
    auto meant = co_await operations_.filter_of(*target);
    if (!meant) {
        co_return std::unexpected(meant.error());
    }
    bool twice = false;
    auto const narrow = [&](std::string& by, const std::string& value) {
        if (value.empty()) {
            return;
        }
        twice = twice || (!by.empty() && by != value);
        by = value;
    };
    narrow(meant->destination, narrowed.destination);
    narrow(meant->sender, narrowed.sender);
    narrow(meant->sender_domain, narrowed.sender_domain);
    narrow(meant->recipient, narrowed.recipient);
    narrow(meant->account, narrowed.account);
    meant->held = narrowed.held;
    if (twice) {
        co_return std::unexpected(
            Failure{Fault::invalid, word + " and the filter beside it exclude each other"});
    }
    co_return meant;
}

Task<bool> ControlCommands::order(ControlRequest request, ControlSink& sink) {
    auto target = OrderTarget::parse(request.target);
    if (!target) {
        co_return co_await sink.send(control_error(target.error()));
    }
    Order order;
    order.verb =
        request.command == ControlRequest::Command::drain ? OrderVerb::drain : OrderVerb::pause;
    order.target = std::move(*target);
    order.since = clock_.now();
    order.until = request.time ? order.since + *request.time : never;
    order.by = by_;
    order.reason = request.reason;
    auto const given = co_await operations_.order(order);
    if (!given) {
        log_.warning("control.order",
                     {{"order", to_string(order.verb)},
                      {"target", order.target.text()},
                      {"by", by_},
                      {"refused", given.error().detail}});
        co_return co_await sink.send(control_error(given.error()));
    }
    log_.info("control.order",
              {{"order", to_string(order.verb)},
               {"target", order.target.text()},
               {"by", by_},
               {"until", order.until == never ? std::string("resume") : to_rfc3339(order.until)},
               {"reason", order.reason}});
    co_return co_await sink.send(control_end(order));
}

Task<bool> ControlCommands::resume(ControlRequest request, ControlSink& sink) {
    auto const target = OrderTarget::parse(request.target);
    if (!target) {
        co_return co_await sink.send(control_error(target.error()));
    }
    // Without an order there may be bulk mail that is held for its recipients.
    Order ended;
    ended.target = *target;
    ended.since = clock_.now();
    for (auto const& order : operations_.orders()) {
        if (order.target == *target) ended = order;
    }
    auto const lifted = co_await operations_.lift(*target);
    if (!lifted) {
        co_return co_await sink.send(control_error(lifted.error()));
    }
    log_.info("control.resume", {{"target", target->text()}, {"by", by_}});
    co_return co_await sink.send(control_end(ended));
}

Task<bool> ControlCommands::split(ControlRequest request, ControlSink& sink) {
    bool const alone = request.command == ControlRequest::Command::split;
    auto site = request.name;
    if (auto const done = co_await operations_.split(std::move(site), alone); !done) {
        co_return co_await sink.send(control_error(done.error()));
    }
    log_.info(alone ? "control.split" : "control.join", {{"site", request.name}, {"by", by_}});
    co_return co_await sink.send(control_end());
}

Task<bool> ControlCommands::orders(ControlSink& sink) {
    for (auto const& order : operations_.orders()) {
        bool const heard = co_await sink.send(control_item(order));
        if (!heard) {
            co_return false;
        }
    }
    co_return co_await sink.send(control_end());
}

Task<bool> ControlCommands::warm(ControlRequest request, ControlSink& sink) {
    auto source = request.name;
    auto const marked = co_await operations_.mark_warm(std::move(source));
    log_.warning("control.warm",
                 {{"source", request.name},
                  {"by", by_},
                  {"result", marked ? std::string("done") : marked.error().detail}});
    co_return co_await sink.send(marked ? control_end() : control_error(marked.error()));
}

}  // namespace millrace::relay
