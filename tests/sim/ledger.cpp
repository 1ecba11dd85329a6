#include "tests/sim/ledger.hpp"

#include <algorithm>
#include <set>
#include <tuple>

namespace millrace::sim {
namespace {

using relay::EventKind;
using virtual_::Moment;
using virtual_::Receiver;
using namespace std::chrono_literals;

bool is_terminal(EventKind kind) {
    return kind == EventKind::delivered || kind == EventKind::bounced ||
           kind == EventKind::expired || kind == EventKind::removed;
}

/// Terminal events of each recipient, by message and index.
std::map<relay::WorkKey, std::vector<const relay::Event*>> endings(const relay::MemoryState& disk) {
    std::map<relay::WorkKey, std::vector<const relay::Event*>> all;
    for (const auto& [id, event] : disk.events) {
        if (is_terminal(event->kind)) {
            all[{event->message, event->recipient_index}].push_back(event.get());
        }
    }
    return all;
}

std::string body_of(const std::string& message) {
    const auto end = message.find("\r\n\r\n");
    return end == message.npos ? "" : message.substr(end + 4);
}

bool by_time(const Receiver::Answer& a, const Receiver::Answer& b) {
    return std::tie(a.at, a.connection, a.moment) < std::tie(b.at, b.connection, b.moment);
}

/// What slow replies, the wire and a slow disk may take until the end of a transaction has become
/// durable.
Duration settling(Duration tarpit) {
    return 8 * tarpit + 20s;
}

std::string at(Time t) {
    return to_rfc3339(t);
}

}  // namespace

std::string sender_address(std::size_t number) {
    return "s" + std::to_string(number) + "@client.example";
}

void Ledger::opened(const std::string& site, const Address& source, Time when) {
    const unsigned now_open = ++open_[{site, source}];
    first_opened_.try_emplace({site, source}, when);
    if (now_open > promises.connections_per_site) {
        violated("limit: " + std::to_string(now_open) + " connections to " + site + " at " +
                 at(when));
    }
}

void Ledger::closed(const std::string& site,
                    const Address& source,
                    std::uint64_t connection,
                    Time when) {
    --open_[{site, source}];
    ended_[connection] = when;
}

/// The relay settles when the whole transaction has been answered, not at each reply; a reply that
/// is lost on the wire keeps it waiting for minutes (RFC 5321 §4.5.3.2). It knows how the
/// transaction ended at the latest when it begins the next one on that connection, or closes it.
Time Ledger::settled(const Receiver::Answer& answer) const {
    Time known = answer.at;
    if (const auto end = ended_.find(answer.connection); end != ended_.end()) known = end->second;
    if (const auto mails = mails_.find(answer.connection); mails != mails_.end()) {
        const auto next = std::upper_bound(mails->second.begin(), mails->second.end(), answer.at);
        if (next != mails->second.end()) known = std::min(known, *next);
    }
    return std::max(known, answer.at) + settling(answer.tarpit);
}

bool Ledger::died_between(Time from, Time to, bool only_power_cuts) const {
    return std::any_of(deaths.begin(), deaths.end(), [&](const Death& death) {
        return death.at >= from && death.at <= to && (death.power_cut || !only_power_cuts);
    });
}

void Ledger::check_custody(const relay::MemoryState& disk) {
    const auto ended = endings(disk);
    for (const Sent& message : sent) {
        if (message.fate != Sent::Fate::accepted) continue;
        const auto id = MessageId::parse(message.queue_id);
        if (!id) {
            violated("custody: no id in the 250 of message " + std::to_string(message.number));
            continue;
        }
        for (std::size_t i = 0; i < message.recipients.size(); ++i) {
            const relay::WorkKey key{*id, static_cast<std::uint16_t>(i)};
            const bool waits = disk.works.contains(key);
            const auto end = ended.find(key);
            const std::size_t ends = end == ended.end() ? 0 : end->second.size();
            const std::string who = message.queue_id + " to " + message.recipients[i];
            if (!waits && ends == 0) violated("custody: lost " + who);
            if (waits && ends > 0) violated("custody: queued and ended at once: " + who);
            if (ends > 1) violated("custody: ended " + std::to_string(ends) + " times: " + who);
            if (waits && (!disk.bodies.contains(*id) || !disk.bodies.at(*id).bytes ||
                          body_of(*disk.bodies.at(*id).bytes) != message.body)) {
                violated("custody: queued without its bytes: " + who);
            }
        }
    }
}

Ledger::Copies Ledger::copies() const {
    Copies all;
    for (const auto& [site, receivers] : sites) {
        for (const Receiver* receiver : receivers) {
            for (const Receiver::Taken& taken : receiver->taken()) {
                const Time settled = taken.at + settling(taken.tarpit);
                const bool excused = !taken.heard() || died_between(taken.at, settled);
                for (const std::string& recipient : taken.recipients) {
                    all[recipient].push_back({&taken, excused});
                }
            }
        }
    }
    for (auto& [recipient, list] : all) {
        std::sort(list.begin(), list.end(), [](const Copy& a, const Copy& b) {
            return a.taken->at < b.taken->at;
        });
    }
    return all;
}

void Ledger::check_copies(const Sent& message, const Copies& all) {
    for (const std::string& recipient : message.recipients) {
        const auto found = all.find(recipient);
        if (found == all.end()) continue;
        const auto& list = found->second;
        if (message.fate == Sent::Fate::refused) {
            violated("refused and delivered: " + recipient);
        }
        for (std::size_t i = 0; i + 1 < list.size(); ++i) {
            if (list[i].excused) {
                ++excused_duplicates;
            } else {
                violated("duplicate: " + recipient + " at " + at(list[i].taken->at) + " and " +
                         at(list[i + 1].taken->at));
            }
        }
        for (const Copy& copy : list) {
            if (body_of(copy.taken->bytes) != message.body) {
                violated("content: " + recipient + " got other bytes");
            }
            if (copy.taken->sender != message.sender) {
                violated("envelope: " + recipient + " got sender " + copy.taken->sender);
            }
        }
    }
}

void Ledger::check_outcomes(const relay::MemoryState& disk) {
    check_custody(disk);
    if (!disk.works.empty()) {
        violated("liveness: " + std::to_string(disk.works.size()) + " still queued, first " +
                 disk.works.begin()->second->recipient + " (" +
                 disk.works.begin()->second->last_reply + ")");
    }
    if (!disk.bodies.empty() && disk.works.empty()) {
        violated("garbage: " + std::to_string(disk.bodies.size()) + " bodies without work");
    }
    const Copies all = copies();
    const auto ended = endings(disk);
    std::set<std::string> known;
    for (const Sent& message : sent) {
        known.insert(message.recipients.begin(), message.recipients.end());
        check_copies(message, all);
        const auto id = MessageId::parse(message.queue_id);
        if (message.fate != Sent::Fate::accepted || !id) continue;
        for (std::size_t i = 0; i < message.recipients.size(); ++i) {
            const auto end = ended.find({*id, static_cast<std::uint16_t>(i)});
            if (end == ended.end()) continue;
            const relay::Event& event = *end->second.front();
            const auto got = all.find(message.recipients[i]);
            const bool taken = got != all.end();
            const bool surely =
                taken && std::any_of(got->second.begin(), got->second.end(), [](const Copy& copy) {
                    return !copy.excused;
                });
            const std::string who = message.recipients[i] + " of " + message.queue_id;
            if (event.kind == EventKind::delivered && !taken) {
                violated("delivered is a lie: " + who);
            }
            if (event.kind != EventKind::delivered && surely) {
                violated(relay::to_string(event.kind) + " though it was taken: " + who);
            }
            const Time earliest = message.begun + promises.expire_after - 1min;
            if (event.kind == EventKind::expired && event.at < earliest) {
                violated("expired too early: " + who + " at " + at(event.at));
            }
        }
    }
    for (const auto& [recipient, list] : all) {
        const bool notice =
            list.front().taken->sender.empty() && recipient.ends_with("@client.example");
        if (!notice && !known.contains(recipient)) {
            violated("delivered to somebody nobody wrote to: " + recipient);
        }
    }
    check_notices(disk);
}

void Ledger::check_notices(const relay::MemoryState& disk) {
    std::map<std::string, std::string> notices;  // by sender, all of them
    for (const Receiver::Taken& taken : senders_home->taken()) {
        if (!taken.sender.empty()) continue;
        for (const std::string& to : taken.recipients)
            notices[to] += taken.bytes;
    }
    std::set<std::string> unreachable;  // senders whose notice could not be delivered either
    for (const auto& [id, event] : disk.events) {
        if (event->sender.empty() && is_terminal(event->kind) &&
            event->kind != EventKind::delivered) {
            unreachable.insert(event->recipient);
        }
    }
    const auto ended = endings(disk);
    for (const Sent& message : sent) {
        const auto id = MessageId::parse(message.queue_id);
        if (message.fate != Sent::Fate::accepted || !id) continue;
        const std::string told = message.sender.empty() ? std::string() : notices[message.sender];
        for (std::size_t i = 0; i < message.recipients.size(); ++i) {
            const auto end = ended.find({*id, static_cast<std::uint16_t>(i)});
            if (end == ended.end()) continue;
            const EventKind kind = end->second.front()->kind;
            const bool failed = kind == EventKind::bounced || kind == EventKind::expired;
            const bool said = told.find(message.recipients[i]) != told.npos;
            if (failed && !message.sender.empty() && !said &&
                !unreachable.contains(message.sender)) {
                violated("the sender was not told: " + message.recipients[i] + " " +
                         relay::to_string(kind));
            }
            // Only failures are worth a notice here: nobody asked for success, and delay notices
            // are off on an attached listener.
            if (!failed && said && told.find("Action: failed") == told.npos) {
                violated("a notice nobody needs: " + message.recipients[i]);
            }
        }
    }
    for (const auto& [to, text] : notices) {
        for (const Sent& message : sent) {
            if (message.sender.empty() && text.find(message.recipients[0]) != text.npos) {
                violated("a bounce for a null sender: " + message.recipients[0]);
            }
        }
    }
}

void Ledger::check_rate(const std::string& site, std::vector<Time> mails) {
    if (promises.messages_per_second <= 0) return;
    std::sort(mails.begin(), mails.end());
    const double burst = std::max(1.0, promises.messages_per_second);
    // A message that had its turn may still wait for its connection: at most one for each.
    const double slack = promises.connections_per_site + 1;
    // Each source has limits of its own.
    for (const Duration window : {Duration(1min), Duration(10min), Duration(1h)}) {
        const double most = promises.sources * (burst + slack +
                                                promises.messages_per_second *
                                                    std::chrono::duration<double>(window).count());
        std::size_t first = 0;
        for (std::size_t last = 0; last < mails.size(); ++last) {
            while (mails[last] - mails[first] > window)
                ++first;
            if (static_cast<double>(last - first + 1) > most) {
                violated("rate: " + std::to_string(last - first + 1) + " messages within " +
                         to_human(window) + " to " + site + " at " + at(mails[last]));
                return;
            }
        }
    }
}

void Ledger::check_pauses(const std::string& site, std::vector<Receiver::Answer> answers) {
    // The limit is found out by being refused; but ten refusals within a minute are an attack. What
    // is under way may still come for a moment, and who has died begins to count anew.
    const std::size_t most = 12UL * promises.sources;
    std::vector<const Receiver::Answer*> limits;
    for (const Receiver::Answer& answer : answers) {
        if (answer.limit && answer.moment == Moment::mail && answer.heard()) {
            limits.push_back(&answer);
        }
    }
    for (std::size_t i = 0; i + most < limits.size(); ++i) {
        const Time first = limits[i]->at, last = limits[i + most]->at;
        if (last - first >= 1min || died_between(first, last, true)) continue;
        violated("pause: more than " + std::to_string(most) + " refusals for a limit at " + site +
                 " in the minute from " + at(first));
        return;
    }
}

void Ledger::check_blocks(const std::string& site, std::vector<Receiver::Answer> answers) {
    // One attempt in half an hour while we are shut out, restarts included. What was under way when
    // we heard of it may still come, and what was heard just before a death may be forgotten.
    constexpr Duration peace = 30min;
    constexpr Duration kept_within = 30s;
    std::erase_if(answers, [](const auto& answer) { return answer.moment != Moment::mail; });
    for (std::size_t i = 0; i < answers.size(); ++i) {
        const Receiver::Answer& refusal = answers[i];
        if (!refusal.block || !refusal.heard()) continue;
        if (died_between(refusal.at, refusal.at + kept_within)) continue;
        const Time under_way = refusal.at + 1min + 4 * refusal.tarpit;
        for (std::size_t j = i + 1; j < answers.size() && answers[j].at < refusal.at + peace; ++j) {
            if (answers[j].at <= under_way) continue;
            // Another source hears it for itself.
            if (sources.at(answers[j].connection) != sources.at(refusal.connection)) continue;
            violated("pause: an attempt at " + site + " at " + at(answers[j].at) + ", " +
                     to_human(answers[j].at - refusal.at) + " after it shut us out");
            return;
        }
    }
}

void Ledger::check_retries(const std::string& recipient, std::vector<Receiver::Answer> answers) {
    std::size_t refusals = 0;
    for (std::size_t i = 0; i + 1 < answers.size(); ++i) {
        const Receiver::Answer& now = answers[i];
        if (!now.reply.starts_with('4') || now.limit || !now.heard() ||
            now.reply.find("too many recipients") != now.reply.npos) {
            continue;
        }
        if (died_between(now.at, settled(now))) continue;  // the attempt may be forgotten
        ++refusals;
        const Receiver::Answer& next = answers[i + 1];
        Duration step = promises.retry[std::min(refusals, promises.retry.size()) - 1];
        // One greylisted message is sent ahead to learn how long the site lets them wait; the
        // others go when they are as old as that.
        if (now.reply.find("Greylisted") != now.reply.npos) step = std::min<Duration>(step, 1s);
        if (next.at >= now.at + step) continue;
        // The one exception: the last try, in the last minute before the expiry.
        const auto message = std::find_if(sent.begin(), sent.end(), [&](const Sent& s) {
            return std::find(s.recipients.begin(), s.recipients.end(), recipient) !=
                   s.recipients.end();
        });
        if (message != sent.end() && next.at >= message->begun + promises.expire_after - 1min) {
            continue;
        }
        violated("retry: " + recipient + " tried at " + at(next.at) + ", " +
                 to_human(next.at - now.at) + " after refusal " + std::to_string(refusals) + " (" +
                 now.reply + "), the schedule says " + to_human(step));
        return;
    }
}

/// A source that cannot be bound gives its mail away as long as that lasts; here it never ends, so
/// what was not tried from elsewhere meanwhile keeps to one address all the same.
void Ledger::check_sources(const std::string& recipient,
                           const std::vector<Receiver::Answer>& answers) {
    const Receiver::Answer* last = nullptr;
    for (const Receiver::Answer& answer : answers) {
        // Whose MAIL was refused for a limit was not looked at, and may go elsewhere.
        if (answer.moment != Moment::recipient || answer.reply.starts_with("503")) continue;
        if (last != nullptr) {
            const Address before = sources.at(last->connection);
            const Address now = sources.at(answer.connection);
            // Who died may have forgotten that it was tried, and from where; a message that is
            // written to the null sender's postbox again is another one.
            const bool forgotten = died_between(last->at, answer.at);
            if (before != now && !forgotten && !recipient.ends_with("@client.example")) {
                violated("source: " + recipient + " was tried from " + before.to_string() +
                         ", and at " + at(answer.at) + " from " + now.to_string());
                return;
            }
        }
        // What the relay never heard, or what spoke of a limit, is no attempt that it keeps over a
        // restart.
        if (answer.heard() && !answer.limit) last = &answer;
    }
}

void Ledger::check_warm_up(const std::string& site, const std::vector<Receiver::Answer>& answers) {
    if (!promises.warm_up) return;
    std::vector<Time> begun;
    for (const Receiver::Answer& answer : answers) {
        const auto from = sources.find(answer.connection);
        if (answer.moment == Moment::mail && from != sources.end() &&
            from->second == *promises.warm_up) {
            begun.push_back(answer.at);
        }
    }
    // Its first day begins with its first message, which may have died on the way: not before its
    // first connection. What is begun at the end of a day may arrive a moment after it.
    const auto first = first_opened_.find({site, *promises.warm_up});
    if (first == first_opened_.end()) return;
    const Time end = first->second + 24h - 1min;
    std::erase_if(begun, [&](Time t) { return t >= end; });
    if (begun.size() > promises.warm_up_first) {
        violated("warm-up: " + std::to_string(begun.size()) + " messages to " + site +
                 " on the first day");
    }
    // An hour of ours may begin anywhere in the hour that is looked at: two of them touch it.
    const std::size_t most = 2UL * ((promises.warm_up_first + 7) / 8);
    for (std::size_t i = 0; i + most < begun.size(); ++i) {
        if (begun[i + most] - begun[i] >= 1h) continue;
        violated("warm-up: more than " + std::to_string(most) + " messages to " + site +
                 " in the hour from " + at(begun[i]));
        return;
    }
}

void Ledger::check_manners() {
    std::map<std::string, std::vector<Receiver::Answer>> by_recipient;
    for (const auto& [site, receivers] : sites) {
        std::vector<Time> mails;
        std::vector<Receiver::Answer> answers;
        for (const Receiver* receiver : receivers) {
            for (const Receiver::Answer& answer : receiver->answers()) {
                answers.push_back(answer);
                if (answer.moment == Moment::mail) {
                    mails.push_back(answer.at);
                    mails_[answer.connection].push_back(answer.at);
                }
                if (!answer.recipient.empty()) by_recipient[answer.recipient].push_back(answer);
            }
        }
        std::sort(answers.begin(), answers.end(), by_time);
        check_warm_up(site, answers);
        check_rate(site, std::move(mails));
        check_blocks(site, answers);
        check_pauses(site, std::move(answers));
    }
    for (auto& [recipient, answers] : by_recipient) {
        std::sort(answers.begin(), answers.end(), by_time);
        check_sources(recipient, answers);
        if (!recipient.ends_with("@client.example")) check_retries(recipient, std::move(answers));
    }
}

}  // namespace millrace::sim
