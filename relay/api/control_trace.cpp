#include "relay/api/control_commands.hpp"
#include "relay/api/control_json.hpp"

// The part of the control commands that shows dialogues as they happen.

namespace millrace::relay {
namespace {

constexpr Duration look_again = std::chrono::milliseconds(100);

}  // namespace

Task<bool> ControlCommands::trace(ControlRequest request, ControlSink& sink) {
    TraceWish wish;
    if (request.target.empty()) {
        Failure const unnamed{Fault::invalid, "say whose dialogue: a destination, a message, all"};
        co_return co_await sink.send(control_error(unnamed));
    }
    if (request.target == "all" || looks_like_target(request.target)) {
        auto target = OrderTarget::parse(request.target);
        if (!target) {
            co_return co_await sink.send(control_error(target.error()));
        }
        wish.target = std::move(*target);
    } else {
        ControlRequest search;
        search.name = request.target;
        auto const ids = co_await find_messages(std::move(search));
        if (!ids) {
            co_return co_await sink.send(control_error(ids.error()));
        }
        wish.message = ids->front();
    }
    auto const listener = co_await operations_.trace(std::move(wish));
    if (!listener) {
        co_return co_await sink.send(control_error(listener.error()));
    }
    log_.info("control.trace", {{"by", by_}, {"of", request.target}});
    auto const until = request.time ? clock_.now() + *request.time : never;
    auto beat = clock_.now();
    std::uint64_t sent = 0;
    while (true) {
        auto const taken = (*listener)->take();
        for (auto const& line : taken.lines) {
            bool const heard = co_await sink.send(control_item(line));
            if (!heard) {
                co_return false;
            }
            if (++sent == request.limit) {
                co_return co_await sink.send(control_end_of_trace(sent));
            }
        }
        if (taken.lost > 0) {
            bool const heard = co_await sink.send(control_lost(taken.lost));
            if (!heard) {
                co_return false;
            }
        }
        if (clock_.now() >= until) {
            co_return co_await sink.send(control_end_of_trace(sent));
        }
        if (clock_.now() >= beat) {  // the only way to notice that the reader has gone
            beat = clock_.now() + heartbeat;
            bool const heard = co_await sink.send(control_progress(sent));
            if (!heard) {
                co_return false;
            }
        }
        co_await clock_.sleep(look_again);
    }
}

}  // namespace millrace::relay
