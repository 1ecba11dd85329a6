// Address lists, domains and SMTP paths.

#include "common/mail/address.hpp"

#include <gtest/gtest.h>

#include "common/mail/domain.hpp"

namespace millrace::mail {
namespace {

std::string addresses(std::string_view value, Reading reading = Reading::strict) {
    const auto list = parse_addresses(value, reading);
    if (!list) return "-";
    std::string out;
    for (const Mailbox& m : list->mailboxes())
        out += (out.empty() ? "" : " ") + m.address();
    return out;
}

TEST(Addresses, TheGrammar) {
    EXPECT_EQ(addresses(" A <a@b.c>, \"x, y\" <c@d.e>,\r\n f@g.h (F)"), "a@b.c c@d.e f@g.h");
    EXPECT_EQ(addresses("Friends: a@b.c, d@e.f;, undisclosed:;"), "a@b.c d@e.f");
    EXPECT_EQ(addresses("<@x.y,@z:a@b.c>"), "a@b.c");
    EXPECT_EQ(addresses("\"a@b\"@c.d"), "\"a@b\"@c.d");
    for (const char* bad : {"",
                            "a",
                            "<>",
                            "a@",
                            "@b",
                            "a@b c@d",
                            "a@b..c",
                            "a..b@c",
                            "<a@b",
                            "\"a@b",
                            "A B",
                            "g: a@b",
                            "g: h: a@b;;",
                            "a@b\r\nc@d",
                            "a@b;"})
        EXPECT_EQ(addresses(bad), "-") << bad;
}

TEST(Addresses, ObsoleteFormsAreMarked) {
    EXPECT_FALSE(parse_addresses("A <a@b.c>")->obsolete);
    for (const char* old :
         {"<@x:a@b.c>", "a . b@c.d", "a@ b.c", "a@b,,c@d", "J. Doe <a@b>", "a@b,"})
        EXPECT_TRUE(parse_addresses(old).value().obsolete) << old;
}

TEST(Addresses, WhatPeopleWrite) {
    EXPECT_EQ(addresses("Joe, PhD <j@e.f>, Jane <k@l.m>", Reading::lenient), "j@e.f k@l.m");
    EXPECT_EQ(parse_addresses("Joe, PhD <j@e.f>", Reading::lenient)->mailboxes()[0].display_name,
              "Joe, PhD");
    EXPECT_EQ(addresses("a@b.c; d@e.f;", Reading::lenient), "a@b.c d@e.f");
    EXPECT_EQ(addresses("X <<a@b.c>>", Reading::lenient), "a@b.c");
    EXPECT_EQ(addresses("X <a@b.c, Y <d@e.f>", Reading::lenient), "a@b.c d@e.f");
    EXPECT_EQ(addresses("a@b.c> ", Reading::lenient), "a@b.c");
    EXPECT_EQ(addresses("=?utf-8?Q?Doe,_a@b?= <j@x.y>", Reading::lenient), "j@x.y");
    EXPECT_TRUE(parse_addresses("X <<a@b.c>>", Reading::lenient)->mended);
    EXPECT_FALSE(parse_addresses("X <a@b.c>", Reading::lenient)->mended);
    EXPECT_EQ(addresses("<blah>", Reading::lenient), "-");
}

TEST(Addresses, PrintedAndReadAgain) {
    for (const char* text :
         {"\"Doe, John\" <j@d.e>, G: a@b.c, \"x y\"@[192.0.2.1];, \"J. R.\" <q@r.s>, \"\"@t.u"}) {
        const auto once = parse_addresses(text);
        ASSERT_TRUE(once) << once.error().detail;
        EXPECT_EQ(print(*once), text);
        EXPECT_EQ(parse_addresses(print(*once))->mailboxes(), once->mailboxes());
    }
}

TEST(Addresses, AFromThatReadersDisagreeAbout) {
    const auto ambiguous = [](std::string_view value) {
        return is_ambiguous(value, parse_addresses(value).value());
    };
    EXPECT_TRUE(ambiguous("\"Someone <someone@junk.example>\"@example.com"));
    EXPECT_TRUE(ambiguous("a@good.example (<x@evil.example>)"));
    EXPECT_FALSE(ambiguous("\"user@other.example\" <user@example.com>"));
    EXPECT_FALSE(ambiguous("user@EXAMPLE.com (user@work.example)"));
    EXPECT_FALSE(ambiguous("\"a@b\"@example.com"));
}

TEST(Addresses, DomainBehindTheLastUnquotedAt) {
    EXPECT_EQ(domain_of("a@b"), "b");
    EXPECT_EQ(domain_of("\"a@b\\\"@c\"@d.e"), "d.e");
    EXPECT_EQ(domain_of("postmaster"), "");
}

TEST(Addresses, NamesMendedAndNothingElse) {
    const auto mended = [](std::string_view value) {
        return repair_addresses(value, "From").value;
    };
    EXPECT_EQ(mended("J\xFCrgen <j\x2b"
                     "a@b.c>"),
              " =?UTF-8?Q?J=C3=BCrgen?= <j+a@b.c>");
    EXPECT_EQ(mended(" \"J\xC3\xBCrgen, Dr.\" <a@b.c>"), " =?UTF-8?B?SsO8cmdlbiwgRHIu?= <a@b.c>");
    EXPECT_EQ(mended(" a@b.c (J\xFC)"), " a@b.c (=?UTF-8?B?SsO8?=)");
    EXPECT_FALSE(repair_addresses(" \"=?x?=\" <a@b.c>", "From").changed);
    EXPECT_FALSE(repair_addresses(" <\xC3\xA9@b.c>", "From").changed)
        << "an addr-spec is not ours to mend";
}

TEST(Addresses, FieldsAreFolded) {
    AddressList list;
    for (int i = 0; i < 20; ++i) {
        Address a;
        a.mailboxes.push_back({.display_name = "Somebody, N.",
                               .local_part = "user" + std::to_string(i),
                               .domain = "example.com",
                               .comment = {}});
        list.addresses.push_back(a);
    }
    const std::string field = write_field(list, "To");
    std::size_t begin = 0;
    while (begin < field.size()) {
        const std::size_t end = std::min(field.find('\n', begin), field.size());
        EXPECT_LE(end - begin + (begin == 0 ? 3 : 0), 76U);
        begin = end + 1;
    }
    EXPECT_EQ(parse_addresses(field)->mailboxes(), list.mailboxes());
}

TEST(Paths, OfMailAndRcpt) {
    const auto path =
        [](std::string_view text, PathKind kind = PathKind::forward, bool utf8 = false) {
            const auto p = parse_path(text, kind, utf8);
            return p ? p->address() : "-";
        };
    EXPECT_EQ(path("<a@b.c> SIZE=1"), "a@b.c");
    EXPECT_EQ(parse_path("<a@b.c> SIZE=1", PathKind::forward, false)->length, 7U);
    EXPECT_EQ(path("<@x.y,@z.w:a@b.c>"), "a@b.c");
    EXPECT_EQ(path("<\"a b\\\"\"@c.d>"), "\"a b\\\"\"@c.d");
    EXPECT_EQ(path("<a@[IPv6:2001:db8::1]>"), "a@[IPv6:2001:db8::1]");
    EXPECT_EQ(path("<a..b@c.d>"), "a..b@c.d");
    EXPECT_EQ(path("<Postmaster>"), "Postmaster");
    EXPECT_EQ(path("<>", PathKind::reverse), "");
    EXPECT_TRUE(parse_path("<>", PathKind::reverse, false)->null());
    for (const char* bad : {"<>",
                            "a@b",
                            "<a@b",
                            "<a>",
                            "<a b@c>",
                            "<a@b c>",
                            "<a@>",
                            "<@b>",
                            "<a@b..c>",
                            "<a@b.>",
                            "<a@[1.2.3]>",
                            "<a\r\n@b>",
                            "<\"a\n\"@b>",
                            "<\xC3\xA9@b.c>",
                            "<F <a@b>>"})
        EXPECT_EQ(path(bad), "-") << bad;
    EXPECT_EQ(path("<\xC3\xA9@b.c>", PathKind::forward, true), "\xC3\xA9@b.c");
    EXPECT_EQ(path("<\xE9@b.c>", PathKind::forward, true), "-") << "not UTF-8";
}

TEST(Paths, Limits) {
    const auto ok = [](std::size_t local, const std::string& domain) {
        return parse_path(
                   "<" + std::string(local, 'a') + "@" + domain + ">", PathKind::forward, false)
            .has_value();
    };
    const std::string label(63, 'x');
    EXPECT_TRUE(ok(64, "b.c"));
    EXPECT_FALSE(ok(65, "b.c"));
    EXPECT_TRUE(ok(1, label + ".c"));
    EXPECT_FALSE(ok(1, label + "x.c"));
    const std::string domain = label + "." + label + "." + label + "." + std::string(56, 'x');
    ASSERT_EQ(domain.size(), 248U);
    EXPECT_TRUE(ok(5, domain));  // <aaaaa@…>: 256
    EXPECT_FALSE(ok(6, domain));
}

TEST(Domains, AsTheyAreCompared) {
    EXPECT_EQ(ascii_domain("Example.COM.").value(), "example.com");
    EXPECT_EQ(ascii_domain("M\xC3\xBCnchen.de").value(), "xn--mnchen-3ya.de");
    EXPECT_EQ(ascii_domain("fa\xC3\x9F.de").value(), "xn--fa-hia.de") << "non-transitional";
    EXPECT_EQ(unicode_domain("xn--mnchen-3ya.de"), "m\xC3\xBCnchen.de");
    EXPECT_EQ(ascii_domain("[ipv6:2001:DB8::1]").value(), "[IPv6:2001:db8::1]");
    for (const char* bad :
         {"", ".", "a..b", "-a.b", "a-.b", "a_b.c", "a b", "[1.2.3]", "xn--a", "\xFF.de", "a/b"})
        EXPECT_FALSE(ascii_domain(bad)) << bad;
    EXPECT_FALSE(ascii_domain(std::string(64, 'a') + ".b"));
    EXPECT_EQ(literal_address("[IPv6:::1]"), "::1");
    EXPECT_TRUE(is_literal("[192.0.2.1]"));
    EXPECT_FALSE(is_literal("192.0.2.1"));
}

}  // namespace
}  // namespace millrace::mail
