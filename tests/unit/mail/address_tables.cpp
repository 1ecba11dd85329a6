// Addresses as other projects' tests judge and take them apart.

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "common/mail/address.hpp"
#include "common/mail/charset.hpp"
#include "common/mail/domain.hpp"
#include "common/mail/header_block.hpp"
#include "tests/unit/mail/corpus.hpp"
#include "tests/unit/mail/score.hpp"

namespace millrace::mail {
namespace {

using test::Score;

// A domain that SMTP can use.
bool is_usable(const Mailbox& mailbox) {
    const auto domain = ascii_domain(mailbox.domain);
    return domain && mailbox.address().size() + 2 <= path_max &&
           mailbox.local_part.size() + 1 + domain->size() + 2 <= path_max &&
           mailbox.local_part.size() <= local_part_max;
}

// isemail's grades: obsolete forms and what SMTP cannot use are still grammatical, errors are not.
TEST(AddressTables, GradesOfIsemail) {
    const auto file = test::shared_corpus("address/isemail.tsv");
    if (!std::filesystem::exists(file)) GTEST_SKIP() << file << " is absent";
    static const Score::Differences known = {};
    Score score("isemail.tsv", known);
    for (const auto& row : test::read_table(file)) {
        const std::string address = test::unescape(row.at(3));
        const auto mailbox = parse_mailbox(address);
        const bool strict = parse_address(address).has_value();
        const std::string& category = row.at(1);
        bool same = false;
        if (category == "ISEMAIL_ERR")
            same = !mailbox || !is_usable(*mailbox);
        else if (category == "ISEMAIL_RFC5322")
            same = mailbox.has_value() && !strict;
        else if (category == "ISEMAIL_CFWS" || category == "ISEMAIL_DEPREC")
            same = mailbox.has_value() && !strict;
        else
            same = mailbox.has_value() && strict;
        score.row(row[0],
                  same,
                  category + " " + row.at(2) + " " + row.at(3) +
                      (mailbox ? " parsed" : " " + mailbox.error().detail) +
                      (strict ? " strict" : ""));
    }
}

TEST(AddressTables, VerdictsOfValidators) {
    const auto file = test::shared_corpus("address/validators.tsv");
    if (!std::filesystem::exists(file)) GTEST_SKIP() << file << " is absent";
    static const Score::Differences known = {
        {"python-email-validator-037", "a trailing dot, ASCII or not, is cut off a domain"},
        {"python-email-validator-085",
         "policy: whether a top-level domain exists is not our question"},
        {"python-email-validator-086", "policy: top-level domain"},
        {"python-email-validator-088", "RFC 5891 forbids registering it, not resolving it"},
        {"python-email-validator-102", "policy: display names are allowed here"},
        {"python-email-validator-104", "policy: display names are allowed here"},
        {"python-email-validator-105", "RFC 5322 §4.1: dots in a phrase are obsolete and read"},
        {"python-email-validator-106", "policy: display names are allowed here"},
        {"python-email-validator-111",
         "RFC 6532 §3.2 allows every non-ASCII character in a local part"},
        {"python-email-validator-115", "RFC 6532 §3.2"},
        {"python-email-validator-118", "RFC 6532 §3.2"},
        {"python-email-validator-119", "RFC 6532 §3.2"},
        {"python-email-validator-120", "RFC 6532 §3.2"},
        {"egulias-006", "RFC 822's backslash outside quotes; RFC 5322 has dropped it"},
        {"egulias-038", "RFC 5322 §4.4: an obsolete local part, read and marked"},
        {"egulias-045", "RFC 6532 §3.2"},
        {"flanker-045", "an underscore is in no host name (STD 3); parse_path lets it through"},
        {"flanker-150", "RFC 5322 §4.4: an obsolete local part, read and marked"},
        {"aiosmtpd-015", "[IPv6::1] holds no IPv6 address: it would be [IPv6:::1]"},
        {"aiosmtpd-016", "RFC 5321 has no comments in paths"},
        {"aiosmtpd-017", "RFC 5321 has no comments in paths"},
        {"aiosmtpd-019", "RFC 5321 has no comments in paths"},
        {"aiosmtpd-030", "RFC 5321 §4.1.2: a quoted string is the whole local part or none of it"},
    };
    Score score("validators.tsv", known);
    for (const auto& row : test::read_table(file)) {
        const std::string& verdict = row.at(1);
        std::string address = test::unescape(row.at(3));
        bool valid = false;
        std::string why;
        if (verdict.find("MAIL FROM") != std::string::npos) {
            const std::string_view bare = trim(address);
            const auto path = parse_path(
                bare.starts_with('<') ? std::string(bare) : "<" + std::string(bare) + ">",
                PathKind::reverse,
                true);
            valid = path.has_value();
            if (!valid) why = path.error().detail;
        } else {
            if (verdict.find("-local") != std::string::npos) address += "@example.com";
            const auto mailbox = parse_mailbox(address);
            valid = mailbox && is_usable(*mailbox);
            if (!mailbox) why = mailbox.error().detail;
        }
        score.row(row[0],
                  valid == verdict.starts_with("valid"),
                  verdict + " " + row.at(3) + " | " + row.at(4) + " | " + why);
    }
}

TEST(AddressTables, InternationalAddresses) {
    const auto file = test::shared_corpus("address/intl-normal.json");
    if (!std::filesystem::exists(file)) GTEST_SKIP() << file << " is absent";
    static const Score::Differences known = {};
    Score score("intl-normal.json", known);
    for (const auto& one : boost::json::parse(test::read_file(file)).as_array()) {
        const auto& c = one.as_object();
        const std::string address(std::string_view(c.at("address").as_string()));
        const auto mailbox = parse_mailbox(address);
        std::string domain;
        bool utf8_needed = false;
        if (mailbox) {
            if (auto ascii = ascii_domain(mailbox->domain)) domain = *ascii;
            utf8_needed = !is_ascii(mailbox->local_part);
        }
        const bool same = mailbox && domain == std::string_view(c.at("ascii_domain").as_string()) &&
                          utf8_needed == c.at("smtputf8").as_bool();
        score.row(std::string(std::string_view(c.at("id").as_string())),
                  same,
                  address + (mailbox ? " domain " + domain : mailbox.error().detail));
    }
}

// Names and addresses of whole fields, read leniently as those libraries do.
TEST(AddressTables, ListsOfThreeLibraries) {
    const auto file = test::shared_corpus("address/lists.json");
    if (!std::filesystem::exists(file)) GTEST_SKIP() << file << " is absent";
    static const Score::Differences known = {
        {"go-005", "comments are no part of a display name"},
        {"jsmime-059", "comments are no part of a display name"},
        {"go-029", "Go does not take a name from a comment behind <…>"},
        {"go-err-01", "we know iso-8859-2"},
        {"go-err-03", "the table has lost the bytes that made it wrong"},
        {"nodemailer-008", "what is no dot-atom is printed in quotes"},
        {"nodemailer-021", "what is no dot-atom is printed in quotes"},
        {"nodemailer-049", "what is no dot-atom is printed in quotes"},
        {"jsmime-017", "quotes that are not needed are not printed: the same mailbox"},
        {"jsmime-065",
         "by the grammar these are two addresses: encoded-words are decoded afterwards"},
        {"jsmime-068", "an unbalanced < belongs to the name"},
        {"jsmime-069", "RFC 2047 §5(3): no encoded-word in an addr-spec"},
        {"nodemailer-018", "no @: no address"},
        {"nodemailer-062", "no domain: no address"},
        {"nodemailer-063", "no local part: no address"},
        {"jsmime-041", "no @: no address"},
        {"jsmime-048", "no @: no address"},
        {"nodemailer-033", "an unclosed comment is text"},
        {"nodemailer-061", "the second > belongs to nothing"},
        {"nodemailer-066", "a line end that is no fold does not separate addresses"},
        {"nodemailer-067", "a line end that is no fold does not separate addresses"},
        {"nodemailer-092",
         "nodemailer stops at 50 nested groups; we open any number without recursion"},
        {"nodemailer-093", "nested groups"},
        {"nodemailer-094", "nested groups"},
        {"nodemailer-095", "nested groups"},
        {"nodemailer-096", "nested groups"},
    };
    Score score("lists.json", known);
    for (const auto& one : boost::json::parse(test::read_file(file)).as_array()) {
        const auto& c = one.as_object();
        const std::string id(std::string_view(c.at("id").as_string()));
        std::string input(std::string_view(c.at("input").as_string()));
        if (c.contains("input_b64")) input = test::from_base64(c.at("input_b64").as_string());
        SCOPED_TRACE(id);
        if (c.contains("error")) {
            const auto list = parse_addresses(input);
            score.row(id, !list || list->mailboxes().empty(), input + " should be refused");
            continue;
        }
        std::string wanted;
        const auto add = [&wanted](const boost::json::object& a) {
            const auto& address = a.contains("address") ? a.at("address") : a.at("email");
            wanted += std::string(std::string_view(a.at("name").as_string())) + " <" +
                      std::string(std::string_view(address.as_string())) + ">; ";
        };
        for (const auto& entry : c.at("expected").as_array()) {
            const auto& a = entry.as_object();
            if (!a.contains("group")) {
                add(a);
                continue;
            }
            for (const auto& member : a.at("group").as_array())
                add(member.as_object());
        }
        std::string got;
        if (const auto list = parse_addresses(input, Reading::lenient)) {
            for (const Mailbox& m : list->mailboxes()) {
                std::string name = m.display_name.empty() ? m.comment : m.display_name;
                const auto* decode = c.if_contains("decode_rfc2047");
                if (decode == nullptr || decode->as_bool()) name = decode_text(name);
                got += name + " <" + m.address() + ">; ";
            }
            if (const auto strict = parse_addresses(input)) {
                EXPECT_EQ(strict->mailboxes(), list->mailboxes());
            }
        }
        score.row(
            id,
            got == wanted,
            input.substr(0, 500) + "\n  wanted " + wanted + "\n  got    " + got.substr(0, 500));
    }
}

}  // namespace
}  // namespace millrace::mail
