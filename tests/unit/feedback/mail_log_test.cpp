// Goal: the journal in Postfix's words, in the very form that pflogsumm and logwatch match
// (tests/e2e/found reads it with the real ones).
#include "relay/feedback/mail_log.hpp"

#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "relay/feedback/journal_view.hpp"

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;

Event sample(EventKind kind) {
    Event e;
    e.kind = kind;
    e.message = MessageIds(1).next(from_unix_millis(1'790'000'000'000));
    e.at = e.message.made_at() + 5300ms;
    e.born = e.message.made_at() - 20s;
    e.took = 450ms;
    e.recipient = "rose@garden.test";
    e.sender = "shop@example.com";
    e.message_id = "<1@example.com>";
    e.remote_mta = "mx.garden.test [192.0.2.25]";
    e.site = "mx.garden.test";
    e.connection_use = 1;
    return e;
}

std::vector<std::string> lines_of(const Event& e) {
    std::vector<std::string> all;
    for (auto const& line : mail_log_lines(e)) {
        all.push_back(std::string(line.program) + ": " + line.text);
    }
    return all;
}

TEST(MailLog, AnArrivalIsThreeLinesAMessage) {
    auto e = sample(EventKind::received);
    e.client = "app.example.com [192.0.2.9]";
    e.mta_queue_id = "4XyZ1c2Fq7z9Kb";
    e.size = 1234;
    e.recipients = 2;
    auto const id = e.message.text();
    EXPECT_EQ(lines_of(e),
              (std::vector<std::string>{
                  "millrace/smtpd: " + id +
                      ": client=app.example.com[192.0.2.9], orig_queue_id=4XyZ1c2Fq7z9Kb",
                  "millrace/cleanup: " + id + ": message-id=<1@example.com>",
                  "millrace/qmgr: " + id +
                      ": from=<shop@example.com>, size=1234, nrcpt=2 (queue active)"}));
    e.recipient_index = 1;
    EXPECT_TRUE(lines_of(e).empty());
    e.recipient_index = 0;
    e.client.clear();  // our own notice
    e.sender.clear();
    EXPECT_EQ(lines_of(e).size(), 2U);
}

TEST(MailLog, ADeliveryHasPostfixsFields) {
    auto e = sample(EventKind::delivered);
    e.smtp_code = 250;
    e.enhanced_status = "2.0.0";
    e.reason = "Ok: queued as X";
    e.last = true;
    auto const id = e.message.text();
    EXPECT_EQ(lines_of(e),
              (std::vector<std::string>{
                  "millrace/smtp: " + id +
                      ": to=<rose@garden.test>, relay=mx.garden.test[192.0.2.25]:25, delay=25, "
                      "delays=20/4.8/0/0.45, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as X)",
                  "millrace/qmgr: " + id + ": removed"}));
    e.mta_queue_id = "4XyZ1c2Fq7z9Kb";
    e.connection_use = 7;
    EXPECT_NE(lines_of(e)[0].find(":25, conn_use=7 orig_queue_id=4XyZ1c2Fq7z9Kb, delay=25,"),
              std::string::npos);
}

TEST(MailLog, ADeferralSaysWhoSaidWhat) {
    auto e = sample(EventKind::deferred);
    e.smtp_code = 451;
    e.enhanced_status = "4.7.1";
    e.reason = "try later";
    EXPECT_TRUE(lines_of(e)[0].ends_with(
        "dsn=4.7.1, status=deferred (host mx.garden.test[192.0.2.25] said: 451 4.7.1 try later)"));
    e.smtp_code = 0;
    e.enhanced_status.clear();
    e.remote_mta.clear();
    e.connection_use = 0;
    e.reason = "connection refused";
    e.possible_duplicate = true;
    EXPECT_NE(lines_of(e)[0].find("relay=none, delay="), std::string::npos);
    EXPECT_TRUE(
        lines_of(e)[0].ends_with("dsn=4.0.0, status=deferred (connection refused -- "
                                 "message may be sent more than once)"));
}

TEST(MailLog, WhatEndsBadly) {
    auto e = sample(EventKind::expired);
    e.last = true;
    e.attempt = 30;
    ASSERT_EQ(lines_of(e).size(), 3U);
    EXPECT_NE(lines_of(e)[0].find("status=deferred"), std::string::npos);
    EXPECT_TRUE(
        lines_of(e)[1].ends_with("from=<shop@example.com>, status=expired, returned to sender"));
    EXPECT_TRUE(lines_of(e)[0].starts_with("millrace/smtp: "));
    e.attempt = 0;
    EXPECT_TRUE(lines_of(e)[0].starts_with("millrace/error: ")) << "nothing was tried";
    e = sample(EventKind::bounced);
    EXPECT_NE(lines_of(e)[0].find("dsn=5.0.0, status=bounced ("), std::string::npos);
    e.late = true;
    EXPECT_TRUE(lines_of(e).empty());
    e = sample(EventKind::removed);
    e.reason = "removed by uid 0";
    EXPECT_TRUE(lines_of(e)[0].starts_with("millrace/postsuper: "));
    EXPECT_TRUE(lines_of(e)[0].ends_with("status=removed (removed by uid 0)"));
}

TEST(MailLog, ThePortIsThereAlways) {
    auto e = sample(EventKind::deferred);
    e.remote_mta = "mx.garden.test [2001:db8::1]:2600";
    e.smtp_code = 451;
    auto const line = lines_of(e)[0];
    EXPECT_NE(line.find("relay=mx.garden.test[2001:db8::1]:2600, "), std::string::npos) << line;
    EXPECT_NE(line.find("(host mx.garden.test[2001:db8::1] said: "), std::string::npos) << line;
}

TEST(MailLog, NothingThatAReceiverSaysMakesALine) {
    auto e = sample(EventKind::deferred);
    e.reason = "a\nNov 24 00:00:00 host postfix/smtp[1]: forged\x1b[31m";
    e.recipient = "x\r\ny@garden.test";
    e.mta_queue_id = "4\nX";
    auto const text = mail_log_text({&e, 1}, "mail", 7);
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
    EXPECT_EQ(text.find('\x1b'), std::string::npos);
    e.reason.assign(100'000, 'x');
    EXPECT_LT(mail_log_datagrams({&e, 1}, 7).front().size(), 2048U);
}

TEST(MailLog, TheStampIsPostfixs) {
    ::setenv("TZ", "UTC", 1);
    ::tzset();
    EXPECT_EQ(mail_log_stamp(from_unix_millis(1'788'253'323'000)), "Sep  1 09:02:03");
    auto const e = sample(EventKind::bounced);
    auto const text = mail_log_text({&e, 1}, "mail.example.com", 123);
    EXPECT_TRUE(std::regex_search(
        text,
        std::regex(
            R"(^\w{3} [ \d]\d \d\d:\d\d:\d\d mail\.example\.com millrace/smtp\[123\]: \S+: to=<)")));
    EXPECT_TRUE(mail_log_datagrams({&e, 1}, 123).front().starts_with("<22>Sep 21 "));
}

// Goal: the system's log gets a datagram a line; when nobody listens, that is said and nothing is
// taken for written.
TEST(MailLog, TheSystemsLogIsASocket) {
    std::string folder = testing::TempDir() + "millrace_log_XXXXXX";
    ASSERT_NE(::mkdtemp(folder.data()), nullptr);
    auto const path = folder + "/log";
    auto const view = mail_log_view("syslog:" + path, "mail");
    auto const e = sample(EventKind::bounced);
    EXPECT_NE(view.write({&e, 1}).find("No such file"), std::string::npos);
    int const socket = ::socket(AF_UNIX, SOCK_DGRAM, 0);
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, path.size());
    ASSERT_EQ(::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(view.write({&e, 1}), "");
    char buffer[4096];
    auto const size = ::recv(socket, buffer, sizeof buffer, 0);
    ASSERT_GT(size, 0);
    EXPECT_EQ(std::string(buffer, static_cast<std::size_t>(size)),
              mail_log_datagrams({&e, 1}, ::getpid()).front());
    ::close(socket);
    std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace millrace::relay
