#pragma once

#include <functional>
#include <string>

#include <boost/json/object.hpp>

#include "common/base/result.hpp"

namespace millrace::relay {

/// Asks the relay over its control socket, one question after another. Blocks.
class Client {
  public:
    /// Failure (refused): nobody answers there; the detail says what to look at.
    static Result<Client> connect(const std::string& path);
    Client(Client&& other) noexcept;
    Client& operator=(Client&&) = delete;
    ~Client();

    /// Gives every item to `on_item` (false ends the conversation: no further ask) and returns what
    /// the `end` line holds. While the answer takes longer than two seconds, and stderr is a
    /// terminal, it says so there.
    /// Failure: what the relay answered (invalid, not_found, unavailable, broken), or reset.
    Result<boost::json::object> ask(boost::json::object request,
                                    const std::function<bool(const boost::json::object&)>& on_item);

  private:
    explicit Client(int descriptor) : descriptor_(descriptor) {}
    Result<std::string> read_line();
    void show_progress(std::uint64_t recipients);
    void clear_progress();

    int descriptor_;
    std::string input_;
    bool progress_shown_ = false;
};

}  // namespace millrace::relay
