#include "common/net/port_holder.hpp"

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

namespace millrace {
namespace {

namespace fs = std::filesystem;

/// The socket inodes that listen on the port, from one of /proc/net/tcp and tcp6.
void collect(const char* table, std::uint16_t port, std::set<std::string>& inodes) {
    std::ifstream file(table);
    std::string line;
    std::getline(file, line);  // the heading
    while (std::getline(file, line)) {
        std::istringstream fields(line);
        std::string slot, local, remote, state, queues, timer, retransmits, uid, timeout, inode;
        fields >> slot >> local >> remote >> state >> queues >> timer >> retransmits >> uid >>
            timeout >> inode;
        const auto colon = local.rfind(':');
        if (state != "0A" || colon == local.npos) continue;  // 0A: TCP_LISTEN
        if (std::stoul("0" + local.substr(colon + 1), nullptr, 16) == port) inodes.insert(inode);
    }
}

std::string name_of(const fs::path& process) {
    std::ifstream file(process / "comm");
    std::string name;
    std::getline(file, name);
    return name + " (pid " + process.filename().string() + ")";
}

}  // namespace

std::string port_holder(std::uint16_t port) {
    std::set<std::string> inodes;
    collect("/proc/net/tcp", port, inodes);
    collect("/proc/net/tcp6", port, inodes);
    if (inodes.empty()) return {};
    std::error_code error;
    for (const auto& process : fs::directory_iterator("/proc", error)) {
        const std::string pid = process.path().filename().string();
        if (pid.find_first_not_of("0123456789") != pid.npos) continue;
        std::error_code denied;
        for (const auto& fd : fs::directory_iterator(process.path() / "fd", denied)) {
            std::error_code gone;
            const std::string target = fs::read_symlink(fd.path(), gone).string();
            if (target.starts_with("socket:[") &&
                inodes.contains(target.substr(8, target.size() - 9))) {
                return name_of(process.path());
            }
        }
    }
    return {};
}

}  // namespace millrace
