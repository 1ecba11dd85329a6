#include "milter/service.hpp"

#include <chrono>

namespace millrace::milter {

Service::Service(const config::Settings& settings, const Clock& clock, Log& log)
    : clock_(clock),
      log_(log),
      messages_(log),
      rules_(make_rules(settings)),
      sessions_max_(settings.milter.sessions_max) {
    messages_.open(settings.milter.message_log);
}

void Service::reload(const config::Settings& settings) {
    PinnedRules fresh = make_rules(settings);
    messages_.open(settings.milter.message_log);
    const std::lock_guard lock(mutex_);
    rules_.swap(fresh);
    sessions_max_ = settings.milter.sessions_max;
}

PinnedRules Service::rules() const {
    const std::lock_guard lock(mutex_);
    return rules_;
}

bool Service::enter() {
    unsigned limit = 0;
    {
        const std::lock_guard lock(mutex_);
        if (sessions_ < sessions_max_) {
            ++sessions_;
            return true;
        }
        if (full_) {
            return false;
        }
        full_ = true;
        limit = sessions_max_;
    }
    log_.warning(
        "gate.full",
        {{"sessions", limit}, {"advice", "raise milter.sessions_max or lower the MTA's limit"}});
    return false;
}

void Service::leave() {
    const std::lock_guard lock(mutex_);
    --sessions_;
    full_ = full_ && sessions_ > sessions_max_ / 2;
    if (sessions_ == 0) {
        idle_.notify_all();
    }
}

unsigned Service::sessions() const {
    const std::lock_guard lock(mutex_);
    return sessions_;
}

bool Service::wait_idle(Duration at_most) {
    std::unique_lock lock(mutex_);
    return idle_.wait_for(lock, at_most, [this] { return sessions_ == 0; });
}

void Service::record(const Report& report, Duration took) {
    messages_.write(report, clock_.wall(), took);
}

}  // namespace millrace::milter
