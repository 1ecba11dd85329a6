#include "relay/explainer.hpp"

namespace millrace::relay {

std::string meaning(const Typed& typed, const std::string& who) {
    switch (typed.blame) {
        case Blame::connections:
            return who + " had too many connections open from us";
        case Blame::rate:
            return "We sent faster than " + who + " takes mail";
        case Blame::messages_per_connection:
            return who + " takes only so many messages on one connection";
        case Blame::recipient:
            return "It is about this mailbox alone (full, busy, unknown or closed); other mail "
                   "to " +
                   who + " goes on";
        case Blame::greylist:
            return who +
                   " puts off mail of senders it does not know yet (greylisting); a later "
                   "attempt is taken, nothing is wrong";
        case Blame::sender:
            return who + " objects to the sender's address or domain";
        case Blame::content:
            return who + " objects to what the message says or carries";
        case Blame::reputation:
            return who + " refuses mail from our address for its reputation";
        case Blame::blocklist:
            return "Our address is on a blocklist that " + who + " uses";
        case Blame::compliance:
            return who +
                   " misses something about the mail: authentication, alignment, a reverse "
                   "name or an unsubscribe header";
        case Blame::receiver_ill:
            return who + " has trouble of its own";
        case Blame::tls:
            return "Encryption with " + who + " did not come about";
        case Blame::none:
            return {};
    }
    return {};
}

std::string advice(Blame blame) {
    switch (blame) {
        case Blame::reputation:
            return "See the receiver's postmaster pages; send less and only to those who asked for "
                   "it. Waiting alone seldom mends it, another address never";
        case Blame::blocklist:
            return "Find the cause and ask the list to take the address off; trying again does not "
                   "help";
        case Blame::compliance:
            return "Check SPF, DKIM and DMARC of the sender's domain and the reverse name of our "
                   "address; the reply may say more";
        case Blame::content:
            return "The sender should look at the message";
        case Blame::sender:
            return "The sender's domain must exist, have an MX, and allow this server in its SPF "
                   "record";
        default:
            return {};
    }
}

}  // namespace millrace::relay
