#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "relay/attach/site.hpp"

/// What a Sendmail says of itself, by its .cf file and its test mode. Pure.
namespace millrace::attach {

struct Sendmail {
    std::string mc;  ///< path of the file that people edit
    std::string cf;  ///< path of the file that is made of it
    std::string mc_text;
    std::map<std::string, std::string> options;  ///< O name=value; the first where it may repeat
    std::map<std::string, std::string> mailers;  ///< by name: the definition on one line
    std::map<std::string, std::string> maps;     ///< K: name -> class and arguments
    std::vector<std::string> filters;            ///< in the order in which they are asked
    std::string smart_host;                      ///< `relay:[smtp.example.net]`, or empty
    // As the running program makes them of the file:
    std::string name;                       ///< $j
    std::vector<std::string> domains;       ///< $=w and $={VirtHost}: its own, lower-case
    std::vector<std::string> relayed;       ///< $=R: relay-domains, names and addresses
    std::vector<std::string> access_relay;  ///< keys of the access map that may relay

    std::string option(const std::string& which, std::string otherwise = {}) const;
};

/// The .cf file, taken apart.
Sendmail read_cf(std::string_view text);
/// The answers of `sendmail -bt` to test_questions, into the description.
void read_test_mode(std::string_view output, Sendmail& into);
constexpr std::string_view test_questions = "$j\n$=w\n$={VirtHost}\n$=R\n";
/// The keys of an access file (its text) whose right side is RELAY, without `Connect:`.
std::vector<std::string> relaying(std::string_view access_file);
/// A .cf file without comments and blank lines: two of the same .mc are equal then.
std::string significant(std::string_view cf);

/// Whose mail is judged: loopback, and what relay-domains and access name by address. What is named
/// otherwise is opaque.
Listed networks_of(const Sendmail& sendmail);
/// Where it takes mail from this machine.
Address address_of(const Sendmail& sendmail);

/// `mailer:host` as SMART_HOST has it, taken apart; port from the mailer's definition.
struct SmartHost {
    std::string mailer = "relay";  ///< Sendmail's own default
    std::string host;              ///< without brackets; empty: there is none
    std::uint16_t port = 25;
    bool by_mx = false;
};
SmartHost smart_host_of(const Sendmail& sendmail);

}  // namespace millrace::attach
