#pragma once

#include <memory>
#include <sys/types.h>

#include "relay/attach/mail_server.hpp"
#include "relay/attach/sendmail.hpp"

namespace millrace::attach {

/// A Sendmail as the mail server that is attached: its .mc file gets a block of ours, m4(1) makes
/// the .cf file, the daemon is told by SIGHUP.
class SendmailServer : public MailServer {
  public:
    /// mc: empty: /etc/mail/sendmail.mc. cf: empty: beside it. Failure (not_found): a file is not
    /// there.
    static Result<std::unique_ptr<SendmailServer>> find(std::string mc, std::string cf);

    SendmailServer(std::string mc, std::string cf) : mc_(std::move(mc)), cf_(std::move(cf)) {}

    std::string kind() const override { return "sendmail"; }
    std::string title() const override { return "Sendmail of " + mc_; }
    std::string configuration() const override { return mc_; }
    std::vector<std::string> files() const override { return {mc_, cf_}; }
    Result<void> read() override;
    /// Sendmail has no chroot.
    std::string socket_place() const override { return {}; }
    /// Nothing: only root may run its queue, which the relay is not.
    void complete(Wish&) const override {}
    Plan plan(Step step, const Wish& wish) const override;
    /// Nothing: the block is ours alone.
    std::vector<Change> before(const std::vector<Change>&) const override { return {}; }
    /// The .mc file makes a .cf file, this one, and Sendmail reads it.
    Result<void> check() const override;
    bool running() const override;
    Result<void> apply(const std::vector<Change>& changes) const override;
    Result<void> revert(const std::vector<Change>& changes,
                        const std::vector<Change>& before) const override;
    Result<void> reload() const override;
    Result<gid_t> group() const override { return gid_t{0}; }
    Result<void> reach(const std::string& socket) const override;
    std::string as_commands(const std::vector<Change>& changes) const override;

  private:
    Result<void> read_files();
    std::string pid_file() const;
    std::string program() const;
    Result<std::string> make(const std::string& mc) const;
    Result<std::string> test(const std::string& cf) const;
    Result<void> put(const std::string& block) const;

    std::string mc_, cf_;
    Sendmail sendmail_;
};

}  // namespace millrace::attach
