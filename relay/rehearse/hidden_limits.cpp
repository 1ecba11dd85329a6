#include "relay/rehearse/hidden_limits.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;

/// What receivers write; the shipped rules type it (contrib/shaping/general.conf).
std::string_view words(Blame meant) {
    switch (meant) {
        case Blame::connections:
            return "Too many concurrent connections from your address";
        case Blame::rate:
            return "Message rate limit exceeded";
        case Blame::messages_per_connection:
            return "Too many messages in this session";
        case Blame::reputation:
            return "Messages from your address are deferred because of its poor reputation";
        case Blame::blocklist:
            return "Your address is on our blocklist";
        default:
            return "This mail is unauthenticated";
    }
}

}  // namespace

HiddenReceiver::HiddenReceiver(std::string name, HiddenLimits limits, std::uint64_t seed)
    : name_(std::move(name)), limits_(std::move(limits)), random_(seed) {}

void HiddenReceiver::change(const HiddenLimits& limits, Time now) {
    // What had filled up by the old rate stays.
    Duration missing{};
    if (limits_.messages_per_second > 0 && bucket_.born) {
        take(bucket_, limits_.messages_per_second, limits_.burst, now, missing);
        bucket_.level += missing == Duration::zero() ? 1 : 0;
    }
    limits_ = limits;
}

/// Takes one, or says how long until there is one.
bool HiddenReceiver::take(Bucket& bucket, double rate, double burst, Time now, Duration& missing) {
    if (!bucket.born) bucket = {burst, now, true};
    bucket.level = std::min(burst, bucket.level + rate * seconds(now - bucket.at));
    bucket.at = now;
    if (bucket.level >= 1 - 1e-9) {
        bucket.level -= 1;
        return true;
    }
    missing = of_seconds((1 - bucket.level) / rate);
    return false;
}

bool HiddenReceiver::window_open(Time now, Duration& missing) {
    if (limits_.messages_per_window == 0) return true;
    if (limits_.sliding) {
        while (!taken_.empty() && now - taken_.front() >= limits_.window)
            taken_.pop_front();
        if (taken_.size() < limits_.messages_per_window) return true;
        missing = taken_.front() + limits_.window - now;
        return false;
    }
    auto const index = static_cast<std::uint64_t>(now.time_since_epoch() / limits_.window);
    if (index != window_index_) {
        window_index_ = index;
        in_window_ = 0;
    }
    if (in_window_ < limits_.messages_per_window) return true;
    missing = Time(limits_.window * static_cast<Duration::rep>(index + 1)) - now;
    return false;
}

unsigned HiddenReceiver::open(Time now) const {
    auto const unseen = std::ranges::count_if(ended_, [&](Time at) { return at > now; });
    return open_ + static_cast<unsigned>(unseen);
}

Refusal HiddenReceiver::shut(Time now) const {
    if (now < shut_until_)
        return {
            421, "4.7.0", std::string(words(Blame::reputation)), false, true, Blame::reputation};
    return {};
}

/// A limit was reached. Who reaches it too often is shut out.
Refusal HiddenReceiver::limit(Blame meant, Time now, Duration missing, bool ends) {
    ++refused_;
    if (limits_.punish_after > 0) {
        violations_.push_back(now);
        while (now - violations_.front() > 1min)
            violations_.pop_front();
        if (violations_.size() >= limits_.punish_after) {
            shut_until_ = now + (punished_ == 0 ? limits_.punished_first : limits_.punished_again);
            ++punished_;
            violations_.clear();
        }
    }
    if (limits_.silent) return {0, "", "", false, true, meant};
    auto text = std::string(words(meant));
    if (limits_.asks_for_rest && missing > 0s) {
        text += fmt::format(", try again in {:.0f} seconds", std::ceil(seconds(missing)));
    }
    return {ends ? 421U : 450U, "4.7.0", std::move(text), false, ends, meant};
}

Refusal HiddenReceiver::connect(Time now) {
    if (limits_.down) return {0, "", "", true, true, Blame::none};
    if (auto closed = shut(now); closed.any()) return ++refused_, closed;
    bool const blocked = limits_.block == Blame::reputation || limits_.block == Blame::blocklist;
    if (blocked && limits_.blocked_domain.empty()) {
        ++refused_;
        return {421, "4.7.0", std::string(words(limits_.block)), false, true, limits_.block};
    }
    std::erase_if(ended_, [&](Time at) { return at <= now; });
    if (limits_.connections > 0 && open(now) >= limits_.connections) {
        return limit(Blame::connections, now, 0s, true);
    }
    ++open_;
    return {};
}

Refusal HiddenReceiver::message(Time now,
                                unsigned before,
                                const std::string& sender_domain,
                                std::uint64_t recipient) {
    if (limits_.down) return {0, "", "", false, true, Blame::none};
    if (auto closed = shut(now); closed.any()) return ++refused_, closed;
    if (limits_.block != Blame::none &&
        (limits_.blocked_domain.empty() || limits_.blocked_domain == sender_domain)) {
        ++refused_;
        if (limits_.block == Blame::compliance) {
            return {421,
                    "4.7.26",
                    "This mail has been rate limited because it is unauthenticated",
                    false,
                    true,
                    Blame::compliance};
        }
        return {421, "4.7.0", std::string(words(limits_.block)), false, true, limits_.block};
    }
    if (limits_.messages_per_connection > 0 && before >= limits_.messages_per_connection) {
        return limit(Blame::messages_per_connection, now, 0s, true);
    }
    if (limits_.unknown_users > 0 && random_.unit() < limits_.unknown_users) {
        ++refused_;
        return {550, "5.1.1", "User unknown", false, false, Blame::recipient};
    }
    if (limits_.greylist > 0s) {
        auto const [seen, fresh] = greylisted_.try_emplace(recipient, now);
        if (now - seen->second < limits_.greylist) {
            ++refused_;
            return {450, "4.2.0", "Greylisted, come back later", false, false, Blame::greylist};
        }
    }
    Duration missing{};
    if (!window_open(now, missing)) return limit(Blame::rate, now, missing, false);
    if (limits_.sender_domain_per_second > 0 && !take(domains_[sender_domain],
                                                      limits_.sender_domain_per_second,
                                                      limits_.sender_domain_burst,
                                                      now,
                                                      missing)) {
        auto refusal = limit(Blame::rate, now, missing, true);
        if (refusal.code != 0) {
            refusal.enhanced = "4.7.28";
            refusal.text =
                "We have detected an unusual rate of mail originating from your SPF domain " +
                sender_domain;
        }
        return refusal;
    }
    if (limits_.messages_per_second > 0 &&
        !take(bucket_, limits_.messages_per_second, limits_.burst, now, missing)) {
        return limit(Blame::rate, now, missing, false);
    }
    greylisted_.erase(recipient);
    if (limits_.messages_per_window > 0) {
        if (limits_.sliding) taken_.push_back(now);
        ++in_window_;
    }
    ++accepted_;
    return {};
}

void HiddenReceiver::closed(Time now) {
    --open_;
    if (limits_.sees_end_after > 0s) ended_.push_back(now + limits_.sees_end_after);
}

Duration HiddenReceiver::takes() {
    // Normal enough: the sum of three uniform ones, scaled to a deviation of one.
    auto const z = 2 * (random_.unit() + random_.unit() + random_.unit() - 1.5);
    return of_seconds(seconds(limits_.message) * std::exp(limits_.message_spread * z));
}

}  // namespace millrace::relay
