#include "common/virtual/simulation.hpp"

#include <algorithm>
#include <utility>

#include "common/virtual/machine.hpp"

namespace millrace::virtual_ {

Simulation::Simulation(Time start) : now_(start) {}

Simulation::~Simulation() {
    shutdown();
}

Simulation::TimerId Simulation::at(Time t, Action action) {
    const TimerId id{std::max(t, now_), next_sequence_++};
    timers_.emplace(id, std::move(action));
    return id;
}

Machine& Simulation::machine(std::string name) {
    machines_.push_back(std::make_unique<Machine>(*this, std::move(name)));
    return *machines_.back();
}

bool Simulation::poll() {
    bool any = false;
    for (bool again = true; again;) {
        again = false;
        for (std::size_t i = 0; i < machines_.size(); ++i)
            again |= machines_[i]->poll();
        any |= again;
    }
    return any;
}

bool Simulation::jump(Time limit) {
    if (timers_.empty() || timers_.begin()->first.at > limit) return false;
    auto first = timers_.extract(timers_.begin());
    now_ = first.key().at;
    first.mapped()();
    return true;
}

void Simulation::run_until(Time t) {
    do {
        poll();
    } while (jump(t));
    now_ = std::max(now_, t);
}

bool Simulation::run_until(const std::function<bool()>& done, Time limit) {
    for (;;) {
        poll();
        if (done()) return true;
        if (!jump(limit)) return false;
    }
}

void Simulation::run(Time limit) {
    do {
        poll();
    } while (jump(limit));
}

void Simulation::shutdown() {
    for (const auto& machine : machines_)
        machine->crash();
    timers_.clear();
}

void Simulation::trace(std::string_view fact) {
    for (const char c : fact) {
        hash_ = (hash_ ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    }
    hash_ = (hash_ ^ static_cast<std::uint64_t>(now_.time_since_epoch().count())) * 0x100000001b3;
}

}  // namespace millrace::virtual_
