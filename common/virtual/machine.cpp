#include "common/virtual/machine.hpp"

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

namespace millrace::virtual_ {

using boost::system::error_code;

Machine::Machine(Simulation& simulation, std::string name)
    : simulation_(simulation), name_(std::move(name)) {}

Machine::~Machine() {
    drop_all();
}

Task<error_code> Machine::wait(Ticket ticket, Cancellable cancellable) {
    auto start = [this, ticket, cancellable](auto handler) {
        auto slot = asio::get_associated_cancellation_slot(handler);
        if (cancellable == Cancellable::yes && slot.is_connected()) {
            slot.assign([this, ticket](asio::cancellation_type) {
                wake(ticket, asio::error::operation_aborted);
            });
        }
        waiting_.emplace(ticket, [handler = std::move(handler)](error_code why) mutable {
            // The answer is a value and not an error: as_tuple without its header.
            std::move(handler)(std::exception_ptr(), why);
        });
    };
    co_return co_await asio::async_initiate<const asio::use_awaitable_t<>,
                                            void(std::exception_ptr, error_code)>(
        std::move(start), asio::use_awaitable);
}

void Machine::wake(Ticket ticket, error_code why) {
    if (!alive_) return;
    auto found = waiting_.extract(ticket);
    if (found.empty()) return;
    asio::post(ready_, [run = std::move(found.mapped()), why]() mutable { run(why); });
}

Task<void> Machine::sleep_until(Time t) {
    if (t <= now()) co_return;
    const Ticket mine = ticket();
    const auto timer = simulation_.at(t, [this, mine] { wake(mine); });
    const error_code why = co_await wait(mine, Cancellable::yes);
    if (why) {
        simulation_.cancel(timer);
        throw boost::system::system_error(why);
    }
}

bool Machine::poll() {
    if (!alive_) return false;
    ready_.restart();
    return ready_.poll() > 0;
}

void Machine::drop_all() {
    alive_ = false;
    while (!waiting_.empty()) {
        // Dropping a handler posts the end of its coroutine to the loop, which drops that as well.
        auto all = std::exchange(waiting_, {});
        all.clear();
        ready_.drop_handlers();
    }
    ready_.drop_handlers();
}

}  // namespace millrace::virtual_
