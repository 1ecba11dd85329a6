#include "relay/auditor.hpp"

#include <algorithm>

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;

constexpr Duration look_every = 1min;
constexpr Duration count_every = 10min;
/// Counting may use this part of the time at most.
constexpr int count_share = 200;

}  // namespace

Task<void> Auditor::run() {
    for (;;) {
        if (parts_.clock.now() >= count_at_) {
            co_await count();
        } else if (auto const health = parts_.spool.health(); !health.broken) {
            Stock books;
            books.books = health.books;
            books.queued = books.works = books.in_order = health.queued;
            if (auto wrong = discrepancies(books); !wrong.empty()) judge(std::move(wrong));
        }
        co_await parts_.clock.sleep(look_every);
    }
}

Task<void> Auditor::count() {
    auto const began = parts_.clock.now();
    auto const stock = co_await parts_.spool.stock();
    auto const now = parts_.clock.now();
    count_at_ = now + std::max<Duration>(count_every, count_share * (now - began));
    if (!stock) {
        parts_.log.warning("audit.failed", {{"why", stock.error().detail}});
        co_return;
    }
    last_ = Audit{now, *stock, discrepancies(*stock)};
    judge(last_->wrong);
}

void Auditor::judge(std::vector<std::string> wrong) {
    if (wrong == wrong_) return;
    for (auto const& sentence : wrong) {
        parts_.log.error("audit.mismatch", {{"why", sentence}});
        parts_.on_problem("audit.mismatch", sentence);
    }
    if (wrong.empty()) parts_.log.info("audit.balanced", {});
    wrong_ = std::move(wrong);
}

}  // namespace millrace::relay
