#pragma once

namespace millrace {

/// Prints the broken invariant and aborts. After a 250 everything is in the spool, so this is safe.
[[noreturn]] void check_failed(const char* condition, const char* file, int line) noexcept;

}  // namespace millrace

/// Stays on in release builds.
#define MILLRACE_CHECK(condition)                        \
    (static_cast<bool>(condition) ? static_cast<void>(0) \
                                  : ::millrace::check_failed(#condition, __FILE__, __LINE__))
