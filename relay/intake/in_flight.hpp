#pragma once

#include <cstdint>
#include <functional>
#include <utility>

namespace millrace::relay {

/// Bytes of messages that sessions hold while they come in and until the spool has them. A share is
/// given back when its Share ends. Thread: the loop's.
class InFlight {
  public:
    explicit InFlight(std::uint64_t max) : max_(max) {}

    /// One message's part.
    class Share {
      public:
        explicit Share(InFlight& all) : all_(all) {}
        ~Share() { hold(0); }
        Share(const Share&) = delete;
        Share& operator=(const Share&) = delete;

        /// Sets how much is held; false, and nothing changed, when that is too much in all.
        bool hold(std::uint64_t bytes) {
            if (bytes > held_ && bytes - held_ > all_.room()) return false;
            all_.held_ += bytes - held_;
            const bool less = bytes < std::exchange(held_, bytes);
            if (less && all_.given_back) all_.given_back();
            return true;
        }
        std::uint64_t held() const { return held_; }

      private:
        InFlight& all_;
        std::uint64_t held_ = 0;
    };

    std::uint64_t room() const { return max_ - held_; }
    std::uint64_t held() const { return held_; }

    std::function<void()> given_back;  ///< told of room that there was not before

  private:
    std::uint64_t max_;
    std::uint64_t held_ = 0;
};

}  // namespace millrace::relay
