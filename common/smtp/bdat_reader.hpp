#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace millrace::smtp {

/// Puts a message together from the chunks of BDAT (RFC 3030 §2). No dot means anything. The octets
/// of a chunk are always taken, of a refused one too: they are no commands. Holds at most
/// `size_max` bytes.
class BdatReader {
  public:
    explicit BdatReader(std::uint64_t size_max) : size_max_(size_max) {}

    enum class Chunk { keep, forget };
    /// The next chunk of that many octets. Only when done().
    void begin(std::uint64_t octets, Chunk what) {
        left_ = octets;
        keep_ = what == Chunk::keep;
    }
    /// Takes bytes from the front of `bytes` until the chunk is complete.
    void feed(std::string_view& bytes) {
        const std::string_view part = bytes.substr(0, std::min<std::uint64_t>(left_, bytes.size()));
        left_ -= part.size();
        bytes.remove_prefix(part.size());
        if (!keep_) return;
        size_ += part.size();
        if (too_large()) {
            std::string().swap(message_);
        } else {
            message_ += part;
        }
    }
    bool done() const { return left_ == 0; }
    std::uint64_t left() const { return left_; }
    bool too_large() const { return size_ > size_max_; }
    std::size_t held() const { return message_.size(); }
    std::string take() { return std::move(message_); }
    /// Holds nothing from now on, whatever its size: there is no room for it.
    void forget() {
        size_max_ = 0;
        std::string().swap(message_);
    }

  private:
    std::uint64_t size_max_;
    std::uint64_t size_ = 0;
    std::uint64_t left_ = 0;
    bool keep_ = true;
    std::string message_;
};

}  // namespace millrace::smtp
