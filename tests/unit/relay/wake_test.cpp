// Goal: whoever was refused is called back as soon as there is room, and nobody else is.
#include "tests/unit/relay/relay_on_wires.hpp"

namespace millrace::relay {
namespace {

class Wake : public RelayOnWires {
  protected:
    Wake() { wanted.relay.wake = {"/usr/sbin/postqueue", "-f"}; }

    /// What MAIL is answered.
    std::string ask() {
        auto talk = [](Network& wire, Time by, std::string& heard) -> Task<void> {
            auto stream = co_await wire.connect({ip("127.0.0.1"), 2525}, std::nullopt, by);
            if (!stream) co_return;
            std::vector<char> buffer(4096);
            for (const std::string line : {"EHLO mta.example\r\n", "MAIL FROM:<a@b.example>\r\n"}) {
                co_await (*stream)->read_some(buffer);
                co_await (*stream)->write(line);
            }
            const auto got = co_await (*stream)->read_some(buffer);
            if (got) heard.assign(buffer.data(), *got);
        };
        std::string heard;
        talks.spawn(talk(network, simulation.now() + 10s, heard));
        run(500ms);
        return heard.substr(0, 3);
    }
};

TEST_F(Wake, AtTheStart) {
    start();
    ASSERT_EQ(woken.size(), 1U);
    EXPECT_EQ(woken[0], wanted.relay.wake);
    run(24h);
    EXPECT_EQ(woken.size(), 1U);
}

TEST_F(Wake, WhenThereIsRoomAgain) {
    start();
    disk->capacity = 0;
    EXPECT_EQ(ask(), "452");
    EXPECT_EQ(ask(), "452");
    run(3h);
    EXPECT_EQ(woken.size(), 1U) << "there is no room yet";
    disk->capacity = UINT64_MAX;
    run(2s);
    EXPECT_EQ(woken.size(), 2U) << "once, however many were refused";
    EXPECT_EQ(ask(), "250");
    run(24h);
    EXPECT_EQ(woken.size(), 2U);
}

TEST_F(Wake, NotWhenNobodyWasRefused) {
    start();
    disk->capacity = 0;
    run(1h);
    disk->capacity = UINT64_MAX;
    run(1h);
    EXPECT_EQ(woken.size(), 1U);
}

TEST_F(Wake, AStartWithAFullDiskWakesNobodyUntilThereIsRoom) {
    disk->capacity = 0;
    start();
    run(1h);
    EXPECT_EQ(woken.size(), 0U);
    disk->capacity = UINT64_MAX;
    run(2s);
    EXPECT_EQ(woken.size(), 1U);
}

}  // namespace
}  // namespace millrace::relay
