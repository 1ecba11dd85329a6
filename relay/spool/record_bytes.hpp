#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.hpp"
#include "common/base/time.hpp"

namespace millrace::relay {

/// Builds one record: version byte, fields, checksum. See record.hpp for the grammar.
class RecordWriter {
  public:
    explicit RecordWriter(std::uint8_t version) : out_(1, static_cast<char>(version)) {}

    RecordWriter& number(std::uint64_t value);
    RecordWriter& text(std::string_view value);
    RecordWriter& time(Time value);
    /// Appends the checksum. The writer is used up.
    std::string done() &&;

  private:
    std::string out_;
};

/// Takes one record apart and believes nothing: after the first fault every further read returns
/// an empty value, and done() says what it was.
class RecordReader {
  public:
    /// what: `work`, for the text of a failure. Checks the checksum and the version.
    RecordReader(std::string_view bytes, std::uint8_t version, std::string_view what);

    /// A number that fits T, else a fault.
    template <class T>
    T number() {
        return static_cast<T>(number_up_to(static_cast<T>(-1)));
    }
    std::uint64_t number_up_to(std::uint64_t greatest);
    bool flag() { return number_up_to(1) != 0; }
    std::string text();
    Time time();
    /// Bytes that are still to be read; bounds what a count may announce.
    std::size_t left() const { return rest_.size(); }
    /// Fails unless every byte was used and nothing was wrong.
    Result<void> done();

  private:
    void wrong(std::string_view how);

    std::string_view rest_;
    std::string_view what_;
    std::string fault_;
};

/// Big-endian, so that keys sort like the numbers.
void append_be64(std::string& out, std::uint64_t value);
void append_be16(std::string& out, std::uint16_t value);
/// `bytes` must have 8, or 2.
std::uint64_t read_be64(std::string_view bytes);
std::uint16_t read_be16(std::string_view bytes);

}  // namespace millrace::relay
