#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/base/time.hpp"
#include "common/net/endpoint.hpp"
#include "common/virtual/receiver.hpp"
#include "relay/spool/memory_disk.hpp"

namespace millrace::sim {

/// One message of a client, as the client saw it.
struct Sent {
    enum class Fate {
        unknown,   ///< the connection died before an answer to the dot
        accepted,  ///< 250: from here on it is the relay's
        refused,   ///< 4xx or 5xx: must never be delivered
    };
    std::size_t number = 0;
    std::string sender;  ///< empty: the null sender
    std::vector<std::string> recipients;
    std::string body;  ///< behind the header, CRLF, not dot-stuffed
    Fate fate = Fate::unknown;
    Time begun{};
    Time answered{};
    std::string queue_id;
};

/// A moment at which the relay died.
struct Death {
    Time at{};
    bool power_cut = false;
};

/// The limits that were configured.
struct Promises {
    unsigned connections_per_site = 0;
    double messages_per_second = 0;
    std::vector<Duration> retry;
    Duration expire_after{};
    unsigned sources = 1;
    std::optional<Address> warm_up;  ///< the source that is new
    unsigned warm_up_first = 0;      ///< messages of its first day, to each site
};

/// What crossed the seams in one virtual day, outside of the relay, and what must be true of it.
/// The checkers know nothing of the relay's insides: clients, receivers, wires and the disk are
/// their witnesses.
class Ledger {
  public:
    std::vector<Sent> sent;
    std::vector<Death> deaths;
    Promises promises;
    std::map<std::string, std::vector<const virtual_::Receiver*>> sites;
    const virtual_::Receiver* senders_home = nullptr;  ///< takes the DSNs
    std::vector<std::string> violations;
    std::uint64_t excused_duplicates = 0;

    void violated(const std::string& what) { violations.push_back(what); }

    /// At any moment: nothing acknowledged is missing from the disk (Inv1).
    void check_custody(const relay::MemoryState& disk);
    /// After the drain: custody, duplicates, refusals, content, expiry, DSNs (Inv1–5, Inv8).
    void check_outcomes(const relay::MemoryState& disk);
    /// Rates per site in any window, pauses that a receiver asked for, retry times (Inv6).
    void check_manners();

    /// Told of every connection of the relay.
    void opened(const std::string& site, const Address& source, Time at);
    void closed(const std::string& site, const Address& source, std::uint64_t connection, Time at);
    /// Where each connection of the relay came from.
    std::map<std::uint64_t, Address> sources;

  private:
    struct Copy {
        const virtual_::Receiver::Taken* taken;
        bool excused;  ///< the relay could not know, or not remember, that this one was taken
    };
    using Copies = std::map<std::string, std::vector<Copy>>;

    Copies copies() const;
    bool died_between(Time from, Time to, bool only_power_cuts = false) const;
    /// Up to when the relay may still have had to forget what this answer came to, had it died.
    Time settled(const virtual_::Receiver::Answer& answer) const;
    void check_copies(const Sent& message, const Copies& copies);
    void check_notices(const relay::MemoryState& disk);
    void check_rate(const std::string& site, std::vector<Time> mails);
    void check_pauses(const std::string& site, std::vector<virtual_::Receiver::Answer> answers);
    void check_blocks(const std::string& site, std::vector<virtual_::Receiver::Answer> answers);
    void check_retries(const std::string& recipient,
                       std::vector<virtual_::Receiver::Answer> answers);

    /// All attempts for a recipient came from one source.
    void check_sources(const std::string& recipient,
                       const std::vector<virtual_::Receiver::Answer>& answers);
    /// A new source sends a site no more in a day than it may.
    void check_warm_up(const std::string& site,
                       const std::vector<virtual_::Receiver::Answer>& answers);

    std::map<std::pair<std::string, Address>, unsigned> open_;
    std::map<std::pair<std::string, Address>, Time> first_opened_;
    std::map<std::uint64_t, Time> ended_;               ///< connections, as the relay saw it
    std::map<std::uint64_t, std::vector<Time>> mails_;  ///< MAIL on each of them, in order
};

/// `s12@client.example` → 12.
std::string sender_address(std::size_t number);

}  // namespace millrace::sim
