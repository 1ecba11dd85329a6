#pragma once

#include "relay/attach/mail_server.hpp"
#include "relay/attach/postfix_instance.hpp"

namespace millrace::attach {

/// A Postfix as the mail server that is attached.
class PostfixServer : public MailServer {
  public:
    explicit PostfixServer(PostfixInstance instance) : instance_(std::move(instance)) {}

    std::string kind() const override { return "postfix"; }
    std::string title() const override { return "Postfix of " + instance_.folder(); }
    std::string configuration() const override { return instance_.folder(); }
    std::vector<std::string> files() const override { return instance_.files(); }
    Result<void> read() override;
    std::string socket_place() const override;
    void complete(Wish& wish) const override;
    Plan plan(Step step, const Wish& wish) const override;
    std::vector<Change> before(const std::vector<Change>& changes) const override;
    Result<void> check() const override { return instance_.check(); }
    bool running() const override { return instance_.running(); }
    Result<void> apply(const std::vector<Change>& changes) const override {
        return instance_.apply(changes);
    }
    Result<void> revert(const std::vector<Change>& changes,
                        const std::vector<Change>& before) const override {
        return instance_.revert(changes, before);
    }
    Result<void> reload() const override { return instance_.reload(); }
    Result<gid_t> group() const override;
    /// As each kind of Postfix's processes that calls the milter.
    Result<void> reach(const std::string& socket) const override;
    std::string as_commands(const std::vector<Change>& changes) const override;

  private:
    PostfixInstance instance_;
    Postfix postfix_;
};

}  // namespace millrace::attach
