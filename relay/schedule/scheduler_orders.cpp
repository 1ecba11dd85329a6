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

const Order* Scheduler::order_on(const StreamQueue& stream,
                                 Time received,
                                 bool bound,
                                 Time now) const {
    OrderSubject subject;
    subject.destination = stream.key.destination;
    subject.site = stream.destination.site;
    subject.provider = stream.destination.provider;
    subject.account = stream.key.account;
    subject.sender_domain = stream.key.sender_domain;
    if (auto const* const source = own_source(stream)) {
        subject.source = source->name;
        // Of a pair only the connection knows which one it uses.
        if (source->addresses.size() == 1) subject.source_address = source->addresses.front();
    }
    subject.received = received;
    subject.bound = bound;
    return orders_.held(subject, now);
}

bool Scheduler::held_by_order(StreamQueue& stream, const Work& work, Time now) {
    if (orders_.empty()) return false;
    auto const* const order = order_on(stream, work.key.message.made_at(), work.attempts > 0, now);
    if (order == nullptr) return false;
    // It leaves from another source.
    bool const drains = order->verb == OrderVerb::drain && order->target.axis == OrderAxis::source;
    if (drains && refuge(stream, now)) return false;
    stream.order_note = order->sentence();
    stream.order_until = order->until;
    return true;
}

bool Scheduler::held_by_order(StreamQueue& stream, Time now) {
    if (orders_.empty()) return false;
    auto const* const order = order_on(stream, {}, true, now);
    if (order == nullptr) return false;
    stream.order_note = order->sentence();
    stream.order_until = order->until;
    return true;
}

void Scheduler::set_aside(StreamQueue& stream, Time now) {
    if (orders_.empty()) return;
    divert(stream, now);
    auto const gone = std::erase_if(stream.ready, [&](const ReadyWork& one) {
        if (!held_by_order(stream, one.work, now)) return false;
        if (stream.key.rank() > 0) left_to_disk(stream, one.work, now);
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
