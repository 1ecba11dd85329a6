#include "relay/attach/attachment.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/config/load.hpp"
#include "relay/attach/handover_key.hpp"

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

Attachment::Attachment(std::string file, config::Snapshot settings, PostfixInstance instance)
    : file_(std::move(file)),
      folder_(record_folder(file_)),
      settings_(std::move(settings)),
      instance_(std::move(instance)) {}

Result<Attachment> Attachment::open(std::string configuration_file,
                                    config::Snapshot settings,
                                    const std::string& folder) {
    auto record = read_record(record_folder(configuration_file));
    if (!record) {
        return std::unexpected(record.error());
    }
    bool const known = *record && folder.empty();
    auto instance = PostfixInstance::find(known ? (*record)->folder : folder);
    if (!instance) {
        return std::unexpected(instance.error());
    }
    Attachment attachment(std::move(configuration_file), std::move(settings), std::move(*instance));
    attachment.record_ = std::move(*record);
    if (attachment.record_ && attachment.record_->folder != attachment.instance_.folder()) {
        return failure(Fault::invalid,
                       fmt::format("Millrace is attached to the Postfix of {}: one configuration "
                                   "file serves one mail server; use another with -c",
                                   attachment.record_->folder));
    }
    return attachment;
}

std::string Attachment::settings_file() const {
    return config::attached_file(file_);
}

/// The operator's file wins over ours, so its socket stays where it is.
bool Attachment::socket_given() const {
    return config::mentions(file_, "milter.socket");
}

std::string Attachment::socket_path(const Postfix& postfix) const {
    if (socket_given()) {
        return socket_of(*settings_);
    }
    return postfix.get("queue_directory") + "/millrace/milter.sock";
}

Result<Wish> Attachment::wish(const Postfix& postfix, const Scope& scope) const {
    Wish wish;
    wish.scope = record_ ? record_->scope : scope;
    wish.settings = settings_;
    wish.socket = socket_path(postfix);
    wish.socket_given = socket_given();
    wish.mode_given = config::mentions(file_, "gate.mode");
    wish.clients = instance_.folder() + "/millrace-clients.cidr";
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
    wish.wake = instance_.flush_command();
    return wish;
}

Result<Plan> Attachment::plan(const Scope& scope) const {
    auto const postfix = instance_.read();
    if (!postfix) {
        return std::unexpected(postfix.error());
    }
    auto const wanted = wish(*postfix, scope);
    if (!wanted) {
        return std::unexpected(wanted.error());
    }
    if (!record_) {
        return plan_listening(*postfix, *wanted);
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
    return plan_enforcing(*postfix, *wanted);
}

Result<void> Attachment::ready(const Plan& plan) const {
    if (!plan.obstacles.empty()) {
        return failure(Fault::invalid, plan.obstacles.front());
    }
    if (::geteuid() != 0) {
        return failure(Fault::invalid,
                       "only root may change the mail server's configuration: sudo millrace …");
    }
    for (auto const& file : instance_.files()) {
        if (::access(file.c_str(), R_OK | W_OK) != 0) {
            return failure(Fault::unavailable,
                           fmt::format("{}: {}; nothing was changed", file, std::strerror(errno)));
        }
    }
    if (auto checked = instance_.check(); !checked) {
        return failure(Fault::corrupt,
                       checked.error().detail + "; mend that first, nothing was changed");
    }
    if (!instance_.running()) {
        return failure(Fault::invalid,
                       fmt::format("the Postfix of {} is not running: start it first, so that the "
                                   "change is seen to work; nothing was changed",
                                   instance_.folder()));
    }
    return {};
}

Result<void> Attachment::place_socket(const MilterDoor& door, const Postfix& postfix) {
    if (socket_given()) {
        return reload_milter(door);
    }
    auto const mail_owner = postfix.get("mail_owner");
    auto const* const owner = ::getpwnam(mail_owner.c_str());
    if (owner == nullptr) {
        return failure(Fault::invalid, fmt::format("there is no user {} (mail_owner)", mail_owner));
    }
    auto const group = owner->pw_gid;
    auto const path = socket_path(postfix);
    auto const folder = fs::path(path).parent_path().string();
    // The milter writes, Postfix enters, nobody else; the socket inherits Postfix's group.
    bool const made = ::mkdir(folder.c_str(), 0750) == 0;
    if (made) {
        record_->created.push_back(folder);
    } else if (errno != EEXIST) {
        return failure(Fault::unavailable, fmt::format("{}: {}", folder, std::strerror(errno)));
    }
    if (::chown(folder.c_str(), door.user, group) != 0 || ::chmod(folder.c_str(), 02750) != 0) {
        return failure(Fault::unavailable, fmt::format("{}: {}", folder, std::strerror(errno)));
    }
    return move_milter(door, path, drop_in, std::to_string(group));
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

/// As each kind of Postfix's processes that calls the milter.
Result<void> Attachment::reach(const Postfix& postfix) const {
    auto const owner = postfix.get("mail_owner");
    auto const queue = postfix.get("queue_directory");
    auto const path = socket_path(postfix);
    if (any_chroot(postfix)) {
        if (auto done = reachable_from(owner, queue, path, true); !done) {
            return done;
        }
    }
    return reachable_from(owner, queue, path, false);
}

Result<void> Attachment::save_files(const Plan& plan, const Postfix& postfix, Time now) {
    Record record;
    record.mta = "postfix";
    record.folder = instance_.folder();
    record.since = to_rfc3339(now);
    record.changes = plan.changes;
    for (auto const& change : plan.changes) {
        if (auto const before = value_before(change, postfix)) {
            record.before.push_back(*before);
        }
    }
    for (auto const& file : instance_.files()) {
        auto saved = save(folder_, file);
        if (!saved) {
            return std::unexpected(saved.error());
        }
        record.files.push_back(std::move(*saved));
    }
    record_ = std::move(record);
    return write_record(folder_, *record_);
}

/// Files, parameters, services; then Postfix has to be content and go by them.
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
    if (auto done = instance_.apply(plan.changes); !done) {
        return done;
    }
    if (auto done = instance_.check(); !done) {
        return done;
    }
    return instance_.reload();
}

Result<void> Attachment::listen(const Plan& plan, Time now) {
    if (record_) {
        return failure(Fault::invalid, "Millrace is attached already");
    }
    if (auto done = ready(plan); !done) {
        return done;
    }
    auto const postfix = instance_.read();
    auto const socket = socket_of(*settings_);
    if (!postfix || socket.empty()) {
        return failure(Fault::invalid,
                       "milter.socket has to be a unix socket for this: Postfix reaches it below "
                       "its queue directory; nothing was changed");
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
    auto const step = [&]() -> Result<void> {
        if (auto done = save_files(plan, *postfix, now); !done) {
            return done;
        }
        if (auto done = write_settings(plan, *door); !done) {
            return done;
        }
        if (auto done = place_socket(*door, *postfix); !done) {
            return done;
        }
        if (auto done = reach(*postfix); !done) {
            return done;
        }
        if (auto done = configure(plan); !done) {
            return done;
        }
        for (auto const& saved : record_->files) {
            if (auto done = note_after(folder_, saved); !done) {
                return done;
            }
        }
        return {};
    }();
    if (!step) {
        undo();
        if (auto const again = knock(socket_path(*postfix)); again && !again->by_systemd) {
            std::ignore = reload_milter(*again);
        }
        std::ignore = forget_drop_in(drop_in);
        if (fresh) {
            fs::remove_all(folder_, error);
        }
        return failure(step.error().fault, step.error().detail + "; everything is as it was");
    }
    return {};
}

/// Everything back as it was before the first step.
void Attachment::undo() {
    if (!record_) {
        return;
    }
    for (auto const& saved : record_->files) {
        std::ignore = restore(folder_, saved);
    }
    remove_created();
    std::error_code error;
    fs::remove(settings_file(), error);
    std::ignore = instance_.reload();
    fs::remove(folder_ + "/record.json", error);
    record_.reset();
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
    auto const postfix = instance_.read();
    if (!postfix) {
        return std::unexpected(postfix.error());
    }
    auto const door = knock(socket_path(*postfix));
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
            if (auto const old = value_before(change, *postfix); old && !ours) {
                record_->before.push_back(*old);
            }
        }
        if (auto done = configure(plan); !done) {
            return done;
        }
        for (auto const& saved : record_->files) {
            if (auto done = note_after(folder_, saved); !done) {
                return done;
            }
        }
        return {};
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
        std::ignore = instance_.reload();
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
    Given given;
    bool const pristine = std::ranges::all_of(
        record_->files, [&](const Saved& saved) { return untouched(folder_, saved); });
    if (pristine) {
        for (auto const& saved : record_->files) {
            if (auto done = restore(folder_, saved); !done) {
                return std::unexpected(done.error());
            }
            given.restored.push_back(saved.path);
        }
    } else {
        if (auto done = instance_.revert(record_->changes, record_->before); !done) {
            return std::unexpected(done.error());
        }
        for (auto const& saved : record_->files) {
            given.mended.push_back(saved.path);
        }
    }
    if (instance_.running()) {
        if (auto done = instance_.reload(); !done) {
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
    auto const postfix = instance_.read();
    auto const door =
        postfix ? knock(socket_path(*postfix)) : failure(Fault::refused, "no Postfix");
    std::error_code error;
    fs::remove(settings_file(), error);
    std::ignore = relay.reload();  // a relay that is away reads its settings when it starts
    if (door && !door->by_systemd) {
        std::ignore = reload_milter(*door);
    }
    if (auto done = forget_drop_in(drop_in); !done) {
        return done;
    }
    for (auto const& path : created) {
        // The milter's socket goes with the milter's move; what is left of it is dead.
        if (fs::is_directory(path, error)) {
            fs::remove_all(path, error);
        }
    }
    fs::remove_all(folder_, error);
    record_.reset();
    return {};
}

}  // namespace millrace::attach
