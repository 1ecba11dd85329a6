#include "relay/intake/waiting_line.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>

namespace millrace::relay {

using namespace asio::experimental::awaitable_operators;

Task<bool> WaitingLine::wait(Clock& clock, Time deadline, std::function<bool()> take) {
    if (ended_) co_return false;
    if ((waiting_.empty() || order_ == Order::loose) && take()) co_return true;
    Waiter me(executor_, std::move(take));
    struct Place {
        WaitingLine& line;
        Waiter* waiter;
        ~Place() {
            // Who gives up may have kept others behind him waiting.
            if (std::erase(line.waiting_, waiter) > 0) line.advance();
        }
    };
    waiting_.push_back(&me);
    Place const place{*this, &me};
    while (!me.served && !ended_ && clock.now() < deadline) {
        auto turn = me.signal.wait();
        auto limit = clock.sleep_until(deadline);
        co_await (std::move(turn) || std::move(limit));
    }
    co_return me.served;
}

void WaitingLine::advance() {
    for (auto at = waiting_.begin(); at != waiting_.end() && !ended_;) {
        Waiter& waiter = **at;
        if (waiter.take()) {
            waiter.served = true;
            at = waiting_.erase(at);
            waiter.signal.notify();
        } else if (order_ == Order::strict) {
            return;
        } else {
            ++at;
        }
    }
}

void WaitingLine::end() {
    ended_ = true;
    for (Waiter* const waiter : waiting_)
        waiter->signal.notify();
}

}  // namespace millrace::relay
