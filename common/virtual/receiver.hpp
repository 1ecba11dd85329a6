#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/virtual/network.hpp"

namespace millrace::virtual_ {

/// Where in a conversation a receiver does something to it.
enum class Moment { banner, hello, starttls, mail, recipient, data, body, dot, count };

/// How a receiver behaves; everything is off by default.
struct Manners {
    unsigned connections_max = 0;          ///< 421 to connections above it
    unsigned messages_per_connection = 0;  ///< 421 to the next MAIL
    unsigned messages_per_interval = 0;    ///< 450 to MAIL above it
    Duration interval = std::chrono::minutes(10);
    unsigned blocks_after = 0;  ///< messages taken, then it shuts our address out: 421 to MAIL …
    Duration block = std::chrono::hours(2);  ///< … for so long, once
    Duration greylist{};          ///< a new (source, sender, recipient) is told 450 so long
    Duration tarpit{};            ///< before each reply
    unsigned recipients_max = 0;  ///< 452 to RCPT above it …
    bool full_is_552 = false;     ///< … or 552, as RFC 821 said it (RFC 5321 §4.5.3.1.10)
    bool black_hole = false;      ///< takes connections and never says a word
    bool multiline = false;       ///< replies of several lines
    bool pipelining = true;
    bool starttls = false;
    bool starttls_refused = false;  ///< 454 to the command
    double busy = 0;                ///< chance of 451 at the final dot
    std::map<Moment, double> drop;  ///< chance that the connection ends there, unanswered
    double drop_taken = 0;          ///< chance: dropped after the dot, and the message is taken
    std::map<Moment, std::string> replies;          ///< instead of success, at these moments
    std::map<std::string, std::string> recipients;  ///< replies to RCPT, by address
};

/// A fake receiving server. It keeps what it took and what it was asked, for the checkers.
/// Thread: the simulation's.
class Receiver {
  public:
    /// One message it took over.
    struct Taken {
        Time at{};
        std::uint64_t connection = 0;
        Address source;
        std::string sender;
        std::vector<std::string> recipients;
        std::string bytes;  ///< without dot-stuffing and the final dot
        Duration tarpit{};  ///< how long each reply of the conversation took
        bool answered = false;
        std::shared_ptr<DeliveryProof> proof;
        std::uint64_t answer_ends = 0;
        /// Whether the sender's program has read the 250. Otherwise it must send again.
        bool heard() const { return answered && proof->read_by_peer() >= answer_ends; }
    };
    /// One answer to MAIL or RCPT, or to the final dot (then once for each recipient).
    struct Answer {
        Time at{};
        Moment moment{};
        std::uint64_t connection = 0;
        std::string sender;
        std::string recipient;  ///< empty for MAIL
        std::string reply;
        Duration tarpit{};   ///< how long each reply took
        bool limit = false;  ///< says that we send too fast or keep too many connections
        bool block = false;  ///< says that it wants nothing from our address for the time being
        std::shared_ptr<DeliveryProof> proof;
        std::uint64_t ends = 0;
        bool heard() const { return proof && ends > 0 && proof->read_by_peer() >= ends; }
    };

    /// Listens at once. Everything outlives the simulation's coroutines.
    Receiver(Machine& machine, Network& network, Random& random, Endpoint at, std::string name);

    Manners manners;
    /// Called when a message has been taken and before anybody is told.
    std::function<void(const Taken&)> on_taken;
    const std::string& name() const { return name_; }
    const Endpoint& at() const { return at_; }
    const std::vector<Taken>& taken() const { return taken_; }
    const std::vector<Answer>& answers() const { return answers_; }

  private:
    struct Session;
    static Task<void> listen(Receiver& self, std::unique_ptr<Listener> listener);
    static Task<void> converse(Receiver& self, std::unique_ptr<Stream> stream);
    /// False: the conversation is over.
    Task<bool> serve(Session& session, std::string line);
    Task<bool> hello(Session& session, std::string reply);
    Task<bool> mail(Session& session, std::string line);
    Task<bool> recipient(Session& session, std::string line);
    Task<bool> data(Session& session);
    Task<bool> dot(Session& session, std::string bytes);
    Task<bool> say(Session& session, std::string reply);
    Task<std::optional<std::string>> line(Session& session);
    bool drops(Moment moment);
    bool chance(double p) { return p > 0 && random_.unit() < p; }
    std::optional<std::string> scripted(Moment moment) const;
    /// Says it and remembers that, for every address.
    Task<bool> answer(Session& session,
                      Moment moment,
                      std::vector<std::string> addresses,
                      std::string reply);

    Machine& machine_;
    Random& random_;
    Endpoint at_;
    std::string name_;
    unsigned open_ = 0;
    std::vector<Time> mails_;  ///< accepted MAIL commands of the last interval
    Time blocked_until_{};     ///< zero: not yet
    std::map<std::string, Time> greylist_;
    std::vector<Taken> taken_;
    std::vector<Answer> answers_;
};

}  // namespace millrace::virtual_
