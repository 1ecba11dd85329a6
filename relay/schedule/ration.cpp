#include "relay/schedule/ration.hpp"

#include <algorithm>

#include "common/base/check.hpp"

namespace millrace::relay {

void Ration::take(Time now) {
    MILLRACE_CHECK(covered(now));
    if (promised_ > 0) --promised_;
    count(now);
}

std::optional<std::string> Ration::promise(Time now) {
    roll(now);
    // Asked for before the last one is used up: nobody waits for the disk.
    if (asked_ > 0 || promised_ * 2 > portion()) return std::nullopt;
    auto const left = room(now);
    if (left <= promised_) return std::nullopt;
    asked_ = std::min(left - promised_, portion());
    revoked_ = false;
    changed_ = false;
    return text(promised_ + asked_);
}

void Ration::kept() {
    if (!revoked_) promised_ += asked_;
    asked_ = 0;
}

void Ration::not_kept() {
    asked_ = 0;
}

void Ration::revoke() {
    promised_ = 0;
    revoked_ = true;
}

void Ration::settle() {
    revoke();
    changed_ = true;
}

std::string Ration::note() {
    changed_ = false;
    // What is on its way may be durable already.
    return text(promised_ + (revoked_ ? 0 : asked_));
}

}  // namespace millrace::relay
