#include "relay/attach/postfix_server.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <optional>
#include <pwd.h>

#include "relay/attach/milter_door.hpp"

namespace millrace::attach {
namespace {

bool any_chroot(const Postfix& postfix) {
    return std::ranges::any_of(postfix.services, [](const Service& service) {
        return service.chroot == "y" &&
               (service.command == "smtpd" || service.command == "cleanup");
    });
}

/// The value a change would replace, if there is one.
std::optional<Change> value_before(const Change& change, const Postfix& postfix) {
    if (change.where == Change::Where::main) {
        auto const found = postfix.written.find(change.name);
        return found == postfix.written.end() ? std::optional<Change>()
                                              : Change{change.where, change.name, found->second};
    }
    auto const slash = change.name.rfind('/');
    if (change.where == Change::Where::option) {
        if (auto const* const service = postfix.service(change.name.substr(0, slash))) {
            auto const found = service->options.find(change.name.substr(slash + 1));
            if (found != service->options.end()) {
                return Change{change.where, change.name, found->second};
            }
        }
    }
    return std::nullopt;
}

}  // namespace

Result<void> PostfixServer::read() {
    auto postfix = instance_.read();
    if (!postfix) {
        return std::unexpected(postfix.error());
    }
    postfix_ = std::move(*postfix);
    return {};
}

std::string PostfixServer::socket_place() const {
    return postfix_.get("queue_directory") + "/millrace/milter.sock";
}

void PostfixServer::complete(Wish& wish) const {
    wish.clients = instance_.folder() + "/millrace-clients.cidr";
    wish.wake = instance_.flush_command();
}

Plan PostfixServer::plan(Step step, const Wish& wish) const {
    return step == Step::listening ? plan_listening(postfix_, wish)
                                   : plan_enforcing(postfix_, wish);
}

std::vector<Change> PostfixServer::before(const std::vector<Change>& changes) const {
    std::vector<Change> found;
    for (auto const& change : changes) {
        if (auto const old = value_before(change, postfix_)) {
            found.push_back(*old);
        }
    }
    return found;
}

Result<gid_t> PostfixServer::group() const {
    auto const mail_owner = postfix_.get("mail_owner");
    auto const* const owner = ::getpwnam(mail_owner.c_str());
    if (owner == nullptr) {
        return failure(Fault::invalid, fmt::format("there is no user {} (mail_owner)", mail_owner));
    }
    return owner->pw_gid;
}

Result<void> PostfixServer::reach(const std::string& socket) const {
    auto const owner = postfix_.get("mail_owner");
    auto const queue = postfix_.get("queue_directory");
    if (any_chroot(postfix_)) {
        if (auto done = reachable_from(owner, queue, socket, true); !done) {
            return done;
        }
    }
    return reachable_from(owner, queue, socket, false);
}

std::string PostfixServer::as_commands(const std::vector<Change>& changes) const {
    return fmt::format(
        "\n# the milter's folder below Postfix's queue directory: 2750, owner millrace, "
        "group postfix\n\n{}postfix -c {} reload\n",
        attach::as_commands(instance_.folder(), changes),
        instance_.folder());
}

}  // namespace millrace::attach
