#include "relay/schedule/share.hpp"

#include <gtest/gtest.h>

#include "common/net/random.hpp"

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;

constexpr Time start{std::chrono::hours(24 * 365)};

Answer answer(Blame blame, Time began, unsigned use, const std::string& domain = "a.example") {
    Answer a;
    a.typed = Typed::of(blame);
    a.said = "450 no";
    a.began = began;
    a.use = use;
    a.sender_domain = domain;
    return a;
}

void connect(Share& share, Time now) {
    share.opening_begins(now);
    share.greeted(now);
}

void send(Share& share, Time now, const Answer& told, const std::string& domain = "a.example") {
    share.message_begins(domain, now);
    share.message_ends(domain);
    if (told.typed.blame == Blame::none && !told.silent) {
        share.passed(told, now);
    } else {
        share.refused(told, now);
    }
}

TEST(Share, ARefusalMovesOnlyItsOwnKnob) {
    struct Case {
        Blame blame;
        bool connections, rate, block;
    };
    for (auto const& c : {Case{Blame::connections, true, false, false},
                          Case{Blame::rate, false, true, false},
                          Case{Blame::reputation, false, false, true},
                          Case{Blame::blocklist, false, false, true},
                          Case{Blame::recipient, false, false, false},
                          Case{Blame::content, false, false, false},
                          Case{Blame::greylist, false, false, false},
                          Case{Blame::none, false, false, false}}) {
        Share share("", "p", Ceilings{}, start);
        connect(share, start);
        connect(share, start);
        auto const use = c.blame == Blame::connections ? 0U : 2U;
        share.refused(answer(c.blame, start, use), start);
        auto const& name = to_string(c.blame);
        EXPECT_EQ(share.connections().learned().bad > 0, c.connections) << name;
        EXPECT_EQ(share.messages().learned().refusals > 0, c.rate) << name;
        EXPECT_EQ(share.block().shut(start + 1min), c.block) << name;
    }
}

// Goal: what is said of an account keeps nobody else's mail.
TEST(Share, WhatFallsOnAnAccountMovesItsSendersDomainAlone) {
    for (auto const blame : {Blame::rate, Blame::reputation, Blame::compliance}) {
        Share share("", "p", Ceilings{}, start);
        connect(share, start);
        auto told = answer(blame, start, 2);
        told.typed.axis = Axis::account;
        told.typed.pause = 1h;
        share.refused(told, start);
        auto const& name = to_string(blame);
        EXPECT_GE(share.sender_at("a.example", start), start + 1h) << name;
        EXPECT_EQ(share.sender_at("b.example", start), start) << name;
        EXPECT_EQ(share.message_at(start), start) << name;
    }
}

// Goal: refusals of single messages (`the same Message-ID`) move no knob, and yet there are no more
// than nine in a minute.
TEST(Share, WhatFallsOnMessagesMovesNoKnobButIsCounted) {
    for (auto const blame : {Blame::rate, Blame::reputation, Blame::compliance}) {
        Share share("", "p", Ceilings{}, start);
        connect(share, start);
        auto told = answer(blame, start, 2);
        told.typed.axis = Axis::message;
        for (int i = 0; i < 8; ++i)
            share.refused(told, start + 1s * i);
        auto const& name = to_string(blame);
        EXPECT_EQ(share.message_at(start + 8s), start + 8s) << name;
        EXPECT_EQ(share.sender_at("a.example", start + 8s), start + 8s) << name;
        EXPECT_FALSE(share.messages().known()) << name;
        share.refused(told, start + 8s);
        EXPECT_GE(share.message_at(start + 9s), start + 1min) << name;
    }
}

TEST(Share, TheSameWordsAgainAndAgainAreALimitOnlyWhenNobodyKnowsThem) {
    for (auto const& [blame, limits] : {std::pair(Blame::none, true),
                                        std::pair(Blame::recipient, false),
                                        std::pair(Blame::content, false),
                                        std::pair(Blame::greylist, false),
                                        std::pair(Blame::sender, false)}) {
        Share share("", "p", Ceilings{}, start);
        connect(share, start);
        for (int i = 0; i < 5; ++i)
            share.refused(answer(blame, start, 1), start + 1s * i);
        EXPECT_EQ(share.messages().learned().refusals > 0, limits) << to_string(blame);
    }
}

TEST(Share, AHoldOfASendersDomainLeavesTheOthersAlone) {
    Share share("", "p", Ceilings{}, start);
    connect(share, start);
    auto told = answer(Blame::compliance, start, 1, "bad.example");
    told.typed.axis = Axis::sender_domain;
    share.refused(told, start);
    EXPECT_GE(share.sender_at("bad.example", start), start + 30min);
    EXPECT_EQ(share.sender_at("good.example", start), start);
    EXPECT_EQ(share.message_at(start), start);
    EXPECT_FALSE(share.block().shut(start));
    EXPECT_NE(share.sender_wait("bad.example", start).reason.find("bad.example"),
              std::string::npos);
}

// Goal: a receiver that only hangs up after the fifth message of a connection is given a new
// connection after five, and then hangs up no more.
TEST(Share, SilenceAfterSomeMessagesMeansANewConnection) {
    Share share("", "p", Ceilings{}, start);
    auto now = start;
    connect(share, now);
    for (unsigned use = 1; use <= 5; ++use) {
        now += 20ms;
        send(share, now, answer(Blame::none, now - 20ms, use));
    }
    auto silent = answer(Blame::none, now, 6);
    silent.silent = true;
    send(share, now + 20ms, silent);
    EXPECT_EQ(share.messages_per_connection(), 5U);
    EXPECT_FALSE(share.messages().one_at_a_time()) << "it says nothing of the rate";
}

TEST(Share, SilenceAfterARestIsTheReceiversPatience) {
    Share share("", "p", Ceilings{}, start);
    connect(share, start);
    auto silent = answer(Blame::none, start, 6);
    silent.silent = true;
    silent.idle_for = 30s;
    share.refused(silent, start);
    EXPECT_EQ(share.messages_per_connection(), Ceilings{}.messages_per_connection);
    EXPECT_EQ(share.refusals(), 0U);
}

TEST(Share, SilenceOfANewConnectionWhileOthersWorkIsAboutTheirNumber) {
    Share share("", "p", Ceilings{}, start);
    auto now = start;
    for (int i = 0; i < 3; ++i)
        connect(share, now);
    send(share, now + 20ms, answer(Blame::none, now, 1));
    share.opening_begins(now + 1s);
    share.opening_ends();
    auto silent = answer(Blame::none, now + 1s, 0);
    silent.silent = true;
    share.refused(silent, now + 1s);
    EXPECT_EQ(share.connections().learned().bad, 4U);
}

// Goal: a receiver that takes one connection, sees the end of the last one late and then only hangs
// up is not away; the next connection is tried a moment later.
TEST(Share, SilenceRightAfterAGoodbyeIsAboutTheNumber) {
    Share share("", "p", Ceilings{}, start);
    auto now = start;
    connect(share, now);
    send(share, now + 20ms, answer(Blame::none, now, 1));
    now += 1min;
    share.closed(now);
    share.opening_begins(now);
    share.opening_ends();
    EXPECT_TRUE(share.just_ended(now + 20ms));
    auto silent = answer(Blame::none, now, 0);
    silent.silent = true;
    share.refused(silent, now + 20ms);
    EXPECT_EQ(share.refusals(), 1U);
    EXPECT_LE(share.connect_at(now + 20ms), now + 2s);
    EXPECT_FALSE(share.just_ended(now + 5s));
}

// Goal: a receiver that blocks whoever is refused ten times in a minute never gets that far,
// whatever the refusals are about and however many senders there are. Method: it refuses
// everything; the sender sends whatever the share lets it, on up to twenty connections.
TEST(Share, StaysBelowTenRefusalsAMinute) {
    for (bool const by_sender : {false, true}) {
        for (auto const blame : {Blame::rate, Blame::messages_per_connection, Blame::connections}) {
            Share share("", "p", Ceilings{}, start);
            SeededRandom random(3);
            auto now = start;
            for (int i = 0; i < 20; ++i)
                connect(share, now);
            for (int i = 0; i < 20; ++i)
                send(share, now, answer(Blame::none, now, 1));
            std::vector<Time> refusals;
            while (now < start + 1h) {
                auto const domain = "d" + std::to_string(random.below(50)) + ".example";
                if (share.message_at(now) <= now && share.sender_at(domain, now) <= now &&
                    !share.crowded(now) && !share.sender_crowded(domain)) {
                    auto told = answer(blame, now, 2, domain);
                    if (by_sender && blame == Blame::rate) told.typed.axis = Axis::sender_domain;
                    send(share, now, told, domain);
                    refusals.push_back(now);
                }
                now += 50ms;
            }
            std::size_t from = 0;
            for (std::size_t to = 0; to < refusals.size(); ++to) {
                while (refusals[to] - refusals[from] >= 1min)
                    ++from;
                ASSERT_LT(to - from + 1, 10U) << to_string(blame) << " by sender " << by_sender;
            }
            EXPECT_GE(refusals.size(), 2U);
        }
    }
}

TEST(Share, WhatWasUnderWayBeforeAKnockDoesNotOpenTheDoor) {
    Share share("", "p", Ceilings{}, start);
    connect(share, start);
    connect(share, start);
    share.message_begins("slow.example", start);
    send(share, start + 1min, answer(Blame::reputation, start + 1min, 1));
    EXPECT_FALSE(share.knock(start + 1min + 1h)) << "it is over by then";
    EXPECT_TRUE(share.knock(start + 2min));
    EXPECT_FALSE(share.block().shut(start + 2min));
    share.message_ends("slow.example");
    share.passed(answer(Blame::none, start, 1, "slow.example"), start + 3min);
    EXPECT_TRUE(share.block().on_trial()) << "it began before the door was shut";
    send(share, start + 4min, answer(Blame::none, start + 4min, 1));
    EXPECT_FALSE(share.block().on_trial());
}

// One company is refused whatever it sends, two others are let in, forty a second: they must not wait because the
// receiver's patience is spent on the one.
TEST(Share, ACompanyThatStaysShutOutLeavesThePatienceToTheOthers) {
    Share share("", "p", Ceilings{}, start);
    auto now = start;
    for (int i = 0; i < 4; ++i)
        connect(share, now);
    auto closed = answer(Blame::rate, now, 2, "closed.example");
    closed.typed.axis = Axis::sender_domain;
    unsigned refused = 0, waited = 0;
    for (; now < start + 1min; now += 25ms) {
        if (share.message_at(now) > now || share.crowded(now)) {
            ++waited;
            continue;
        }
        // Two of the others are always under way.
        share.message_begins("first.example", now);
        share.message_begins("second.example", now);
        if (share.sender_at("closed.example", now) <= now && !share.sender_crowded("closed.example")) {
            closed.began = now;
            share.message_begins("closed.example", now);
            share.message_ends("closed.example");
            share.refused(closed, now);
            ++refused;
        }
        for (auto const* const domain : {"first.example", "second.example"}) {
            share.message_ends(domain);
            share.passed(answer(Blame::none, now, 2, domain), now);
        }
    }
    EXPECT_EQ(waited, 0U);
    EXPECT_GE(refused, 2U) << "it is tried again";
    EXPECT_LE(refused, 5U);
}

TEST(Share, ASettingIsNeverExceeded) {
    Ceilings ceilings;
    ceilings.connections = 3;
    ceilings.messages_per_second = 2;
    Share share("", "p", ceilings, start);
    auto now = start;
    unsigned begun = 0;
    for (; now < start + 1min; now += 10ms) {
        while (share.connections_more(now) > 0 && share.connect_at(now) <= now)
            connect(share, now);
        ASSERT_LE(share.standing(), 3U);
        if (share.message_at(now) > now) continue;
        send(share, now, answer(Blame::none, now, 1));
        ++begun;
    }
    EXPECT_LE(begun, 120U);
    EXPECT_GE(begun, 115U);
    ceilings.messages_per_second = 1;
    share.set_ceilings(ceilings, now);
    EXPECT_EQ(share.connections_more(now), 0U);
}

/// A share that has learned something of every kind.
Share taught() {
    Share share("192.0.2.1", "p", Ceilings{}, start);
    auto now = start;
    for (int i = 0; i < 3; ++i)
        connect(share, now);
    share.opening_begins(now);
    share.opening_ends();
    share.refused(answer(Blame::connections, now, 0), now);
    send(share, now, answer(Blame::messages_per_connection, now, 8));
    for (int i = 0; i < 30; ++i) {
        now += 500ms;
        auto const full = i % 10 == 9;
        send(share, now, answer(full ? Blame::rate : Blame::none, now, 1));
    }
    auto hold = answer(Blame::compliance, now, 1, "bad.example");
    hold.typed.axis = Axis::sender_domain;
    share.refused(hold, now);
    auto fast = answer(Blame::rate, now, 1, "fast.example");
    fast.typed.axis = Axis::sender_domain;
    share.refused(fast, now);
    share.refused(answer(Blame::reputation, now, 1), now);
    return share;
}

TEST(Share, ANoteKeepsWhatWasLearned) {
    auto share = taught();
    ASSERT_TRUE(share.changed());
    auto const note = share.note();
    EXPECT_FALSE(share.changed());
    Share again("192.0.2.1", "p", Ceilings{}, start + 1min);
    again.restore(note, start + 1min);
    EXPECT_FALSE(again.changed());
    EXPECT_EQ(again.connections().learned(), share.connections().learned());
    // But for the last digit of a number.
    auto const &kept = again.messages().learned(), &known = share.messages().learned();
    EXPECT_GT(known.pace, 0);
    EXPECT_DOUBLE_EQ(kept.pace, known.pace);
    EXPECT_DOUBLE_EQ(kept.good, known.good);
    EXPECT_DOUBLE_EQ(kept.bad, known.bad);
    EXPECT_EQ(kept.rest_until, known.rest_until);
    EXPECT_EQ(kept.rest, known.rest);
    EXPECT_EQ(kept.refusals, known.refusals);
    EXPECT_EQ(again.block().learned(), share.block().learned());
    EXPECT_EQ(again.messages_per_connection(), 7U);
    EXPECT_EQ(again.messages_per_connection(), share.messages_per_connection());
    ASSERT_TRUE(again.holds().contains("bad.example"));
    EXPECT_EQ(again.holds().at("bad.example").learned(), share.holds().at("bad.example").learned());
    EXPECT_TRUE(again.senders().contains("fast.example"));
    EXPECT_TRUE(again.block().shut(start + 10min)) << "a restart does not open the door";
}

// Goal: a note that is damaged in any way is read as far as it makes sense, or not at all; never a
// crash, never a limit that stops the mail for good.
TEST(Share, WhatIsOfNobodysInterestIsNotWorthANote) {
    Share share("", "p", Ceilings{}, start);
    connect(share, start);
    for (int i = 0; i < 3; ++i)
        send(share, start + 1s * i, answer(Blame::none, start + 1s * i, 1));
    EXPECT_FALSE(share.worth_keeping()) << share.kept();
    EXPECT_TRUE(share.changed()) << "it is asked once a day, not at every message";
    EXPECT_EQ(Share::last_used(share.note()), start);
    connect(share, start + 1h);
    send(share, start + 1h, answer(Blame::none, start + 1h, 1));
    share.closed(start + 1h);
    auto limited = share.kept();
    EXPECT_EQ(Share::last_used(limited), start) << "to the day";
    share.refused(answer(Blame::rate, start + 2h, 1), start + 2h);
    EXPECT_TRUE(share.worth_keeping());
    Share after("", "p", Ceilings{}, start);
    after.restore(share.note(), start + 3h);
    EXPECT_TRUE(after.worth_keeping());
    EXPECT_EQ(Share::last_used(after.kept()), start);
    EXPECT_EQ(Share::last_used("nonsense"), Time{});
}

TEST(Share, ANoteOfGarbageIsAnEmptyOne) {
    for (std::string const& note :
         {"",
          "x",
          "[]",
          "{}",
          "{\"version\":2}",
          "{\"version\":1}",
          "null",
          "{\"version\":1,\"connections\":7,\"messages\":[],\"senders\":3}"}) {
        Share share("", "p", Ceilings{}, start);
        share.restore(note, start);
        EXPECT_EQ(share.message_at(start), start) << note;
        EXPECT_GE(share.connections_more(start), 1U) << note;
        EXPECT_EQ(share.messages_per_connection(), Ceilings{}.messages_per_connection) << note;
    }
    auto const good = taught().note();
    SeededRandom random(9);
    for (int i = 0; i < 3'000; ++i) {
        auto bad = good;
        for (auto n = 1 + random.below(3); n > 0; --n) {
            auto const place = static_cast<std::ptrdiff_t>(random.below(bad.size()));
            if (random.below(2) == 0) {
                bad[static_cast<std::size_t>(place)] = static_cast<char>(' ' + random.below(90));
            } else {
                bad.erase(bad.begin() + place);
            }
        }
        Share share("", "p", Ceilings{}, start);
        share.restore(bad, start);
        share.note();
        static_cast<void>(share.message_at(start));
        static_cast<void>(share.connections_more(start));
    }
}

}  // namespace
}  // namespace millrace::relay
