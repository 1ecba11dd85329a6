#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>

#include "common/base/time.hpp"

namespace millrace::relay {

/// How often something happened in the last minute, by name: in slices of ten seconds, so that the
/// answer is about a minute of 50 to 60 seconds. Names that have rested for a minute are forgotten
/// when there are too many. Pure.
class RecentRate {
  public:
    void count(const std::string& name, Time now);
    /// A second, over what of the last minute has been watched.
    double per_second(const std::string& name, Time now) const;

  private:
    static constexpr std::size_t slices = 6;
    static constexpr std::size_t names_kept = 10'000;
    struct Slices {
        std::array<std::uint32_t, slices> counts{};
        std::int64_t newest = 0;  ///< number of the newest slice since 1970
        Time first{};             ///< counted since then
    };
    static std::int64_t slice_of(Time t) {
        return std::chrono::floor<std::chrono::seconds>(t.time_since_epoch()).count() / 10;
    }
    std::map<std::string, Slices> names_;
};

}  // namespace millrace::relay
