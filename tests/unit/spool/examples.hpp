#pragma once

#include "relay/spool/record.hpp"

// Records with every field set, with values that no default has.

namespace millrace::relay {

inline Envelope example_envelope() {
    Envelope out;
    out.id = MessageId{0x0191234567890ABC};
    out.sender = "sender+x@example.net";
    out.recipients = {{"Örjan@example.org",
                       "example.org",
                       "rfc822;a+2Bb@example.org",
                       {false, true, false, true, true}},
                      {"x@[192.0.2.1]", "[192.0.2.1]", "", {true, false, false, false, true}}};
    out.account = "shop";
    out.klass = Class::bulk;
    out.tag = "news-7";
    out.ret = "HDRS";
    out.envid = "QQ+2B1";
    out.smtputf8 = true;
    out.body = BodyType::eight_bit;
    out.received = Time(Duration(1'700'000'000'123'456'789));
    out.born = Time(Duration(1'699'999'999'000'000'001));
    out.client = "app.example.net [192.0.2.9]";
    out.mta_queue_id = "4Xyz12345z9";
    out.message_id = "<1@example.net>";
    out.size = 123456;
    return out;
}

inline Envelope extreme_envelope() {
    auto out = example_envelope();
    out.sender = std::string(300, '\0') + "\r\n\xFF";
    out.size = UINT64_MAX;
    out.received = never;
    out.born = Time::min();
    out.recipients.assign(1000, out.recipients.front());
    return out;
}

inline WorkRecord example_work() {
    WorkRecord out;
    out.recipients = 2;
    out.work.key = {example_envelope().id, 1};
    out.work.destination = "example.org";
    out.work.due = Time(Duration(1'700'000'300'000'000'000));
    out.work.held = true;
    out.work.attempts = 3;
    out.work.version = 9;
    out.work.born = Time(Duration(1'699'999'999'000'000'001));
    out.work.first_tried = Time(Duration(1'700'000'001'000'000'000));
    out.work.slot = 5;
    out.work.starts = 1;
    out.work.delay_told = true;
    out.work.klass = Class::bulk;
    out.work.account = "shop";
    out.work.sender_domain = "bücher.example";
    out.work.recipient = "Örjan@example.org";
    out.work.last_reply = "451 4.7.1 try again later";
    out.work.last_host = "mx1.example.org [192.0.2.25]";
    return out;
}

inline WorkRecord extreme_work() {
    auto out = example_work();
    out.recipients = UINT16_MAX;
    out.work.attempts = UINT16_MAX;
    out.work.version = UINT32_MAX;
    out.work.starts = UINT8_MAX;
    out.work.due = Time::min();
    out.work.last_reply = std::string(70000, '\x80');
    return out;
}

inline Event example_event() {
    Event out;
    out.id = 4711;
    out.kind = EventKind::bounced;
    out.at = Time(Duration(1'700'000'000'123'456'789));
    out.message = example_envelope().id;
    out.recipient_index = 1;
    out.mta_queue_id = "4Xyz12345z9";
    out.message_id = "<1@example.net>";
    out.account = "shop";
    out.recipient = "nobody@example.org";
    out.sender = "sender@example.net";
    out.klass = "bulk";
    out.tag = "news-7";
    out.attempt = 2;
    out.site = "mx.example.org";
    out.provider = "example";
    out.remote_mta = "mx1.example.org [192.0.2.25]";
    out.source_ip = "192.0.2.10";
    out.smtp_code = 550;
    out.enhanced_status = "5.1.1";
    out.reason = "550 5.1.1 user unknown";
    out.bounce_category = "bad-mailbox";
    out.possible_duplicate = true;
    out.late = true;
    out.born = Time(Duration(1'699'999'999'000'000'001));
    out.took = Duration(1'234'567'890);
    out.connection_use = 3;
    out.client = "app.example.net [192.0.2.9]";
    out.size = 123456;
    out.recipients = 2;
    out.last = true;
    return out;
}

inline Event extreme_event() {
    auto out = example_event();
    out.kind = EventKind::removed;
    out.at = never;
    out.message = MessageId{UINT64_MAX};
    out.recipient_index = out.attempt = out.smtp_code = UINT16_MAX;
    out.connection_use = out.recipients = UINT16_MAX;
    out.took = Duration::max();
    out.born = never;
    out.size = UINT64_MAX;
    out.reason = std::string(5000, '\0');
    return out;
}

}  // namespace millrace::relay
