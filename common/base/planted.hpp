#pragma once

// Planted bugs: the test of the tests. Programs compiled with MILLRACE_PLANTED (NAME_planted) carry
// known mistakes behind a run-time switch; each must be found by a checker that was not written for
// it. In every other one planted() is a constant false and the mistakes are not compiled in.

#include <string_view>

#ifdef MILLRACE_PLANTED
#include <cstdlib>
#include <string>
#endif

namespace millrace {

#ifdef MILLRACE_PLANTED

namespace planted_detail {
inline std::string& active() {
    static std::string name = [] {
        auto const* const given = std::getenv("MILLRACE_PLANT");
        return std::string(given == nullptr ? "" : given);
    }();
    return name;
}
}  // namespace planted_detail

/// Whether the bug of that name is switched on, by set_planted() or by MILLRACE_PLANT=name in the
/// environment. Thread: any, as long as nobody switches meanwhile.
inline bool planted(std::string_view name) {
    return planted_detail::active() == name;
}

/// Switches one bug on and all others off; an empty name switches all off.
inline void set_planted(std::string_view name) {
    planted_detail::active() = name;
}

#else

constexpr bool planted(std::string_view) {
    return false;
}

#endif

}  // namespace millrace
