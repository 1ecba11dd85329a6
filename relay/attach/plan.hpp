#pragma once

#include <map>
#include <string>
#include <vector>

#include "common/config/settings.hpp"
#include "relay/attach/site.hpp"

/// What `millrace attach` changes, decided before anything is touched. Pure.
namespace millrace::attach {

/// How much of the mail is meant; both empty: all of it.
struct Scope {
    std::vector<std::string> senders;  ///< only mail from these domains
    std::vector<std::string> domains;  ///< only mail to these domains
    bool whole() const { return senders.empty() && domains.empty(); }
};

/// What the operator wants, and where things are.
struct Wish {
    Scope scope;
    config::Snapshot settings;  ///< in force before: which listener, which limits
    std::string socket;         ///< path of the milter's socket
    bool socket_given = false;  ///< the operator's file says where it is: it stays there
    bool mode_given = false;    ///< the operator's file says what the gate does
    std::string clients;        ///< file for the list of our clients, in Postfix's folder
    std::string message_log;    ///< the gate's file of messages
    std::string mail_log;       ///< where the relay's lines in Postfix's form go; empty: nowhere
    std::string password_file;  ///< for the login at an upstream smart host
    std::string handover_key;   ///< key that milter and relay share
    std::vector<std::string> wake;  ///< what makes Postfix try deferred mail again
};

/// One change of the mail server's configuration: Postfix's by postconf(1), or a block of text in
/// Sendmail's .mc file (its name; where: main).
struct Change {
    enum class Where {
        main,     ///< `postconf -e name=value`
        service,  ///< `postconf -M -e name=value`: a line of master.cf
        option,   ///< `postconf -P -e name=value`: an -o of a service
    };
    Where where = Where::main;
    std::string name;
    std::string value;
    bool operator==(const Change&) const = default;
};

struct Plan {
    std::vector<Change> changes;
    std::map<std::string, std::string> files;  ///< new files, by path
    std::string settings;                      ///< attached.conf
    std::string password;                      ///< to go into Wish::password_file; empty: none
    std::vector<std::string> passes;           ///< what goes through Millrace, a sentence each
    std::vector<std::string> stays;            ///< what does not
    std::vector<std::string> carried;          ///< what Millrace takes over from Postfix's settings
    std::vector<std::string> advice;           ///< what the operator may want to change himself
    std::vector<std::string> obstacles;        ///< when there is one, nothing is done
};

/// The two steps of an attachment, each of which can be taken back.
enum class Step { listening, enforcing };

/// Step one: the milter listens and says what it would do; Postfix goes on as before.
Plan plan_listening(const Postfix& postfix, const Wish& wish);
/// Step two: the gate acts, and the relay delivers.
Plan plan_enforcing(const Postfix& postfix, const Wish& wish);

/// Names of main.cf parameters that attach makes; all begin like this.
constexpr std::string_view own_prefix = "millrace_";
/// The transport in master.cf, and the word in {rcpt_mailer}.
constexpr std::string_view transport = "millrace";

}  // namespace millrace::attach
