#pragma once

#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

#include "common/base/result.hpp"
#include "relay/attach/plan.hpp"

namespace millrace::attach {

/// A file of the mail server as it was before we came. The bytes stand beside the record.
struct Saved {
    std::string path;
    std::string name;  ///< in the record's folder: NAME.before, and NAME.after as we left it
    mode_t mode = 0;
    uid_t owner = 0;
    gid_t group = 0;
    std::string link;  ///< where the path pointed, if it was a symbolic link
    bool operator==(const Saved&) const = default;
};

/// What attach did, kept until detach has undone it: `attached/record.json` in the folder of the
/// configuration file.
struct Record {
    enum class Step { listening, enforcing, detached };
    std::string mta;     ///< `postfix`, `sendmail`
    std::string folder;  ///< Postfix's configuration folder, Sendmail's .mc file
    Step step = Step::listening;
    Scope scope;
    std::string since;  ///< RFC 3339
    std::vector<Saved> files;
    std::vector<std::string> created;  ///< files and folders to take away, in this order
    std::vector<Change> changes;       ///< what stands in the configuration because of us
    std::vector<Change> before;        ///< the same names as they were; only those that were there
    std::string reload;                ///< sendmail: pid file of the daemon
};

std::string to_string(Record::Step step);
/// The mail server on record, for people: `Postfix of /etc/postfix`.
std::string title(const Record& record);

/// `<folder of the configuration file>/attached`.
std::string record_folder(const std::string& configuration_file);

/// Nothing when there is no record. Failure (corrupt): it cannot be read; says what to do.
Result<std::optional<Record>> read_record(const std::string& folder);
/// Durable: when it returns, the record is on disk whole; an old one was replaced at once.
Result<void> write_record(const std::string& folder, const Record& record);

/// Copies a file beside the record. Durable.
Result<Saved> save(const std::string& folder, const std::string& path);
/// Notes the bytes as we left them.
Result<void> note_after(const std::string& folder, const Saved& saved);
/// Whether the file is still as we left it.
bool untouched(const std::string& folder, const Saved& saved);
/// Whether the file is as it was before we came: nothing has reached it yet, or it is back.
bool as_before(const std::string& folder, const Saved& saved);
/// Puts the bytes back, with owner and mode, and the link to them where there was one (postconf(1)
/// replaces a link by a file). Durable and at once (rename); a file that is as before is left
/// alone, so that no room is needed for it.
Result<void> restore(const std::string& folder, const Saved& saved);

/// Writes a whole file: temporary name, sync, rename, sync of the folder.
Result<void> write_whole(
    const std::string& path, const std::string& bytes, mode_t mode, uid_t owner, gid_t group);
Result<std::string> read_whole(const std::string& path);

}  // namespace millrace::attach
