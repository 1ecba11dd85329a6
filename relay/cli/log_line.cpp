#include "relay/cli/log_line.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>

namespace millrace::relay {
namespace {

using std::string_view;

/// What stands between `from` and `to`; empty when one of them is missing.
string_view between(string_view text, string_view from, string_view to) {
    auto const at = text.find(from);
    if (at == string_view::npos) return {};
    text.remove_prefix(at + from.size());
    auto const end = text.find(to);
    return end == string_view::npos ? string_view() : text.substr(0, end);
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

std::optional<int> number(string_view text) {
    while (text.starts_with(' '))
        text.remove_prefix(1);
    int value = 0;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && end == text.data() + text.size() ? std::optional(value)
                                                                    : std::nullopt;
}

std::optional<std::int64_t> civil(int year, int month, int day, string_view clock) {
    if (clock.size() < 8 || clock[2] != ':' || clock[5] != ':') return std::nullopt;
    auto const hour = number(clock.substr(0, 2));
    auto const minute = number(clock.substr(3, 2));
    auto const second = number(clock.substr(6, 2));
    std::chrono::year_month_day const date{std::chrono::year(year),
                                           std::chrono::month(static_cast<unsigned>(month)),
                                           std::chrono::day(static_cast<unsigned>(day))};
    if (!hour || !minute || !second || !date.ok()) return std::nullopt;
    return std::int64_t{std::chrono::sys_days(date).time_since_epoch().count()} * 86'400 +
           *hour * 3'600 + *minute * 60 + *second;
}

/// `Nov 24 14:08:41 host ` or `2026-11-24T14:08:41.123+01:00 host `; leaves what follows the host.
std::optional<std::int64_t> take_stamp(string_view& line, Time now) {
    std::optional<std::int64_t> second;
    if (line.size() > 32 && is_digit(line[0]) && line[4] == '-' && line[10] == 'T') {
        auto const year = number(line.substr(0, 4));
        auto const month = number(line.substr(5, 2));
        auto const day = number(line.substr(8, 2));
        if (!year || !month || !day) return std::nullopt;
        second = civil(*year, *month, *day, line.substr(11));
        line.remove_prefix(std::min(line.size(), line.find(' ') + 1));
    } else if (line.size() > 17 && line[3] == ' ' && line[6] == ' ' && line[15] == ' ') {
        constexpr string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";
        auto const month = months.find(line.substr(0, 3));
        auto const day = number(line.substr(4, 2));
        if (month == string_view::npos || month % 3 != 0 || !day) return std::nullopt;
        auto const today = std::chrono::floor<std::chrono::days>(
            std::chrono::sys_seconds(std::chrono::seconds(unix_seconds(now))));
        auto const year = static_cast<int>(std::chrono::year_month_day(today).year());
        auto const number_of_month = static_cast<int>(month / 3 + 1);
        auto const clock = line.substr(7);
        second = civil(year, number_of_month, *day, clock);
        // A day of grace: the log may be of another time zone.
        if (!second || *second > unix_seconds(now) + 86'400) {
            second = civil(year - 1, number_of_month, *day, clock);
        }
        line.remove_prefix(16);
    }
    auto const host_end = line.find(' ');
    if (!second || host_end == string_view::npos) return std::nullopt;
    line.remove_prefix(host_end + 1);
    return second;
}

/// `451 4.7.1 try later` into its parts; without a code all of it is text.
void read_reply(string_view reply, LoggedAttempt& into) {
    into.text = reply;
    if (reply.size() < 4 || !std::all_of(reply.begin(), reply.begin() + 3, is_digit) ||
        reply[0] < '2' || reply[0] > '5' || (reply[3] != ' ' && reply[3] != '-')) {
        return;
    }
    into.code = static_cast<unsigned>(*number(reply.substr(0, 3)));
    reply.remove_prefix(4);
    into.text = reply;
    auto const word = reply.substr(0, reply.find(' '));
    bool const enhanced = word.size() >= 5 && word.size() <= 9 && is_digit(word[0]) &&
                          word[1] == '.' &&
                          word.find_first_not_of("0123456789.") == string_view::npos;
    if (enhanced) {
        into.enhanced = word;
        into.text = reply.substr(std::min(reply.size(), word.size() + 1));
    }
}

Duration seconds(string_view text) {
    double value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    constexpr double a_day = 86'400;
    return value > 0 && value < a_day
               ? std::chrono::duration_cast<Duration>(std::chrono::duration<double>(value))
               : Duration::zero();
}

/// The last two of `delays=a/b/c/d`.
Duration busy(string_view delays) {
    auto const d = delays.rfind('/');
    if (d == string_view::npos) return {};
    auto const c = delays.rfind('/', d - 1);
    if (c == string_view::npos || d == 0) return {};
    return seconds(delays.substr(c + 1, d - c - 1)) + seconds(delays.substr(d + 1));
}

/// A content filter, a submission program's server, ourselves: handed over, not sent.
bool is_here(string_view host) {
    return host == "127.0.0.1" || host == "[127.0.0.1]" || host == "localhost" || host == "::1" ||
           host == "localhost.localdomain";
}

string_view domain_of(string_view address) {
    auto const at = address.rfind('@');
    return at == string_view::npos ? string_view() : address.substr(at + 1);
}

bool read_postfix(string_view rest, LoggedAttempt& a) {
    a.domain = domain_of(between(rest, "to=<", ">, "));
    auto const relay = between(rest, ", relay=", ", ");
    a.host = relay == "none" ? string_view() : relay.substr(0, relay.find('['));
    a.busy = busy(between(rest, ", delays=", ", "));
    auto const at = rest.find(", status=");
    if (at == string_view::npos || a.domain.empty()) return false;
    auto status = rest.substr(at + 9);
    auto said = status.substr(std::min(status.size(), status.find(' ') + 1));
    status = status.substr(0, status.find(' '));
    if (said.starts_with('(')) said.remove_prefix(1);
    if (said.ends_with(')')) said.remove_suffix(1);
    if (status == "sent") {
        a.end = LoggedAttempt::End::sent;
    } else if (status == "deferred") {
        a.end = LoggedAttempt::End::deferred;
        constexpr string_view suspended = "delivery temporarily suspended: ";
        if (said.starts_with(suspended)) {
            a.end = LoggedAttempt::End::suspended;
            said.remove_prefix(suspended.size());
        }
    } else if (status == "bounced") {
        a.end = LoggedAttempt::End::bounced;
    } else {
        return false;
    }
    if (auto const reply = said.rfind(" (in reply to "); reply != string_view::npos) {
        said = said.substr(0, reply);
    }
    for (string_view const before : {" said: ", " refused to talk to me: "}) {
        if (auto const from = said.find(before);
            said.starts_with("host ") && from != string_view::npos) {
            auto const host = said.substr(5, from - 5);
            if (a.host.empty()) a.host = host.substr(0, host.find('['));
            said.remove_prefix(from + before.size());
            break;
        }
    }
    read_reply(said, a);
    return true;
}

bool read_sendmail(string_view rest, LoggedAttempt& a) {
    auto const mailer = between(rest, ", mailer=", ",");
    if (mailer != "esmtp" && mailer != "smtp" && mailer != "relay") return false;
    auto to = between(rest, "to=", ", ");
    to = to.substr(0, to.find(','));
    if (to.ends_with('>')) to.remove_suffix(1);
    a.domain = domain_of(to);
    auto relay = between(rest, ", relay=", ", ");
    relay = relay.substr(0, relay.find(' '));
    a.host = relay.ends_with('.') ? relay.substr(0, relay.size() - 1) : relay;
    auto const at = rest.find(", stat=");
    auto const dsn = between(rest, ", dsn=", ", ");
    if (at == string_view::npos || dsn.empty() || a.domain.empty()) return false;
    auto said = rest.substr(at + 7);
    a.end = dsn[0] == '2'   ? LoggedAttempt::End::sent
            : dsn[0] == '4' ? LoggedAttempt::End::deferred
                            : LoggedAttempt::End::bounced;
    for (string_view const word : {"Deferred: ", "Sent ("}) {
        if (said.starts_with(word)) said.remove_prefix(word.size());
    }
    read_reply(said, a);
    if (a.enhanced.empty()) a.enhanced = dsn;
    return true;
}

}  // namespace

std::optional<LoggedAttempt> read_log_line(string_view line, Time now) {
    // Most lines are none of ours: told by one search.
    auto const to = line.find(": to=");
    if (to == string_view::npos) return std::nullopt;
    LoggedAttempt a;
    auto rest = line;
    auto const second = take_stamp(rest, now);
    if (!second) return std::nullopt;
    a.second = *second;
    auto const bracket = rest.find('[');
    auto const colon = rest.find("]: ");
    if (bracket == string_view::npos || colon == string_view::npos || colon < bracket) {
        return std::nullopt;
    }
    auto const program = rest.substr(0, bracket);
    a.process = rest.substr(bracket + 1, colon - bracket - 1);
    rest.remove_prefix(colon + 3);
    auto const id_end = rest.find(": to=");
    if (id_end == string_view::npos || rest.find(' ') < id_end) return std::nullopt;
    a.queue_id = rest.substr(0, id_end);
    rest.remove_prefix(id_end + 2);
    auto const service = program.substr(program.rfind('/') + 1);
    bool const postfix = program.size() > service.size();
    if (postfix && (service == "smtp" || service == "lmtp" || service == "relay")) {
        return read_postfix(rest, a) && !is_here(a.host) ? std::optional(a) : std::nullopt;
    }
    if (!postfix &&
        (program == "sendmail" || program.starts_with("sm-") || program == "sendmail-mta")) {
        return read_sendmail(rest, a) && !is_here(a.host) ? std::optional(a) : std::nullopt;
    }
    return std::nullopt;
}

}  // namespace millrace::relay
