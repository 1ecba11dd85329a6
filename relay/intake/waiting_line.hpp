#pragma once

#include <functional>
#include <list>

#include "common/net/clock.hpp"
#include "common/net/signal.hpp"

namespace millrace::relay {

/// Those who wait until something is given back: a seat, room for a message. First come, first
/// served. Thread: the loop's.
class WaitingLine {
  public:
    enum class Order : std::uint8_t {
        strict,  ///< nobody overtakes: who wants much gets it at last
        loose,   ///< whoever can be served is, in order
    };
    WaitingLine(asio::any_io_executor executor, Order order)
        : executor_(std::move(executor)), order_(order) {}
    WaitingLine(const WaitingLine&) = delete;

    /// Tries `take` at once when nobody waits (or it is no matter), then whenever something has
    /// been given back. True as soon as it took; false at the deadline or after end(). Cancelled:
    /// throws as sleeping does; what was taken is the caller's to give back.
    Task<bool> wait(Clock& clock, Time deadline, std::function<bool()> take);
    /// Something has been given back.
    void advance();
    /// Nobody is served any more.
    void end();
    std::size_t size() const { return waiting_.size(); }

  private:
    struct Waiter {
        Waiter(asio::any_io_executor executor, std::function<bool()> what)
            : take(std::move(what)), signal(std::move(executor)) {}
        std::function<bool()> take;
        Signal signal;
        bool served = false;
    };
    asio::any_io_executor executor_;
    Order order_;
    std::list<Waiter*> waiting_;
    bool ended_ = false;
};

}  // namespace millrace::relay
