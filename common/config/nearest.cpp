#include "common/config/nearest.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace millrace::config {

unsigned edit_distance(std::string_view a, std::string_view b) {
    // Three rows of the usual matrix: swaps look two rows back.
    std::vector<unsigned> before(b.size() + 1);
    std::vector<unsigned> last(b.size() + 1);
    std::vector<unsigned> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) {
        row[j] = static_cast<unsigned>(j);
    }
    for (std::size_t i = 1; i <= a.size(); ++i) {
        before.swap(last);
        last.swap(row);
        row[0] = static_cast<unsigned>(i);
        for (std::size_t j = 1; j <= b.size(); ++j) {
            bool const same = a[i - 1] == b[j - 1];
            row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (same ? 0U : 1U)});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = std::min(row[j], before[j - 2] + 1);
            }
        }
    }
    return row[b.size()];
}

std::string nearest(std::string_view word, std::span<const std::string> candidates) {
    if (word.empty() || word.size() > 100) {
        return {};
    }
    std::string best;
    auto best_distance = static_cast<unsigned>(std::max<std::size_t>(1, word.size() / 3)) + 1;
    for (auto const& candidate : candidates) {
        auto distance = edit_distance(word, candidate);
        if (word.size() >= 3 && (candidate.starts_with(word) || word.starts_with(candidate))) {
            distance = std::min(distance, 1U);
        }
        if (distance < best_distance) {
            best_distance = distance;
            best = candidate;
        }
    }
    return best;
}

}  // namespace millrace::config
