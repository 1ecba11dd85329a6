// Goal: the sender is told exactly what it asked to be told, in the form of RFC 3461, 3464, 6522
// and 6533, whatever the original held.
#include "relay/feedback/dsn.hpp"

#include <algorithm>

#include <gtest/gtest.h>

#include "common/mail/header_block.hpp"
#include "relay/feedback/dsn_parts.hpp"

namespace millrace::relay {
namespace {

Envelope mail_from(std::string sender) {
    Envelope e;
    e.id = {0x123456789ABCULL << 20U};
    e.sender = std::move(sender);
    e.account = "shop";
    e.message_id = "<original@example.com>";
    e.received = from_unix_millis(1'790'000'000'000);
    return e;
}

DsnRecipient about(std::string address, DsnAction action) {
    DsnRecipient r;
    r.recipient.address = std::move(address);
    r.action = action;
    r.status = action == DsnAction::failed    ? "5.1.1"
               : action == DsnAction::delayed ? "4.2.0"
                                              : "2.0.0";
    r.diagnostic = "550 5.1.1 No such user";
    r.remote_host = "mx.example.net [198.51.100.1]";
    r.last_attempt = from_unix_millis(1'790'000'100'000);
    return r;
}

DsnContext here() {
    DsnContext c;
    c.id = {0x123456789ABDULL << 20U};
    c.hostname = "relay.example.com";
    c.now = from_unix_millis(1'790'000'200'000);
    c.wall = c.now;
    return c;
}

const std::string original =
    "From: a@example.com\r\nSubject: hello\r\n\r\nThe body says: unmistakable.\r\n";

std::string text_of(const std::optional<NewMail>& dsn) {
    return dsn ? *dsn->body : "";
}
bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

TEST(Dsn, names_every_failed_recipient_with_what_the_server_said) {
    DsnRecipient const list[] = {about("one@example.net", DsnAction::failed),
                                 about("two@example.net", DsnAction::failed)};
    auto const dsn = make_dsn(mail_from("a@example.com"), original, list, here());
    ASSERT_TRUE(dsn);
    auto const text = text_of(dsn);
    EXPECT_TRUE(has(text, "Content-Type: multipart/report; report-type=delivery-status;"));
    EXPECT_TRUE(has(text, "Auto-Submitted: auto-replied\r\n"));
    EXPECT_TRUE(has(text, "To: <a@example.com>\r\n"));
    EXPECT_TRUE(has(text, "References: <original@example.com>\r\n"));
    EXPECT_TRUE(has(text, "Reporting-MTA: dns; relay.example.com\r\n"));
    for (const auto* address : {"one@example.net", "two@example.net"}) {
        EXPECT_TRUE(has(text,
                        "Final-Recipient: rfc822; " + std::string(address) +
                            "\r\n"
                            "Action: failed\r\nStatus: 5.1.1\r\n"
                            "Remote-MTA: dns; mx.example.net\r\n"
                            "Diagnostic-Code: smtp; 550 5.1.1 No such user\r\n"));
        EXPECT_TRUE(has(text, "  <" + std::string(address) + ">\r\n"));
    }
    EXPECT_TRUE(has(text, "Subject: hello\r\n"));
    EXPECT_FALSE(has(text, "unmistakable"));

    auto const& e = dsn->envelope;
    EXPECT_EQ(e.sender, "");
    ASSERT_EQ(e.recipients.size(), 1U);
    EXPECT_EQ(e.recipients[0].address, "a@example.com");
    EXPECT_EQ(e.recipients[0].destination, "example.com");
    EXPECT_EQ(e.account, "shop");
    EXPECT_EQ(e.size, text.size());
    ASSERT_EQ(dsn->works.size(), 1U);
    EXPECT_EQ(dsn->works[0].destination, "example.com");
    EXPECT_EQ(dsn->works[0].key.message, e.id);
    EXPECT_EQ(dsn->works[0].due, here().now);
}

struct Wish {
    const char* name;
    Notify notify;
    bool failed, delayed, delivered;
};
const Wish wishes[] = {
    {"default", {}, true, true, false},
    {"never",
     {.never = true, .success = false, .failure = true, .delay = true, .given = true},
     false,
     false,
     false},
    {"success",
     {.never = false, .success = true, .failure = false, .delay = false, .given = true},
     false,
     false,
     true},
    {"failure",
     {.never = false, .success = false, .failure = true, .delay = false, .given = true},
     true,
     false,
     false},
    {"delay",
     {.never = false, .success = false, .failure = false, .delay = true, .given = true},
     false,
     true,
     false},
};

TEST(Dsn, tells_what_notify_asks_for_and_nothing_else) {
    for (const auto& wish : wishes) {
        auto const told = [&](DsnAction action) {
            DsnRecipient list[] = {about("one@example.net", action)};
            list[0].recipient.notify = wish.notify;
            return make_dsn(mail_from("a@example.com"), original, list, here()).has_value();
        };
        EXPECT_EQ(told(DsnAction::failed), wish.failed) << wish.name;
        EXPECT_EQ(told(DsnAction::delayed), wish.delayed) << wish.name;
        EXPECT_EQ(told(DsnAction::delivered), wish.delivered) << wish.name;
        EXPECT_EQ(told(DsnAction::relayed), wish.delivered) << wish.name;
    }
}

TEST(Dsn, leaves_out_the_recipients_who_are_not_to_be_told_of) {
    DsnRecipient list[] = {about("one@example.net", DsnAction::failed),
                           about("secret@example.net", DsnAction::failed)};
    list[1].recipient.notify.never = true;
    auto const text = text_of(make_dsn(mail_from("a@example.com"), original, list, here()));
    EXPECT_TRUE(has(text, "one@example.net"));
    EXPECT_FALSE(has(text, "secret@example.net"));
}

TEST(Dsn, nobody_is_told_of_what_has_no_sender) {
    DsnRecipient const list[] = {about("one@example.net", DsnAction::failed)};
    EXPECT_FALSE(make_dsn(mail_from(""), original, list, here()));
    EXPECT_FALSE(make_dsn(mail_from("no-domain"), original, list, here()));
}

TEST(Dsn, a_delay_of_bulk_mail_is_not_told) {
    DsnRecipient const list[] = {about("one@example.net", DsnAction::delayed)};
    auto bulk = mail_from("a@example.com");
    bulk.klass = Class::bulk;
    EXPECT_FALSE(make_dsn(bulk, original, list, here()));
}

TEST(Dsn, passes_envelope_id_and_original_recipient_on_decoded) {
    DsnRecipient list[] = {about("one@example.net", DsnAction::failed)};
    list[0].recipient.orcpt = "rfc822;first+2Blast@example.org";
    auto e = mail_from("a@example.com");
    e.envid = "QQ+2B314+3D";
    auto const text = text_of(make_dsn(e, original, list, here()));
    EXPECT_TRUE(has(text, "Original-Envelope-Id: QQ+314=\r\n"));
    EXPECT_TRUE(has(text, "Original-Recipient: rfc822; first+last@example.org\r\n"));
}

TEST(Dsn, returns_the_whole_message_only_where_wanted_small_and_7_bit) {
    DsnRecipient const failed[] = {about("one@example.net", DsnAction::failed)};
    DsnRecipient const delayed[] = {about("one@example.net", DsnAction::delayed)};
    auto e = mail_from("a@example.com");
    e.ret = "FULL";
    EXPECT_TRUE(has(text_of(make_dsn(e, original, failed, here())), "unmistakable"));
    EXPECT_FALSE(has(text_of(make_dsn(e, original, delayed, here())), "unmistakable"));
    auto const large = original + std::string(returned_max, 'x') + "\r\n";
    EXPECT_FALSE(has(text_of(make_dsn(e, large, failed, here())), "unmistakable"));
    EXPECT_FALSE(
        has(text_of(make_dsn(e, original + "\xC3\xA4\r\n", failed, here())), "unmistakable"));
    e.ret = "HDRS";
    EXPECT_FALSE(has(text_of(make_dsn(e, original, failed, here())), "unmistakable"));
}

TEST(Dsn, is_7_bit_with_lines_that_fit_whatever_comes_in) {
    DsnRecipient list[] = {about("j\xC3\xBCrgen@example.net", DsnAction::failed)};
    list[0].diagnostic =
        "550 5.1.1 niemand \xC3\xA4\r\nBcc: x@example.org\r\n" + std::string(3000, 'y');
    list[0].recipient.orcpt = "utf-8;j\\x{FC}rgen@example.net";
    auto const bytes = "Subject: \xC3\xA4\r\nX: " + std::string(5000, 'z') + "\r\n\r\nb\r\n";
    auto const text = text_of(make_dsn(mail_from("a@example.com"), bytes, list, here()));
    ASSERT_FALSE(text.empty());
    EXPECT_TRUE(std::ranges::all_of(text, [](char c) {
        return c == '\r' || c == '\n' || c == '\t' || (c >= 0x20 && c < 0x7F);
    }));
    EXPECT_TRUE(has(text, "Final-Recipient: utf-8; j\\x{FC}rgen@example.net\r\n"));
    EXPECT_TRUE(has(text, "Original-Recipient: utf-8; j\\x{FC}rgen@example.net\r\n"));
    EXPECT_FALSE(has(text, "\r\nBcc:"));
    std::size_t line = 0;
    for (std::size_t end = text.find("\r\n"); end != std::string::npos;
         end = text.find("\r\n", line)) {
        EXPECT_LE(end - line, 998U + 0U);
        line = end + 2;
    }
}

TEST(Dsn, a_sender_in_utf8_is_told_by_smtputf8) {
    DsnRecipient const list[] = {about("one@example.net", DsnAction::failed)};
    auto const dsn = make_dsn(mail_from("j\xC3\xBCrgen@b\xC3\xBC"
                                        "cher.example"),
                              original,
                              list,
                              here());
    ASSERT_TRUE(dsn);
    EXPECT_TRUE(dsn->envelope.smtputf8);
    EXPECT_EQ(dsn->envelope.body, BodyType::eight_bit);
    EXPECT_EQ(dsn->works[0].destination, "xn--bcher-kva.example");
}

TEST(Dsn, expiry_keeps_its_code_and_says_why) {
    DsnRecipient list[] = {about("one@example.net", DsnAction::failed)};
    list[0].status = "4.4.7";
    list[0].diagnostic.clear();
    list[0].remote_host.clear();
    list[0].reason = "connect: nobody listens";
    auto const text = text_of(make_dsn(mail_from("a@example.com"), original, list, here()));
    EXPECT_TRUE(has(text, "Action: failed\r\nStatus: 4.4.7\r\n"));
    EXPECT_TRUE(has(text, "Diagnostic-Code: x-millrace; connect: nobody listens\r\n"));
    EXPECT_FALSE(has(text, "Remote-MTA"));
}

TEST(Dsn, a_delay_says_until_when) {
    DsnRecipient list[] = {about("one@example.net", DsnAction::delayed)};
    list[0].retry_until = from_unix_millis(1'790'400'000'000);
    auto const text = text_of(make_dsn(mail_from("a@example.com"), original, list, here()));
    EXPECT_TRUE(has(text, "Action: delayed\r\nStatus: 4.2.0\r\n"));
    EXPECT_TRUE(has(text, "Will-Retry-Until: " + to_rfc5322(list[0].retry_until)));
    EXPECT_TRUE(has(text, "Subject: Your message is delayed\r\n"));
}

TEST(Dsn, the_boundary_is_in_no_original) {
    DsnRecipient const list[] = {about("one@example.net", DsnAction::failed)};
    auto e = mail_from("a@example.com");
    e.ret = "FULL";
    auto const nasty = original + "--=_" + here().id.text() + "--\r\n";
    auto const text = text_of(make_dsn(e, nasty, list, here()));
    EXPECT_TRUE(has(text, "boundary=\"=_" + here().id.text() + "_\""));
}

TEST(Dsn, malformed_orcpt_is_left_out) {
    EXPECT_EQ(typed_orcpt("rfc822"), "");
    EXPECT_EQ(typed_orcpt("rfc822;a+ZZ"), "");
    EXPECT_EQ(typed_orcpt("rfc822;a+0D+0AX: y"), "");
    EXPECT_EQ(typed_orcpt(";a"), "");
}

TEST(Dsn, survives_an_original_that_cannot_be_read) {
    DsnRecipient const list[] = {about("one@example.net", DsnAction::failed)};
    EXPECT_TRUE(make_dsn(mail_from("a@example.com"), "", list, here()));
    EXPECT_TRUE(make_dsn(mail_from("a@example.com"), std::string(3, '\0'), list, here()));
}

const std::string boss = "postmaster@relay.example.com";

TEST(PostmasterCopy, is_made_of_what_was_asked_for_and_of_nothing_else) {
    DsnRecipient const failed[] = {about("one@example.net", DsnAction::failed)};
    DsnRecipient const delayed[] = {about("one@example.net", DsnAction::delayed)};
    DsnRecipient const relayed[] = {about("one@example.net", DsnAction::relayed)};
    PostmasterWish const bounce{boss, true, false, false};
    PostmasterWish const twice{boss, false, true, false};
    PostmasterWish const delay{boss, false, false, true};
    auto const copy = [](const char* sender,
                         std::span<const DsnRecipient> list,
                         const PostmasterWish& wish) {
        return make_postmaster_copy(mail_from(sender), original, list, here(), wish).has_value();
    };
    EXPECT_TRUE(copy("a@example.com", failed, bounce));
    EXPECT_FALSE(copy("", failed, bounce));
    EXPECT_TRUE(copy("", failed, twice));
    EXPECT_FALSE(copy("a@example.com", failed, twice));
    EXPECT_TRUE(copy("a@example.com", delayed, delay));
    EXPECT_FALSE(copy("", delayed, delay));
    for (auto const& wish : {bounce, twice, delay}) {
        EXPECT_FALSE(copy("a@example.com", relayed, wish));
    }
    EXPECT_FALSE(copy("a@example.com", failed, delay));
    EXPECT_FALSE(copy("a@example.com", delayed, bounce));
}

TEST(PostmasterCopy, tells_of_a_bounce_that_found_nobody) {
    auto bounce = mail_from("");
    bounce.ret = "FULL";
    auto failed = about("gone@example.com", DsnAction::failed);
    failed.recipient.notify.never = true;  // as every DSN is sent
    EXPECT_TRUE(is_double_bounce(bounce, failed));
    auto const copy =
        make_postmaster_copy(bounce, original, {&failed, 1}, here(), {boss, false, true, false});
    ASSERT_TRUE(copy);
    auto const text = *copy->body;
    EXPECT_TRUE(has(text, "To: <" + boss + ">\r\n"));
    EXPECT_TRUE(has(text, "Subject: Postmaster notice: a bounce could not be delivered\r\n"));
    EXPECT_TRUE(has(text, "Final-Recipient: rfc822; gone@example.com\r\n"));
    EXPECT_FALSE(has(text, "unmistakable")) << "the header only";
    EXPECT_EQ(copy->envelope.sender, "");
    ASSERT_EQ(copy->works.size(), 1U);
    EXPECT_EQ(copy->works[0].recipient, boss);
    EXPECT_EQ(copy->works[0].destination, "relay.example.com");
}

TEST(PostmasterCopy, never_causes_another) {
    DsnRecipient const failed[] = {about("PostMaster@relay.example.com", DsnAction::failed)};
    EXPECT_FALSE(
        make_postmaster_copy(mail_from(""), original, failed, here(), {boss, true, true, true}));
}

}  // namespace
}  // namespace millrace::relay
