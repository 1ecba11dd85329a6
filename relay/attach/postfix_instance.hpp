#pragma once

#include <string>
#include <vector>

#include "common/base/result.hpp"
#include "relay/attach/plan.hpp"

namespace millrace::attach {

/// A Postfix on this machine, by its own programs (postconf, postmap, postfix). Blocks.
class PostfixInstance {
  public:
    /// folder: its configuration; empty: the default one. Failure: not_found (no Postfix here),
    /// invalid (it cannot be read, its version is not known, there are several), each with what to
    /// do.
    static Result<PostfixInstance> find(const std::string& folder);

    const std::string& folder() const { return folder_; }
    /// main.cf and master.cf.
    std::vector<std::string> files() const;

    /// Everything in force. Failure: postconf or postmap cannot read it.
    Result<Postfix> read() const;
    /// Failure (unavailable): what `postfix check` says.
    Result<void> check() const;
    bool running() const;
    /// Failure: a change was not taken; those before it were.
    Result<void> apply(const std::vector<Change>& changes) const;
    /// Takes changes out again: names in `before` get their old value, the others vanish.
    Result<void> revert(const std::vector<Change>& changes,
                        const std::vector<Change>& before) const;
    Result<void> reload() const;
    /// Deferred mail is tried again now.
    std::vector<std::string> flush_command() const;

  private:
    explicit PostfixInstance(std::string folder) : folder_(std::move(folder)) {}
    std::vector<std::string> postconf(std::vector<std::string> arguments) const;
    Result<void> read_tables(Postfix& postfix) const;
    Result<void> read_login(Postfix& postfix) const;

    std::string folder_;
};

/// The same as shell commands, for Ansible or a panel.
std::string as_commands(const std::string& folder, const std::vector<Change>& changes);

}  // namespace millrace::attach
