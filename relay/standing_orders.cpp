#include <algorithm>

// The part of the dispatcher that keeps the operator's standing orders over a restart.
#include "relay/dispatcher.hpp"

namespace millrace::relay {
namespace {

constexpr Duration read_orders_again = std::chrono::seconds(1);

bool is_same(const std::string& address, const std::string& other) {
    boost::system::error_code bad;
    auto const one = boost::asio::ip::make_address(address, bad);
    return !bad && one.to_string() == other;
}

std::string orders_note() {
    return "operator-orders";
}

}  // namespace

/// Before anything is sent: what an operator has stopped stays stopped.
Task<void> Dispatcher::load_orders() {
    while (!stopping_) {
        auto const note = co_await parts_.spool.note(orders_note());
        if (note || note.error().fault == Fault::not_found) {
            auto const now = parts_.clock.now();
            std::vector<std::string> unreadable;
            scheduler_.set_orders(OperatorOrders::read(note.value_or(""), now, &unreadable), now);
            for (auto const& line : unreadable) {
                parts_.log.error("orders.unreadable", {{"order", line}});
                parts_.on_problem("orders.unreadable",
                                  "an operator's order could not be read and is not in force; "
                                  "millrace pause lists those that are");
            }
            orders_loaded_ = true;
            co_return;
        }
        parts_.log.error("orders.not-read", {{"why", note.error().detail}});
        co_await parts_.clock.sleep(read_orders_again);
    }
}

const Order* Dispatcher::order_on_source(const std::string& address) const {
    OrderSubject subject;
    subject.source_address = address;
    subject.bound = true;  // what a drain keeps from it does not come here
    return scheduler_.orders().held(subject, parts_.clock.now());
}

const Order* Dispatcher::leave_out_stopped(std::vector<Target>& targets,
                                           const Sources& sources) const {
    const Order* stopped = nullptr;
    std::erase_if(targets, [&](const Target& target) {
        auto const from = sources.towards(target.endpoint.address).address;
        auto const* const order = from ? order_on_source(from->to_string()) : nullptr;
        stopped = order != nullptr ? order : stopped;
        return order != nullptr;
    });
    return stopped;
}

Task<Result<void>> Dispatcher::order(Order order) {
    if (order.target.axis == OrderAxis::source) {
        auto const& sources = settings_->relay.sources;
        bool const ours = std::ranges::any_of(sources, [&](auto const& source) {
            return source.name == order.target.name || is_same(source.address, order.target.name);
        });
        if (!ours) {
            co_return failure(Fault::invalid,
                              order.target.name + " is none of relay.sources" +
                                  (sources.empty() ? ": there are none, so mail leaves from "
                                                     "whatever address the system chooses"
                                                   : ""));
        }
    }
    auto changed = scheduler_.orders();
    auto target = order.target;
    if (auto given = changed.give(std::move(order), parts_.clock.now()); !given) {
        co_return given;
    }
    co_return co_await keep_orders(std::move(changed), std::move(target));
}

Task<Result<void>> Dispatcher::lift(OrderTarget target) {
    auto const now = parts_.clock.now();
    auto const lists = scheduler_.release_lists(target, now);
    auto const doors = scheduler_.knock(target, now);
    if (lists + doors > 0) {
        parts_.log.info("lane.resumed",
                        {{"target", target.text()}, {"lists", lists}, {"doors", doors}});
        poke();
    }
    auto changed = scheduler_.orders();
    if (!changed.lift(target)) {
        if (lists + doors > 0) co_return Result<void>{};
        co_return failure(Fault::not_found,
                          "there is no order for " + target.short_text() +
                              ", and nothing there is shut or held; millrace pause lists the "
                              "orders in force, millrace destinations what waits");
    }
    co_return co_await keep_orders(std::move(changed), std::move(target));
}

Task<Result<void>> Dispatcher::keep_orders(OperatorOrders changed, OrderTarget target) {
    if (!orders_loaded_) {
        co_return failure(Fault::unavailable, "the relay is still starting; try again");
    }
    auto const* const found = scheduler_.orders().find(target);
    auto const before = found == nullptr ? std::optional<Order>() : *found;
    auto text = changed.text();
    scheduler_.set_orders(std::move(changed), parts_.clock.now());
    poke();
    auto const written = co_await parts_.spool.put_note(orders_note(), std::move(text));
    if (!written) {
        // Others may have been given meanwhile; only this one is taken back.
        auto back = scheduler_.orders();
        back.lift(target);
        auto const now = parts_.clock.now();
        if (before && before->until > now) {
            [[maybe_unused]] auto const again = back.give(*before, now);
        }
        scheduler_.set_orders(std::move(back), now);
        poke();
        co_return std::unexpected(
            Failure{Fault::unavailable, "not kept, so not in force: " + written.error().detail});
    }
    co_return Result<void>{};
}

}  // namespace millrace::relay
