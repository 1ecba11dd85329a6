#include "relay/schedule/operator_orders.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

namespace millrace::relay {
namespace {

constexpr std::string_view head = "millrace-orders-1";
constexpr std::size_t fields_of_order = 6;

std::vector<std::string_view> split(std::string_view text, char at) {
    std::vector<std::string_view> parts;
    while (true) {
        auto const end = text.find(at);
        parts.push_back(text.substr(0, end));
        if (end == std::string_view::npos) return parts;
        text.remove_prefix(end + 1);
    }
}

/// One line, no tabs: what separates fields and orders.
std::string plain(std::string_view text) {
    std::string out(text);
    std::ranges::replace_if(
        out, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7F'; }, ' ');
    return out;
}

std::optional<Time> time_in(std::string_view text) {
    if (text == "-") return never;
    std::int64_t ms = 0;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), ms);
    bool const fits = ms >= 0 && ms <= unix_millis(never);
    if (error != std::errc{} || end != text.data() + text.size() || !fits) return std::nullopt;
    return from_unix_millis(ms);
}

std::string text_of(Time time) {
    return time == never ? "-" : std::to_string(unix_millis(time));
}

std::optional<Order> order_in(std::string_view line) {
    auto const fields = split(line, '\t');
    if (fields.size() != fields_of_order) return std::nullopt;
    Order order;
    if (fields[0] != to_string(OrderVerb::pause) && fields[0] != to_string(OrderVerb::drain)) {
        return std::nullopt;
    }
    order.verb = fields[0] == to_string(OrderVerb::drain) ? OrderVerb::drain : OrderVerb::pause;
    auto target = OrderTarget::parse(fields[1]);
    auto const since = time_in(fields[2]);
    auto const until = time_in(fields[3]);
    if (!target || !since || !until) return std::nullopt;
    order.target = std::move(*target);
    order.since = *since;
    order.until = *until;
    order.by = fields[4];
    order.reason = fields[5];
    return order;
}

}  // namespace

std::string_view to_string(OrderVerb verb) {
    return verb == OrderVerb::drain ? "drain" : "pause";
}

std::string Order::sentence() const {
    auto text = std::string(verb == OrderVerb::drain
                                ? (target.axis == OrderAxis::source
                                       ? "its source is drained: only mail bound to it leaves, by "
                                       : "drained, what came later waits, by ")
                                : "paused by ") +
                by;
    if (!reason.empty()) text += ": " + reason;
    return text + "; millrace resume " + target.short_text();
}

Result<void> OperatorOrders::give(Order order, Time now) {
    if (order.until <= now) return failure(Fault::invalid, "that time is over already");
    auto& names = of(order.target.axis);
    if (!names.contains(order.target.name) && size() >= most) {
        return failure(Fault::full,
                       "there are " + std::to_string(most) +
                           " orders already; millrace resume ends those that are not needed");
    }
    order.by = plain(order.by);
    order.reason = plain(order.reason);
    auto name = order.target.name;
    names.insert_or_assign(std::move(name), std::move(order));
    find_next_end();
    return {};
}

bool OperatorOrders::lift(const OrderTarget& target) {
    bool const was = of(target.axis).erase(target.name) > 0;
    find_next_end();
    return was;
}

const Order* OperatorOrders::find(const OrderTarget& target) const {
    auto const found = of(target.axis).find(target.name);
    return found == of(target.axis).end() ? nullptr : &found->second;
}

const Order* OperatorOrders::held(const OrderSubject& subject, Time now) const {
    const Order* longest = nullptr;
    auto const look = [&](OrderAxis axis, std::string_view name) {
        auto const& names = of(axis);
        if (names.empty() || (name.empty() && axis != OrderAxis::all)) return;
        auto const found = names.find(name);
        if (found == names.end() || found->second.until <= now) return;
        auto const& order = found->second;
        if (order.verb == OrderVerb::drain) {
            bool const goes_on =
                axis == OrderAxis::source ? subject.bound : subject.received <= order.since;
            if (goes_on) return;
        }
        if (longest == nullptr || order.until > longest->until) longest = &order;
    };
    look(OrderAxis::all, {});
    look(OrderAxis::destination, subject.destination);
    look(OrderAxis::site, subject.site);
    look(OrderAxis::provider, subject.provider);
    look(OrderAxis::source, subject.source);
    look(OrderAxis::source, subject.source_address);
    look(OrderAxis::account, subject.account);
    look(OrderAxis::sender_domain, subject.sender_domain);
    return longest;
}

void OperatorOrders::find_next_end() {
    next_end_ = never;
    for (auto const& names : by_axis_) {
        for (auto const& [name, order] : names)
            next_end_ = std::min(next_end_, order.until);
    }
}

std::vector<Order> OperatorOrders::end(Time now) {
    std::vector<Order> ended;
    for (auto& names : by_axis_) {
        std::erase_if(names, [&](auto& entry) {
            if (entry.second.until > now) return false;
            ended.push_back(std::move(entry.second));
            return true;
        });
    }
    find_next_end();
    return ended;
}

std::size_t OperatorOrders::size() const {
    std::size_t all = 0;
    for (auto const& names : by_axis_)
        all += names.size();
    return all;
}

std::vector<Order> OperatorOrders::list() const {
    std::vector<Order> all;
    for (auto const& names : by_axis_) {
        for (auto const& [name, order] : names)
            all.push_back(order);
    }
    std::ranges::sort(all, {}, &Order::target);
    return all;
}

std::string OperatorOrders::text() const {
    auto out = std::string(head) + "\n";
    for (auto const& order : list()) {
        out.append(to_string(order.verb))
            .append("\t")
            .append(order.target.text())
            .append("\t")
            .append(text_of(order.since))
            .append("\t")
            .append(text_of(order.until))
            .append("\t")
            .append(order.by)
            .append("\t")
            .append(order.reason)
            .append("\n");
    }
    return out;
}

OperatorOrders OperatorOrders::read(std::string_view text,
                                    Time now,
                                    std::vector<std::string>* unreadable) {
    OperatorOrders orders;
    bool first = true;
    for (auto const line : split(text, '\n')) {
        bool const is_head = std::exchange(first, false) && line == head;
        if (is_head || line.empty()) continue;
        auto order = order_in(line);
        if (order && order->until <= now) continue;
        bool const taken = order && orders.give(std::move(*order), now).has_value();
        if (!taken && unreadable != nullptr) unreadable->emplace_back(line);
    }
    return orders;
}

}  // namespace millrace::relay
