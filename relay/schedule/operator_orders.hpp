#pragma once

#include <array>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/base/result.hpp"
#include "common/base/time.hpp"
#include "relay/schedule/order_target.hpp"

namespace millrace::relay {

enum class OrderVerb : std::uint8_t {
    pause,  ///< nothing of it starts
    drain,  ///< what was queued by then goes on, what comes later waits; a source: only mail that
            ///< is bound to it still leaves from it
};
/// `pause`, `drain`.
std::string_view to_string(OrderVerb verb);

/// One standing order. Conversations under way are never broken off by it.
struct Order {
    OrderVerb verb = OrderVerb::pause;
    OrderTarget target;
    Time since{};
    Time until = never;  ///< it ends by itself; never: with `millrace resume`
    std::string by;      ///< `uid 0`
    std::string reason;  ///< one line in the operator's words, or empty
    bool operator==(const Order&) const = default;

    /// For whoever asks why mail waits: `paused by uid 0: new disks; millrace resume gmail.com`.
    std::string sentence() const;
};

/// One piece of mail, or one stream of it, that might start now. What is not known is empty, and
/// no order on that axis applies.
struct OrderSubject {
    std::string_view destination, site, provider, account, sender_domain;
    std::string_view source;          ///< the source it would leave from, by name
    std::string_view source_address;  ///< … by address
    bool bound = false;               ///< it must leave from there: it has been tried from there
    Time received{};                  ///< when we took it over
};

/// The operator's standing orders: at most one for each target. Pure.
///
/// Invariant: at most `most` of them; whatever is asked costs a look-up per axis that has orders.
class OperatorOrders {
  public:
    static constexpr std::size_t most = 1'000;

    /// In place of an earlier one for the same target. Failure: invalid (it has ended already),
    /// full (there are `most`, and this is for another target).
    Result<void> give(Order order, Time now);
    /// False: there was none.
    bool lift(const OrderTarget& target);
    const Order* find(const OrderTarget& target) const;

    /// The order because of which this may not start now, or none. Of several the one that lasts
    /// longest. Valid until the orders change.
    const Order* held(const OrderSubject& subject, Time now) const;

    /// When the next one ends by itself.
    Time next_end() const { return next_end_; }
    /// Takes out those that have ended, and returns them.
    std::vector<Order> end(Time now);

    bool empty() const { return size() == 0; }
    std::size_t size() const;
    /// All of them, by axis and name.
    std::vector<Order> list() const;

    /// For a note in the spool: a line for each, fields between tabs. read(text()) gives them back,
    /// to the millisecond.
    std::string text() const;
    /// Those that have not ended. Total on any bytes; lines that say nothing are returned.
    static OperatorOrders read(std::string_view text,
                               Time now,
                               std::vector<std::string>* unreadable = nullptr);

  private:
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const noexcept {
            return std::hash<std::string_view>{}(text);
        }
    };
    using ByName = std::unordered_map<std::string, Order, Hash, std::equal_to<>>;

    ByName& of(OrderAxis axis) { return by_axis_[static_cast<std::size_t>(axis)]; }
    const ByName& of(OrderAxis axis) const { return by_axis_[static_cast<std::size_t>(axis)]; }
    void find_next_end();

    std::array<ByName, order_axes> by_axis_;
    Time next_end_ = never;
};

}  // namespace millrace::relay
