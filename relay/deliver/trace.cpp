#include "relay/deliver/trace.hpp"

namespace millrace::relay {

std::string_view to_string(TraceLine::Kind kind) {
    switch (kind) {
        case TraceLine::Kind::note:
            return "note";
        case TraceLine::Kind::said:
            return "said";
        case TraceLine::Kind::heard:
            return "heard";
        case TraceLine::Kind::sent:
            return "sent";
    }
    return {};
}

void TraceListener::tell(const TraceLine& line) {
    if (!wants_(line)) return;
    if (kept_.lost > 0 || kept_.lines.size() >= most) {
        // From the first gap on nothing more: what is shown has no holes but this one.
        ++kept_.lost;
        return;
    }
    kept_.lines.push_back(line);
}

TraceListener::Taken TraceListener::take() {
    return std::exchange(kept_, {});
}

void TraceHub::forget_those_gone() {
    std::erase_if(listeners_, [](auto const& weak) { return weak.expired(); });
}

Result<std::shared_ptr<TraceListener>> TraceHub::listen(
    std::function<bool(const TraceLine&)> wants) {
    forget_those_gone();
    if (listeners_.size() >= listeners_max) {
        return failure(Fault::unavailable,
                       "there are " + std::to_string(listeners_max) +
                           " traces running already; end one of them first");
    }
    auto listener = std::make_shared<TraceListener>(std::move(wants));
    listeners_.push_back(listener);
    return listener;
}

void TraceHub::tell(const TraceLine& line) {
    forget_those_gone();
    for (auto const& weak : listeners_) {
        if (auto const listener = weak.lock()) listener->tell(line);
    }
}

}  // namespace millrace::relay
