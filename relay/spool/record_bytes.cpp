#include "relay/spool/record_bytes.hpp"

#include "common/base/check.hpp"
#include "relay/spool/crc32c.hpp"

namespace millrace::relay {
namespace {

constexpr std::size_t crc_size = 4;

void append_le(std::string& out, std::uint64_t value, unsigned bytes) {
    for (unsigned i = 0; i < bytes; ++i) {
        out += static_cast<char>(value >> (8U * i));
    }
}

std::uint64_t read_le(std::string_view bytes) {
    std::uint64_t value = 0;
    for (auto at = bytes.rbegin(); at != bytes.rend(); ++at) {
        value = (value << 8U) | static_cast<unsigned char>(*at);
    }
    return value;
}

std::uint64_t read_be(std::string_view bytes) {
    std::uint64_t value = 0;
    for (char const c : bytes) {
        value = (value << 8U) | static_cast<unsigned char>(c);
    }
    return value;
}

}  // namespace

RecordWriter& RecordWriter::number(std::uint64_t value) {
    while (value >= 0x80) {
        out_ += static_cast<char>(value | 0x80U);
        value >>= 7U;
    }
    out_ += static_cast<char>(value);
    return *this;
}

RecordWriter& RecordWriter::text(std::string_view value) {
    number(value.size());
    out_ += value;
    return *this;
}

RecordWriter& RecordWriter::time(Time value) {
    append_le(out_, static_cast<std::uint64_t>(value.time_since_epoch().count()), 8);
    return *this;
}

std::string RecordWriter::done() && {
    append_le(out_, crc32c(out_), crc_size);
    return std::move(out_);
}

RecordReader::RecordReader(std::string_view bytes, std::uint8_t version, std::string_view what)
    : what_(what) {
    if (bytes.size() < 1 + crc_size) {
        wrong("is cut short");
        return;
    }
    auto const body = bytes.substr(0, bytes.size() - crc_size);
    if (read_le(bytes.substr(body.size())) != crc32c(body)) {
        wrong("fails its checksum");
    } else if (static_cast<std::uint8_t>(body.front()) != version) {
        wrong("has a version that this program does not know");
    } else {
        rest_ = body.substr(1);
    }
}

std::uint64_t RecordReader::number_up_to(std::uint64_t greatest) {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (rest_.empty()) break;
        auto const byte = static_cast<unsigned char>(rest_.front());
        rest_.remove_prefix(1);
        auto const bits = static_cast<std::uint64_t>(byte & 0x7FU);
        if (shift == 63 && bits > 1) break;
        value |= bits << shift;
        if ((byte & 0x80U) != 0) continue;
        if (value > greatest) break;
        return value;
    }
    wrong("holds a number that is out of range");
    return 0;
}

std::string RecordReader::text() {
    auto const size = number_up_to(UINT64_MAX);
    if (size > rest_.size()) {
        wrong("holds a text that is longer than itself");
        return {};
    }
    std::string out(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return out;
}

Time RecordReader::time() {
    constexpr std::size_t size = 8;
    if (rest_.size() < size) {
        wrong("is cut short");
        return {};
    }
    auto const value = static_cast<std::int64_t>(read_le(rest_.substr(0, size)));
    rest_.remove_prefix(size);
    return Time(Duration(value));
}

Result<void> RecordReader::done() {
    if (fault_.empty() && !rest_.empty()) wrong("has bytes left over");
    if (fault_.empty()) return {};
    return failure(Fault::corrupt, fault_);
}

void RecordReader::wrong(std::string_view how) {
    if (fault_.empty()) {
        fault_ = "a stored ";
        fault_ += what_;
        fault_ += " record ";
        fault_ += how;
    }
    rest_ = {};
}

void append_be64(std::string& out, std::uint64_t value) {
    for (int shift = 56; shift >= 0; shift -= 8) {
        out += static_cast<char>(value >> static_cast<unsigned>(shift));
    }
}

void append_be16(std::string& out, std::uint16_t value) {
    out += static_cast<char>(value >> 8U);
    out += static_cast<char>(value & 0xFFU);
}

std::uint64_t read_be64(std::string_view bytes) {
    MILLRACE_CHECK(bytes.size() == 8);
    return read_be(bytes);
}

std::uint16_t read_be16(std::string_view bytes) {
    MILLRACE_CHECK(bytes.size() == 2);
    return static_cast<std::uint16_t>(read_be(bytes));
}

}  // namespace millrace::relay
