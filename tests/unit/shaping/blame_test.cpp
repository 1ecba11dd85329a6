// Goal: what holds of every refusal, whoever said it: types come from the code and the text, the
// basic code wins, and what nobody knows is nobody's fault.
#include <gtest/gtest.h>

#include "relay/shaping/rule_book.hpp"

namespace millrace::relay {
namespace {

Blame blame_of(unsigned code, std::string_view enhanced, std::string_view text) {
    return shipped_book()->type({}, code, enhanced, text, {}).blame;
}

struct Reply {
    unsigned code;
    const char* enhanced;
    const char* text;
    Blame blame;
};

// What big receivers document, abridged, and the codes of RFC 3463 with their texts left out.
constexpr Reply replies[] = {
    {421, "4.7.0", "Try again later, closing connection.", Blame::rate},
    {421, "4.7.28", "Gmail has detected an unusual rate of mail", Blame::rate},
    {550, "5.7.28", "There is an unusual rate of mail from your IP address", Blame::reputation},
    {451,
     "4.7.24",
     "The SPF record has suspicious entries. temporarily rate limited",
     Blame::compliance},
    {421, "4.7.26", "rate limited because it is unauthenticated", Blame::compliance},
    {421, "4.7.23", "The sending IP doesn't have a PTR record", Blame::compliance},
    {550, "5.7.26", "Unauthenticated email from example.org is not accepted", Blame::compliance},
    {421,
     "4.7.0",
     "suspicious due to the very low reputation of the sending IP",
     Blame::reputation},
    {550, "5.7.515", "Access denied, sending domain does not meet the level", Blame::compliance},
    {550, "5.7.606", "Access denied, sending IP", Blame::blocklist},
    {450, "4.1.8", "Domain not found", Blame::sender},
    {452, "4.2.2", "The recipient's inbox is out of storage space", Blame::recipient},
    {550, "5.1.1", "nobody", Blame::recipient},
    {556, "5.1.10", "null MX", Blame::none},
    {451, "4.3.0", "try again", Blame::receiver_ill},
    {554, "5.3.0", "no", Blame::none},
    {552, "5.3.4", "no", Blame::content},
    {451, "4.4.2", "Timeout - closing connection", Blame::receiver_ill},
    {550, "5.6.0", "no", Blame::content},
    {450, "4.7.1", "Try again later", Blame::none},
    {451, "", "", Blame::none},
    {421, "", "", Blame::none},
    {550, "5.7.10", "no", Blame::tls},
    // A hostname is no statement.
    {550, "5.1.1", "mail-spf0x.outlook.com said no", Blame::recipient},
    {550, "", "rblx.example is my name", Blame::none},
    // The basic code wins (reliability U5).
    {450, "5.1.1", "later", Blame::none},
    {250, "4.7.28", "too many connections", Blame::none},
    {354, "", "too many connections", Blame::none},
    // Lines joined, odd blanks, capitals.
    {421, "4.7.0", "TOO  MANY\n\tCONNECTIONS", Blame::connections},
};

TEST(Blame, known_replies) {
    for (const auto& reply : replies) {
        EXPECT_EQ(to_string(blame_of(reply.code, reply.enhanced, reply.text)),
                  to_string(reply.blame))
            << reply.code << ' ' << reply.enhanced << ' ' << reply.text;
    }
}

TEST(Blame, nonsense_is_nobodys_fault) {
    EXPECT_EQ(blame_of(450, "4.", ""), Blame::none);
    EXPECT_EQ(blame_of(450, "4.7", ""), Blame::none);
    EXPECT_EQ(blame_of(450, "4.7.99999999999999999999", ""), Blame::none);
    EXPECT_EQ(blame_of(0, "", "spam"), Blame::none);
    EXPECT_EQ(blame_of(999, "", "spam"), Blame::none);
    EXPECT_EQ(blame_of(450, "", std::string(100'000, 'r')), Blame::none);
}

}  // namespace
}  // namespace millrace::relay
