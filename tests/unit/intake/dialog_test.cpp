// Goal: the dialogs other servers are tested with get the same codes here, or a reason says why
// not. go-smtp (MIT), aiosmtpd (Apache-2.0) and chasquid (Apache-2.0): what is sent and which code
// is demanded; their own wording, options and error injection are theirs.
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "tests/unit/intake/house.hpp"

namespace millrace::relay::test {
namespace {

struct Turn {
    std::string say;
    std::string code;
};
struct Dialog {
    std::string name;
    bool greeted;
    std::vector<Turn> turns;
};

const std::string mail = "MAIL FROM:<root@nsa.gov>";
const std::string rcpt = "RCPT TO:<root@gchq.gov.uk>";

// Not here, with the reason:
//   AUTH of any kind (aiosmtpd TestSMTPAuth, TestAuthMechanisms, TestAuthenticator,
//   TestRequiredAuthentication; chasquid auth_*): no AUTH is offered, clients are trusted by
//   address; 502 5.5.1.
//   go-smtp TestServerPanicRecover, aiosmtpd ErroringHandler: faults put into their back end.
//   go-smtp TestServerSMTPUTF8_Disabled: SMTPUTF8 is always offered.
//   aiosmtpd long lines in data: lines over 998 octets are re-encoded, not refused (interfaces).
//   aiosmtpd TestStrictASCII: a server mode of theirs; a non-ASCII address is 553 5.6.7 here.
//   chasquid chasquid-util: another program.
const std::vector<Dialog> dialogs = {
    {"go-smtp TestServer_helo", false, {{"HELO localhost", "250"}}},
    {"go-smtp TestServerSMTPUTF8", true, {{"MAIL FROM:<alice@wonderland.book> SMTPUTF8", "250"}}},
    {"go-smtp TestServer8BITMIME",
     true,
     {{"MAIL FROM:<alice@wonderland.book> BODY=8bitMIME", "250"}}},
    {"go-smtp TestServer_BODYInvalidValue (501)",
     true,
     {{"MAIL FROM:<a@w.book> BODY=RABIIT", "501"}}},
    {"go-smtp TestServerUnknownArg (555)", true, {{"MAIL FROM:<a@w.book> RABIIT", "555"}}},
    {"go-smtp TestServerBadSize (501)", true, {{"MAIL FROM:<a@w.book> SIZE=rabbit", "501"}}},
    {"go-smtp TestServerTooBig (552)", true, {{"MAIL FROM:<a@w.book> SIZE=4294967295", "552"}}},
    {"go-smtp TestServer, its bare CR refused",
     true,
     {{mail, "250"},
      {rcpt, "250"},
      {"DATA", "354"},
      {"From: root@nsa.gov\r\n\r\nHey\r <3\r\n..this dot is fine\r\n.", "550"}}},
    {"go-smtp TestServer_otherCommands",
     true,
     {{"HELP", "214"}, {"VRFY x", "252"}, {"NOOP", "250"}, {"RSET", "250"}, {"QUIT", "221"}}},
    {"go-smtp TestServer_Chunking",
     true,
     {{mail, "250"}, {rcpt, "250"}, {"BDAT 8\r\nHey <3", "250"}, {"RSET", "250"}}},
    {"aiosmtpd test_binary",
     false,
     {{"\x80"
       "FAIL",
       "500"},
      {"\x80 FAIL", "500"}}},
    {"aiosmtpd test_helo_no_hostname", false, {{"HELO", "501"}}},
    {"aiosmtpd test_quit_with_args", false, {{"QUIT oops", "501"}}},
    {"aiosmtpd test_no_helo",
     false,
     {{"MAIL FROM: <anne@example.com>", "503"},
      {"RCPT TO: <anne@example.com>", "503"},
      {"DATA", "503"}}},
    {"aiosmtpd test_mail_from_twice",
     true,
     {{"MAIL FROM: <anne@example.com>", "250"}, {"MAIL FROM: <anne@example.com>", "503"}}},
    {"aiosmtpd test_mail_esmtp_errsyntax",
     true,
     {{"MAIL FROM: <anne@example.com> SIZE", "501"},
      {"MAIL FROM: <anne@example.com> #$%=!@#", "501"},
      {"MAIL FROM: <anne@example.com> SIZE = 10000", "501"}}},
    {"aiosmtpd test_bpo27931fix",
     true,
     {{"MAIL FROM: <\"\"@example.com> SIZE=28113", "250"}, {"RCPT TO: <\"\"@example.org>", "250"}}},
    {"aiosmtpd test_rcpt_no_mail", true, {{"RCPT TO: <anne@example.com>", "503"}}},
    {"aiosmtpd test_rcpt_esmtp_errsyntax",
     true,
     {{"MAIL FROM: <anne@example.com>", "250"},
      {"RCPT", "501"},
      {"RCPT <anne@example.com>", "501"},
      {"RCPT TO:", "501"},
      {"RCPT TO: <bart@example.com> #$%=!@#", "501"},
      {"RCPT TO: bart <bart@example.com>", "501"},
      {"RCPT TO: <bart@example.com> FOOBAR", "555"}}},
    {"aiosmtpd test_rset", false, {{"RSET", "250"}, {"RSET FOO", "501"}}},
    {"aiosmtpd test_data_invalid_params",
     true,
     {{"MAIL FROM: <anne@example.com>", "250"},
      {"RCPT TO: <anne@example.com>", "250"},
      {"DATA FOOBAR", "501"},
      {"DATA", "354"}}},
    {"aiosmtpd test_empty_command", false, {{"", "500"}}},
    {"aiosmtpd test_too_long_command", false, {{std::string(513, 'a'), "500"}}},
    {"aiosmtpd test_way_too_long_command",
     false,
     {{std::string(9000, 'a'), "500"}, {"NOOP", "250"}}},
    {"aiosmtpd test_unknown_command", false, {{"FOOBAR", "500"}}},
    {"aiosmtpd test_mail_invalid_body_param",
     true,
     {{"MAIL FROM: <anne@example.com> BODY=FOOBAR", "501"}}},
    {"aiosmtpd test_mail_with_compatible_smtputf8",
     true,
     {{"MAIL FROM: <anne\xc3\xa9@example.com> SMTPUTF8", "250"},
      {"RCPT TO: <bob\xc3\xa9@example.com>", "250"}}},
    {"chasquid null_address",
     true,
     {{"MAIL FROM: <>", "250"},
      {"RCPT TO: user@testserver", "501"},
      {"RCPT TO: <user@testserver>", "250"}}},
    {"chasquid bad_data", false, {{"DATA", "503"}, {"HELO localhost", "250"}, {"DATA", "503"}}},
    {"chasquid bad_data header",
     true,
     {{"MAIL FROM:<a@b>", "250"},
      {"RCPT TO: <user@testserver>", "250"},
      {"DATA", "354"},
      {"From: a@horns.com\r\nSubject: x\r\nBad header\r\n\r\nMuahahaha\r\n.", "550"},
      {"QUIT", "221"}}},
    {"chasquid bad_data_dot",
     true,
     {{"MAIL FROM: <>", "250"},
      {"RCPT TO: <user@testserver>", "250"},
      {"DATA", "354"},
      {"From: a@horns.com\r\n\r\nx\r\n.\nThat was a bad line ending\r\nxxx\r\n.", "550"}}},
    {"chasquid bad_mail_from",
     false,
     {{"HELO localhost", "250"},
      {"MAIL LALA: <>", "501"},
      {"MAIL FROM:", "501"},
      {"MAIL FROM:<pepe>", "553"},
      {"MAIL FROM:<a@xn--->", "553"},
      {"MAIL FROM:<" + std::string(150, 'a') + "@b>", "553"}}},
    {"chasquid empty_helo", false, {{"HELO", "501"}, {"EHLO", "501"}, {"HELO localhost", "250"}}},
    {"chasquid line_too_long", false, {{"HELO " + std::string(900, 'a'), "501"}}},
    {"chasquid unknown_command", true, {{"WHATISTHIS", "500"}}},
    {"chasquid wrong_proto", false, {{"GET /evil HTTP/1.1", "421"}}},
    {"chasquid wrong_proto POST", false, {{"POST /evil HTTP/1.1", "421"}}},
    {"chasquid wrong_proto CONNECT", false, {{"CONNECT www.evil.com:80 HTTP/1.1", "421"}}},
};

TEST(Dialogs, OtherServersTestsGetTheirCodes) {
    for (const Dialog& dialog : dialogs) {
        House house;
        Client& client = dialog.greeted ? house.greeted() : house.connect();
        client.news();
        for (const Turn& turn : dialog.turns)
            EXPECT_EQ(house.code(client, turn.say), turn.code) << dialog.name << ": " << turn.say;
    }
}

}  // namespace
}  // namespace millrace::relay::test
