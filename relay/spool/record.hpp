#pragma once

// The bytes of what is stored.
//
//   record   = version field* crc32c
//   version  = OCTET                      ; one per kind of record; a reader knows its own
//   field    = number / text / time / flag
//   number   = 1*10 OCTET                 ; LEB128: seven bits each, least first
//   text     = number *OCTET              ; length, bytes
//   time     = 8 OCTET                    ; nanoseconds since 1970, signed, little-endian
//   flag     = %x00 / %x01
//   crc32c   = 4 OCTET                    ; of everything before it, little-endian
//
//   envelope = sender account class tag ret envid smtputf8 body-type received born client
//              mta-queue-id message-id size count count*recipient
//   recipient= address destination orcpt notify          ; notify: 1 never 2 success 4 failure
//                                                        ; 8 delay 16 given
//   work     = recipients destination due held attempts version born first-tried starts
//              delay-told class account recipient last-reply last-host sender-domain slot
//              ; recipients: of the whole message, so that the last one is found
//              ; Version 2; version 1 ends with last-host
//   event    = kind at message recipient-index mta-queue-id message-id account recipient sender
//              class tag attempt site provider remote-mta source-ip smtp-code enhanced-status
//              reason bounce-category marks   ; marks: 1 possible duplicate, 2 late, 4 last
//              born took connection-use client size recipients
//              ; took: nanoseconds. Version 2; version 1 ends with marks, of 1 and 2
//   ledger   = last-event last-id queued held received delivered bounced expired suppressed removed
//              ; rewritten by every commit. Version 2; version 1 ends with held
//   body     = version crc32c *OCTET                    ; the checksum first: it is of the bytes
//
// Ids and keys are not repeated in the record. Decoding never trusts: anything wrong is
// Fault::corrupt with a sentence. Golden records of each version are in tests/data/spool.

#include <string>
#include <string_view>

#include "relay/spool/books.hpp"
#include "relay/spool/spool.hpp"

namespace millrace::relay {

struct WorkRecord {
    Work work;
    std::uint16_t recipients = 1;  ///< how many the message had
    bool operator==(const WorkRecord&) const = default;
};

/// What a restart must know without looking at everything.
struct Ledger {
    std::uint64_t last_event = 0;
    MessageId last_id;
    std::uint64_t queued = 0;  ///< unfinished works, held ones included
    std::uint64_t held = 0;
    Books books;
    bool operator==(const Ledger&) const = default;
};

std::string encode(const Envelope& envelope);
std::string encode(const WorkRecord& record);
std::string encode(const Event& event);
std::string encode(const Ledger& ledger);
/// Copies the bytes once.
std::string encode_body(std::string_view bytes);

Result<Envelope> decode_envelope(MessageId id, std::string_view bytes);
Result<WorkRecord> decode_work(const WorkKey& key, std::string_view bytes);
Result<Event> decode_event(std::uint64_t id, std::string_view bytes);
Result<Ledger> decode_ledger(std::string_view bytes);
Result<Body> decode_body(std::string_view bytes);

}  // namespace millrace::relay
