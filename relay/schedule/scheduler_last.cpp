// The part of the scheduler that knows what can still become of mail whose time is over.
#include <algorithm>

#include "common/base/check.hpp"
#include "relay/schedule/scheduler.hpp"

namespace millrace::relay {
namespace {

/// What can start so soon is worth a last attempt.
constexpr Duration soon = std::chrono::minutes(15);

}  // namespace

Prospect Scheduler::prospect(const Work& work, Time now) const {
    using Standing = Prospect::Standing;
    if (in_flight(work.key)) return {Standing::under_way, {}};
    auto const found = streams_.find(stream_name(work));
    if (found == streams_.end()) return {};
    auto const& stream = found->second;
    if (!orders_.empty()) {
        if (auto const* const order = order_on(
                stream, work.key.message.made_at(), work.attempts > 0, now)) {
            return {Standing::ordered, {order->sentence(), order->until, {}, {}}};
        }
        // An order on all our addresses stands in the way as a pause that is renewed.
        if (stream.lane != nullptr && stream.lane->standing == 0) {
            for (auto const& order : orders_.list()) {
                if (order.target.axis != OrderAxis::source || order.until <= now) continue;
                if (order.sentence() != stream.lane->pause_reason) continue;
                return {Standing::ordered, {order.sentence(), order.until, {}, {}}};
            }
        }
    }
    Prospect result;
    result.wait = wait(stream, now);
    if (stream.lane == nullptr) return result;
    // What is on disk waits for the same.
    if (!result.wait.any()) result.wait = stream.lane->share->share.wait(now);
    if (held_until(stream, now) > now + soon) result.standing = Standing::shut;
    return result;
}

bool Scheduler::hurry(const WorkKey& key) {
    auto const at = window_.find(key);
    if (at == window_.end() || at->second.flying) return false;
    auto& ready = at->second.stream->ready;
    auto const one = std::ranges::find(ready, key, [](const ReadyWork& r) { return r.work.key; });
    if (one == ready.end()) return false;
    std::rotate(ready.begin(), one, one + 1);
    return true;
}

bool Scheduler::put_first(const Work& work, Time now) {
    auto& stream = stream_of(stream_name(work));
    auto const at = window_.find(work.key);
    MILLRACE_CHECK(at != window_.end() && at->second.flying);
    // Its own place is counted already.
    if (window_.size() > limits_.window) {
        deferred(work);
        return false;
    }
    at->second.flying = false;
    --stream.in_flight;
    stream.ready.push_front({work, nullptr});
    counted(stream, 1);
    set_aside(stream, now);
    attend(stream, now);
    return true;
}

}  // namespace millrace::relay
