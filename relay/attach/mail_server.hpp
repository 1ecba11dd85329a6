#pragma once

#include <string>
#include <sys/types.h>
#include <vector>

#include "common/base/result.hpp"
#include "relay/attach/plan.hpp"

namespace millrace::attach {

/// The mail server that Millrace joins: what an attachment has to know of it and do to it. Blocks;
/// one thread.
class MailServer {
  public:
    MailServer() = default;
    MailServer(const MailServer&) = delete;
    MailServer& operator=(const MailServer&) = delete;
    virtual ~MailServer() = default;

    /// As the record has it: `postfix`, `sendmail`.
    virtual std::string kind() const = 0;
    /// For people: `Postfix of /etc/postfix`.
    virtual std::string title() const = 0;
    /// What tells it from others of its kind: Postfix's folder, Sendmail's .mc file.
    virtual std::string configuration() const = 0;
    /// The files that attach changes and detach restores.
    virtual std::vector<std::string> files() const = 0;

    /// Takes in everything in force; what follows speaks of that. Failure: it cannot be read, and
    /// what to do.
    virtual Result<void> read() = 0;
    /// Where it reaches the milter's socket; empty: wherever that is.
    virtual std::string socket_place() const = 0;
    /// Fills in what only it knows: its list of clients, how it is woken.
    virtual void complete(Wish& wish) const = 0;
    virtual Plan plan(Step step, const Wish& wish) const = 0;
    /// The values that changes would replace; only those that are there.
    virtual std::vector<Change> before(const std::vector<Change>& changes) const = 0;

    /// Failure: its configuration is in no state to be changed; why.
    virtual Result<void> check() const = 0;
    virtual bool running() const = 0;
    /// Failure: a change was not taken; others may have been.
    virtual Result<void> apply(const std::vector<Change>& changes) const = 0;
    /// Takes changes out again: names in `before` get their old value, the others vanish.
    virtual Result<void> revert(const std::vector<Change>& changes,
                                const std::vector<Change>& before) const = 0;
    /// It goes by its files, and answers.
    virtual Result<void> reload() const = 0;

    /// The group that has to enter the folder of the milter's socket.
    virtual Result<gid_t> group() const = 0;
    /// Whether its processes reach that socket. Failure: why not, and what to change.
    virtual Result<void> reach(const std::string& socket) const = 0;
    /// Changes and reload as shell commands, for Ansible or a panel.
    virtual std::string as_commands(const std::vector<Change>& changes) const = 0;
};

}  // namespace millrace::attach
