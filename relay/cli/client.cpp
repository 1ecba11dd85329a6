#include "relay/cli/client.hpp"

#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>

#include <boost/json.hpp>

#include "relay/cli/json_view.hpp"
#include "relay/cli/terminal.hpp"

namespace millrace::relay {
namespace {

namespace json = boost::json;

constexpr int patience_ms = 2000;

Failure unreachable(const std::string& path, int error) {
    auto const next = error == EACCES
                          ? "you may not: run it as root or as a member of the group millrace"
                          : "is millrace-relay running? systemctl status millrace-relay";
    return {Fault::refused,
            fmt::format("relay not reached at {} ({}): {}", path, std::strerror(error), next)};
}

Failure failure_of(const json::object& error) {
    auto const code = text_of(error, "code");
    auto const fault = code == "invalid"     ? Fault::invalid
                       : code == "not_found" ? Fault::not_found
                       : code == "broken"    ? Fault::broken
                                             : Fault::unavailable;
    return {fault, text_of(error, "text")};
}

}  // namespace

Result<Client> Client::connect(const std::string& path) {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) {
        return failure(Fault::invalid, fmt::format("{} is too long for a socket", path));
    }
    path.copy(address.sun_path, path.size());
    int const descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) {
        return std::unexpected(unreachable(path, errno));
    }
    Client client(descriptor);
    if (::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return std::unexpected(unreachable(path, errno));
    }
    return client;
}

Client::Client(Client&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), input_(std::move(other.input_)) {}

Client::~Client() {
    if (descriptor_ >= 0) {
        ::close(descriptor_);
    }
}

void Client::show_progress(std::uint64_t recipients) {
    if (!stderr_is_terminal()) {
        return;
    }
    fmt::print(stderr,
               "\r{}\x1b[K",
               recipients == 0 ? "the relay is at work …"
                               : count_of(recipients, "recipient") + " so far …");
    progress_shown_ = true;
}

void Client::clear_progress() {
    if (std::exchange(progress_shown_, false)) {
        fmt::print(stderr, "\r\x1b[K");
    }
}

Result<std::string> Client::read_line() {
    while (true) {
        if (auto const end = input_.find('\n'); end != std::string::npos) {
            auto line = input_.substr(0, end);
            input_.erase(0, end + 1);
            return line;
        }
        pollfd waiting{descriptor_, POLLIN, 0};
        if (::poll(&waiting, 1, patience_ms) == 0) {
            show_progress(0);
            continue;
        }
        char buffer[16384];
        auto const size = ::read(descriptor_, buffer, sizeof buffer);
        if (size < 0 && errno == EINTR) {
            continue;
        }
        if (size <= 0) {
            return failure(Fault::reset,
                           "the relay closed the connection before it had answered: it may be "
                           "restarting, try again");
        }
        input_.append(buffer, static_cast<std::size_t>(size));
    }
}

Result<json::object> Client::ask(json::object request,
                                 const std::function<bool(const json::object&)>& on_item) {
    auto const line = json::serialize(request) + "\n";
    for (std::size_t sent = 0; sent < line.size();) {
        auto const size = ::send(descriptor_, line.data() + sent, line.size() - sent, MSG_NOSIGNAL);
        if (size <= 0) {
            return failure(Fault::reset, "the relay closed the connection; try again");
        }
        sent += static_cast<std::size_t>(size);
    }
    while (true) {
        auto const answer = read_line();
        if (!answer) {
            clear_progress();
            return std::unexpected(answer.error());
        }
        boost::system::error_code error;
        auto const value = json::parse(*answer, error);
        if (error || !value.is_object()) {
            return failure(Fault::reset,
                           "the relay's answer is not understood: is it of another version?");
        }
        auto const& object = value.get_object();
        if (auto const* const item = object.if_contains("item");
            item != nullptr && item->is_object()) {
            clear_progress();
            if (!on_item(item->get_object())) {
                return json::object();
            }
        } else if (auto const* const end = object.if_contains("end");
                   end != nullptr && end->is_object()) {
            clear_progress();
            return end->get_object();
        } else if (auto const* const wrong = object.if_contains("error");
                   wrong != nullptr && wrong->is_object()) {
            clear_progress();
            return std::unexpected(failure_of(wrong->get_object()));
        } else if (auto const* const progress = object.if_contains("progress");
                   progress != nullptr && progress->is_object()) {
            show_progress(number_of(progress->get_object(), "recipients"));
        }
    }
}

}  // namespace millrace::relay
