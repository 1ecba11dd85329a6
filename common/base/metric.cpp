#include "common/base/metric.hpp"

#include <fmt/format.h>

namespace millrace {

Counter& Metrics::counter(std::string_view name, std::string_view help, std::string_view labels) {
    std::lock_guard const lock(mutex_);
    auto& entry = entries_.emplace_back();
    entry.name = name;
    entry.help = help;
    entry.labels = labels;
    return entry.counter;
}

void Metrics::gauge(std::string_view name, std::string_view help, std::function<double()> read) {
    std::lock_guard const lock(mutex_);
    auto& entry = entries_.emplace_back();
    entry.name = name;
    entry.help = help;
    entry.read = std::move(read);
}

std::string Metrics::exposition() const {
    std::lock_guard const lock(mutex_);
    std::string out;
    std::string_view described;
    for (auto const& entry : entries_) {
        if (entry.name != described) {
            out += fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n",
                               entry.name,
                               entry.help,
                               entry.read ? "gauge" : "counter");
            described = entry.name;
        }
        auto const labels = entry.labels.empty() ? std::string() : "{" + entry.labels + "}";
        if (entry.read) {
            out += fmt::format("{}{} {}\n", entry.name, labels, entry.read());
        } else {
            out += fmt::format("{}{} {}\n", entry.name, labels, entry.counter.value());
        }
    }
    return out;
}

}  // namespace millrace
