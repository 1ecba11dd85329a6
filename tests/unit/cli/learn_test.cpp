// Goal: logs of the past are read as they are, whatever else stands in them, and their limits
// found.
#include <fmt/format.h>
#include <fstream>
#include <unistd.h>
#include <zlib.h>

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "relay/cli/json_view.hpp"
#include "relay/cli/learn_view.hpp"
#include "relay/cli/log_file.hpp"

namespace millrace::relay {
namespace {

using End = LoggedAttempt::End;
const Time now = *parse_rfc3339("2026-01-15T12:00:00Z");

std::string at(const LoggedAttempt& a) {
    return to_rfc3339(Time(std::chrono::seconds(a.second)));
}

TEST(LogLine, ReadsPostfix) {
    auto const sent = read_log_line(
        "Jan 14 14:23:31 mx postfix/smtp[11375]: 4jYlR74wtKz1bglX: to=<rose@Garden.test>, "
        "orig_to=<r@x.test>, relay=mx.garden.test[192.0.2.1]:25, conn_use=2, delay=5.7, "
        "delays=0.05/0.02/5.3/0.3, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 6EAC)",
        now);
    ASSERT_TRUE(sent);
    EXPECT_EQ(at(*sent), "2026-01-14T14:23:31.000Z");
    EXPECT_EQ(sent->process, "11375");
    EXPECT_EQ(sent->queue_id, "4jYlR74wtKz1bglX");
    EXPECT_EQ(sent->domain, "Garden.test");
    EXPECT_EQ(sent->host, "mx.garden.test");
    EXPECT_EQ(sent->end, End::sent);
    EXPECT_EQ(sent->busy, std::chrono::milliseconds(5600));

    auto const deferred = read_log_line(
        "2025-12-31T23:59:59.123456+01:00 mx postfix-out/smtp[7]: ABC: to=<a@b.test>, "
        "relay=mx.b.test[192.0.2.2]:25, delay=1, delays=0/0/1/0, dsn=4.7.1, status=deferred "
        "(host mx.b.test[192.0.2.2] said: 451 4.7.1 <a@b.test>: greylisted (ask (in reply to RCPT "
        "TO command))",
        now);
    ASSERT_TRUE(deferred);
    EXPECT_EQ(at(*deferred), "2025-12-31T23:59:59.000Z");
    EXPECT_EQ(deferred->code, 451U);
    EXPECT_EQ(deferred->enhanced, "4.7.1");
    EXPECT_EQ(deferred->text, "<a@b.test>: greylisted (ask");

    auto const refused = read_log_line(
        "Jan 16 08:00:00 mx postfix/smtp[7]: ABC: to=<a@b.test>, relay=none, delay=1, "
        "delays=0/0/1/0, dsn=4.0.0, status=deferred (host mx.b.test[192.0.2.2] refused to talk to "
        "me: 421 too many connections)",
        now);
    ASSERT_TRUE(refused);  // within the day of grace
    EXPECT_EQ(at(*refused).substr(0, 10), "2026-01-16");
    EXPECT_EQ(refused->code, 421U);
    EXPECT_EQ(refused->host, "mx.b.test");
    EXPECT_EQ(refused->text, "too many connections");

    auto const suspended = read_log_line(
        "Dec  3 08:00:00 mx postfix/smtp[7]: ABC: to=<a@b.test>, relay=none, delay=1, "
        "delays=0/0/1/0, dsn=4.4.1, status=deferred (delivery temporarily suspended: connect to "
        "b.test[192.0.2.2]:25: Connection refused)",
        now);
    ASSERT_TRUE(suspended);
    EXPECT_EQ(at(*suspended).substr(0, 10), "2025-12-03");
    EXPECT_EQ(suspended->end, End::suspended);
    EXPECT_EQ(suspended->code, 0U);
}

TEST(LogLine, ReadsSendmail) {
    auto const sent = read_log_line(
        "Jan  4 04:05:06 mx sm-mta[99]: 30F5uAbc012345: to=<a@b.test>,<c@b.test>, "
        "ctladdr=<x@y.test> (0/0), delay=00:00:02, xdelay=00:00:01, mailer=esmtp, pri=120, "
        "relay=mx.b.test. [192.0.2.2], dsn=2.0.0, stat=Sent (250 ok)",
        now);
    ASSERT_TRUE(sent);
    EXPECT_EQ(sent->end, End::sent);
    EXPECT_EQ(sent->domain, "b.test");
    EXPECT_EQ(sent->host, "mx.b.test");
    auto const deferred = read_log_line(
        "Jan  4 04:05:06 mx sendmail[99]: 30F5: to=a@b.test, delay=00:00:02, mailer=esmtp, "
        "relay=mx.b.test. [192.0.2.2], dsn=4.3.2, stat=Deferred: 421 4.7.0 Too many connections",
        now);
    ASSERT_TRUE(deferred);
    EXPECT_EQ(deferred->end, End::deferred);
    EXPECT_EQ(deferred->code, 421U);
    EXPECT_EQ(deferred->text, "Too many connections");
}

TEST(LogLine, EverythingElseIsNothing) {
    for (auto const* line :
         {"",
          "Jan  4 04:05:06 mx postfix/local[9]: ABC: to=<a@b.test>, relay=local, delay=1, "
          "delays=1/0/0/0, dsn=2.0.0, status=sent (delivered to mailbox)",
          "Jan  4 04:05:06 mx postfix/smtpd[9]: NOQUEUE: reject: RCPT from x[192.0.2.1]: 554; "
          "from=<a> to=<b@c.test> proto=SMTP: to=<z@z>",
          "Jan  4 04:05:06 mx postfix/smtp[9]: ABC: to=<a@b.test>, relay=none",
          "Jan  4 04:05:06 mx postfix/smtp[9]: ABC: to=<a@b.test>, "
          "relay=127.0.0.1[127.0.0.1]:10024, delay=1, delays=1/0/0/0, dsn=2.0.0, status=sent (x)",
          "Jan  4 04:05:06 mx sendmail[9]: ABC: to=a@b.test, mailer=relay, relay=[127.0.0.1] "
          "[127.0.0.1], dsn=2.0.0, stat=Sent (m3FMiVh2 Message accepted for delivery)",
          "Jan 44 04:05:06 mx postfix/smtp[9]: ABC: to=<a@b.test>, relay=x, status=sent (y)",
          "Foo  4 04:05:06 mx postfix/smtp[9]: ABC: to=<a@b.test>, relay=x, status=sent (y)",
          "Jan  4 04:05:06 mx sendmail[99]: 30F5: to=root, mailer=local, dsn=2.0.0, stat=Sent",
          ": to=<",
          "Jan  4 04:05:06 mx x]: [: to=<a@b>"}) {
        EXPECT_FALSE(read_log_line(line, now)) << line;
    }
    // Any prefix, and any byte turned over, is read or not, and never more.
    std::string const whole =
        "Jan 14 14:23:31 mx postfix/smtp[1]: Q: to=<r@g.test>, relay=mx.g.test[192.0.2.1]:25, "
        "delay=5.7, delays=0.05/0.02/5.3/0.3, dsn=4.7.0, status=deferred (host "
        "mx.g.test[192.0.2.1] "
        "said: 421 4.7.0 slow down (in reply to end of DATA command))";
    for (std::size_t size = 0; size < whole.size(); ++size) {
        static_cast<void>(read_log_line(std::string_view(whole).substr(0, size), now));
        for (char const c : {' ', '=', '>', ']', '[', ':', '(', '/', '9', '\xFF'}) {
            auto bent = whole;
            bent[size] = c;
            static_cast<void>(read_log_line(bent, now));
        }
    }
}

std::string line(int second, int process, int id, std::string_view rest) {
    return fmt::format(
        "Jan 14 10:{:02}:{:02} mx postfix/smtp[{}]: ID{}: to=<u{}@b.test>, "
        "relay=mx{}.b.test[192.0.2.2]:25, delay=1, delays=0/0/0/2, {}",
        second / 60,
        second % 60,
        process,
        id,
        id,
        id % 3,
        rest);
}

void teach(Lessons& lessons, const std::string& text) {
    auto const attempt = read_log_line(text, now);
    ASSERT_TRUE(attempt) << text;
    lessons.take(*attempt);
}

TEST(Lessons, FindsTheLimitsThatServersSpokeOf) {
    Lessons lessons;
    int id = 0;
    // Three at once go well; five are too many, says the server.
    for (int i = 0; i < 9; ++i) {
        teach(lessons, line(i * 10 / 3, 1 + i % 3, ++id, "dsn=2.0.0, status=sent (250 ok)"));
    }
    for (int process = 11; process <= 14; ++process) {
        teach(lessons, line(60, process, ++id, "dsn=2.0.0, status=sent (250 ok)"));
    }
    teach(lessons,
          line(61,
               15,
               ++id,
               "dsn=4.7.0, status=deferred (host mx.b.test[192.0.2.2] said: 421 4.7.0 "
               "Too many concurrent connections from your IP (in reply to MAIL FROM "
               "command))"));
    // Thirty in a minute are too many.
    for (int i = 0; i < 30; ++i) {
        teach(lessons, line(600 + i, 1, ++id, "dsn=2.0.0, status=sent (250 ok)"));
    }
    teach(lessons,
          line(640,
               1,
               ++id,
               "dsn=4.7.28, status=deferred (host mx.b.test[192.0.2.2] said: 421 4.7.28 "
               "Our system has detected an unusual rate of unsolicited mail; rate "
               "limited (in reply to end of DATA command))"));
    lessons.new_file();
    auto const servers = lessons.servers();
    ASSERT_EQ(servers.size(), 1U);
    EXPECT_EQ(servers[0].name, "b.test");
    auto const& l = *servers[0].learned;
    EXPECT_EQ(l.sent, 43U);
    EXPECT_EQ(l.messages, 43U);
    EXPECT_EQ(l.deferred, 2U);
    EXPECT_EQ(l.hosts.size(), 3U);
    EXPECT_EQ(l.connections.good, 4U);
    EXPECT_EQ(l.connections.bad, 5U);
    EXPECT_EQ(l.rate.good, 9U);
    EXPECT_EQ(l.rate.bad, 31U);
    EXPECT_EQ(l.minute.messages, 30U);
    EXPECT_EQ(l.hour.messages, 43U);
    auto const text = view_lessons(lessons, {{"mail.log"}, 45, 1}, 20, {});
    EXPECT_NE(text.find("4 connections at once went well at most, 5 were too many at least"),
              std::string::npos)
        << text;
    EXPECT_NE(text.find("30 on 2026-01-14 10:10"), std::string::npos) << text;
    auto const json = lessons_as_json(lessons, {{"mail.log"}, 45, 1});
    auto const& server = json.at("servers").at(0);
    EXPECT_EQ(server.at("connections").at("good").to_number<int>(), 4);
    EXPECT_EQ(server.at("messages_per_minute").at("bad").to_number<int>(), 31);
    EXPECT_EQ(server.at("busiest_minute").at("at").as_string(), "2026-01-14T10:10:00");
    EXPECT_EQ(json.at("destinations").at(0).at("days").at(0).at("sent").to_number<int>(), 43);
}

TEST(Lessons, MemoryIsBoundedAndSaysWhatItLeftOut) {
    Lessons lessons(10);
    auto const one = [&](const std::string& domain) {
        teach(lessons,
              "Jan 14 10:00:00 mx postfix/smtp[1]: ABC: to=<u@" + domain +
                  ">, relay=none, delay=1, delays=0/0/0/2, dsn=4.4.1, status=deferred (connect "
                  "to x[192.0.2.1]:25: Connection refused)");
    };
    for (int i = 0; i < 1000; ++i) {
        one("big.test");
        one("d" + std::to_string(i) + ".test");
    }
    EXPECT_LE(lessons.destinations().size(), 20U);
    EXPECT_EQ(lessons.destinations().front().name, "big.test");
    EXPECT_EQ(lessons.destinations().front().learned->deferred, 1000U);
    EXPECT_EQ(lessons.sums().left_out + lessons.destinations().size() - 1, 1000U);  // one each
    EXPECT_NE(view_lessons(lessons, {}, 3, {}).find("left out, at the smallest destinations: 9"),
              std::string::npos);
}

TEST(Lessons, ServersOfOneHouseAreOne) {
    EXPECT_EQ(server_domain("gmail-smtp-in.l.google.com"), "google.com");
    EXPECT_EQ(server_domain("ALT1.gmail-smtp-in.l.Google.com."), "google.com");
    EXPECT_EQ(server_domain("mx.example.co.uk"), "example.co.uk");
    EXPECT_EQ(server_domain("mx1.web.de"), "web.de");
    EXPECT_EQ(server_domain("web.de"), "web.de");
    EXPECT_EQ(server_domain("192.0.2.1"), "192.0.2.1");
    EXPECT_EQ(server_domain("localhost"), "localhost");
    EXPECT_EQ(server_domain("."), "");
}

class LogFile : public testing::Test {
  protected:
    LogFile() : path_(testing::TempDir() + "millrace_log_" + std::to_string(::getpid())) {}
    ~LogFile() override { ::unlink(path_.c_str()); }

    std::vector<std::string> lines() {
        std::vector<std::string> all;
        read_ = read_log_file(
            path_, [&](std::string_view l) { all.emplace_back(l); }, [](std::uint64_t) {});
        return all;
    }
    std::string path_;
    Result<LogFileRead> read_;
};

TEST_F(LogFile, PlainAndPackedAreTheSame) {
    std::string text;
    for (int i = 0; i < 100'000; ++i) {
        text += "line " + std::to_string(i) + "\n";
    }
    text += "the last has no end";
    std::ofstream(path_) << text;
    auto const plain = lines();
    EXPECT_EQ(plain.size(), 100'001U);
    EXPECT_EQ(plain.back(), "the last has no end");
    EXPECT_EQ(read_->lines, 100'001U);
    EXPECT_EQ(read_->bytes, text.size());
    auto* const packed = ::gzopen(path_.c_str(), "wb");
    ::gzwrite(packed, text.data(), static_cast<unsigned>(text.size()));
    ::gzclose(packed);
    EXPECT_TRUE(lines() == plain);
}

TEST_F(LogFile, ALineWithoutEndCostsOneBuffer) {
    std::ofstream(path_) << "first\n" << std::string(1 << 20, 'x') << "\nlast\n";
    auto const all = lines();
    ASSERT_EQ(all.size(), 3U);
    EXPECT_EQ(all[0], "first");
    EXPECT_LT(all[1].size(), 300U << 10);
    EXPECT_EQ(all[2], "last");
}

TEST_F(LogFile, WhatCannotBeReadIsSaid) {
    EXPECT_TRUE(lines().empty());
    EXPECT_EQ(read_.error().fault, Fault::not_found);
    std::ofstream(path_) << std::string(
        "\xFD"
        "7zXZ\0\0\0",
        8);
    EXPECT_TRUE(lines().empty());
    EXPECT_NE(read_.error().detail.find("xzcat"), std::string::npos);
    std::string const broken("\x1F\x8B\x08\0\0\0\0\0\0\x03garbage that is no deflate", 36);
    std::ofstream(path_) << broken;
    lines();
    EXPECT_FALSE(read_);
}

}  // namespace
}  // namespace millrace::relay
