#include "relay/spool/stream.hpp"

#include <gtest/gtest.h>

#include "common/net/random.hpp"

namespace millrace::relay {
namespace {

Work work() {
    Work w;
    w.destination = "example.org";
    w.klass = Class::bulk;
    w.account = "shop";
    w.sender_domain = "shop.example";
    w.slot = 5;
    return w;
}

StreamKey key_of(const Work& w) {
    return {w.destination, w.klass, w.account, w.sender_domain, w.slot};
}

TEST(Stream, ANameSaysWhatItWasMadeOf) {
    auto const w = work();
    EXPECT_EQ(parse_stream(stream_name(w)), key_of(w));
    EXPECT_TRUE(stream_name(w).starts_with("example.org"));
}

// Goal: whatever stands in the fields, two works share a name just when they share all five of
// them.
TEST(Stream, DifferentWorksHaveDifferentNames) {
    SeededRandom random(11);
    std::vector<std::string> const texts{
        "", "a", "b", "ab", "@", "b@", "t@a", "<>", "*", "bücher.example"};
    auto const text = [&] {
        return texts[random.below(texts.size())];
    };
    for (int i = 0; i < 20'000; ++i) {
        Work a = work(), b = work();
        for (auto* w : {&a, &b}) {
            w->destination = "d" + text();
            w->klass = random.below(2) == 0 ? Class::bulk : Class::transactional;
            w->account = text();
            w->sender_domain = "s" + text();
            w->slot = static_cast<std::uint8_t>(random.below(16));
        }
        ASSERT_EQ(stream_name(a) == stream_name(b), key_of(a) == key_of(b))
            << stream_name(a) << " and " << stream_name(b);
        ASSERT_EQ(parse_stream(stream_name(a)), key_of(a));
    }
}

TEST(Stream, WorkOfBeforeThereWereStreamsStandsUnderItsDestination) {
    auto w = work();
    w.sender_domain = {};
    EXPECT_EQ(stream_name(w), "example.org");
    StreamKey plain;
    plain.destination = "example.org";
    EXPECT_EQ(parse_stream("example.org"), plain);
}

// Goal: no name can be made to end early, or to reach into another stream.
TEST(Stream, SeparatorsInNamesAreNoSeparators) {
    auto w = work();
    w.account =
        "shop\x1f"
        "evil.example";
    auto const key = parse_stream(stream_name(w));
    EXPECT_EQ(key.account, "shop?evil.example");
    EXPECT_EQ(key.sender_domain, "shop.example");
    w = work();
    w.sender_domain = std::string("x\0\1y", 4);
    EXPECT_EQ(parse_stream(stream_name(w)).sender_domain, "x??y");
}

TEST(Stream, AnyTextIsReadAsSomething) {
    for (std::string const& name : {std::string(),
                                    std::string("\x1f"),
                                    std::string("a\x1f"),
                                    std::string("a\x1f"
                                                "b"),
                                    std::string("a\x1f"
                                                "b@"),
                                    std::string("a\x1f"
                                                "b@x"),
                                    std::string("a\x1f"
                                                "b@x\x1f")}) {
        auto const key = parse_stream(name);
        EXPECT_EQ(key.destination, name.substr(0, name.find('\x1f')));
    }
}

}  // namespace
}  // namespace millrace::relay
