#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::attach {

/// One line of master.cf.
struct Service {
    std::string name;  ///< `submission`, `127.0.0.1:10025`, `smtp`
    std::string type;  ///< `inet`, `unix`, `pass`
    std::string chroot;
    std::string command;                         ///< the program: `smtpd`
    std::map<std::string, std::string> options;  ///< -o

    std::string key() const { return name + "/" + type; }
};

/// What a Postfix says of itself, by postconf(1). Plain values.
struct Postfix {
    std::string folder;                           ///< its configuration folder
    std::map<std::string, std::string> expanded;  ///< every parameter in force, $names replaced
    std::map<std::string, std::string> written;   ///< those of main.cf, as they stand there
    std::vector<Service> services;
    /// What the look-up tables named in lists of domains hold: table -> keys. A table that cannot
    /// be listed (a database, a pattern) is not in here.
    std::map<std::string, std::vector<std::string>> tables;
    std::string login;  ///< `user:password` for the relayhost, or empty

    /// In force, or empty.
    std::string get(const std::string& name) const;
    /// For one service: its -o option, else as in main.cf.
    std::string get(const std::string& name, const Service& service) const;
    /// A value of master.cf with the parameters it names: postconf expands those of main.cf only.
    std::string resolved(const std::string& value) const;
    bool yes(const std::string& name) const { return get(name) == "yes"; }
    const Service* service(std::string_view key) const;
};

/// From the output of `postconf -x`, `postconf -n`, `postconf -F`, `postconf -P`. Lines that are no
/// `name = value` are passed over.
Postfix read_postfix(std::string folder,
                     std::string_view expanded,
                     std::string_view written,
                     std::string_view fields,
                     std::string_view options);

/// The elements of a Postfix list: separated by commas and white space, `{ … }` kept whole.
std::vector<std::string> elements(std::string_view value);

}  // namespace millrace::attach
