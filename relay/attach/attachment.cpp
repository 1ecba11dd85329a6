#include "relay/attach/attachment.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/config/load.hpp"
#include "relay/attach/handover_key.hpp"
#include "relay/attach/postfix_server.hpp"
#include "relay/attach/sendmail_server.hpp"
#include "relay/attach/undisturbed.hpp"

namespace millrace::attach {
namespace {

namespace fs = std::filesystem;

constexpr const char* drop_in = "/etc/systemd/system/millrace-milter.socket.d/attached.conf";
constexpr const char* log_folder = "/var/log/millrace";

/// One attach or detach at a time; the lock goes with the object.
class Lock {
  public:
    static Result<Lock> take(const std::string& folder) {
        int const descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (descriptor < 0 || ::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
            auto const reason = errno;
            if (descriptor >= 0) {
                ::close(descriptor);
            }
            return failure(Fault::unavailable,
                           reason == EWOULDBLOCK
                               ? std::string("another attach or detach is at work")
                               : fmt::format("{}: {}", folder, std::strerror(reason)));
        }
        return Lock(descriptor);
    }
    Lock(Lock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
    Lock& operator=(Lock&&) = delete;
    ~Lock() {
        if (descriptor_ >= 0) {
            ::close(descriptor_);
        }
    }

  private:
    explicit Lock(int descriptor) : descriptor_(descriptor) {}
    int descriptor_;
};

std::string socket_of(const config::Settings& settings) {
    constexpr std::string_view prefix = "unix:";
    auto const& name = settings.milter.socket;
    return name.starts_with(prefix) ? name.substr(prefix.size()) : std::string();
}

/// The server that is meant, or the one on record.
Result<std::unique_ptr<MailServer>> find_server(const Target& target,
                                                const std::optional<Record>& record) {
    auto const kind = !target.kind.empty() ? target.kind : record ? record->mta : "postfix";
    bool const known = record && record->mta == kind && target.configuration.empty();
    auto const configuration = known ? record->folder : target.configuration;
    if (kind == "sendmail") {
        auto server = SendmailServer::find(
            configuration, known && record->files.size() > 1 ? record->files[1].path : target.made);
        if (!server) {
            return std::unexpected(server.error());
        }
        return std::unique_ptr<MailServer>(std::move(*server));
    }
    auto instance = PostfixInstance::find(configuration);
    if (!instance) {
        return std::unexpected(instance.error());
    }
    return std::make_unique<PostfixServer>(std::move(*instance));
}

/// The milter's socket goes with the milter's move; what is left of it is dead. The milter may be
/// taking it away at this moment, and a file that vanishes under remove_all() makes it give up: the
/// next look finds nothing.
void remove_folders(const std::vector<std::string>& created) {
    constexpr int looks = 3;
    for (auto const& path : created) {
        for (int i = 0; i < looks; ++i) {
            if (std::error_code error; fs::is_directory(path, error)) {
                fs::remove_all(path, error);
            }
        }
    }
}

}  // namespace

Attachment::Attachment(std::string file,
                       config::Snapshot settings,
                       std::unique_ptr<MailServer> server)
    : file_(std::move(file)),
      folder_(record_folder(file_)),
      settings_(std::move(settings)),
      server_(std::move(server)) {}

Result<Attachment> Attachment::open(std::string configuration_file,
                                    config::Snapshot settings,
                                    const Target& target) {
    auto record = read_record(record_folder(configuration_file));
    if (!record) {
        return std::unexpected(record.error());
    }
    auto const elsewhere = [&] {
        return failure(Fault::invalid,
                       fmt::format("Millrace is attached to the {}: one configuration file serves "
                                   "one mail server; use another with -c",
                                   title(**record)));
    };
    if (*record && !target.kind.empty() && target.kind != (*record)->mta) {
        return elsewhere();
    }
    auto server = find_server(target, *record);
    if (!server) {
        return std::unexpected(server.error());
    }
    if (*record && (*record)->folder != (*server)->configuration()) {
        return elsewhere();
    }
    Attachment attachment(std::move(configuration_file), std::move(settings), std::move(*server));
    attachment.record_ = std::move(*record);
    return attachment;
}

std::string Attachment::settings_file() const {
    return config::attached_file(file_);
}

/// The operator's file wins over ours, so its socket stays where it is; and where any place will
/// do there is none to choose.
bool Attachment::socket_stays() const {
    return config::mentions(file_, "milter.socket") || server_->socket_place().empty();
}

std::string Attachment::socket_path() const {
    return socket_stays() ? socket_of(*settings_) : server_->socket_place();
}

Wish Attachment::wish(const Scope& scope) const {
    Wish wish;
    wish.scope = record_ ? record_->scope : scope;
    wish.settings = settings_;
    wish.socket = socket_path();
    wish.socket_given = socket_stays();
    wish.mode_given = config::mentions(file_, "gate.mode");
    wish.message_log = settings_->milter.message_log;
    if (wish.message_log.empty()) {
        auto const folder =
            file_ == config::default_file ? fs::path(log_folder) : fs::path(file_).parent_path();
        wish.message_log = folder / "gate.jsonl";
    }
    // Of this machine, not of a private instance: whoever looks for a message looks there first.
    wish.mail_log = file_ == config::default_file ? "syslog" : "";
    wish.password_file = folder_ + "/smarthost.password";
    wish.handover_key = folder_ + "/handover.key";
    server_->complete(wish);
    return wish;
}

Result<Plan> Attachment::plan(const Scope& scope) const {
    if (auto done = server_->read(); !done) {
        return std::unexpected(done.error());
    }
    if (!record_) {
        return server_->plan(Step::listening, wish(scope));
    }
    for (auto const& saved : record_->files) {
        if (!untouched(folder_, saved)) {
            return failure(
                Fault::invalid,
                fmt::format("{} was edited by hand since attach, so the plan may not fit "
                            "any more: `millrace detach`, then attach anew (the log of "
                            "the gate stays); nothing was changed",
                            saved.path));
        }
    }
    return server_->plan(Step::enforcing, wish(scope));
}

Result<void> Attachment::ready(const Plan& plan) const {
    if (!plan.obstacles.empty()) {
        return failure(Fault::invalid, plan.obstacles.front());
    }
    if (::geteuid() != 0) {
        return failure(Fault::invalid,
                       "only root may change the mail server's configuration: sudo millrace …");
    }
    for (auto const& file : server_->files()) {
        if (::access(file.c_str(), R_OK | W_OK) != 0) {
            return failure(Fault::unavailable,
                           fmt::format("{}: {}; nothing was changed", file, std::strerror(errno)));
        }
    }
    if (auto checked = server_->check(); !checked) {
        return failure(Fault::corrupt,
                       checked.error().detail + "; mend that first, nothing was changed");
    }
    if (!server_->running()) {
        return failure(Fault::invalid,
                       fmt::format("the {} is not running: start it first, so that the change is "
                                   "seen to work; nothing was changed",
                                   server_->title()));
    }
    return {};
}

Result<void> Attachment::place_socket(const MilterDoor& door) {
    if (socket_stays()) {
        return reload_milter(door);
    }
    auto const group = server_->group();
    if (!group) {
        return std::unexpected(group.error());
    }
    auto const path = socket_path();
    auto const folder = fs::path(path).parent_path().string();
    // The milter writes, the mail server enters, nobody else; the socket inherits its group.
    bool const made = ::mkdir(folder.c_str(), 0750) == 0;
    if (made) {
        record_->created.push_back(folder);
    } else if (errno != EEXIST) {
        return failure(Fault::unavailable, fmt::format("{}: {}", folder, std::strerror(errno)));
    }
    if (::chown(folder.c_str(), door.user, *group) != 0 || ::chmod(folder.c_str(), 02750) != 0) {
        return failure(Fault::unavailable, fmt::format("{}: {}", folder, std::strerror(errno)));
    }
    return move_milter(door, path, drop_in, std::to_string(*group));
}

Result<void> Attachment::write_settings(const Plan& plan, const MilterDoor& door) {
    if (!plan.password.empty()) {
        auto const file = folder_ + "/smarthost.password";
        if (auto done = write_whole(file, plan.password + "\n", 0640, 0, door.group); !done) {
            return done;
        }
    }
    return write_whole(settings_file(), plan.settings, 0644, 0, 0);
}

Result<void> Attachment::save_files(const Plan& plan, Time now) {
    Record record;
    record.mta = server_->kind();
    record.folder = server_->configuration();
    record.since = to_rfc3339(now);
    record.changes = plan.changes;
    record.before = server_->before(plan.changes);
    for (auto const& file : server_->files()) {
        auto saved = save(folder_, file);
        if (!saved) {
            return std::unexpected(saved.error());
        }
        record.files.push_back(std::move(*saved));
    }
    record_ = std::move(record);
    return write_record(folder_, *record_);
}

/// Files, parameters, services; then the mail server has to be content and go by them.
Result<void> Attachment::configure(const Plan& plan) {
    for (auto const& [path, text] : plan.files) {
        if (std::ranges::find(record_->created, path) == record_->created.end()) {
            record_->created.push_back(path);
        }
        if (auto done = write_whole(path, text, 0644, 0, 0); !done) {
            return done;
        }
    }
    if (auto done = write_record(folder_, *record_); !done) {
        return done;
    }
    if (auto done = server_->apply(plan.changes); !done) {
        return done;
    }
    if (auto done = server_->check(); !done) {
        return done;
    }
    if (auto done = server_->reload(); !done) {
        return done;
    }
    for (auto const& saved : record_->files) {
        if (auto done = note_after(folder_, saved); !done) {
            return done;
        }
    }
    return {};
}

Result<void> Attachment::listen(const Plan& plan, Time now) {
    if (record_) {
        return failure(Fault::invalid, "Millrace is attached already");
    }
    if (auto done = ready(plan); !done) {
        return done;
    }
    auto const socket = socket_of(*settings_);
    if (!server_->read() || socket.empty()) {
        return failure(Fault::invalid,
                       "milter.socket has to be a unix socket for this, which the mail server "
                       "reaches by its path; nothing was changed");
    }
    auto const door = knock(socket);
    if (!door) {
        return failure(door.error().fault, door.error().detail + "; nothing was changed");
    }
    std::error_code error;
    bool const fresh = fs::create_directory(folder_, error);
    auto lock = Lock::take(folder_);
    if (!lock) {
        return std::unexpected(lock.error());
    }
    Undisturbed const undisturbed;
    auto const step = [&]() -> Result<void> {
        if (auto done = save_files(plan, now); !done) {
            return done;
        }
        if (auto done = write_settings(plan, *door); !done) {
            return done;
        }
        if (auto done = place_socket(*door); !done) {
            return done;
        }
        if (auto done = server_->reach(socket_path()); !done) {
            return done;
        }
        return configure(plan);
    }();
    if (!step) {
        if (auto undone = undo(*door); !undone) {
            return failure(Fault::unavailable,
                           fmt::format("{}; and not everything could be undone: {}. Mend that, "
                                       "then `millrace detach` does it",
                                       step.error().detail,
                                       undone.error().detail));
        }
        if (fresh) {
            fs::remove_all(folder_, error);
        }
        return failure(step.error().fault, step.error().detail + "; everything is as it was");
    }
    return {};
}

/// Everything back as it was before the first step. A failure leaves the record for detach.
Result<void> Attachment::undo(const MilterDoor& door) {
    if (!record_) {
        return {};
    }
    for (auto const& saved : record_->files) {
        if (auto done = restore(folder_, saved); !done) {
            return done;
        }
    }
    remove_created();
    std::ignore = server_->reload();
    std::error_code error;
    fs::remove(settings_file(), error);
    // The milter goes back to where it listened; when it has died there is nothing to move.
    if (!door.by_systemd) {
        std::ignore = move_milter(door, socket_of(*settings_), drop_in, {});
    } else if (fs::exists(drop_in, error)) {
        std::ignore = forget_drop_in(drop_in);
    } else {  // the socket has not moved, the settings have
        std::ignore = reload_milter(door);
    }
    remove_folders(record_->created);
    for (auto const& saved : record_->files) {
        fs::remove(folder_ + "/" + saved.name + ".before", error);
        fs::remove(folder_ + "/" + saved.name + ".after", error);
    }
    fs::remove(folder_ + "/record.json", error);
    record_.reset();
    return {};
}

void Attachment::remove_created() {
    std::error_code error;
    for (auto const& path : record_->created) {
        if (!fs::is_directory(path, error)) {
            fs::remove(path, error);
        }
    }
}

Result<void> Attachment::enforce(const Plan& plan, const RelayDoor& relay) {
    if (!record_ || record_->step != Record::Step::listening) {
        return failure(Fault::invalid, "only an attachment that listens can be enforced");
    }
    if (auto done = ready(plan); !done) {
        return done;
    }
    if (auto done = relay.answers(); !done) {
        return failure(done.error().fault, done.error().detail + "; nothing was changed");
    }
    auto lock = Lock::take(folder_);
    if (!lock) {
        return std::unexpected(lock.error());
    }
    Undisturbed const undisturbed;
    if (auto done = server_->read(); !done) {
        return done;
    }
    auto const door = knock(socket_path());
    if (!door) {
        return std::unexpected(door.error());
    }
    Record const before = *record_;
    std::vector<std::pair<Saved, std::string>> bytes;
    for (auto const& saved : record_->files) {
        auto read = read_whole(saved.path);
        if (!read) {
            return std::unexpected(read.error());
        }
        bytes.emplace_back(saved, std::move(*read));
    }
    std::map<std::string, std::string> old_files;
    for (auto const& [path, text] : plan.files) {
        old_files[path] = read_whole(path).value_or("");
    }
    auto const old_settings = read_whole(settings_file());

    auto const step = [&]() -> Result<void> {
        if (auto done = make_handover_key(folder_ + "/handover.key", door->group); !done) {
            return done;
        }
        if (auto done = write_settings(plan, *door); !done) {
            return done;
        }
        // Both must take their settings before mail comes by the new way.
        if (auto done = relay.reload(); !done) {
            return done;
        }
        if (auto done = reload_milter(*door); !done) {
            return done;
        }
        record_->step = Record::Step::enforcing;
        for (auto const& change : plan.changes) {
            auto const same = [&](const Change& c) {
                return c.where == change.where && c.name == change.name;
            };
            bool const ours = std::ranges::any_of(record_->changes, same);
            std::erase_if(record_->changes, same);
            record_->changes.push_back(change);
            if (!ours) {
                std::ranges::copy(server_->before({change}), std::back_inserter(record_->before));
            }
        }
        return configure(plan);
    }();
    if (!step) {
        for (auto const& [saved, text] : bytes) {
            std::ignore = write_whole(saved.path, text, saved.mode, saved.owner, saved.group);
        }
        for (auto const& [path, text] : old_files) {
            std::ignore = write_whole(path, text, 0644, 0, 0);
        }
        if (old_settings) {
            std::ignore = write_whole(settings_file(), *old_settings, 0644, 0, 0);
        }
        record_ = before;
        std::ignore = write_record(folder_, *record_);
        std::ignore = relay.reload();
        std::ignore = reload_milter(*door);
        std::ignore = server_->reload();
        return failure(step.error().fault, step.error().detail + "; it listens on, as before");
    }
    return {};
}

Result<Given> Attachment::give_back() {
    if (!record_ || record_->step == Record::Step::detached) {
        return failure(Fault::invalid, "Millrace is not attached");
    }
    if (::geteuid() != 0) {
        return failure(Fault::invalid,
                       "only root may change the mail server's configuration: sudo millrace …");
    }
    auto lock = Lock::take(folder_);
    if (!lock) {
        return std::unexpected(lock.error());
    }
    Undisturbed const undisturbed;
    Given given;
    // As before: the first step was cut short, and nothing had reached the file yet.
    bool const pristine = std::ranges::all_of(record_->files, [&](const Saved& saved) {
        return untouched(folder_, saved) || as_before(folder_, saved);
    });
    if (pristine) {
        for (auto const& saved : record_->files) {
            if (auto done = restore(folder_, saved); !done) {
                return std::unexpected(done.error());
            }
            given.restored.push_back(saved.path);
        }
    } else {
        if (auto done = server_->revert(record_->changes, record_->before); !done) {
            return std::unexpected(done.error());
        }
        for (auto const& saved : record_->files) {
            given.mended.push_back(saved.path);
        }
    }
    if (server_->running()) {
        if (auto done = server_->reload(); !done) {
            return std::unexpected(done.error());
        }
    }
    remove_created();
    record_->step = Record::Step::detached;
    if (auto done = write_record(folder_, *record_); !done) {
        return std::unexpected(done.error());
    }
    return given;
}

Result<void> Attachment::forget(const RelayDoor& relay) {
    if (!record_ || record_->step != Record::Step::detached) {
        return failure(Fault::invalid, "Millrace is still attached: `millrace detach` first");
    }
    auto const created = record_->created;
    std::ignore = server_->read();  // one that is gone keeps nobody from forgetting it
    auto const door = knock(socket_path());
    std::error_code error;
    fs::remove(settings_file(), error);
    std::ignore = relay.reload();  // a relay that is away reads its settings when it starts
    if (door && (!door->by_systemd || !fs::exists(drop_in, error))) {
        std::ignore = reload_milter(*door);
    }
    if (auto done = forget_drop_in(drop_in); !done) {
        return done;
    }
    remove_folders(created);
    fs::remove_all(folder_, error);
    record_.reset();
    return {};
}

}  // namespace millrace::attach
