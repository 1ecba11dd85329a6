#include "relay/schedule/share.hpp"

#include <algorithm>
#include <cmath>

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;

/// Receivers that punish count refusals; ten in a minute is what is known of the strictest.
constexpr std::size_t refusals_per_minute = 9;
/// So many of them may be for the sake of single sender domains: the rest is for what all share.
constexpr std::size_t for_one_domain = 5;
constexpr Duration stays_shut = 3s;
constexpr unsigned others_under_way = 2;
/// Theirs may be a little longer than ours: they count when they refuse, we when we hear of it.
constexpr Duration a_minute = 62s;
/// Sender domains with a rate or a hold of their own at one provider.
constexpr std::size_t senders_kept = 1'000;
/// Recipients counted before their share says anything.
constexpr double enough_recipients = 100;
constexpr double unknown_slow = 0.03;
/// A silent end this soon after the last message is an answer; later, it is the receiver's
/// patience.
constexpr Duration prompt = 1s;
constexpr Duration reputation_memory = 24h;
constexpr double just_below = 0.97;
/// So many messages in a row are refused in the same words.
constexpr unsigned odd_enough = 3;

/// Addresses, ids and counts differ from reply to reply.
std::string without_numbers(const std::string& said) {
    std::string words;
    bool bracket = false;
    for (char const c : said) {
        if (c == '<' || c == '[') bracket = true;
        if (!bracket && (c < '0' || c > '9')) words += c;
        if (c == '>' || c == ']') bracket = false;
    }
    return words;
}

/// An account's mail is known by its sender's domain.
bool of_the_sender(Axis axis) {
    return axis == Axis::sender_domain || axis == Axis::account;
}

}  // namespace

Share::Share(std::string source, std::string provider, const Ceilings& ceilings, Time now)
    : source_(std::move(source)),
      provider_(std::move(provider)),
      ceilings_(ceilings),
      connections_(ceilings.connections),
      second_(ceilings.messages_per_second, now),
      connection_second_(ceilings.connections_per_second, now),
      counted_(now) {}

void Share::set_ceilings(const Ceilings& ceilings, Time now) {
    ceilings_ = ceilings;
    connections_.set_ceiling(ceilings.connections);
    second_.set_rate(ceilings.messages_per_second, now);
    connection_second_.set_rate(ceilings.connections_per_second, now);
}

// ---- questions

unsigned Share::connections_more(Time now) const {
    if (block_.shut(now)) return 0;
    if (block_.on_trial()) return standing_ + opening_ == 0 ? 1 : 0;
    auto const most = useful_connections();
    if (standing_ + opening_ >= most) return 0;
    return std::min(most - standing_ - opening_, connections_.more(standing_, opening_, now));
}

Time Share::connect_at(Time now) const {
    return std::max({now,
                     block_.learned().until,
                     patience_until(now),
                     connections_.not_before(),
                     openings_.next(now),
                     connection_second_.next(now)});
}

Time Share::message_at(Time now) const {
    return std::max(
        {now, block_.learned().until, patience_until(now), messages_.next(now), second_.next(now)});
}

Time Share::sender_at(const std::string& domain, Time now) const {
    auto at = now;
    if (auto const knob = senders_.find(domain); knob != senders_.end()) {
        at = std::max(at, knob->second.next(now));
    }
    if (auto const hold = holds_.find(domain); hold != holds_.end()) {
        at = std::max(at, hold->second.learned().until);
    }
    return at;
}

std::size_t Share::recent(Time now) const {
    return static_cast<std::size_t>(
        std::ranges::count_if(recent_, [&](Time at) { return now - at < a_minute; }));
}

/// When fewer than so many lie within the last minute; `now` when it is so.
Time Share::fewer_at(std::size_t refusals, Time now) const {
    if (recent(now) < refusals) return now;
    return recent_[recent_.size() - refusals] + a_minute;
}

/// One refusal more soon would look like an attack, whatever it was for.
Time Share::patience_until(Time now) const {
    return fewer_at(refusals_per_minute, now);
}

bool Share::crowded(Time now) const {
    if (block_.on_trial()) return in_flight_ > 0;
    // What is under way when the door shuts is refused too. Who has shut us out once counts.
    bool const wary = (too_fast_at_ != Time{} &&
                       (now - too_fast_at_ <= a_minute || last_passed_ < too_fast_at_)) ||
                      block_.learned().cause == Blame::reputation;
    if (wary && in_flight_ > 0 && in_flight_ + recent(now) >= refusals_per_minute) return true;
    return messages_.one_at_a_time() && in_flight_ >= file();
}

bool Share::sender_crowded(const std::string& domain) const {
    bool alone = false;
    if (auto const knob = senders_.find(domain); knob != senders_.end()) {
        alone = knob->second.one_at_a_time();
    }
    if (auto const hold = holds_.find(domain); hold != holds_.end()) {
        alone = alone || hold->second.on_trial();
    }
    if (!alone) return false;
    auto const flights = sender_flights_.find(domain);
    return flights != sender_flights_.end() && flights->second > 0;
}

bool Share::sender_follows(const std::string& domain) const {
    if (!followers_.contains(domain)) return false;
    auto const knob = senders_.find(domain);
    return knob != senders_.end() && !knob->second.known();
}

/// A single file that is never refused may be too slow to find anything out: it widens.
unsigned Share::file() const {
    return 1 + explored_ / 8;
}

unsigned Share::messages_per_connection() const {
    return uses_.most(ceilings_.messages_per_connection);
}

unsigned Share::useful_connections() const {
    auto pace = messages_.learned().pace;
    if (second_.limited()) {
        auto const most = ceilings_.messages_per_second;
        pace = pace > 0 ? std::min(pace, most) : most;
    }
    if (messages_.one_at_a_time()) return file() + 1;
    if (pace <= 0) return ~0U;
    auto const needed = pace * std::max(0.05, took_) * 1.5 + 1;
    return static_cast<unsigned>(std::clamp(needed, 1.0, 1e6));
}

double Share::unknown_share() const {
    return taken_ >= enough_recipients ? unknown_ / taken_ : 0;
}

// ---- what happens

void Share::opening_begins(Time now) {
    ++opening_;
    if (now - used_ >= 24h) {
        used_ = now;
        changed_ = true;
    }
    openings_.take(now);
    connection_second_.take(now);
}

void Share::greeted(Time now) {
    --opening_;
    ++standing_;
    auto const before = connections_.learned().good;
    connections_.greeted(standing_, now);
    openings_.passed(now, now);
    bool const longer = uses_.greeted(now);
    changed_ = changed_ || longer || connections_.learned().good != before;
}

void Share::closed(Time now) {
    --standing_;
    connections_.closed(now);
}

void Share::message_begins(const std::string& domain, Time now) {
    ++in_flight_;
    auto const pace = messages_.learned().pace;
    messages_.take(now);
    // What it has been raised to is not found out again after a restart.
    changed_ = changed_ || pace != messages_.learned().pace;
    second_.take(now);
    if (auto const knob = senders_.find(domain); knob != senders_.end()) knob->second.take(now);
    ++sender_flights_[domain];
}

void Share::message_given_back(const std::string& domain) {
    messages_.give_back();
    second_.give_back();
    if (auto const knob = senders_.find(domain); knob != senders_.end()) knob->second.give_back();
}

void Share::message_ends(const std::string& domain) {
    --in_flight_;
    auto const at = sender_flights_.find(domain);
    if (at != sender_flights_.end() && --at->second == 0) sender_flights_.erase(at);
}

void Share::passed(const Answer& answer, Time now) {
    last_passed_ = now;
    odd_ = 0;
    auto const took = seconds(now - answer.began);
    took_ = took_ == 0 ? took : took_ + (took - took_) / 8;
    averaged_ = std::min(averaged_ + 1, 100U);
    mean_ += (took - mean_) / averaged_;
    if (now - minute_ >= 1min) {
        minute_ = now;
        minute_passed_ = 0;
    }
    minute_most_ = std::max(minute_most_, ++minute_passed_);
    set_calm(now);
    // What was under way when the door was shut does not open it.
    if (block_.on_trial() && answer.began >= block_.learned().until) {
        block_.passed(now);
        changed_ = true;
    }
    connections_.passed(standing_, now);
    bool const known = messages_.known();
    auto const shut = messages_.learned().shut;
    auto const pace = messages_.learned().pace;
    messages_.passed(answer.began, now);
    changed_ = changed_ || known != messages_.known() || shut != messages_.learned().shut ||
               pace != messages_.learned().pace;
    if (auto const knob = senders_.find(answer.sender_domain); knob != senders_.end()) {
        knob->second.passed(answer.began, now);
        if (answer.sender_domain == measured_sender_) lead_senders(now);
    }
    if (auto const hold = holds_.find(answer.sender_domain);
        hold != holds_.end() && hold->second.on_trial() &&
        answer.began >= hold->second.learned().until) {
        hold->second.passed(now);
        changed_ = true;
    }
    // What was under way when it was refused says nothing of how it goes since.
    if (messages_.one_at_a_time() && answer.began >= too_fast_at_) ++explored_;
}

void Share::count_refusal(Time now) {
    ++refusals_;
    changed_ = true;
    minute_passed_ = 0;
    recent_.push_back(now);
    while (now - recent_.front() > a_minute)
        recent_.pop_front();
    // The rest that follows is ours: what it saves up meanwhile is not measured.
    if (recent(now) < refusals_per_minute) return;
    if (messages_.known()) messages_.lapse(now);
    for (auto& [domain, knob] : senders_) {
        if (knob.known()) knob.lapse(now);
    }
}

void Share::set_calm(Time now) {
    bool const calm = unknown_share() < unknown_slow &&
                      (last_trouble_ == Time{} || now - last_trouble_ >= reputation_memory);
    connections_.calm(calm);
    messages_.calm(calm);
    openings_.calm(calm);
    uses_.calm(calm);
}

void Share::refused(const Answer& answer, Time now) {
    if (answer.silent) {
        silence(answer, now);
        return;
    }
    auto const& typed = answer.typed;
    if (counts_against_us(typed.blame) && !holds_back(typed)) {
        // Said of one message: no knob moves. But a hundred of them in a minute are an attack, too.
        count_refusal(now);
        return;
    }
    switch (typed.blame) {
        case Blame::connections:
            refused_connection(answer, now);
            break;
        case Blame::rate:
            refused_rate(answer, now);
            break;
        case Blame::messages_per_connection:
            if (answer.use > 1) {
                count_refusal(now);
                uses_.refused(answer.use, now, answer.said);
            } else {
                refused_rate(answer, now);
            }
            break;
        case Blame::reputation:
        case Blame::blocklist:
            count_refusal(now);
            if (of_the_sender(typed.axis) && holds_.size() < senders_kept) {
                holds_[answer.sender_domain].refused(typed, now, answer.said);
                break;
            }
            last_trouble_ = now;
            block_.refused(typed, now, answer.said);
            slow_start(now);
            break;
        case Blame::compliance:
            count_refusal(now);
            if (typed.axis == Axis::source) {
                block_.refused(typed, now, answer.said);
                slow_start(now);
            } else if (holds_.size() < senders_kept) {
                holds_[answer.sender_domain].refused(typed, now, answer.said);
            }
            break;
        case Blame::none:
        case Blame::receiver_ill:
            puzzle(answer, now);
            break;
        default:  // the message's own matter, however often
            break;
    }
    set_calm(now);
}

/// Nobody knows what it means. Once is about the message; the same words for one message after
/// another are about us, and rather too careful than too fast.
void Share::puzzle(const Answer& answer, Time now) {
    auto const words = without_numbers(answer.said);
    odd_ = words == odd_words_ ? odd_ + 1 : 1;
    odd_words_ = words;
    if (odd_ < odd_enough) return;
    if (answer.typed.blame == Blame::receiver_ill) {
        block_.refused(answer.typed, now, answer.said);
        changed_ = true;
    } else {
        refused_rate(answer, now);
    }
}

void Share::refused_connection(const Answer& answer, Time now) {
    count_refusal(now);
    // Others that are being opened may have been taken before it; their own answers tell.
    connections_.refused(standing_ + opening_, now, answer.said, answer.typed.pause);
}

void Share::refused_rate(const Answer& answer, Time now) {
    count_refusal(now);
    auto const least = answer.typed.pause;
    if (answer.use == 0) {
        openings_.refused(answer.began, now, least);
        openings_.heard(answer.said);
        return;
    }
    too_fast_at_ = now;
    if (of_the_sender(answer.typed.axis) && !answer.sender_domain.empty()) {
        if (senders_.size() < senders_kept || senders_.contains(answer.sender_domain)) {
            refused_sender(answer, now, least);
        }
        return;
    }
    messages_.refused(answer.began, now, least, in_flight_);
    messages_.heard(answer.said);
    explored_ = 0;
}

/// Who counts by sender's domain mostly allows all of them the same: one is measured, the others
/// follow it until one of them is refused at that pace, too.
void Share::refused_sender(const Answer& answer, Time now, Duration least) {
    auto const& domain = answer.sender_domain;
    auto& knob = senders_[domain];
    if (measured_sender_.empty()) measured_sender_ = domain;
    bool const first = !knob.known() && !knob.one_at_a_time();
    if (first && domain != measured_sender_) least = std::max<Duration>(least, 10s);
    auto const flights = sender_flights_.contains(domain) ? sender_flights_.at(domain) : 0;
    // Knocking on at a door that stays shut would hold up those who are let in.
    bool const others = in_flight_ >= flights + others_under_way;
    if (auto const shut = knob.learned().shut;
        others && shut != Time{} && now - shut >= stays_shut) {
        least = std::max(least, fewer_at(for_one_domain, now) - now);
    }
    knob.refused(answer.began, now, least, flights);
    knob.heard(answer.said);
    followers_.erase(domain);
    if (domain == measured_sender_) {
        lead_senders(now);
    } else if (first) {
        followers_.insert(domain);
        lead_senders(now);
    }
}

void Share::lead_senders(Time now) {
    auto const leader = senders_.find(measured_sender_);
    if (leader == senders_.end() || !leader->second.known()) return;
    for (auto const& domain : followers_) {
        senders_[domain].follow(just_below * leader->second.learned().pace, now);
    }
}

/// Some receivers only hang up. What it was about shows in what they did just before and do next.
void Share::silence(const Answer& answer, Time now) {
    auto guess = answer;
    guess.silent = false;
    if (answer.use == 0) {
        // It has not hung up on our other connections: then it has enough of them; or it still
        // counts one that has just ended.
        if (standing_ > 0 || just_ended(now)) {
            guess.said = "(it hung up without a word)";
            refused_connection(guess, now);
        }
        return;
    }
    if (answer.idle_for > prompt) return;
    guess.said = "(it hung up without a word)";
    // Where a rate is being measured already, it is the rate.
    if (answer.use > 1 && !messages_.known() && !messages_.one_at_a_time()) {
        count_refusal(now);
        suspected_ = uses_.learned();
        suspected_at_ = now;
        uses_.refused(answer.use, now, guess.said);
        return;
    }
    // A fresh connection, and the same again: then the last one was not about the connection.
    if (now - suspected_at_ < 10s) {
        uses_.restore(suspected_);
        suspected_at_ = {};
    }
    refused_rate(guess, now);
}

void Share::unknown_user(bool unknown, Time now) {
    auto const age = seconds(now - counted_);
    if (age > 0) {
        // An hour ago counts a third.
        auto const fade = std::exp(-age / 3600);
        taken_ *= fade;
        unknown_ *= fade;
        counted_ = now;
    }
    taken_ += 1;
    unknown_ += unknown ? 1 : 0;
}

bool Share::list_told(const std::string& party,
                      bool unknown,
                      const std::string& said,
                      Time now) {
    bool const holds = lists_.count(party, unknown, said, now);
    changed_ = changed_ || holds;
    return holds;
}

bool Share::release_list(const std::string& party) {
    bool const was = lists_.release(party);
    changed_ = changed_ || was;
    return was;
}

void Share::lapse(Time now) {
    messages_.lapse(now);
}

void Share::slow_start(Time now) {
    connections_.slow_start();
    messages_.kept_away();
    // While nothing could go, nothing was measured; what went before still counts.
    if (messages_.known()) messages_.lapse(now);
    for (auto& [domain, knob] : senders_)
        knob.lapse(now);
}

void Share::shut_with(const Block::Learned& block, Time now) {
    if (block.until <= block_.learned().until) return;
    last_trouble_ = now;
    block_.restore(block);
    changed_ = true;
    slow_start(now);
    set_calm(now);
}

void Share::open_with(Blame cause) {
    if (!block_.on_trial() || block_.learned().cause != cause) return;
    block_.lift();
    changed_ = true;
}

bool Share::knock(Time then) {
    bool const tried = block_.knock(then);
    changed_ = changed_ || tried;
    return tried;
}

bool Share::knock(const std::string& sender_domain, Time then) {
    auto const hold = holds_.find(sender_domain);
    bool const tried = hold != holds_.end() && hold->second.knock(then);
    changed_ = changed_ || tried;
    return tried;
}

}  // namespace millrace::relay
