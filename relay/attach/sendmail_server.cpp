#include "relay/attach/sendmail_server.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fmt/format.h>
#include <sstream>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/attach/milter_door.hpp"
#include "relay/attach/program.hpp"
#include "relay/attach/record.hpp"
#include "relay/attach/sendmail_daemon.hpp"
#include "relay/attach/sendmail_plan.hpp"

namespace millrace::attach {
namespace {

namespace fs = std::filesystem;

constexpr const char* default_mc = "/etc/mail/sendmail.mc";
/// What a daemon without -C reads.
constexpr const char* default_cf = "/etc/mail/sendmail.cf";
constexpr const char* default_pid_file = "/var/run/sendmail.pid";
/// A file beside another one, gone with the object.
class Draft {
  public:
    explicit Draft(const std::string& of) : path_(of + ".millrace-try") {}
    Draft(const Draft&) = delete;
    Draft& operator=(const Draft&) = delete;
    ~Draft() { ::unlink(path_.c_str()); }
    const std::string& path() const { return path_; }
    Result<void> write(const std::string& text) const {
        return write_whole(path_, text, 0600, ::geteuid(), ::getegid());
    }

  private:
    std::string path_;
};

std::string first_line_with(const std::string& text, std::string_view part) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        if (line.find(part) != line.npos) {
            return line;
        }
    }
    return text.substr(0, text.find('\n'));
}

/// The source of a map: `hash -T<TMPF> /etc/mail/access`.
std::string file_of_map(const std::string& map) {
    auto const slash = map.find('/');
    auto file = slash == map.npos ? std::string() : map.substr(slash);
    return file.substr(0, file.find_last_not_of(" \t") + 1);
}

}  // namespace

Result<std::unique_ptr<SendmailServer>> SendmailServer::find(std::string mc, std::string cf) {
    std::error_code error;
    auto const path = fs::absolute(mc.empty() ? default_mc : mc, error).lexically_normal();
    auto const made = cf.empty() ? fs::path(path).replace_extension(".cf")
                                 : fs::absolute(cf, error).lexically_normal();
    for (auto const& [file, option] : {std::pair(path, "--mc"), std::pair(made, "--cf")}) {
        if (!fs::is_regular_file(file, error)) {
            return failure(Fault::invalid,
                           fmt::format("no Sendmail here: there is no file {}; if it stands "
                                       "elsewhere: {} FILE",
                                       file.string(),
                                       option));
        }
    }
    auto server = std::make_unique<SendmailServer>(path.string(), made.string());
    if (auto done = server->read_files(); !done) {
        return std::unexpected(done.error());
    }
    return server;
}

/// What stands in the files; enough to find the daemon and to put the old ones back.
Result<void> SendmailServer::read_files() {
    auto const mc = read_whole(mc_);
    auto const cf = read_whole(cf_);
    if (!mc || !cf) {
        return std::unexpected(mc ? cf.error() : mc.error());
    }
    sendmail_ = read_cf(*cf);
    sendmail_.mc = mc_;
    sendmail_.cf = cf_;
    sendmail_.mc_text = *mc;
    return {};
}

Result<void> SendmailServer::read() {
    if (auto done = read_files(); !done) {
        return done;
    }
    if (!running()) {  // and which program is it then?
        return failure(Fault::invalid,
                       fmt::format("the Sendmail of {} is not running ({} names no process): start "
                                   "it first, so that the change is seen to work; nothing was "
                                   "changed",
                                   mc_,
                                   pid_file()));
    }
    auto const said = test(cf_);
    if (!said) {
        return failure(Fault::corrupt,
                       said.error().detail + "; mend that first, nothing was changed");
    }
    read_test_mode(*said, sendmail_);
    if (auto const access = sendmail_.maps.find("access"); access != sendmail_.maps.end()) {
        if (auto const text = read_whole(file_of_map(access->second))) {
            sendmail_.access_relay = relaying(*text);
        }
    }
    return {};
}

std::string SendmailServer::pid_file() const {
    return sendmail_.option("PidFile", default_pid_file);
}

/// The program that runs, whatever else is called sendmail on this machine.
std::string SendmailServer::program() const {
    auto const found = find_daemon(pid_file());
    return !found.command.empty() && found.command.front().starts_with('/')
               ? found.command.front()
               : std::string("/usr/sbin/sendmail");
}

bool SendmailServer::running() const {
    return find_daemon(pid_file()).pid != 0;
}

Result<std::string> SendmailServer::make(const std::string& mc) const {
    auto const folder = fs::path(mc).parent_path().string();
    auto made = run_program({"m4", "-I", folder, mc});
    if (!made) {
        return std::unexpected(made.error());
    }
    if (made->exit != 0) {
        return failure(Fault::corrupt,
                       "m4 cannot make a .cf file: " + first_line_with(made->error, "m4:"));
    }
    return std::move(made->out);
}

/// What Sendmail answers to our questions when it goes by that file.
Result<std::string> SendmailServer::test(const std::string& cf) const {
    auto said = run_program(
        {program(), "-C", cf, "-bt"}, std::chrono::seconds(90), std::string(test_questions));
    if (!said) {
        return std::unexpected(said.error());
    }
    if (said->out.find("ADDRESS TEST MODE") == std::string::npos) {
        return failure(
            Fault::corrupt,
            fmt::format("{} -bt is no Sendmail's test mode: {}",
                        program(),
                        first_line_with(said->error.empty() ? said->out : said->error, ":")));
    }
    if (said->exit != 0) {
        return failure(Fault::corrupt,
                       fmt::format("Sendmail cannot read its configuration: {}",
                                   first_line_with(said->out + said->error, ": line ")));
    }
    return std::move(said->out);
}

Plan SendmailServer::plan(Step step, const Wish& wish) const {
    auto plan = plan_sendmail(sendmail_, wish, step);
    auto const found = find_daemon(pid_file());
    if (found.pid == 0 || found.command.empty()) {
        return plan;  // check and running say so
    }
    auto const file = found.configuration();
    if (!found.command.front().starts_with('/')) {
        plan.obstacles.push_back(
            fmt::format("the daemon was started as `{}`, without its path: it would end when told "
                        "to read its file anew. Start it by its whole path",
                        found.command.front()));
    } else if (fs::path(file.empty() ? default_cf : file).lexically_normal() != cf_) {
        plan.obstacles.push_back(
            fmt::format("the daemon goes by {}, not by {}: say which with "
                        "--mc FILE --cf FILE",
                        file.empty() ? default_cf : file,
                        cf_));
    }
    return plan;
}

Result<void> SendmailServer::check() const {
    auto const made = make(mc_);
    if (!made) {
        return std::unexpected(made.error());
    }
    auto const there = read_whole(cf_);
    if (!there) {
        return std::unexpected(there.error());
    }
    if (significant(*made) != significant(*there)) {
        return failure(
            Fault::corrupt,
            fmt::format("{} is not what m4 makes of {}: one of them was edited and the other not. "
                        "Bring them together (make -C {}, or the edit into the .mc file)",
                        cf_,
                        mc_,
                        fs::path(mc_).parent_path().string()));
    }
    auto const read = test(cf_);
    return read ? Result<void>() : std::unexpected(read.error());
}

/// Both files, made and tried before either is touched.
Result<void> SendmailServer::put(const std::string& block) const {
    auto const old = read_whole(mc_);
    if (!old) {
        return std::unexpected(old.error());
    }
    auto const mc = with_block(*old, block);
    Draft const new_mc(mc_), new_cf(cf_);
    if (auto done = new_mc.write(mc); !done) {
        return done;
    }
    auto const cf = make(new_mc.path());
    if (!cf) {
        return std::unexpected(cf.error());
    }
    if (auto done = new_cf.write(*cf); !done) {
        return done;
    }
    if (auto const read = test(new_cf.path()); !read) {
        return std::unexpected(read.error());
    }
    auto const taken = read_cf(*cf);
    bool const asked = !taken.filters.empty() && taken.filters.front() == transport;
    bool const sends = taken.smart_host.starts_with(fmt::format("{}:", transport));
    if (asked == block.empty() || sends != (block.find("`SMART_HOST'") != block.npos)) {
        return failure(Fault::corrupt,
                       fmt::format("{} does not take up what stands at its end, perhaps because "
                                   "something before it diverts the rest",
                                   mc_));
    }
    for (auto const& [path, text] : {std::pair(mc_, mc), std::pair(cf_, *cf)}) {
        struct stat status {};
        if (::stat(path.c_str(), &status) != 0) {
            return failure(Fault::unavailable, fmt::format("{}: {}", path, std::strerror(errno)));
        }
        if (auto done =
                write_whole(path, text, status.st_mode & 07777, status.st_uid, status.st_gid);
            !done) {
            return done;
        }
    }
    return {};
}

Result<void> SendmailServer::apply(const std::vector<Change>& changes) const {
    return put(changes.empty() ? std::string() : changes.front().value);
}

Result<void> SendmailServer::revert(const std::vector<Change>&, const std::vector<Change>&) const {
    return put({});
}

Result<void> SendmailServer::reload() const {
    return restart_daemon(pid_file(), address_of(sendmail_));
}

Result<void> SendmailServer::reach(const std::string& socket) const {
    // Sendmail takes no socket that others could have put there, and says so in its log only.
    for (auto folder = fs::path(socket).parent_path(); folder.has_relative_path();
         folder = folder.parent_path()) {
        struct stat status {};
        if (::stat(folder.c_str(), &status) == 0 && (status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
            return failure(Fault::invalid,
                           fmt::format("Sendmail uses no socket below a folder that others may "
                                       "write: chmod go-w {}, or another milter.socket",
                                       folder.string()));
        }
    }
    auto user = sendmail_.option("RunAsUser", "root");
    user = user.substr(0, user.find(':'));
    return reachable_from(user, "/", socket, false);
}

std::string SendmailServer::as_commands(const std::vector<Change>& changes) const {
    std::string text;
    for (auto const& change : changes) {
        text += fmt::format(
            "\n# at the end of {0}, instead of an older block of ours\n"
            "cat >> {0} <<'MILLRACE'\n{1}MILLRACE\n",
            change.name,
            change.value);
    }
    return text + fmt::format("\nm4 {} > {}\nkill -HUP $(head -n 1 {})\n", mc_, cf_, pid_file());
}

}  // namespace millrace::attach
