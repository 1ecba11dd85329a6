#pragma once

#include <cstddef>
#include <string>
#include <string_view>

/// From text to header lines. Inside the room: others use subject.hpp.
namespace millrace::mail {

/// Which words may stand as they are.
enum class Place {
    unstructured,  ///< printable ASCII without `=?`
    phrase,        ///< atoms only (RFC 5322 §3.2.3)
    comment,       ///< printable ASCII without `=?`, parentheses and backslash
};

/// Writes pieces into lines of at most 76 columns, breaking at single blanks.
class LineWriter {
  public:
    /// column: how much of the first line is taken by name and colon.
    explicit LineWriter(std::size_t column) : column_(column) {}

    /// Text that goes to one line, behind a blank where the line may be broken.
    void put(std::string_view piece);
    /// Text that goes right behind what is there.
    void append(std::string_view piece);
    /// UTF-8 as encoded-words, behind a blank where the line may be broken. `tail` follows at once.
    void put_encoded(std::string_view utf8, std::string_view lead, std::string_view tail);

    std::size_t column() const { return column_; }
    bool fits(std::size_t size) const;
    std::string take() { return std::move(out_); }

  private:
    void blank_or_fold(std::size_t wanted);

    std::string out_;
    std::size_t column_;
};

/// Puts clean UTF-8 (no controls but HTAB) into lines: words that need it as encoded-words, runs of
/// them together with the blanks between; the others as they are. `open` and `close` stand glued to
/// the first and the last word.
void write_text(LineWriter& out,
                std::string_view utf8,
                Place place,
                std::string_view open = {},
                std::string_view close = {});

/// Whether a byte may stand in an atom; UTF-8 not counted in.
bool is_atext(char c);

}  // namespace millrace::mail
