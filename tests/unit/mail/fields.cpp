// Dates, Message-IDs, media types, Received.

#include <chrono>

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "common/mail/date.hpp"
#include "common/mail/header_block.hpp"
#include "common/mail/media_type.hpp"
#include "common/mail/message_id.hpp"
#include "common/mail/received.hpp"
#include "tests/unit/mail/corpus.hpp"
#include "tests/unit/mail/score.hpp"

namespace millrace::mail {
namespace {

TEST(Date, CurrentAndObsoleteForms) {
    EXPECT_EQ(parse_date("Fri, 21 Nov 1997 09:55:06 -0600"), 880127706);
    EXPECT_EQ(parse_date(" 21 Nov 97 09:55:06 CST"), 880127706);
    EXPECT_EQ(parse_date("Fri,\r\n 21 Nov 1997 (a (b) date) 09 : 55 : 06 -0600"), 880127706);
    EXPECT_EQ(parse_date("1 Jan 1970 00:00 +0000"), 0);
    EXPECT_EQ(parse_date("31 Dec 1969 23:59:59 GMT"), -1);
    EXPECT_EQ(parse_date("31 Dec 2016 23:59:60 +0000"), 1483228800);
    EXPECT_EQ(parse_date("29 Feb 2000 00:00:00 +0000"), 951782400);
    EXPECT_EQ(parse_date("1 Jan 100 00:00:00 Z"), parse_date("1 Jan 2000 00:00:00 +0000"));
}

TEST(Date, ImpossibleOnes) {
    for (const char* bad : {"",
                            "yesterday",
                            "29 Feb 1900 00:00 +0000",
                            "31 Apr 2000 00:00 Z",
                            "0 Jan 2000 00:00 Z",
                            "1 Jan 2000 24:00 Z",
                            "1 Jan 2000 00:60 Z",
                            "1 Foo 2000 00:00 Z",
                            "1 Jan 2000",
                            "1 Jan 2000 00:00 +00",
                            "1 Jan 2000 00:00 +0060",
                            "1 Jan 2000 00:00 Z rest",
                            "1 Jan 999999 00:00 Z",
                            "Xxx, 1 Jan 2000 00:00 Z",
                            "1 Jan 1 00:00 Z"})
        EXPECT_FALSE(parse_date(bad)) << bad;
}

// The seconds of a date taken apart, by the calendar of <chrono>.
std::int64_t seconds_of(const boost::json::object& d) {
    const auto n = [&d](const char* key) {
        return d.at(key).to_number<std::int64_t>();
    };
    const std::chrono::year_month_day day{std::chrono::year(static_cast<int>(n("year"))),
                                          std::chrono::month(static_cast<unsigned>(n("month"))),
                                          std::chrono::day(static_cast<unsigned>(n("day")))};
    const std::int64_t zone =
        (n("tz_hour") * 60 + n("tz_minute")) * (d.at("tz_before_gmt").as_bool() ? -60 : 60);
    return std::chrono::sys_days(day).time_since_epoch().count() * 86400LL + n("hour") * 3600 +
           n("minute") * 60 + n("second") - zone;
}

TEST(Date, TableOfStalwart) {
    const auto file = test::shared_corpus("mime/stalwart-fields/date.json");
    if (!std::filesystem::exists(file)) GTEST_SKIP() << file << " is absent";
    static const test::Score::Differences known = {
        {"5", "a month in digits is in no form of RFC 5322"},
    };
    test::Score score("stalwart date.json", known);
    std::size_t row = 0;
    for (const auto& one : boost::json::parse(test::read_file(file)).as_array()) {
        const std::string header(std::string_view(one.at("header").as_string()));
        const auto got = parse_date(header);
        const auto* expected = one.at("expected").if_object();
        const bool same = expected == nullptr ? !got : got == seconds_of(*expected);
        score.row(std::to_string(row++), same, header);
    }
}

TEST(Received, TableOfStalwart) {
    const auto file = test::shared_corpus("mime/stalwart-fields/received.json");
    if (!std::filesystem::exists(file)) GTEST_SKIP() << file << " is absent";
    static const test::Score::Differences known = {
        {"39", "PST is -0800 (RFC 5322 §4.3); the table ignores zone names"},
        {"81", "PDT is -0700"},
        {"51", "year 04 is 2004 (RFC 5322 §4.3); the table says 1904"},
        {"65", "asctime's form is no date of RFC 5322"},
        {"76", "asctime's form is no date of RFC 5322"},
        {"66", "two zones"},
        {"74", "fractions of a second are in no form of RFC 5322"},
    };
    test::Score score("stalwart received.json", known);
    std::size_t row = 0;
    for (const auto& one : boost::json::parse(test::read_file(file)).as_array()) {
        const std::string header(std::string_view(one.at("header").as_string()));
        const auto* expected = one.at("expected").as_object().if_contains("date");
        const auto got = received_date(header);
        const bool none = expected == nullptr || expected->is_null();
        score.row(
            std::to_string(row++), none ? !got : got == seconds_of(expected->as_object()), header);
    }
}

TEST(Received, CountedAndDated) {
    const std::vector<HeaderField> fields = {
        {"Received", " from a; 1 Jan 1970 00:00:10 +0000"}, {"To", " x"}, {"received", ""}};
    EXPECT_EQ(count_received(fields), 2U);
    EXPECT_EQ(received_date(fields[0].value), 10);
    EXPECT_EQ(received_date(" from a (x; 1 Jan 1970 00:00:10 +0000)"), std::nullopt);
}

TEST(MessageIds, Form) {
    EXPECT_TRUE(is_message_id(" <a@b>\r\n"));
    for (const char* bad :
         {"", "a@b", "<a>", "<@b>", "<a@>", "<a b@c>", "<a@b> <c@d>", "<a@b> x", "<<a@b>>", "<a@b"})
        EXPECT_FALSE(is_message_id(bad)) << bad;
    EXPECT_EQ(first_message_id(" x <a@b> <c@d>"), "<a@b>");
    EXPECT_EQ(first_message_id(" a@b c"), "a@b");
    EXPECT_EQ(first_message_id("  "), "");
}

TEST(MediaTypes, Charset) {
    EXPECT_EQ(charset_of(" text/plain; charset=\"ISO-8859-1\"; format=flowed"), "ISO-8859-1");
    EXPECT_EQ(charset_of(" text/plain;\r\n\tCHARSET = utf-8 (comment)"), "utf-8");
    EXPECT_EQ(charset_of(" text/plain; charset*0=\"iso-\"; charset*1=8859-2"), "iso-8859-2");
    EXPECT_EQ(charset_of(" text/plain; charset*=us-ascii'en'koi8-r"), "koi8-r");
    EXPECT_EQ(charset_of(" text/plain"), "");
    EXPECT_EQ(charset_of(" nonsense"), "");
    const auto type = parse_media_type(" Message / Delivery-Status; report-type=a; report-type=b");
    ASSERT_TRUE(type);
    EXPECT_EQ(type->type + "/" + type->subtype, "message/delivery-status");
    EXPECT_EQ(type->parameter("report-type"), "a");
}

TEST(MediaTypes, TableOfStalwart) {
    const auto file = test::shared_corpus("mime/stalwart-fields/content_type.json");
    if (!std::filesystem::exists(file)) GTEST_SKIP() << file << " is absent";
    std::size_t rows = 0, same = 0;
    for (const auto& one : boost::json::parse(test::read_file(file)).as_array()) {
        const std::string header(std::string_view(one.at("header").as_string()));
        const auto* expected = one.at("expected").if_object();
        const auto got = parse_media_type(header);
        if (expected == nullptr || !expected->contains("c_subtype") ||
            expected->at("c_subtype").is_null())
            continue;
        ++rows;
        const bool equal = got &&
                           got->type == std::string_view(expected->at("c_type").as_string()) &&
                           got->subtype == std::string_view(expected->at("c_subtype").as_string());
        if (equal) ++same;
        EXPECT_TRUE(equal) << header;
    }
    std::printf("stalwart content_type.json: type of %zu of %zu\n", same, rows);
}

}  // namespace
}  // namespace millrace::mail
