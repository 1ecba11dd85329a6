#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>

namespace millrace {

/// A number that only grows. Thread: any, lock-free.
class Counter {
  public:
    void add(std::uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
    std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

  private:
    std::atomic<std::uint64_t> value_{0};
};

/// All metrics of one program, in the order of declaration. Names carry the unit (`_seconds`,
/// `_bytes`,
/// `_total`); a label never holds a recipient or a domain.
/// Thread: any.
class Metrics {
  public:
    /// labels: `result="delivered"`, or empty. The reference lives as long as the Metrics.
    Counter& counter(std::string_view name, std::string_view help, std::string_view labels = {});
    /// Reads the value when the page is asked for, on the asking thread.
    void gauge(std::string_view name, std::string_view help, std::function<double()> read);
    /// The Prometheus text format, version 0.0.4.
    std::string exposition() const;

  private:
    struct Entry {
        std::string name, help, labels;
        Counter counter;
        std::function<double()> read;  ///< set for gauges
    };
    mutable std::mutex mutex_;
    std::deque<Entry> entries_;  ///< a deque: references stay valid
};

}  // namespace millrace
