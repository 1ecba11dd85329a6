#include "common/net/signal.hpp"

#include <memory>

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/error_code.hpp>

#include "common/base/check.hpp"

namespace millrace {

void Signal::notify() {
    if (!waiter_) {
        pending_ = true;
        return;
    }
    auto const wake = std::exchange(waiter_, nullptr);
    wake(false);
}

Task<void> Signal::wait() {
    if (std::exchange(pending_, false)) {
        co_return;
    }
    auto start = [this](auto handler) {
        MILLRACE_CHECK(!waiter_);
        auto slot = asio::get_associated_cancellation_slot(handler);
        auto shared = std::make_shared<decltype(handler)>(std::move(handler));
        waiter_ = [executor = executor_, shared](bool cancelled) {
            asio::get_associated_cancellation_slot(*shared).clear();
            asio::post(executor, [shared, cancelled] {
                boost::system::error_code const ec =
                    cancelled ? make_error_code(asio::error::operation_aborted)
                              : boost::system::error_code{};
                std::move (*shared)(ec);
            });
        };
        if (slot.is_connected()) {
            slot.assign([this](asio::cancellation_type) {
                if (!waiter_) {
                    return;
                }
                auto const wake = std::exchange(waiter_, nullptr);
                wake(true);
            });
        }
    };
    co_await asio::async_initiate<const asio::use_awaitable_t<>, void(boost::system::error_code)>(
        std::move(start), asio::use_awaitable);
}

}  // namespace millrace
