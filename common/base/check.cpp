#include "common/base/check.hpp"

#include <cstdio>
#include <cstdlib>

namespace millrace {

void check_failed(const char* condition, const char* file, int line) noexcept {
    std::fprintf(stderr, "millrace: broken invariant: %s (%s:%d)\n", condition, file, line);
    std::abort();
}

}  // namespace millrace
