#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/base/result.hpp"
#include "common/net/task.hpp"
#include "relay/spool/books.hpp"
#include "relay/spool/event.hpp"
#include "relay/spool/message.hpp"

namespace millrace::relay {

/// One recipient of one message.
struct WorkKey {
    MessageId message;
    std::uint16_t index = 0;  ///< position in Envelope::recipients
    auto operator<=>(const WorkKey&) const = default;
};

/// What is still to do for one recipient, and how it went so far.
struct Work {
    WorkKey key;
    std::string destination;  ///< queue it stands in; equals Recipient::destination
    Time due{};               ///< next attempt
    bool held = false;        ///< by an operator: not due until released
    std::uint16_t attempts = 0;
    std::uint32_t version =
        1;               ///< grows with every change; a writer with an old version changes nothing
    Time born{};         ///< copy of Envelope::born: expiry without reading the envelope
    Time first_tried{};  ///< zero before the first attempt
    std::uint8_t slot = 0;  ///< which of the sources (relay/schedule): fixed with the first
                            ///< attempt, so that a retry comes from where that one came from
    std::uint8_t starts = 0;  ///< attempts begun and never finished (poison guard)
    bool delay_told = false;  ///< the one delay DSN has been written
    Class klass = Class::transactional;
    std::string account;
    std::string sender_domain;  ///< of MAIL FROM, lower-case A-labels; `<>`: the null sender;
                                ///< empty: queued by a version that did not keep it
    std::string recipient;
    std::string last_reply;  ///< `451 4.7.1 try later`, or what went wrong before a reply
    std::string last_host;   ///< who said so
    bool operator==(const Work&) const = default;
};

/// A message that is to be taken over: its id, sender, recipients, bytes.
struct NewMail {
    Envelope envelope;
    Body body;
    std::vector<Work> works;  ///< one per recipient, in order
};

/// Changes that become durable together or not at all. Every entry checks the version of its work:
/// when that is gone or newer, the entry and its event are left out (`Committed::stale` counts
/// them).
struct Batch {
    struct Finish {
        WorkKey key;
        std::uint32_t version;
        Event event;
    };
    struct Change {
        std::uint32_t version;  ///< the version that was read; `work.version` is set to version + 1
        Work work;              ///< the new state (due, held, attempts, last_reply, …)
        std::optional<Event> event;
    };
    std::vector<NewMail> append;  ///< with one `received` event per recipient, made by the spool
    std::vector<Finish>
        finish;  ///< work out, event in; the last one of a message takes the bytes along
    std::vector<Change> change;  ///< defer, hold, release, retry now
    bool empty() const { return append.empty() && finish.empty() && change.empty(); }
};

struct Committed {
    unsigned stale = 0;         ///< entries left out because someone else was faster
    std::vector<Event> events;  ///< those written, with their ids, in order
};

/// Per stream (relay/spool/stream.hpp): what waits on disk.
struct StreamSummary {
    std::string stream;
    std::string destination;
    std::uint64_t count = 0;  ///< without held ones
    std::uint64_t held = 0;
    Time next_due = never;
    Time oldest = never;  ///< smallest `born`
};

/// Position behind the last work handed out by due().
struct DueCursor {
    Time due{};
    WorkKey key;
};

/// A small named value.
struct Note {
    std::string name, value;
    bool operator==(const Note&) const = default;
};

struct StoredMail {
    Envelope envelope;
    std::vector<Work> works;  ///< those not finished yet
};

struct WorkFilter {
    std::optional<MessageId> message;
    std::string destination;             ///< empty: any
    std::set<std::string> destinations;  ///< any of these; empty: any
    std::string sender;                  ///< exact, empty: any
    std::string sender_domain;           ///< as Work::sender_domain, empty: any
    std::string recipient;               ///< exact, empty: any
    std::string account;
    std::string mta_queue_id;
    std::string message_id;
    std::optional<bool> held;
};

struct SpoolHealth {
    bool accepting = true;  ///< false: answer 452/451 and say `why`
    bool broken = false;    ///< latched; the process must exit
    std::string why;
    std::uint64_t free_bytes = 0;
    std::uint64_t queued = 0;  ///< works, held ones included
    Books books;               ///< of the same moment as `queued`
    Time oldest = never;
};

/// What is durable. One contract, several versions (MemorySpool, RocksSpool); tests/contract holds
/// them to it.
///
/// Durable:   when commit() returns, a power cut loses nothing of it. Changes of commits that were
/// handed in
///            earlier are durable too (order is kept).
/// Failure:   full (452), unavailable (451), broken (latched: every later call fails the same way;
/// exit).
///            A failed commit leaves no trace, or – after broken – a trace that recovery removes or
///            keeps whole.
/// Cancelled: commits are not cancellable; the waiter stays.
/// Thread:    the loop's; resumes there.
class Spool {
  public:
    virtual ~Spool() = default;

    /// RFC 5321 §4.2.5: after its 250 we own the message; so a 250 waits for this.
    /// A batch of new mail alone is refused first for want of room: delivery results use reserved
    /// space, so a full disk doubles nothing. A batch mixes `append` with results only for DSNs,
    /// and counts as a result; where even the reserve has no room for the DSN it is refused whole,
    /// and the results that owe nobody a DSN can still be committed without it.
    virtual Task<Result<Committed>> commit(Batch batch) = 0;

    /// Verified against its checksum. Failure: not_found, corrupt.
    virtual Task<Result<Body>> body(MessageId id) = 0;
    virtual Task<Result<Envelope>> envelope(MessageId id) = 0;

    /// All streams with work, by name: those of one destination stand together. Reads an index, no
    /// bodies, no envelopes.
    virtual Task<Result<std::vector<StreamSummary>>> summary() = 0;
    /// Work of one stream with due <= until, after the cursor, by due time; never held work.
    virtual Task<Result<std::vector<Work>>> due(std::string stream,
                                                Time until,
                                                DueCursor after,
                                                unsigned max) = 0;
    /// Work born at or before `until`, oldest first, after the cursor (its `due` is the `born` of the
    /// last one); never held work. told: that of whose delay the sender has been told; else the rest.
    virtual Task<Result<std::vector<Work>>> aged(bool told,
                                                 Time until,
                                                 DueCursor after,
                                                 unsigned max) = 0;
    /// One message with its unfinished work. not_found when it is finished or never was.
    virtual Task<Result<StoredMail>> mail(MessageId id) = 0;
    /// Work that matches, in order of (message, index), after `after`; for people, not for the hot
    /// path.
    virtual Task<Result<std::vector<Work>>> find(WorkFilter filter,
                                                 WorkKey after,
                                                 unsigned max) = 0;

    /// Events with id > after, in order.
    virtual Task<Result<std::vector<Event>>> events(std::uint64_t after, unsigned max) = 0;
    /// Events of one message, in order.
    virtual Task<Result<std::vector<Event>>> history(MessageId id) = 0;
    /// Drops events with id <= up_to.
    virtual Task<Result<void>> trim(std::uint64_t up_to) = 0;

    /// Small named values that survive restart: cursors, token levels. Not atomic with commit().
    virtual Task<Result<void>> put_note(std::string name, std::string value) = 0;
    virtual Task<Result<std::string>> note(std::string name) = 0;
    /// Also when there is none of that name.
    virtual Task<Result<void>> drop_note(std::string name) = 0;
    /// Notes whose names begin with `prefix`, by name, after the name `after`.
    virtual Task<Result<std::vector<Note>>> notes(std::string prefix,
                                                  std::string after,
                                                  unsigned max) = 0;

    /// The books, and everything counted anew, as of one moment. Reads all records but bodies and
    /// events: seconds for each million of recipients, beside everything else.
    virtual Task<Result<Stock>> stock() = 0;

    /// The greatest id ever stored, for MessageIds.
    virtual MessageId last_id() const = 0;
    virtual SpoolHealth health() const = 0;
};

}  // namespace millrace::relay
