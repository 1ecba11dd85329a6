// Goal: data ends at CRLF.CRLF and nowhere else (reliability F1, F2), however the bytes are cut up.
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "common/smtp/bdat_reader.hpp"
#include "common/smtp/data_reader.hpp"
#include "common/smtp/data_writer.hpp"

namespace millrace::smtp {
namespace {

using namespace std::string_view_literals;

struct Taken {
    bool done = false;
    std::size_t used = 0;
    std::string message;
    bool bare_cr = false, bare_lf = false, zero = false;
    bool operator==(const Taken&) const = default;
};

Taken take(DataReader& reader, std::size_t used) {
    return {
        reader.done(), used, reader.take(), reader.bare_cr(), reader.bare_lf(), reader.zero_byte()};
}

Taken read(std::string_view bytes) {
    DataReader reader(1 << 20);
    std::string_view rest = bytes;
    reader.feed(rest);
    return take(reader, bytes.size() - rest.size());
}

Taken read_split(std::string_view bytes, std::size_t at) {
    DataReader reader(1 << 20);
    std::string_view first = bytes.substr(0, at);
    reader.feed(first);
    std::string_view second = bytes.substr(at);
    if (first.empty()) reader.feed(second);
    return take(reader, bytes.size() - first.size() - second.size());
}

// The reference, which looks at the text and keeps no state: the data ends behind the first
// CRLF.CRLF, where the CRLF of DATA itself counts.
Taken reference(std::string_view bytes) {
    const std::string text = "\r\n" + std::string(bytes);
    Taken out;
    const std::size_t end = text.find("\r\n.\r\n");
    out.done = end != std::string::npos;
    out.used = out.done ? end + 3 : bytes.size();
    const std::string raw = out.done ? text.substr(2, end) : std::string(bytes);
    for (std::size_t i = 0; i < raw.size(); ++i) {
        const bool line_start = i == 0 || (i > 1 && raw[i - 2] == '\r' && raw[i - 1] == '\n');
        if (line_start && raw[i] == '.') continue;
        out.message += raw[i];
    }
    for (std::size_t i = 0; i < raw.size(); ++i) {
        if (raw[i] == '\r' && i + 1 < raw.size() && raw[i + 1] != '\n') out.bare_cr = true;
        if (raw[i] == '\n' && (i == 0 || raw[i - 1] != '\r')) out.bare_lf = true;
        if (raw[i] == '\0') out.zero = true;
    }
    return out;
}

// The strings of reliability §2.1 behind `body`.
const std::vector<std::string_view> false_ends = {
    "\n.\n"sv,
    "\r.\r"sv,
    "\r.\n"sv,
    "\n.\r"sv,
    "\r.\r\n"sv,
    "\r\n.\r"sv,
    "\n.\r\n"sv,
    "\r\n.\n"sv,
    "\n\n.\r\n"sv,
    "\r\n\0.\r\n"sv,
    "\r\n.\0\r\n"sv,
    "\r\n.\r\r\n"sv,
    "\r\r\n.\r\r\n"sv,
    "\r\n.\v\r\n"sv,
    "\r\n. \r\n"sv,
    "\r\n.\t\r\n"sv,
    "\r\n\x85.\r\n"sv,
};

TEST(EndOfData, SeventeenFalseEndsSplitAnywhere) {
    ASSERT_EQ(false_ends.size(), 17U);
    for (const std::string_view end : false_ends) {
        const std::string bytes = "body" + std::string(end) + "smuggled";
        const Taken whole = read(bytes);
        EXPECT_FALSE(whole.done) << testing::PrintToString(bytes);
        EXPECT_EQ(whole.used, bytes.size());
        const std::string closed = bytes + "\r\n.\r\nQUIT\r\n";
        for (std::size_t at = 0; at <= closed.size(); ++at) {
            const Taken split = read_split(closed, at);
            ASSERT_TRUE(split.done) << at;
            EXPECT_EQ(split.used, bytes.size() + 5) << testing::PrintToString(bytes) << at;
            EXPECT_EQ(split, read(closed));
        }
    }
}

TEST(EndOfData, BareLineEndsAndZeroBytesAreSeen) {
    unsigned flagged = 0;
    for (const std::string_view end : false_ends) {
        const Taken taken = read("body" + std::string(end) + "x\r\n.\r\n");
        flagged += taken.bare_cr || taken.bare_lf || taken.zero ? 1 : 0;
    }
    // All but the four that are plain text: VT, blank, tab and a byte over 127.
    EXPECT_EQ(flagged, 13U);
}

TEST(EndOfData, EveryStringOfUpToSevenBytes) {
    constexpr std::string_view alphabet("\r\n.\0 a", 6);
    std::size_t strings = 0;
    std::size_t wrong = 0;
    for (std::size_t length = 1; length <= 7; ++length) {
        std::size_t count = 1;
        for (std::size_t i = 0; i < length; ++i)
            count *= alphabet.size();
        for (std::size_t n = 0; n < count; ++n) {
            std::string middle;
            for (std::size_t i = 0, rest = n; i < length; ++i, rest /= alphabet.size())
                middle += alphabet[rest % alphabet.size()];
            const std::string bytes = 'x' + middle + 'y';
            ++strings;
            // Directly after DATA as well; the last byte settles what a trailing CR is.
            const std::string at_start = middle + 'y';
            if (read(bytes) != reference(bytes) || read(at_start) != reference(at_start)) ++wrong;
        }
    }
    EXPECT_EQ(strings, 335'922U);
    EXPECT_EQ(wrong, 0U);
}

// What we write for any message, a strict reader and a careless one (which takes LF for a line end)
// see as one message.
TEST(DotStuffing, NoStringEndsTheDataEarly) {
    constexpr std::string_view alphabet("\r\n.\0 a", 6);
    std::size_t wrong = 0;
    std::string piece;
    for (std::size_t length = 0; length <= 6; ++length) {
        std::size_t count = 1;
        for (std::size_t i = 0; i < length; ++i)
            count *= alphabet.size();
        for (std::size_t n = 0; n < count; ++n) {
            std::string message;
            for (std::size_t i = 0, rest = n; i < length; ++i, rest /= alphabet.size())
                message += alphabet[rest % alphabet.size()];
            for (const std::size_t target : {1U, 64U}) {
                std::string wire;
                DataWriter writer(message);
                while (writer.next(piece, target))
                    wire += piece;
                const Taken taken = read(wire);
                const bool bare = taken.bare_cr || taken.bare_lf;
                if (!taken.done || taken.used != wire.size() || bare) ++wrong;
            }
        }
    }
    EXPECT_EQ(wrong, 0U);
}

TEST(DotStuffing, WrittenAndReadIsTheSame) {
    for (const std::string_view message :
         {""sv, ".\r\n"sv, "..\r\n.a\r\n\r\n"sv, "a\r\n.\r\nb\r\n"sv, "no dots\r\n"sv}) {
        for (const std::size_t target : {1U, 2U, 3U, 5U, 4096U}) {
            std::string wire, piece;
            DataWriter writer(message);
            while (writer.next(piece, target))
                wire += piece;
            EXPECT_TRUE(writer.finished());
            EXPECT_EQ(read(wire).message, message);
        }
    }
}

TEST(DataReader, HoldsNoMoreThanItsLimit) {
    DataReader reader(100);
    const std::string line(98, 'a');
    std::size_t most = 0;
    for (int i = 0; i < 50; ++i) {
        const std::string bytes = line + "\r\n";
        std::string_view rest = bytes;
        reader.feed(rest);
        most = std::max(most, reader.held());
    }
    std::string_view end = ".\r\n";
    reader.feed(end);
    EXPECT_TRUE(reader.done());
    EXPECT_TRUE(reader.too_large());
    EXPECT_EQ(reader.size(), 5000U);
    EXPECT_LE(most, 100U);
    EXPECT_EQ(reader.take(), "");
}

TEST(DataReader, ExactlyTheLimitIsNotTooLarge) {
    DataReader reader(6);
    std::string_view bytes = "abcd\r\n.\r\n";
    reader.feed(bytes);
    EXPECT_FALSE(reader.too_large());
    EXPECT_EQ(reader.take(), "abcd\r\n");
}

TEST(BdatReader, DotsAreData) {
    BdatReader reader(100);
    std::string_view bytes = "\r\n.\r\nxRSET\r\n";
    reader.begin(6, BdatReader::Chunk::keep);
    reader.feed(bytes);
    EXPECT_TRUE(reader.done());
    EXPECT_EQ(bytes, "RSET\r\n");
    reader.begin(2, BdatReader::Chunk::forget);
    reader.feed(bytes);
    EXPECT_EQ(bytes, "ET\r\n");
    EXPECT_EQ(reader.take(), "\r\n.\r\nx");
}

}  // namespace
}  // namespace millrace::smtp
