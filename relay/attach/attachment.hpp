#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.hpp"
#include "common/base/time.hpp"
#include "common/config/settings.hpp"
#include "relay/attach/milter_door.hpp"
#include "relay/attach/plan.hpp"
#include "relay/attach/postfix_instance.hpp"
#include "relay/attach/record.hpp"

namespace millrace::attach {

/// The relay, as attach needs it: the command's client implements it, tests too.
struct RelayDoor {
    std::function<Result<void>()> answers;  ///< it runs and takes mail
    std::function<Result<void>()> reload;
};

/// What became of the configuration files when Postfix was given back.
struct Given {
    std::vector<std::string> restored;  ///< byte for byte
    std::vector<std::string>
        mended;  ///< edited by hand meanwhile: only our settings were taken out
};

/// Millrace and one Postfix: attached, enforced, detached. Every step either happens whole, or is
/// undone and leaves the files as they were. Blocks; one at a time (a lock in the record's folder).
class Attachment {
  public:
    /// configuration_file: Millrace's. folder: Postfix's configuration; empty: the one on record,
    /// else the default. Failure: no Postfix, unknown version, several instances, unreadable
    /// record.
    static Result<Attachment> open(std::string configuration_file,
                                   config::Snapshot settings,
                                   const std::string& folder);

    const std::optional<Record>& record() const { return record_; }
    const PostfixInstance& postfix() const { return instance_; }
    std::string settings_file() const;

    /// What the next step would do. `scope` counts for the first step; the second uses what is on
    /// record. Failure: Postfix cannot be read, or the configuration is in no state for the step.
    Result<Plan> plan(const Scope& scope) const;

    /// Step one. Failure: nothing was changed.
    Result<void> listen(const Plan& plan, Time now);
    /// Step two. Failure: as before.
    Result<void> enforce(const Plan& plan, const RelayDoor& relay);
    /// Gives Postfix its configuration back; mail that comes from now on goes its old way. What the
    /// relay has stays there, with the settings it needs, until forget().
    Result<Given> give_back();
    /// The last trace: settings, socket, record. To be called when the relay's queue is empty.
    Result<void> forget(const RelayDoor& relay);

  private:
    Attachment(std::string file, config::Snapshot settings, PostfixInstance instance);

    Result<Wish> wish(const Postfix& postfix, const Scope& scope) const;
    Result<void> ready(const Plan& plan) const;
    Result<void> place_socket(const MilterDoor& door, const Postfix& postfix);
    Result<void> write_settings(const Plan& plan, const MilterDoor& door);
    Result<void> reach(const Postfix& postfix) const;
    Result<void> configure(const Plan& plan);
    Result<void> save_files(const Plan& plan, const Postfix& postfix, Time now);
    void undo();
    void remove_created();
    std::string socket_path(const Postfix& postfix) const;
    bool socket_given() const;

    std::string file_;
    std::string folder_;  ///< of the record
    config::Snapshot settings_;
    PostfixInstance instance_;
    std::optional<Record> record_;
};

}  // namespace millrace::attach
