#include "relay/spool/books.hpp"

#include <fmt/format.h>

namespace millrace::relay {

void Books::enter(EventKind kind) {
    switch (kind) {
        case EventKind::received:
            ++received;
            break;
        case EventKind::delivered:
            ++delivered;
            break;
        case EventKind::bounced:
            ++bounced;
            break;
        case EventKind::expired:
            ++expired;
            break;
        case EventKind::suppressed:
            ++suppressed;
            break;
        case EventKind::removed:
            ++removed;
            break;
        case EventKind::deferred:
        case EventKind::complained:
            break;
    }
}

std::vector<std::string> discrepancies(const Stock& stock) {
    std::vector<std::string> found;
    auto const& books = stock.books;
    if (books.received != books.ended() + stock.queued) {
        found.push_back(fmt::format("{} recipients were received, but {} ended and {} are queued",
                                    books.received,
                                    books.ended(),
                                    stock.queued));
    }
    if (stock.works != stock.queued) {
        found.push_back(fmt::format("{} recipients should be queued, and {} are there",
                                    stock.queued,
                                    stock.works));
    }
    if (stock.in_order != stock.works) {
        found.push_back(fmt::format(
            "{} queued recipients stand in no queue and would never be tried: `millrace hold` and "
            "`millrace release` put them back",
            stock.works - stock.in_order));
    }
    if (stock.stray != 0) {
        found.push_back(fmt::format("{} places in queues are of nobody", stock.stray));
    }
    if (stock.headless != 0) {
        found.push_back(
            fmt::format("{} queued recipients have lost their message", stock.headless));
    }
    if (stock.idle != 0) {
        found.push_back(fmt::format("{} stored messages have no recipient left", stock.idle));
    }
    if (!found.empty() && !stock.example.empty()) found.back() += " (" + stock.example + ")";
    return found;
}

}  // namespace millrace::relay
