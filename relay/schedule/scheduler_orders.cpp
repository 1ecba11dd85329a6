// The part of the scheduler that obeys the operator's standing orders. What they hold is not taken
// into memory: an order may last for days, and what waits for its end must not fill the window.
#include <algorithm>

#include "relay/schedule/scheduler.hpp"

namespace millrace::relay {

void Scheduler::set_orders(OperatorOrders orders, Time now) {
    orders_ = std::move(orders);
    orders_changed(now);
}

void Scheduler::orders_changed(Time now) {
    for (auto& [name, stream] : streams_) {
        if (!stream.order_note.empty()) {
            // What was passed over stands anywhere before the cursor.
            stream.order_note.clear();
            stream.disk_due = std::min(stream.disk_due, now);
            stream.dirty = true;
        }
        set_aside(stream, now);
        attend(stream, now);
    }
}

const Order* Scheduler::order_on(const StreamQueue& stream, Time received, Time now) const {
    OrderSubject subject;
    subject.destination = stream.key.destination;
    subject.site = stream.destination.site;
    subject.provider = stream.destination.provider;
    subject.account = stream.key.account;
    subject.sender_domain = stream.key.sender_domain;
    if (stream.lane != nullptr) subject.source = stream.lane->share->share.source();
    subject.received = received;
    return orders_.held(subject, now);
}

bool Scheduler::held_by_order(StreamQueue& stream, const Work& work, Time now) {
    if (orders_.empty()) return false;
    auto const* const order = order_on(stream, work.key.message.made_at(), now);
    if (order == nullptr) return false;
    stream.order_note = order->sentence();
    stream.order_until = order->until;
    return true;
}

bool Scheduler::held_by_order(StreamQueue& stream, Time now) {
    if (orders_.empty()) return false;
    auto const* const order = order_on(stream, {}, now);
    if (order == nullptr) return false;
    stream.order_note = order->sentence();
    stream.order_until = order->until;
    return true;
}

void Scheduler::set_aside(StreamQueue& stream, Time now) {
    if (orders_.empty()) return;
    auto const gone = std::erase_if(stream.ready, [&](const ReadyWork& one) {
        if (!held_by_order(stream, one.work, now)) return false;
        window_.erase(one.work.key);
        return true;
    });
    if (gone == 0) return;
    if (stream.bulk()) bulk_in_memory_ -= gone;
    counted(stream, -static_cast<int>(gone));
    if (stream.ready.empty()) leave_turns(stream);
    // There is room for others.
    for (auto const& name : std::exchange(wants_room_, {})) {
        if (auto const at = streams_.find(name); at != streams_.end()) {
            attend(at->second, at->second.disk_due);
        }
    }
}

}  // namespace millrace::relay
