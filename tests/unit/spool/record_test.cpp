#include "relay/spool/record.hpp"

#include <cstdlib>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "common/net/random.hpp"
#include "relay/spool/crc32c.hpp"
#include "tests/unit/spool/examples.hpp"

namespace millrace::relay {
namespace {

// Goal: what was written is read back, field by field; empty and extreme values too.
TEST(Record, EveryKindComesBackEqual) {
    for (auto const& envelope : {example_envelope(), Envelope{}, extreme_envelope()}) {
        auto const back = decode_envelope(envelope.id, encode(envelope));
        ASSERT_TRUE(back) << back.error().detail;
        EXPECT_EQ(*back, envelope);
    }
    for (auto const& record : {example_work(), WorkRecord{}, extreme_work()}) {
        auto const back = decode_work(record.work.key, encode(record));
        ASSERT_TRUE(back) << back.error().detail;
        EXPECT_EQ(*back, record);
    }
    for (auto const& event : {example_event(), Event{}, extreme_event()}) {
        auto const back = decode_event(event.id, encode(event));
        ASSERT_TRUE(back) << back.error().detail;
        EXPECT_EQ(*back, event);
    }
    constexpr auto most = UINT64_MAX;
    Ledger const ledger{
        most, MessageId{most}, most, most, {most, most, most, most, most, most}};
    EXPECT_EQ(decode_ledger(encode(ledger)).value(), ledger);
    for (auto const& body : {std::string(), std::string("x\0\r\n", 4), std::string(1 << 20, 'b')}) {
        EXPECT_EQ(*decode_body(encode_body(body)).value(), body);
    }
}

// Goal: mail that an earlier version queued stays readable: the bytes of a version never change.
TEST(Record, GoldenBytesOfEachVersion) {
    auto const same = [](const std::string& name, const std::string& bytes) {
        auto const path = std::string(MILLRACE_SOURCE_DIR "/tests/data/spool/") + name;
        if (std::getenv("MILLRACE_WRITE_GOLDEN") != nullptr) {
            std::ofstream(path, std::ios::binary) << bytes;
        }
        std::ifstream file(path, std::ios::binary);
        ASSERT_TRUE(file) << path;
        std::stringstream stored;
        stored << file.rdbuf();
        EXPECT_TRUE(stored.str() == bytes) << name << " is encoded differently now";
    };
    same("envelope.v1", encode(example_envelope()));
    same("work.v2", encode(example_work()));
    same("event.v2", encode(example_event()));
    same("ledger.v2",
         encode(Ledger{
             70000, example_envelope().id, 300, 2, {69000, 68000, 400, 200, 70, 30}}));
    same("body.v1", encode_body("Subject: golden\r\n\r\nbytes\r\n"));
}

// Goal: a journal that an earlier version wrote is still read; what it did not know is empty.
TEST(Record, AnEventOfVersionOneIsRead) {
    std::ifstream file(MILLRACE_SOURCE_DIR "/tests/data/spool/event.v1", std::ios::binary);
    std::stringstream stored;
    stored << file.rdbuf();
    auto expected = example_event();
    expected.born = {};
    expected.took = {};
    expected.connection_use = 0;
    expected.client.clear();
    expected.size = 0;
    expected.recipients = 0;
    expected.last = false;
    auto const event = decode_event(expected.id, stored.str());
    ASSERT_TRUE(event) << event.error().detail;
    EXPECT_EQ(*event, expected);
}

// Goal: a queue that an earlier version wrote is still read; what it did not know is empty.
TEST(Record, AWorkOfVersionOneIsRead) {
    std::ifstream file(MILLRACE_SOURCE_DIR "/tests/data/spool/work.v1", std::ios::binary);
    std::stringstream stored;
    stored << file.rdbuf();
    auto expected = example_work();
    expected.work.sender_domain.clear();
    expected.work.slot = 0;
    auto const record = decode_work(expected.work.key, stored.str());
    ASSERT_TRUE(record) << record.error().detail;
    EXPECT_EQ(*record, expected);
}

// Goal: the books of a spool that had none begin with what is queued, so that they add up.
TEST(Record, ALedgerOfVersionOneIsRead) {
    std::ifstream file(MILLRACE_SOURCE_DIR "/tests/data/spool/ledger.v1", std::ios::binary);
    std::stringstream stored;
    stored << file.rdbuf();
    auto const ledger = decode_ledger(stored.str());
    ASSERT_TRUE(ledger) << ledger.error().detail;
    Ledger expected{70000, example_envelope().id, 300, 2, {}};
    expected.books.received = 300;
    EXPECT_EQ(*ledger, expected);
}

// Goal: no flipped bit and no cut goes unnoticed (reliability P6), in any kind of record.
TEST(Record, EveryFlippedBitAndEveryCutIsNoticed) {
    auto const all_noticed = [](const std::string& bytes, auto decode) {
        for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
            auto bad = bytes;
            bad[bit / 8] =
                static_cast<char>(static_cast<unsigned char>(bad[bit / 8]) ^ (1U << (bit % 8)));
            auto const result = decode(bad);
            ASSERT_FALSE(result) << "bit " << bit;
            ASSERT_EQ(result.error().fault, Fault::corrupt);
            ASSERT_FALSE(result.error().detail.empty());
        }
        for (std::size_t size = 0; size < bytes.size(); ++size) {
            ASSERT_FALSE(decode(bytes.substr(0, size))) << "cut at " << size;
        }
        ASSERT_FALSE(decode(bytes + 'x'));
    };
    all_noticed(encode(example_envelope()), [](auto const& b) { return decode_envelope({}, b); });
    all_noticed(encode(example_work()), [](auto const& b) { return decode_work({}, b); });
    all_noticed(encode(example_event()), [](auto const& b) { return decode_event(1, b); });
    all_noticed(encode(Ledger{5, {}, 2, 1, {4, 1, 1, 0, 0, 0}}), [](auto const& b) { return decode_ledger(b); });
    all_noticed(encode_body("some bytes\r\n"), [](auto const& b) { return decode_body(b); });
}

// Goal: a record with a right checksum and wrong content is refused without much memory.
TEST(Record, RightChecksumWrongContentIsRefused) {
    auto const seal = [](std::string bytes) {
        auto const crc = crc32c(bytes);
        for (unsigned shift = 0; shift < 32; shift += 8)
            bytes += static_cast<char>(crc >> shift);
        return bytes;
    };
    EXPECT_FALSE(decode_envelope({}, seal("\x02")));
    EXPECT_FALSE(decode_envelope({}, seal("\x01")));
    EXPECT_FALSE(decode_envelope({}, seal("\x01\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01 abc")));
    EXPECT_FALSE(decode_event(1, seal("\x02\x08")));  // a kind that does not exist
    EXPECT_FALSE(decode_ledger(seal(std::string("\x01\x01\x01\x02\x03", 5))));  // held > queued
    EXPECT_FALSE(decode_ledger(seal("\x01\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x02\x01\x01\x01")));
    auto const good = encode(example_work());
    SeededRandom random(7);
    for (int i = 0; i < 20000;
         ++i) {  // any damage under a fresh checksum: refused or read, no crash
        auto bad = good.substr(0, good.size() - 4);
        for (auto n = random.below(4) + 1; n > 0; --n) {
            bad[random.below(bad.size())] = static_cast<char>(random.next());
        }
        static_cast<void>(decode_work({}, seal(bad)));
    }
}

// Goal: the checksum is CRC-32C (the check value of its catalogue entry), both ways of computing
// it.
TEST(Crc32c, KnownValueAndBothVersionsAgree) {
    EXPECT_EQ(crc32c("123456789"), 0xE3069283U);
    EXPECT_EQ(crc32c_portable("123456789"), 0xE3069283U);
    EXPECT_EQ(crc32c(""), 0U);
    SeededRandom random(1);
    std::string bytes;
    for (int i = 0; i < 300; ++i) {
        EXPECT_EQ(crc32c(bytes), crc32c_portable(bytes));
        auto const half = bytes.size() / 2;
        EXPECT_EQ(crc32c(std::string_view(bytes).substr(half),
                         crc32c(std::string_view(bytes).substr(0, half))),
                  crc32c(bytes));
        bytes += static_cast<char>(random.next());
    }
}

}  // namespace
}  // namespace millrace::relay
