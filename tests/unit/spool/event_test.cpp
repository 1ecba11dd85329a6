#include "relay/spool/event.hpp"

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "tests/unit/spool/examples.hpp"

namespace millrace::relay {
namespace {

// Goal: other programs find exactly the fields of interfaces.md, in every event.
TEST(EventJson, HasExactlyTheFieldsOfTheOutsideInOrder) {
    auto const expected =
        R"({"event_id":4711,"event":"bounced","timestamp":"2023-11-14T22:13:20.123Z",)"
        R"("queue_id":")" +
        example_event().message.text() +
        R"(","mta_queue_id":"4Xyz12345z9","message_id":"<1@example.net>","account":"shop",)"
        R"("recipient":"nobody@example.org","sender":"sender@example.net","class":"bulk",)"
        R"("tag":"news-7","attempt":2,"site":"mx.example.org","provider":"example",)"
        R"("remote_mta":"mx1.example.org [192.0.2.25]","source_ip":"192.0.2.10","smtp_code":550,)"
        R"("enhanced_status":"5.1.1","reason":"550 5.1.1 user unknown",)"
        R"("bounce_category":"bad-mailbox","type":"rb","possible_duplicate":true})";
    EXPECT_EQ(to_json(example_event()), expected);
}

// Goal: a field that does not apply is null, not left out and not zero; the null sender is a value.
TEST(EventJson, WhatDoesNotApplyIsNull) {
    auto const object = boost::json::parse(to_json(Event{})).as_object();
    EXPECT_EQ(object.size(), 21U);
    for (auto const* const name : {"mta_queue_id", "attempt", "smtp_code", "site", "reason"}) {
        EXPECT_TRUE(object.at(name).is_null()) << name;
    }
    EXPECT_EQ(object.at("sender").as_string(), "");
    EXPECT_EQ(object.at("type").as_string(), "r");
    EXPECT_FALSE(object.contains("possible_duplicate"));
}

// Goal: a receiver's reply can hold any byte; each event stays one line of valid JSON (I9, I11).
TEST(EventJson, AnyBytesGiveOneValidLine) {
    auto event = example_event();
    for (int high = 0; high < 256; ++high) {
        event.reason.clear();
        for (int low = 0; low < 256; ++low) {
            event.reason += static_cast<char>(high);
            event.reason += static_cast<char>(low);
        }
        auto const line = to_json(event);
        EXPECT_EQ(line.find('\n'), std::string::npos);
        boost::system::error_code error;
        auto const value = boost::json::parse(line, error);
        ASSERT_FALSE(error) << high;
        EXPECT_FALSE(value.at("reason").as_string().empty());
    }
    event.reason = "\xE2\x82\xAC \xED\xA0\x80 \xF0\x9F\x93\xA7 \"\\\t\x7F";
    auto const text = boost::json::parse(to_json(event)).at("reason").as_string();
    EXPECT_EQ(text,
              "\xE2\x82\xAC \xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD \xF0\x9F\x93\xA7 \"\\\t\x7F");
}

// Goal: the accounting letters d b t r f rb.
TEST(EventType, EveryKindHasItsLetter) {
    std::string letters;
    for (auto kind = EventKind::received; kind <= EventKind::removed;
         kind = static_cast<EventKind>(static_cast<int>(kind) + 1)) {
        letters += type_letter(kind) + " ";
    }
    EXPECT_EQ(letters, "r t d b b f b b ");
    Event event;
    event.kind = EventKind::bounced;
    EXPECT_EQ(type_letter(event), "b");
    event.late = true;
    EXPECT_EQ(type_letter(event), "rb");
}

}  // namespace
}  // namespace millrace::relay
