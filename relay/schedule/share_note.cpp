// What a share has learned, as text for the spool and back.
#include <boost/json.hpp>

#include "relay/schedule/share.hpp"

namespace millrace::relay {
namespace {

namespace json = boost::json;

/// So much every receiver takes: found out again in a moment.
constexpr unsigned plain_connections = 2;
constexpr double plain_minute = 20;

std::int64_t stamp(Time t) {
    return t.time_since_epoch().count();
}

/// A JSON object of which a field that is missing or of another type is nothing.
class Fields {
  public:
    explicit Fields(const json::value* value) : object_(value ? value->if_object() : nullptr) {}

    double number(const char* name) const {
        auto const* const v = find(name);
        if (v == nullptr || !v->is_number()) return 0;
        return v->to_number<double>();
    }
    std::int64_t whole(const char* name) const {
        auto const* const v = find(name);
        return v != nullptr && v->is_int64() ? v->get_int64() : 0;
    }
    unsigned count(const char* name) const {
        auto const n = whole(name);
        return n < 0 || n > 1'000'000 ? 0 : static_cast<unsigned>(n);
    }
    Time time(const char* name) const { return Time(Duration(whole(name))); }
    Duration span(const char* name) const { return Duration(whole(name)); }
    std::string text(const char* name) const {
        auto const* const v = find(name);
        return v != nullptr && v->is_string() ? std::string(v->get_string()) : std::string();
    }
    const json::value* find(const char* name) const {
        return object_ == nullptr ? nullptr : object_->if_contains(name);
    }

  private:
    const json::object* object_;
};

json::object write(const RateKnob::Learned& l) {
    return {{"pace", l.pace},
            {"good", l.good},
            {"bad", l.bad},
            {"settled", l.settled ? 1 : 0},
            {"since", stamp(l.since)},
            {"rest_until", stamp(l.rest_until)},
            {"rest", l.rest.count()},
            {"refusals", static_cast<std::int64_t>(l.refusals)},
            {"exploring", l.exploring ? 1 : 0},
            {"began", stamp(l.began)},
            {"passed", static_cast<std::int64_t>(l.passed)},
            {"shut", stamp(l.shut)},
            {"scale", l.scale.count()},
            {"said", l.said}};
}

RateKnob::Learned read_rate(const json::value* value) {
    Fields const f(value);
    RateKnob::Learned l;
    l.pace = std::max(0.0, f.number("pace"));
    l.good = f.number("good");
    l.bad = f.number("bad");
    l.settled = f.count("settled") == 1;
    l.since = f.time("since");
    l.rest_until = f.time("rest_until");
    l.rest = f.span("rest");
    l.refusals = f.count("refusals");
    l.said = f.text("said");
    l.exploring = f.count("exploring") == 1;
    l.began = f.time("began");
    l.shut = f.time("shut");
    l.scale = f.span("scale");
    l.passed = static_cast<std::uint64_t>(std::max<std::int64_t>(0, f.whole("passed")));
    return l;
}

json::object write(const Block::Learned& l) {
    return {{"cause", static_cast<std::int64_t>(l.cause)},
            {"since", stamp(l.since)},
            {"until", stamp(l.until)},
            {"length", l.length.count()},
            {"times", static_cast<std::int64_t>(l.times)},
            {"said", l.said},
            {"rule", l.rule}};
}

Block::Learned read_block(const json::value* value) {
    Fields const f(value);
    Block::Learned l;
    l.cause = static_cast<Blame>(std::min(f.count("cause"), static_cast<unsigned>(Blame::tls)));
    l.since = f.time("since");
    l.until = f.time("until");
    l.length = f.span("length");
    l.times = f.count("times");
    l.said = f.text("said");
    l.rule = f.text("rule");
    return l;
}

json::object write(const ConnectionKnob::Learned& l) {
    return {{"good", static_cast<std::int64_t>(l.good)},
            {"bad", static_cast<std::int64_t>(l.bad)},
            {"since", stamp(l.since)},
            {"probe_after", stamp(l.probe_after)},
            {"confirmed", static_cast<std::int64_t>(l.confirmed)},
            {"said", l.said}};
}

ConnectionKnob::Learned read_connections(const json::value* value) {
    Fields const f(value);
    ConnectionKnob::Learned l;
    l.good = f.count("good");
    l.bad = f.count("bad");
    l.since = f.time("since");
    l.probe_after = f.time("probe_after");
    l.confirmed = f.count("confirmed");
    l.said = f.text("said");
    return l;
}

}  // namespace

bool Share::worth_keeping() const {
    auto const& connections = connections_.learned();
    return connections.bad > 0 || connections.good > plain_connections || messages_.known() ||
           messages_.learned().refusals > 0 || openings_.known() ||
           openings_.learned().refusals > 0 || uses_.learned().limit > 0 ||
           block_.learned() != Block::Learned{} || minute_most_ > plain_minute ||
           last_trouble_ != Time{} || !senders_.empty() || !holds_.empty() ||
           !lists_.holds().empty();
}

Time Share::last_used(const std::string& note) {
    boost::system::error_code bad;
    auto const value = json::parse(note, bad);
    return bad ? Time{} : Fields(&value).time("used");
}

std::string Share::note() {
    changed_ = false;
    return kept();
}

std::string Share::kept() const {
    json::object senders;
    for (auto const& [domain, knob] : senders_)
        senders[domain] = write(knob.learned());
    json::object holds;
    for (auto const& [domain, hold] : holds_)
        holds[domain] = write(hold.learned());
    json::object lists;
    for (auto const& [party, hold] : lists_.holds()) {
        lists[party] = {{"since", stamp(hold.since)}, {"share", hold.share}, {"said", hold.said}};
    }
    json::object const all{{"version", 1},
                           {"used", stamp(used_)},
                           {"connections", write(connections_.learned())},
                           {"messages", write(messages_.learned())},
                           {"openings", write(openings_.learned())},
                           {"per_connection", static_cast<std::int64_t>(uses_.learned().limit)},
                           {"per_connection_since", stamp(uses_.learned().since)},
                           {"per_connection_said", uses_.learned().said},
                           {"block", write(block_.learned())},
                           {"trouble", stamp(last_trouble_)},
                           {"took", mean_},
                           {"minute_most", minute_most_},
                           {"senders", std::move(senders)},
                           {"holds", std::move(holds)},
                           {"lists", std::move(lists)}};
    return json::serialize(all);
}

void Share::restore(const std::string& note, Time now) {
    boost::system::error_code bad;
    auto const value = json::parse(note, bad);
    if (bad) return;
    Fields const f(&value);
    if (f.whole("version") != 1) return;
    used_ = f.time("used");
    connections_.restore(read_connections(f.find("connections")));
    messages_.restore(read_rate(f.find("messages")), now);
    openings_.restore(read_rate(f.find("openings")), now);
    uses_.restore(
        {f.count("per_connection"), f.time("per_connection_since"), f.text("per_connection_said")});
    block_.restore(read_block(f.find("block")));
    last_trouble_ = f.time("trouble");
    mean_ = std::clamp(f.number("took"), 0.0, 3'600.0);
    took_ = mean_;
    averaged_ = mean_ > 0 ? 20 : 0;
    minute_most_ = std::max(0.0, f.number("minute_most"));
    if (auto const* const senders = f.find("senders"); senders != nullptr && senders->is_object()) {
        for (auto const& [domain, knob] : senders->get_object()) {
            senders_[domain].restore(read_rate(&knob), now);
        }
    }
    if (auto const* const holds = f.find("holds"); holds != nullptr && holds->is_object()) {
        for (auto const& [domain, hold] : holds->get_object()) {
            holds_[domain].restore(read_block(&hold));
        }
    }
    if (auto const* const lists = f.find("lists"); lists != nullptr && lists->is_object()) {
        for (auto const& [party, hold] : lists->get_object()) {
            Fields const h(&hold);
            lists_.restore(party, {h.time("since"), h.number("share"), h.text("said")});
        }
    }
    set_calm(now);
}

}  // namespace millrace::relay
