#include "relay/explainer.hpp"

#include <algorithm>
#include <fmt/format.h>

#include "relay/words.hpp"

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t history_max = 20;

std::string reply_of(const Event& event) {
    auto const code = event.smtp_code == 0 ? std::string() : std::to_string(event.smtp_code);
    if (code.empty() || event.reason.starts_with(code)) return event.reason;
    return fmt::format("{} {}{}{}",
                       code,
                       event.enhanced_status,
                       event.enhanced_status.empty() ? "" : " ",
                       event.reason);
}

/// Who hears of a failure.
std::string told(const Envelope& envelope, std::uint16_t index) {
    if (envelope.sender.empty()) {
        return "nobody is told: it is a notice itself and has no sender";
    }
    auto const& notify = envelope.recipients.at(index).notify;
    if (notify.never || !notify.failure) {
        return fmt::format("nobody is told: the mail asked for no notices of failure (NOTIFY={})",
                           notify.never ? "NEVER" : "without FAILURE");
    }
    return fmt::format("{} is told by a bounce message", envelope.sender);
}

std::string what(const Explanation& e, std::uint64_t n) {
    return count_words(n, e.klass == "bulk" ? "bulk message" : "message");
}

class Telling {
  public:
    Telling(const RecipientFacts& facts, Time now) : f_(facts), now_(now) {
        names();
        if (f_.work == nullptr) {
            finished();
        } else if (f_.work->held) {
            held();
        } else if (f_.view.in_flight) {
            sending();
        } else {
            waiting();
        }
        if (f_.work != nullptr) the_end();
        history();
    }
    Explanation take() { return std::move(e_); }

  private:
    void line(std::string about, std::string text) {
        e_.lines.push_back({std::move(about), std::move(text)});
    }

    void names() {
        e_.about = Explanation::About::message;
        e_.provider = f_.view.provider;
        e_.source = f_.view.source;
        if (f_.envelope != nullptr) {
            auto const& m = *f_.envelope;
            e_.id = m.id;
            e_.sender = m.sender;
            e_.message_id = m.message_id;
            e_.mta_queue_id = m.mta_queue_id;
            e_.account = m.account;
            e_.klass = to_string(m.klass);
        }
        if (f_.work != nullptr) {
            e_.recipient = f_.work->recipient;
            e_.destination = f_.work->destination;
        }
        if (f_.events.empty()) return;
        auto const& event = f_.events.back();
        if (e_.recipient.empty()) e_.recipient = event.recipient;
        if (e_.destination.empty()) {
            auto const at = event.recipient.rfind('@');
            e_.destination = at == std::string::npos ? "" : event.recipient.substr(at + 1);
        }
        if (f_.envelope == nullptr) {
            e_.id = event.message;
            e_.sender = event.sender;
            e_.message_id = event.message_id;
            e_.mta_queue_id = event.mta_queue_id;
            e_.account = event.account;
            e_.klass = event.klass;
        }
    }

    const std::string& who() const {
        return e_.provider.empty() || e_.provider.starts_with('!') ? e_.destination : e_.provider;
    }

    // ---- it waits

    void held() {
        e_.state = "held";
        e_.answer = "An operator holds it: nothing is tried until somebody lets it go.";
        line("do", fmt::format("`millrace release {}` lets it go.", e_.id.text()));
        last_attempt();
    }

    void sending() {
        e_.state = "sending";
        e_.answer = fmt::format(
            "It is being handed to {} at this moment; the outcome comes within "
            "minutes.",
            who());
        if (f_.work->attempts == 0) {
            line("before", "This is the first attempt.");
            return;
        }
        last_attempt();
    }

    void waiting() {
        e_.state = "waiting";
        auto const& wait = f_.view.wait;
        bool const later = f_.work->due > now_;
        bool const shut = wait.any() && ((wait.until != never && wait.until > f_.work->due) ||
                                         !wait.release.empty());
        if (later && !shut) {
            retry();
        } else if (f_.view.routing || (f_.view.site.empty() && !wait.any())) {
            e_.answer = fmt::format("It has just come: where mail for {} goes is being looked up.",
                                    e_.destination);
        } else if (f_.view.opening && wait.until == never) {
            e_.answer = fmt::format(
                "A connection to {} is being opened; the message goes out as soon as it stands.",
                who());
            line("note",
                 "A server that does not answer is given up after half a minute, and the "
                 "next of its addresses is tried.");
        } else if (wait.any()) {
            limited();
        } else {
            e_.answer =
                fmt::format("It is due, nothing holds it up, and its turn comes with {}.", who());
        }
        if (!f_.view.source.empty()) {
            line("from",
                 fmt::format("It leaves from our source {}{}.",
                             f_.view.source,
                             f_.work->attempts > 0 ? ", as at its attempts before" : ""));
        }
        if ((!later || shut) && !f_.view.routing && wait.release.empty()) place();
        if (later && shut) {
            line("retry",
                 fmt::format("It was put off by itself, too: its own next attempt would be {}.",
                             ahead_words(f_.work->due, now_)));
            last_attempt();
        }
    }

    /// Put off by its own schedule.
    void retry() {
        auto const& w = *f_.work;
        e_.next_attempt = w.due;
        e_.said = w.last_reply;
        if (w.attempts == 0) {
            e_.answer = fmt::format("It is not due yet: it is tried {}.", ahead_words(w.due, now_));
            if (!w.last_reply.empty()) line("why", w.last_reply + ".");
            return;
        }
        auto const means = meaning(f_.last, who());
        e_.cause = f_.last.blame == Blame::none ? "" : std::string(to_string(f_.last.blame));
        auto const count = w.attempts == 1 ? std::string("The one attempt")
                                           : fmt::format("The {} attempt", ordinal(w.attempts));
        e_.answer = fmt::format("{}; the next attempt is {}.", put_off(), ahead_words(w.due, now_));
        line("said",
             fmt::format("{}{}{}: {}",
                         count,
                         attempt_time(),
                         w.last_host.empty() ? "" : ", at " + w.last_host,
                         in_quotes(w.last_reply)));
        if (!means.empty()) line("means", means + ".");
        if (auto const what = advice(f_.last.blame); !what.empty()) line("do", what + ".");
        auto const pace = f_.last.blame == Blame::greylist
                              ? "How long it puts off is being found out, so attempts come soon"
                              : "The waits between attempts grow";
        line("next",
             fmt::format("{}; {} so far. `millrace retry {}` makes it due now.",
                         pace,
                         count_words(w.attempts, "attempt"),
                         e_.id.text()));
    }

    /// Who or what put it off last.
    std::string put_off() const {
        auto const last = std::find_if(f_.events.rbegin(), f_.events.rend(), [](const Event& e) {
            return e.kind == EventKind::deferred;
        });
        if (last == f_.events.rend() || last->smtp_code != 0) return who() + " put it off";
        if (last->remote_mta.empty()) {
            return fmt::format("Where mail for {} goes could not be found out", e_.destination);
        }
        return last->reason.starts_with("connect:")
                   ? fmt::format("No mail server of {} could be reached", e_.destination)
                   : fmt::format("The connection to {} broke before it had answered", who());
    }

    std::string attempt_time() const {
        for (auto event = f_.events.rbegin(); event != f_.events.rend(); ++event) {
            if (event->kind == EventKind::deferred) return " was " + ago_words(event->at, now_);
        }
        return {};
    }

    void last_attempt() {
        auto const& w = *f_.work;
        if (w.attempts == 0) {
            line("before", "It has not been tried yet.");
            return;
        }
        if (w.last_reply.empty()) return;
        line("before",
             fmt::format("The last of {}{}{}: {}",
                         count_words(w.attempts, "attempt"),
                         attempt_time(),
                         w.last_host.empty() ? "" : ", at " + w.last_host,
                         in_quotes(w.last_reply)));
    }

    /// Held up by what its stream, its provider or our settings allow.
    void limited() {
        auto const& wait = f_.view.wait;
        e_.cause = wait.cause == Blame::none ? "" : std::string(to_string(wait.cause));
        e_.said = wait.said;
        e_.learned = wait.learned;
        e_.until = wait.until;
        bool const long_one = wait.until != never && wait.until - now_ >= 2s;
        e_.answer = fmt::format("It waits: {}{}.",
                                wait.reason,
                                long_one ? "; nothing more goes out before " +
                                               clock_words(wait.until, now_) + ", " +
                                               span_words(wait.until - now_) + " from now"
                                         : "");
        if (wait.learned != Time{}) {
            line(
                "learned",
                fmt::format("{}{}",
                            ago_words(wait.learned, now_),
                            wait.said.empty() ? "." : ", from the reply: " + in_quotes(wait.said)));
        } else if (!wait.said.empty()) {
            line("said", in_quotes(wait.said));
        }
        Typed typed;
        typed.blame = wait.cause;
        if (auto const what = advice(wait.cause); !what.empty()) line("do", what + ".");
        if (!wait.release.empty()) {
            line("do",
                 fmt::format("Take the unknown addresses off the list; then `{}` lets the rest go.",
                             wait.release));
            line("then",
                 "Every message to nobody costs the reputation of all our mail there. Transactional "
                 "mail goes on.");
        }
        switch (wait.cause) {
            case Blame::reputation:
            case Blame::blocklist:
            case Blame::compliance:
                line("then",
                     "One message is tried, alone; when it is taken the others follow, when "
                     "not the wait is doubled, up to a day. No attempt of this message is "
                     "spent meanwhile.");
                if (!wait.mended.empty()) {
                    line("mended",
                         fmt::format("`millrace resume {}` tries that one now.", wait.mended));
                }
                break;
            case Blame::connections:
            case Blame::rate:
                line("costs",
                     "The limit is about us, not about this message: it spends no attempt.");
                break;
            default:
                break;
        }
    }

    void place() {
        auto const& view = f_.view;
        if (!view.before) return;
        auto const mine = *view.before;
        auto const before = mine + view.others + view.urgent;
        e_.before = before;
        auto const least = f_.place_is_a_minimum ? "at least " : "";
        std::string text;
        if (before == 0) {
            text = fmt::format("It is the next {}for {}.",
                               e_.klass == "bulk" ? "bulk message " : "message ",
                               e_.destination);
        } else {
            text = fmt::format("{}{} {} before it",
                               least[0] == '\0' ? "About " : "At least ",
                               what(e_, mine + view.others),
                               mine + view.others == 1 ? "goes" : "go");
            if (view.parties > 0) {
                text += fmt::format(", {} of them of {} that take{} turns with its sender",
                                    view.others,
                                    count_words(view.parties, "other sender"),
                                    view.parties == 1 ? "s" : "");
            }
            if (view.urgent > 0) {
                text += fmt::format(", and {}, which {} first",
                                    count_words(view.urgent, "urgent message"),
                                    view.urgent == 1 ? "goes" : "go");
            }
            text += ".";
        }
        line("place", std::move(text));
        expected(before);
    }

    void expected(std::uint64_t before) {
        auto const& view = f_.view;
        auto const start = e_.until != never ? std::max(now_, e_.until) : now_;
        auto const seconds = [&](double rate) {
            return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(
                std::min(1e8, static_cast<double>(before + 1) / rate)));
        };
        auto const say = [&](double rate, const std::string& how) {
            e_.expected = start + seconds(rate);
            auto const soon = e_.expected - now_ < 2s;
            line("expected",
                 fmt::format("{}{}, {}.",
                             f_.place_is_a_minimum ? "Not before: " : "",
                             soon ? std::string("Now")
                                  : fmt::format("In about {} ({})",
                                                span_words(e_.expected - now_),
                                                clock_words(e_.expected, now_)),
                             how));
        };
        if (f_.rate > 0 && (view.pace <= 0 || f_.rate < view.pace)) {
            say(f_.rate,
                fmt::format("if it goes on at {}, the pace of late", pace_text(f_.rate)));
        } else if (view.pace > 0) {
            say(view.pace,
                fmt::format("at {}, the most that is allowed there", pace_text(view.pace)));
        } else {
            bool const blocked = e_.until != never && e_.cause != "" && e_.cause != "rate" &&
                                 e_.cause != "connections";
            line("expected",
                 view.ordered ? std::string("Not known: not before somebody lets it go.")
                 : blocked
                     ? fmt::format("Not known: not before {}, and then as the receiver answers.",
                                   clock_words(e_.until, now_))
                 : e_.until != never && e_.until - now_ >= 2s
                     ? fmt::format("Not known: not before {}.", clock_words(e_.until, now_))
                     : std::string("Not known: nothing was taken there of late to measure by."));
        }
    }

    void the_end() {
        if (f_.retry == nullptr || f_.envelope == nullptr) return;
        if (f_.work->held || f_.view.ordered) {
            line("gives up",
                 fmt::format("Not while it is {}; after that, when it is {} old, with one last attempt "
                             "at least.",
                             f_.work->held ? "held" : "stopped",
                             span_words(f_.retry->expire_after)));
            return;
        }
        e_.gives_up = f_.retry->expiry(f_.work->born);
        auto const about = told(*f_.envelope, f_.work->key.index);
        line("gives up",
             fmt::format("In {} ({}), when it is {} old, after one last attempt{}; then {}.",
                         span_words(std::max(Duration{}, e_.gives_up - now_)),
                         clock_words(e_.gives_up, now_),
                         span_words(f_.retry->expire_after),
                         shut_out() ? " if it may be made then" : "",
                         about));
    }

    /// By something that can last longer than mail is kept.
    bool shut_out() const {
        auto const cause = f_.view.wait.cause;
        return cause == Blame::reputation || cause == Blame::blocklist ||
               cause == Blame::compliance || !f_.view.wait.release.empty();
    }

    // ---- it is gone

    void finished() {
        if (f_.events.empty()) {
            e_.state = "unknown";
            e_.answer = "Nothing is known of this recipient any more.";
            return;
        }
        auto const& last = f_.events.back();
        e_.state = to_string(last.kind);
        e_.said = reply_of(last);
        e_.finished = last.at;
        e_.source = last.source_ip;
        if (e_.provider.empty()) e_.provider = last.provider.empty() ? last.site : last.provider;
        e_.cause = f_.last.blame == Blame::none || last.kind == EventKind::delivered
                       ? ""
                       : std::string(to_string(f_.last.blame));
        auto const when = ago_words(last.at, now_);
        switch (last.kind) {
            case EventKind::delivered:
                e_.answer = fmt::format("It was delivered {}: {} took it.",
                                        when,
                                        last.remote_mta.empty() ? "the server" : last.remote_mta);
                line("said", in_quotes(reply_of(last)));
                if (std::ranges::any_of(f_.events, &Event::possible_duplicate)) {
                    line("note",
                         "A connection broke after the whole message had been sent, so it "
                         "may have arrived twice.");
                }
                line("after",
                     "Whether it reached the mailbox or a spam folder the receiver does "
                     "not tell; from its answer on, the message is in its care.");
                break;
            case EventKind::bounced:
                e_.answer =
                    last.remote_mta.empty() && last.smtp_code == 0
                        ? fmt::format("It was returned {}: {}.", when, last.reason)
                        : fmt::format("It was returned {}: {} refused it for good.",
                                      when,
                                      last.remote_mta.empty() ? "the server" : last.remote_mta);
                refused(last);
                break;
            case EventKind::expired:
                e_.answer =
                    fmt::format("It was given up {}: in {} {}.",
                                when,
                                span_words(last.born == Time{} ? Duration{} : last.at - last.born),
                                last.attempt == 0 ? "there was no way to send it"
                                                  : "nobody took it");
                if (last.attempt == 0) line("why", last.reason);
                refused(last);
                break;
            case EventKind::removed:
                e_.answer =
                    fmt::format("An operator took it out of the queue {}; nobody was told.", when);
                line("said", last.reason + ".");
                break;
            case EventKind::suppressed:
                e_.answer = fmt::format("It was not sent ({}): {}.", when, last.reason);
                break;
            default:
                e_.answer = fmt::format("Its last event was `{}`, {}.", e_.state, when);
                break;
        }
        times(last);
    }

    void refused(const Event& last) {
        if (!e_.said.empty() && (!last.remote_mta.empty() || last.smtp_code != 0)) {
            line("said", in_quotes(e_.said));
        }
        auto const means = meaning(f_.last, last.remote_mta.empty() ? e_.destination : who());
        if (!means.empty()) line("means", means + ".");
        line("told",
             last.sender.empty()
                 ? std::string("Nobody: it was a notice itself and had no sender.")
                 : fmt::format("A bounce message to {} was written (unless the mail asked for none).",
                               last.sender));
    }

    void times(const Event& last) {
        auto const& first = f_.events.front();
        if (first.kind != EventKind::received) return;
        Duration talked{};
        unsigned attempts = 0;
        for (auto const& event : f_.events) {
            bool const tried = event.kind == EventKind::deferred ||
                               event.kind == EventKind::delivered ||
                               event.kind == EventKind::bounced || event.kind == EventKind::expired;
            if (!tried || event.attempt == 0) continue;
            talked += event.took;
            ++attempts;
        }
        auto const total = last.at - first.at;
        auto text = exact_words(total) + " in all";
        if (attempts > 0) {
            text += fmt::format(", with {}; {} of it in conversation with the server",
                                count_words(attempts, "attempt"),
                                exact_words(talked));
        }
        line("took", text + ".");
    }

    // ---- what happened

    /// What happened again and again in the same words is told once, with its number.
    void history() {
        for (std::size_t i = 0; i < f_.events.size();) {
            auto const& first = f_.events[i];
            auto const text = told_of(first);
            auto end = i + 1;
            while (end < f_.events.size() && f_.events[end].kind == first.kind &&
                   told_of(f_.events[end]) == text) {
                ++end;
            }
            auto told = to_string(first.kind);
            if (first.attempt > 0 && first.kind != EventKind::removed) {
                auto const& last = f_.events[end - 1];
                told += end - i == 1 ? fmt::format(" ({} attempt)", ordinal(first.attempt))
                                     : fmt::format(" ({} to {} attempt, the last {})",
                                                   ordinal(first.attempt),
                                                   ordinal(last.attempt),
                                                   clock_words(last.at, first.at));
            }
            e_.history.push_back({to_rfc3339(first.at), told + text});
            i = end;
        }
        if (e_.history.size() > history_max) {
            auto const cut = static_cast<std::ptrdiff_t>(e_.history.size() - history_max);
            e_.history.erase(e_.history.begin() + 1, e_.history.begin() + 1 + cut);
        }
    }

    static std::string told_of(const Event& event) {
        if (event.kind == EventKind::received) {
            return fmt::format(
                "{}{}",
                event.client.empty() ? "" : " from " + event.client,
                event.mta_queue_id.empty() ? "" : ", queue id there " + event.mta_queue_id);
        }
        auto text = fmt::format("{}{}{}",
                                event.remote_mta.empty() ? "" : " by " + event.remote_mta,
                                event.source_ip.empty() ? "" : ", from " + event.source_ip,
                                reply_of(event).empty() ? "" : ": " + in_quotes(reply_of(event)));
        if (event.possible_duplicate) text += ", after the whole message had been sent";
        return text;
    }

    const RecipientFacts& f_;
    Time now_;
    Explanation e_;
};

}  // namespace

Explanation explain(const RecipientFacts& facts, Time now) {
    return Telling(facts, now).take();
}

}  // namespace millrace::relay
