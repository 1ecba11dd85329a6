#include "relay/spool/books.hpp"

#include <gtest/gtest.h>

namespace millrace::relay {
namespace {

Stock sound() {
    Stock stock;
    stock.books = {.received = 10, .delivered = 4, .bounced = 1, .expired = 1, .removed = 1};
    stock.queued = stock.works = stock.in_order = 3;
    stock.messages = 2;
    return stock;
}

// Goal: only what comes and what ends is counted; an attempt is neither.
TEST(Books, EveryRecipientComesOnceAndEndsOnce) {
    Books books;
    for (auto const kind : {EventKind::received,
                            EventKind::received,
                            EventKind::deferred,
                            EventKind::delivered,
                            EventKind::complained,
                            EventKind::expired}) {
        books.enter(kind);
    }
    EXPECT_EQ(books.received, 2U);
    EXPECT_EQ(books.ended(), 2U);
}

// Goal: what adds up raises nothing; each thing that is wrong is named, and an example of it.
TEST(Books, WhatDoesNotAddUpIsNamed) {
    EXPECT_TRUE(discrepancies({}).empty());
    EXPECT_TRUE(discrepancies(sound()).empty());
    auto const names = [](auto spoil, const std::string& words) {
        auto stock = sound();
        spoil(stock);
        stock.example = "4S62ZTHPLQ2H2 recipient 3";
        auto const found = discrepancies(stock);
        ASSERT_EQ(found.size(), 1U) << words;
        EXPECT_NE(found.front().find(words), std::string::npos) << found.front();
        EXPECT_TRUE(found.front().ends_with("(4S62ZTHPLQ2H2 recipient 3)")) << found.front();
    };
    names([](Stock& s) { --s.books.delivered; }, "10 recipients were received, but 6 ended");
    names([](Stock& s) { s.works = s.in_order = 2; }, "3 recipients should be queued, and 2 are");
    names([](Stock& s) { s.in_order = 1; }, "2 queued recipients stand in no queue");
    names([](Stock& s) { s.stray = 1; }, "1 places in queues are of nobody");
    names([](Stock& s) { s.headless = 1; }, "1 queued recipients have lost their message");
    names([](Stock& s) { s.idle = 1; }, "1 stored messages have no recipient left");
}

}  // namespace
}  // namespace millrace::relay
