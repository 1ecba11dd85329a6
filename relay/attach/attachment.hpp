#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.hpp"
#include "common/base/time.hpp"
#include "common/config/settings.hpp"
#include "relay/attach/mail_server.hpp"
#include "relay/attach/milter_door.hpp"
#include "relay/attach/plan.hpp"
#include "relay/attach/record.hpp"

namespace millrace::attach {

/// The relay, as attach needs it: the command's client implements it, tests too.
struct RelayDoor {
    std::function<Result<void>()> answers;  ///< it runs and takes mail
    std::function<Result<void>()> reload;
};

/// Which mail server is meant; what is empty comes from the record, or is that server's default.
struct Target {
    std::string kind;           ///< `postfix`, `sendmail`
    std::string configuration;  ///< Postfix's folder, Sendmail's .mc file
    std::string made;           ///< Sendmail: the .cf file
};

/// What became of the configuration files when the mail server was given back.
struct Given {
    std::vector<std::string> restored;  ///< byte for byte
    std::vector<std::string>
        mended;  ///< edited by hand meanwhile: only our settings were taken out
};

/// Millrace and one mail server: attached, enforced, detached. Every step either happens whole, or
/// is undone and leaves the files as they were. Blocks; one at a time (a lock in the record's
/// folder).
class Attachment {
  public:
    /// configuration_file: Millrace's. Failure: no such mail server, unknown version, several
    /// instances, unreadable record, attached to another one.
    static Result<Attachment> open(std::string configuration_file,
                                   config::Snapshot settings,
                                   const Target& target);

    const std::optional<Record>& record() const { return record_; }
    const MailServer& server() const { return *server_; }
    std::string settings_file() const;

    /// What the next step would do. `scope` counts for the first step; the second uses what is on
    /// record. Failure: it cannot be read, or the configuration is in no state for the step.
    Result<Plan> plan(const Scope& scope) const;

    /// Step one. Failure: nothing was changed.
    Result<void> listen(const Plan& plan, Time now);
    /// Step two. Failure: as before.
    Result<void> enforce(const Plan& plan, const RelayDoor& relay);
    /// Gives the mail server its configuration back; mail that comes from now on goes its old way.
    /// What the relay has stays there, with the settings it needs, until forget().
    Result<Given> give_back();
    /// The last trace: settings, socket, record. To be called when the relay's queue is empty.
    Result<void> forget(const RelayDoor& relay);

  private:
    Attachment(std::string file, config::Snapshot settings, std::unique_ptr<MailServer> server);

    Wish wish(const Scope& scope) const;
    Result<void> ready(const Plan& plan) const;
    Result<void> place_socket(const MilterDoor& door);
    Result<void> write_settings(const Plan& plan, const MilterDoor& door);
    Result<void> configure(const Plan& plan);
    Result<void> save_files(const Plan& plan, Time now);
    Result<void> undo(const MilterDoor& door);
    void remove_created();
    std::string socket_path() const;
    bool socket_stays() const;

    std::string file_;
    std::string folder_;  ///< of the record
    config::Snapshot settings_;
    std::unique_ptr<MailServer> server_;
    std::optional<Record> record_;
};

}  // namespace millrace::attach
