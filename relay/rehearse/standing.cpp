#include "relay/rehearse/standing.hpp"

#include <boost/json.hpp>

namespace millrace::relay {
namespace {

namespace json = boost::json;

std::string text(const json::object& o, std::string_view key) {
    auto const* const v = o.if_contains(key);
    return v != nullptr && v->is_string() ? std::string(v->get_string()) : std::string();
}

std::uint64_t whole(const json::object& o, std::string_view key) {
    auto const* const v = o.if_contains(key);
    if (v == nullptr) return 0;
    boost::system::error_code bad;
    auto const n = v->to_number<std::uint64_t>(bad);
    return bad ? 0 : n;
}

double number(const json::object& o, std::string_view key) {
    auto const* const v = o.if_contains(key);
    if (v == nullptr) return 0;
    boost::system::error_code bad;
    auto const n = v->to_number<double>(bad);
    return bad || n < 0 ? 0 : n;
}

/// Times travel as nanoseconds, so that both sides stand at the very same moment.
Time time(const json::object& o, std::string_view key, Time absent) {
    auto const* const v = o.if_contains(key);
    return v != nullptr && v->is_int64() ? Time(Duration(v->get_int64())) : absent;
}

void put(json::object& o, std::string_view key, Time t) {
    if (t != never && t != Time{}) o[key] = t.time_since_epoch().count();
}

json::object write(const Ceilings& c) {
    return {{"connections", c.connections},
            {"messages_per_connection", c.messages_per_connection},
            {"messages_per_second", c.messages_per_second},
            {"messages_per_hour", c.messages_per_hour},
            {"messages_per_day", c.messages_per_day},
            {"connections_per_second", c.connections_per_second}};
}

Ceilings ceilings(const json::object& o) {
    Ceilings c;
    auto const count = [&](std::string_view key) {
        return static_cast<unsigned>(std::min<std::uint64_t>(whole(o, key), 100'000'000));
    };
    c.connections = std::max(1U, count("connections"));
    c.messages_per_connection = count("messages_per_connection");
    c.messages_per_second = number(o, "messages_per_second");
    c.messages_per_hour = count("messages_per_hour");
    c.messages_per_day = count("messages_per_day");
    c.connections_per_second = number(o, "connections_per_second");
    return c;
}

}  // namespace

json::object to_json(const Standing::Queue& q) {
    json::object o{{"stream", q.stream}, {"count", q.count}, {"held", q.held}};
    if (!q.site.empty()) o["site"] = q.site;
    if (!q.provider.empty()) o["provider"] = q.provider;
    if (!q.why.empty()) o["why"] = q.why;
    put(o, "next_due", q.next_due);
    put(o, "oldest", q.oldest);
    put(o, "wait_until", q.wait_until);
    return o;
}

json::object to_json(const Standing::Learned& l) {
    return {{"source", l.source}, {"provider", l.provider}, {"note", l.note}};
}

json::object end_of(const Standing& s) {
    json::object providers;
    for (auto const& [name, c] : s.limits.providers)
        providers[name] = write(c);
    json::array retry;
    for (auto const step : s.retry.steps)
        retry.emplace_back(step.count());
    json::object o{{"per_site", write(s.limits.per_site)},
                   {"providers", std::move(providers)},
                   {"connections_total", s.limits.connections_total},
                   {"window", static_cast<std::uint64_t>(s.limits.window)},
                   {"retry", std::move(retry)},
                   {"expire_after", s.retry.expire_after.count()},
                   {"idle_connection", s.idle_connection.count()}};
    put(o, "now", s.now);
    return o;
}

Result<void> take_item(Standing& s, const json::object& o) {
    if (o.contains("stream")) {
        Standing::Queue q;
        q.stream = text(o, "stream");
        q.site = text(o, "site");
        q.provider = text(o, "provider");
        q.count = whole(o, "count");
        q.held = whole(o, "held");
        q.next_due = time(o, "next_due", never);
        q.oldest = time(o, "oldest", never);
        q.wait_until = time(o, "wait_until", {});
        q.why = text(o, "why");
        s.queues.push_back(std::move(q));
        return {};
    }
    if (o.contains("note")) {
        s.shares.push_back({text(o, "source"), text(o, "provider"), text(o, "note")});
        return {};
    }
    return failure(Fault::invalid,
                   "the relay's answer is not understood: is it of another version?");
}

void take_end(Standing& s, const json::object& o) {
    s.now = time(o, "now", {});
    if (auto const* const c = o.if_contains("per_site"); c != nullptr && c->is_object()) {
        s.limits.per_site = ceilings(c->get_object());
    }
    if (auto const* const all = o.if_contains("providers"); all != nullptr && all->is_object()) {
        for (auto const& [name, c] : all->get_object()) {
            if (c.is_object()) s.limits.providers.emplace(name, ceilings(c.get_object()));
        }
    }
    if (auto const n = whole(o, "connections_total"); n > 0) {
        s.limits.connections_total = static_cast<unsigned>(std::min<std::uint64_t>(n, 1'000'000));
    }
    if (auto const n = whole(o, "window"); n > 0) s.limits.window = n;
    auto const span = [](std::uint64_t n) {
        constexpr Duration year = std::chrono::hours(24 * 365);
        return std::min(
            Duration(static_cast<Duration::rep>(std::min<std::uint64_t>(n, 1ULL << 62U))), year);
    };
    if (auto const n = whole(o, "idle_connection"); n > 0) s.idle_connection = span(n);
    if (auto const n = whole(o, "expire_after"); n > 0) s.retry.expire_after = span(n);
    if (auto const* const steps = o.if_contains("retry"); steps != nullptr && steps->is_array()) {
        s.retry.steps.clear();
        for (auto const& step : steps->get_array()) {
            if (step.is_int64() && step.get_int64() > 0)
                s.retry.steps.emplace_back(step.get_int64());
        }
    }
    if (s.retry.steps.empty()) s.retry.steps = {std::chrono::minutes(30)};
}

}  // namespace millrace::relay
