#include "relay/shaping/typed.hpp"

#include <algorithm>
#include <initializer_list>

namespace millrace::relay {

namespace {

bool one_of(Axis axis, std::initializer_list<Axis> axes) {
    return std::ranges::find(axes, axis) != axes.end();
}

}  // namespace

std::string_view to_string(Axis axis) {
    switch (axis) {
        case Axis::message:
            return "message";
        case Axis::connection:
            return "connection";
        case Axis::source:
            return "source";
        case Axis::sender_domain:
            return "sender-domain";
        case Axis::account:
            return "account";
        case Axis::site:
            return "site";
    }
    return "message";
}

std::optional<Axis> axis_named(std::string_view word) {
    for (unsigned i = 0; i < axis_count; ++i) {
        auto const axis = static_cast<Axis>(i);
        if (to_string(axis) == word) return axis;
    }
    return std::nullopt;
}

Typed Typed::of(Blame blame) {
    Typed typed;
    typed.blame = blame;
    typed.axis = usual_axis(blame);
    // Where nothing is wrong there is nothing to get worse.
    typed.escalate = blame != Blame::greylist && blame != Blame::recipient &&
                     blame != Blame::messages_per_connection;
    return typed;
}

Axis usual_axis(Blame blame) {
    switch (blame) {
        case Blame::none:
        case Blame::recipient:
        case Blame::greylist:
        case Blame::content:
            return Axis::message;
        case Blame::connections:
        case Blame::rate:
        case Blame::reputation:
        case Blame::blocklist:
            return Axis::source;
        case Blame::messages_per_connection:
            return Axis::connection;
        case Blame::sender:
        case Blame::compliance:
            return Axis::sender_domain;
        case Blame::receiver_ill:
        case Blame::tls:
            return Axis::site;
    }
    return Axis::message;
}

bool can_fall_on(Blame blame, Axis axis) {
    using enum Axis;
    switch (blame) {
        case Blame::none:
        case Blame::recipient:
            return axis == message;
        case Blame::connections:
            return one_of(axis, {source, site});
        case Blame::rate:
            return one_of(axis, {message, source, sender_domain, account, site});
        case Blame::messages_per_connection:
            return axis == connection;
        case Blame::greylist:
            return one_of(axis, {message, source});
        case Blame::sender:
        case Blame::content:
            return one_of(axis, {message, account, sender_domain});
        case Blame::reputation:
            return one_of(axis, {message, source, sender_domain, account});
        case Blame::blocklist:
            return one_of(axis, {source, sender_domain});
        case Blame::compliance:
            return one_of(axis, {message, source, sender_domain, account});
        case Blame::receiver_ill:
            return axis == site;
        case Blame::tls:
            return one_of(axis, {connection, source, site});
    }
    return false;
}

bool counts_against_us(Blame blame) {
    return is_limit(blame) || blame == Blame::reputation || blame == Blame::blocklist ||
           blame == Blame::compliance;
}

bool holds_back(const Typed& typed) {
    return typed.axis != Axis::message && counts_against_us(typed.blame);
}

bool spends_nothing(const Typed& typed) {
    return holds_back(typed) && typed.blame != Blame::compliance;
}

bool pauses(Blame blame) {
    switch (blame) {
        case Blame::connections:
        case Blame::rate:
        case Blame::recipient:
        case Blame::greylist:
        case Blame::reputation:
        case Blame::blocklist:
        case Blame::compliance:
        case Blame::receiver_ill:
            return true;
        case Blame::none:
        case Blame::messages_per_connection:
        case Blame::sender:
        case Blame::content:
        case Blame::tls:
            return false;
    }
    return false;
}

}  // namespace millrace::relay
